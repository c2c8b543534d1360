"""The daemon's own log: a file that turns over, readable by its owner alone."""

import io
import logging
import logging.handlers
import os
import sys
from pathlib import Path

FILE = "daemon.log"
LIMIT = 5_000_000  # bytes before it is turned over
KEPT = 3  # older parts


class _PrivateFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> io.TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def set_up_log(home: Path, *, foreground: bool) -> None:
    """Send log records to daemon.log, and to stderr when somebody is watching."""
    handlers: list[logging.Handler] = [_PrivateFile(home / FILE, maxBytes=LIMIT, backupCount=KEPT)]
    if foreground:
        handlers.append(logging.StreamHandler(sys.stderr))
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in handlers:
        handler.setFormatter(form)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
