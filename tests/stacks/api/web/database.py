"""One connection for each thread, checked before it is used, as pools do with pre-ping."""

import os
import threading

import psycopg2

_mine = threading.local()


def run(statement, *values):
    """The rows of a statement that is its own transaction."""
    with _connection().cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _connection():
    link = getattr(_mine, "link", None)
    if link is not None:
        try:
            link.cursor().execute("SELECT 1")
            return link
        except psycopg2.OperationalError:
            link.close()
    _mine.link = psycopg2.connect(os.environ["DATABASE_URL"])
    _mine.link.autocommit = True
    return _mine.link
