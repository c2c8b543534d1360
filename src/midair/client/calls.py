"""Questions with one answer: what every part of the client is made of."""

from typing import TypeVar
from urllib.parse import quote

import msgspec

from midair.client.transport import Transport

T = TypeVar("T")


class Calls:
    """Asks the daemon behind a transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def get(self, url: str, answer: type[T]) -> T:
        return msgspec.json.decode(self.transport.call("GET", url), type=answer)

    def post(self, url: str, ask: msgspec.Struct | None, answer: type[T], *, timeout: float | None = 60.0) -> T:
        body = msgspec.json.encode(ask) if ask is not None else b"{}"
        return msgspec.json.decode(self.transport.call("POST", url, body, timeout=timeout), type=answer)


def project_url(name: str) -> str:
    return f"/v1/projects/{quote(name, safe='')}"
