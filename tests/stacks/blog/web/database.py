"""One connection for each thread, checked before it is used, as pools do with pre-ping."""

import os
import threading

import pymysql

_mine = threading.local()


def run(statement, *values):
    """The rows of a statement that is its own transaction."""
    with _connection().cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _connection():
    link = getattr(_mine, "link", None)
    if link is not None:
        try:
            link.ping(reconnect=False)
            return link
        except pymysql.MySQLError:
            pass
    _mine.link = pymysql.connect(
        host=os.environ["MYSQL_HOST"], user="blog", password="secret", database="blog", autocommit=True
    )
    return _mine.link
