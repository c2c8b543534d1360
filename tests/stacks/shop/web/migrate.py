"""Brings the database to what the code expects."""

import database

database.run("CREATE TABLE IF NOT EXISTS orders (number serial PRIMARY KEY, state text NOT NULL DEFAULT 'new')")
