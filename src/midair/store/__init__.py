"""What midair remembers: SQLite in WAL mode, one file for each table. Stores the core's decisions, makes none."""

from midair.store.store import Commit, Store, check_version

__all__ = ["Commit", "Store", "check_version"]
