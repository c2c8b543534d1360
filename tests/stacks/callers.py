"""Clients of databases inside a project: `callers.py KIND URL`, until told to end by SIGTERM; prints a report as JSON.

Kinds are named after the server, with "-new" for a new connection for each query. Otherwise one connection is kept as
pools keep theirs: checked before it is used, and opened again when the server has closed it meanwhile.
"""

import json
import signal
import sys
import time
from urllib.parse import urlsplit

PAUSE_S = 0.02
FIRST_FAILURES = 20


class Sql:
    def query(self):
        cursor = self.link.cursor()
        cursor.execute("SELECT 40 + 2")
        assert cursor.fetchone() == (42,)

    def close(self):
        self.link.close()


class Postgres(Sql):
    def __init__(self, url):
        import psycopg2

        self.link = psycopg2.connect(url, connect_timeout=30)
        self.link.autocommit = True

    def check(self):
        self.link.cursor().execute("SELECT 1")


class Mysql(Sql):
    def __init__(self, url):
        import pymysql

        parts = urlsplit(url)
        self.link = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password,
            connect_timeout=30,
        )

    def check(self):
        self.link.ping(reconnect=False)


class Redis:
    def __init__(self, url):
        import redis

        parts = urlsplit(url)
        self.link = redis.Redis(parts.hostname, parts.port or 6379, single_connection_client=True)
        self.check()

    def check(self):
        self.link.ping()

    def query(self):
        assert self.link.echo("42") == b"42"

    def close(self):
        self.link.close()


class Rabbitmq:
    def __init__(self, url):
        import pika

        self.link = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.link.channel()
        self.name = self.channel.queue_declare("", exclusive=True).method.queue

    def check(self):
        self.link.process_data_events(0)

    def query(self):
        self.channel.basic_publish("", self.name, b"42")
        deadline = time.monotonic() + 30
        while (body := self.channel.basic_get(self.name, auto_ack=True)[2]) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert body == b"42"

    def close(self):
        self.link.close()


SERVERS = {"postgres": Postgres, "mysql": Mysql, "redis": Redis, "rabbitmq": Rabbitmq}


class Caller:
    def __init__(self, kind, url):
        server, _, fresh = kind.partition("-")
        self.connect, self.is_kept = SERVERS[server], fresh != "new"
        self.url, self.link = url, None
        self.calls, self.reopened, self.failures, self.slowest = 0, 0, [], 0.0

    def call(self):
        began = time.monotonic()
        self.calls += 1
        try:
            self._check()
            self.link = self.link or self.connect(self.url)
            self.link.query()
            if not self.is_kept:
                self._close()
        except Exception as error:
            self.failures.append(f"call {self.calls} at {time.time():.2f}: {type(error).__name__}: {error}")
            self._close()
        self.slowest = max(self.slowest, time.monotonic() - began)

    def _check(self):
        if self.link is None:
            return
        try:
            self.link.check()
        except Exception:
            self.reopened += 1
            self._close()

    def _close(self):
        link, self.link = self.link, None
        try:
            if link is not None:
                link.close()
        except Exception:
            pass  # the other side has closed it

    def report(self):
        return {
            "requests": self.calls, "failed": len(self.failures), "failures": self.failures[:FIRST_FAILURES],
            "reopened": self.reopened, "slowest_s": round(self.slowest, 3),
        }  # fmt: skip


def main():
    caller, ended = Caller(*sys.argv[1:]), []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    caller.call()
    print('{"started": true}', flush=True)
    while not ended:
        time.sleep(PAUSE_S)
        caller.call()
    print(json.dumps(caller.report()), flush=True)


main()
