"""Replicas as plain processes: no engine, no image, nothing to install."""
