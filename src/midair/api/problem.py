"""Turns everything that can go wrong into the one form of an error."""

import logging
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from midair.errors import FileRefused, MidairError, NotFound, UsageRefused
from midair.view.error import ErrorAnswer, ErrorView

log = logging.getLogger(__name__)


class TooLarge(UsageRefused):
    """The body of a request is larger than anything that makes sense."""

    status = 413


def error_answer(error: MidairError) -> ErrorAnswer:
    """The body for an error."""
    problems = error.problems if isinstance(error, FileRefused) else None
    return ErrorAnswer(ErrorView(error.kind, error.message, error.hint, problems))


async def answer_midair_error(request: Request, error: Exception) -> Response:
    """Answer what midair raised on purpose."""
    assert isinstance(error, MidairError)
    return _respond(error.status, error)


async def answer_bad_body(request: Request, error: Exception) -> Response:
    """Answer a body or a query that is not what the description says."""
    return _respond(400, UsageRefused(f"cannot read the request: {_lower(str(error))}"))


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer a path or a method that does not exist."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        refused: MidairError = NotFound(f'cannot find "{request.url.path}": the API has no such path')
        return _respond(404, refused, headers, hint="see /openapi.json")
    reason = _lower(error.detail)
    if error.status_code == 405:
        # The framework knows the methods of the first route of a path alone.
        headers["Allow"] = _methods_of(request)
        reason = f"the path allows {headers['Allow']}"
    refused = UsageRefused(f'cannot {request.method} "{request.url.path}": {reason}')
    return _respond(error.status_code, refused, headers, hint="see /openapi.json")


def _methods_of(request: Request) -> str:
    routes = (route for route in request.app.router.routes if isinstance(route, Route))
    found = {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return ", ".join(sorted(found))


async def answer_defect(request: Request, error: Exception) -> Response:
    """Answer what should not have happened."""
    log.error("cannot answer %s %s", request.method, request.url.path, exc_info=error)
    return _respond(500, MidairError(f"cannot answer: {type(error).__name__}", hint="look into daemon.log"))


def _respond(
    status: int, error: MidairError, headers: dict[str, str] | None = None, hint: str | None = None
) -> Response:
    if hint is not None:
        error.hint = hint
    return Response(msgspec.json.encode(error_answer(error)), status, headers, media_type="application/json")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


HANDLERS: dict[Any, Any] = {
    MidairError: answer_midair_error,
    msgspec.MsgspecError: answer_bad_body,
    HTTPException: answer_http_error,
    Exception: answer_defect,
}
