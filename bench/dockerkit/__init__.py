"""Ways to change a service in containers, each as people use it."""
