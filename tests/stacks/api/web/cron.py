"""Tidies up, again and again."""

import time

import database

while True:
    database.run("UPDATE items SET tidied = true WHERE NOT tidied")
    time.sleep(1)
