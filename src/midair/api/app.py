"""The whole API as one ASGI application."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from midair.api import changes, commands, daemon, events, flags, logs, problem, projects, services
from midair.api.endpoint import Control, Endpoint, route
from midair.api.openapi import describe
from midair.engine.engine import Engine

ENDPOINTS: tuple[Endpoint, ...] = (
    *daemon.ENDPOINTS,
    *projects.ENDPOINTS,
    *changes.ENDPOINTS,
    *services.ENDPOINTS,
    *commands.ENDPOINTS,
    *flags.ENDPOINTS,
    *events.ENDPOINTS,
    *logs.ENDPOINTS,
)


def make_app(engine: Engine, control: Control) -> Starlette:
    """The application that answers for this engine."""

    async def openapi(request: Request) -> Response:
        return Response(describe(ENDPOINTS), media_type="application/json")

    routes = [Route("/openapi.json", openapi, methods=["GET"])]
    routes += [route(endpoint, engine, control) for endpoint in ENDPOINTS]
    return Starlette(routes=routes, exception_handlers=problem.HANDLERS)
