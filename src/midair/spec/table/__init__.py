"""The schema as data: every field that a Compose file can have, and `x-midair`."""
