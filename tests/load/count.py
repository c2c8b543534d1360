"""What a run of the load client has counted: requests and failures by kind, with the first failures in detail."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_FAILURES = 20


class Attempt:
    """One request: it counts as answered unless it is told that it failed."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def fail(self, error: Exception) -> None:
        """Say why it failed."""
        self.error = error


class Load:
    """The target of a run and its counts. `requests` counts each attempt, once, when it begins."""

    path = "/"  # what GETs ask for
    pause = 0.005  # seconds between the requests of one user
    patience = 30.0  # seconds after which a missing answer is a failure
    parts = 50  # of a stream

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.began = time.monotonic()
        self.requests: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.slowest: dict[str, float] = {}
        self.failures: list[dict[str, object]] = []
        self.versions: dict[str, int] = {}  # answers by the X-Version header
        self.closes: dict[int, int] = {}  # WebSockets by close code
        self.reopened = 0  # kept connections that the server had closed before they were used again
        self._stop = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """True when every user is to finish what is begun and leave."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Let every user finish what is begun and leave."""
        self._stop.set()

    async def rest(self, seconds: float) -> None:
        """Wait, but not longer than until `stop`."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass

    def saw(self, version: str) -> None:
        """An answer came from this version of the app."""
        if version:
            self.versions[version] = self.versions.get(version, 0) + 1

    @contextmanager
    def request(self, kind: str) -> Iterator[Attempt]:
        """Count one request of `kind`, and its failure if it has one."""
        self.requests[kind] = self.requests.get(kind, 0) + 1
        attempt, started = Attempt(), time.monotonic()
        yield attempt
        took = time.monotonic() - started
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), took)
        if attempt.error is None:
            return
        self.failed[kind] = self.failed.get(kind, 0) + 1
        if len(self.failures) < FIRST_FAILURES:
            why = str(attempt.error) or f"no answer within {self.patience:g} s"
            at = round(time.monotonic() - self.began, 3)
            self.failures.append({"kind": kind, "at_s": at, "took_s": round(took, 3), "why": why})

    def report(self) -> dict[str, object]:
        """Everything counted, as plain data."""
        return {
            "seconds": round(time.monotonic() - self.began, 2),
            "requests": sum(self.requests.values()),
            "failed": sum(self.failed.values()),
            "by_kind": {kind: {"requests": n, "failed": self.failed.get(kind, 0),
                               "slowest_s": round(self.slowest.get(kind, 0.0), 3)}
                        for kind, n in sorted(self.requests.items())},
            "versions": self.versions,
            "closes": {str(code): n for code, n in self.closes.items()},
            "reopened": self.reopened,
            "failures": self.failures,
        }  # fmt: skip
