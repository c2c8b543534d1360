"""The front of a service: a container that is nothing but the service's address. Its parts that run in the container
(`keeper`, `netlink`, `rules`, `flows`) use the standard library alone."""
