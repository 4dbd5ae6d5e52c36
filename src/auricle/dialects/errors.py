"""Errors at the edge: each mounted application renders every error in its own dialect's shape."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from auricle.core.errors import (
    AuricleError,
    BadRequest,
    Internal,
    ModelNotInstalled,
    NotFound,
    TooMany,
)
from auricle.dialects.multipart import drain

log = logging.getLogger(__name__)

Render = Callable[[AuricleError], Response]


def install_error_handlers(app: FastAPI, render: Render) -> None:
    """Make an application answer with ``render`` for 404, 405, 422, 500 and our own errors."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, AuricleError)
        return _answer(request, render(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = render(_from_http(request, error))
        response.status_code = error.status_code
        response.headers.update(error.headers or {})
        return response

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        reasons = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return render(BadRequest("The request is not valid: " + "; ".join(reasons)))

    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("unexpected error at %s", request.url.path, exc_info=error)
        return render(Internal("Something went wrong here; it has been logged. Try again."))

    app.add_exception_handler(AuricleError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)


MOST_WAIT_S = 60
"""Seconds that the official SDKs of Cartesia and OpenAI are willing to wait before a retry."""


def retry_headers(error: AuricleError) -> dict[str, str]:
    """When to ask again. Those SDKs send a recording three times before they give up: they are
    told where that would not help."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    hopeless = isinstance(error, ModelNotInstalled) or (
        isinstance(error, TooMany) and (error.retry_after or 0) > MOST_WAIT_S
    )
    return headers | ({"x-should-retry": "false"} if hopeless else {})


def _from_http(request: Request, error: HTTPException) -> AuricleError:
    path, method = request.url.path, request.method
    if error.status_code == 404:
        return NotFound(f"There is nothing at {path}. The API is described at /docs/api.")
    if error.status_code == 405:
        return BadRequest(f"{path} does not take {method}.")
    return BadRequest(str(error.detail))


def _answer(request: Request, response: Response) -> Response:
    """Answer at once; if the client is still sending, listen on for a moment before hanging up."""
    if request.method in ("GET", "HEAD"):
        return response
    response.headers["Connection"] = "close"
    return _Lingering(response, request)


class _Lingering(Response):
    """Sends another response whole, then reads what the client still sends."""

    def __init__(self, response: Response, request: Request) -> None:
        super().__init__(response.body, response.status_code)
        self.raw_headers = response.raw_headers
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await drain(self._request)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
