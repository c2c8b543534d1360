"""Replicas as containers of a Docker engine, under Compose's own names and labels."""
