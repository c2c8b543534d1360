"""What midair remembers: SQLite in WAL mode, one file for each table. Stores the core's decisions, makes none."""

from midair.store.store import Commit, Reserve, Store

__all__ = ["Commit", "Reserve", "Store"]
