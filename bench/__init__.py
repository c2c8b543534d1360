"""Benchmarks: each module with a `main` measures something, prints a table, and returns 1 when its target is missed."""
