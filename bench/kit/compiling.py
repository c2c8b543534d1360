"""An environment in which Python keeps what it has compiled, as it does where programs are installed."""

import os


def compiling() -> dict[str, str]:
    """The environment of this process without what forbids it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
