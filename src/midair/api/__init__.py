"""The HTTP API on the Unix socket: one file a resource. Translates, and decides nothing."""
