"""Who may read which flags: bearer tokens or API keys, for all sets or for one."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from midair.flagserver.hub import Hub, Served, UnknownSet

ANY = "*"


class Access:
    """`tokens`: token to the name of the set it opens, or "*". Without tokens everybody may read."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        self.tokens = dict(tokens or {})
        # The set that a name in `tokens` means, and what people call a set.
        self.key: Callable[[str], str] = str
        self.shown: Callable[[str], str] = str
        self.secret = secrets.token_bytes(32)

    def refusal(self, request: Request, name: str) -> Response | None:
        """An answer without a body, as OFREP wants it; None for those who may."""
        if not self.tokens:
            return None
        opened = self.opened(_token(request))
        if opened is None:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return None if opened in (ANY, name) else Response(status_code=403)

    def refusal_of_all(self, request: Request) -> Response | None:
        """An answer to those who may not read any set: asked before a body is read that names the set."""
        if not self.tokens or self.opened(_token(request)) is not None:
            return None
        return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})

    def find(self, hub: Hub, selector: str) -> Served:
        """The set that somebody asks for. Raises UnknownSet."""
        return hub.find(selector)

    def explain(self, unknown: UnknownSet, given: str) -> str:
        """Which sets there are, of those that the token opens."""
        opened = self.opened(given) if self.tokens else ANY
        names = ", ".join(self.shown(name) for name in unknown.names if opened in (ANY, name))
        known = f" (known: {names})" if names else ""
        return f'there is no flag set "{unknown.name}"{known}' if unknown.name else f"name a flag set{known}"

    def explained(self, unknown: UnknownSet, request: Request) -> str:
        """The same for a request."""
        return self.explain(unknown, _token(request))

    def opened(self, given: str) -> str | None:
        found = None
        for token, name in self.tokens.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(token.encode(), given.encode()):
                found = self.key(name)
        return found

    def ticket(self, name: str) -> str:
        """Stands in for a token where none can be sent: browsers send no headers with event streams."""
        return hmac.new(self.secret, name.encode(), hashlib.sha256).hexdigest()[:32] if self.tokens else ""

    def stream_refusal(self, request: Request, name: str) -> Response | None:
        ticket = request.query_params.get("ticket", "")
        if ticket and hmac.compare_digest(ticket.encode(), self.ticket(name).encode()):
            return None
        return self.refusal(request, name)


def _token(request: Request) -> str:
    header = request.headers.get("authorization", "")
    return header[7:].strip() if header[:7].lower() == "bearer " else request.headers.get("x-api-key", "")


class Only(Access):
    """Who comes in by this door may read one set, and needs no token for it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def refusal(self, request: Request, name: str) -> Response | None:
        return None if name == self._name else Response(status_code=403)

    def find(self, hub: Hub, selector: str) -> Served:
        """Nothing names the one set."""
        return hub.find(selector or self._name)

    def explain(self, unknown: UnknownSet, given: str) -> str:
        """The one set, whatever others there are."""
        return f'there is no flag set "{unknown.name}" (known: {self._name})'
