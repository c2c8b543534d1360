"""The one door to the control plane: a typed client of the API on the Unix socket. The CLI knows nothing else."""

from midair.client.client import Client
from midair.client.home import default_home

__all__ = ["Client", "default_home"]
