"""All that serves flags over HTTP, as routes to put into any application."""

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route

from midair.flagserver.access import Access
from midair.flagserver.hub import BEAT_S, Hub
from midair.flagserver.manifest import Manifest
from midair.flagserver.ofrep import Ofrep
from midair.flagserver.streams import Streams

HEADERS = ["content-type", "authorization", "x-api-key", "if-none-match", "flagd-selector", "last-event-id"]


def routes(
    hub: Hub, access: Access | None = None, *, origins: Sequence[str] = ("*",), beat: float = BEAT_S
) -> list[Mount | Route]:
    access = access or Access()
    ofrep, streams = Ofrep(hub, access), Streams(hub, access, beat)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=HEADERS,
        expose_headers=["ETag"],
        max_age=86400,
    )
    evaluation = [
        Route("/evaluate/flags", ofrep.all, methods=["POST"]),
        Route("/evaluate/flags/", ofrep.all, methods=["POST"]),
        Route("/evaluate/flags/{key:path}", ofrep.one, methods=["POST"]),
        Route("/events", streams.events, methods=["GET"]),
    ]
    return [
        Mount("/ofrep/v1", routes=evaluation, middleware=[cors]),
        Route("/flags/v1/stream", streams.lines, methods=["GET"]),
        Route("/flags/v1/exposures", streams.counts, methods=["GET", "POST"]),
        Route("/openfeature/v0/manifest", Manifest(hub, access).get, methods=["GET"]),
    ]


def application(hub: Hub, tokens: Mapping[str, str] | None = None, *, beat: float = BEAT_S) -> Starlette:
    """Flags alone, for tests and for those who want nothing else."""
    return Starlette(routes=routes(hub, Access(tokens), beat=beat))
