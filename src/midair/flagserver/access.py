"""Who may read which flags: bearer tokens or API keys, for all sets or for one."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

ANY = "*"


class Access:
    """`tokens`: token to the name of the set it opens, or "*". Without tokens everybody may read."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        self.tokens = dict(tokens or {})
        self.secret = secrets.token_bytes(32)

    def refusal(self, request: Request, name: str) -> Response | None:
        """An answer without a body, as OFREP wants it; None for those who may."""
        if not self.tokens:
            return None
        header = request.headers.get("authorization", "")
        given = header[7:].strip() if header[:7].lower() == "bearer " else request.headers.get("x-api-key", "")
        opened = self.opened(given)
        if opened is None:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return None if opened in (ANY, name) else Response(status_code=403)

    def opened(self, given: str) -> str | None:
        found = None
        for token, name in self.tokens.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(token.encode(), given.encode()):
                found = name
        return found

    def ticket(self, name: str) -> str:
        """Stands in for a token where none can be sent: browsers send no headers with event streams."""
        return hmac.new(self.secret, name.encode(), hashlib.sha256).hexdigest()[:32] if self.tokens else ""

    def stream_refusal(self, request: Request, name: str) -> Response | None:
        ticket = request.query_params.get("ticket", "")
        if ticket and hmac.compare_digest(ticket.encode(), self.ticket(name).encode()):
            return None
        return self.refusal(request, name)


class Only(Access):
    """Who comes in by this door may read one set, and needs no token for it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def refusal(self, request: Request, name: str) -> Response | None:
        return None if name == self._name else Response(status_code=403)
