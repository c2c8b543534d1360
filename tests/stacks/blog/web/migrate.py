"""Makes the table of the posts."""

import os

import database

if os.environ.get("BROKEN") == "migration":
    raise SystemExit("Unknown column 'posts.colour'")
database.run("CREATE TABLE IF NOT EXISTS posts (number INT AUTO_INCREMENT PRIMARY KEY, body TEXT)")
