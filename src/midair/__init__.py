"""midair changes a running service without landing it. Kept empty, so that clients stay light to import."""

__version__ = "0.1.0"
