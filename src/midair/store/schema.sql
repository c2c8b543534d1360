-- Version 1. Frozen: later changes are files in migrations/, run in order. Bodies are JSON of midair.model.

CREATE TABLE meta (
  key    TEXT PRIMARY KEY,
  value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
  name       TEXT PRIMARY KEY,
  completed  BLOB                -- Applied of the last completed change: where a failed one goes back to
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
  project  TEXT NOT NULL,
  id       INTEGER NOT NULL,
  state    BLOB NOT NULL,        -- Change without the three below: small, since it is written at every step
  before   BLOB,                 -- Applied; written once
  after    BLOB NOT NULL,        -- Applied; written once
  plan     BLOB,                 -- Plan; written once
  PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollouts (
  project  TEXT NOT NULL,
  service  TEXT NOT NULL,
  body     BLOB NOT NULL,
  PRIMARY KEY (project, service)
) STRICT, WITHOUT ROWID;

CREATE TABLE revisions (
  project  TEXT NOT NULL,
  service  TEXT NOT NULL,
  id       TEXT NOT NULL,
  body     BLOB NOT NULL,
  PRIMARY KEY (project, service, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  number   INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, also after pruning
  project  TEXT NOT NULL,
  change   INTEGER,
  at       REAL NOT NULL,
  body     BLOB NOT NULL
) STRICT;

CREATE INDEX events_of_change ON events (project, change, number);
