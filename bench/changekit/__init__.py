"""What people use today to change code on one machine, each started and changed the way its documentation says."""
