"""One ASGI application out of complete sub-applications, chosen by path prefix."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import auricle
from auricle.accounts.keys import key_in
from auricle.core.errors import AuricleError
from auricle.core.ids import new_id
from auricle.core.logging import request_id
from auricle.core.settings import Settings
from auricle.desk import Desk
from auricle.dialects import cartesia, openai, shared, sttai, sttcn
from auricle.dialects.connection import peer_of
from auricle.metrics import MEDIA_TYPE, Metrics

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> ASGIApp:
    """The whole server; ``db.setup()`` must have been called."""
    desk = Desk(settings)
    metrics = Metrics(settings)
    apis = create_apis(settings, desk)
    app: ASGIApp = Prefixes(
        {
            "/v1": ("sttai", apis["sttai"]),
            "/health": ("sttai", apis["sttai"]),
            "/v1/audio": ("openai", apis["openai"]),
            "/v1/embeddings": ("openai", apis["openai"]),
            "/v1/models": ("shared", apis["shared"]),
            "/stt": ("cartesia", apis["cartesia"]),
            "/access-token": ("cartesia", apis["cartesia"]),
            "/api/v1/recognition": ("sttcn", apis["sttcn"]),
            "/docs/api": ("docs", _docs(apis)),
            "/metrics": ("metrics", _metrics(desk, metrics)),
            "/static": ("static", _static()),
            "/": ("shared", apis["shared"]),
            "": ("site", cast("ASGIApp", _Django())),
        }
    )
    if settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[
                *("X-Request-ID", "X-Model", "Retry-After"),
                *("X-Duration", "X-Generation-Time", "X-Gain-DB", "X-Voice"),
            ],
        )
    app = Observed(app, metrics)
    # Also without proxies: the default of uvicorn's own would believe everybody on this machine.
    proxied: Any = ProxyHeadersMiddleware(cast("Any", app), list(settings.trusted_proxies))
    return Lifespan(desk, proxied)


def create_apis(settings: Settings, desk: Desk) -> dict[str, FastAPI]:
    """The applications of the data plane, by name."""
    return {
        "sttai": sttai.create_app(desk, cumulative=settings.stream_cumulative),
        "openai": openai.create_app(desk),
        "cartesia": cartesia.create_app(desk),
        "sttcn": sttcn.create_app(desk, settings.sync_minutes),
        "shared": shared.create_app(desk),
    }


class _Django(ASGIHandler):
    """Django with a request's middleware and view in one visit to one thread.

    By itself it goes there and back for every middleware, which takes longer than most requests.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self._respond)(request)

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        finally:
            # Django itself would keep it until the last byte is sent: as long as a client likes.
            connection.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif _length(scope) > MOST_BODY_BYTES:
            await JSONResponse({"error": _TOO_LONG}, 413)(scope, receive, send)
        else:
            await super().__call__(scope, _limited(receive), send)


MOST_BODY_BYTES = 5_000_000
"""Of requests to Django, which writes whole bodies to disk before anybody asks for a key."""

_TOO_LONG = "The request is longer than 5 MB."


def _length(scope: Scope) -> int:
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    """What a client sends, up to the limit: then it is as if the client had gone."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= MOST_BODY_BYTES else {"type": "http.disconnect"}

    return counted


class Prefixes:
    """Sends a request to the application with the longest prefix, by whole path segments.

    ``/v1/embed`` is not a prefix of ``/v1/embeddings``; ``/`` is that path alone, and the empty
    prefix takes what is left. Applications see the whole path.
    """

    def __init__(self, table: Mapping[str, tuple[str, ASGIApp]]) -> None:
        rows = ((tuple(path.split("/")[1:]), *row) for path, row in table.items())
        self._table = sorted(rows, key=lambda row: -len(row[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = tuple(scope["path"].split("/")[1:])
        for prefix, name, app in self._table:
            if parts[: len(prefix)] == prefix:
                scope["auricle.api"] = name
                await app(scope, receive, send)
                return


class Lifespan:
    """Opens the desk when the server starts and closes it when the server stops."""

    def __init__(self, desk: Desk, app: ASGIApp) -> None:
        self._desk = desk
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            scope["auricle.desk"] = self._desk
            await self._app(scope, receive, send)
            return
        await receive()
        async with self._desk:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


_BEGIN = ("http.response.start", "websocket.http.response.start", "websocket.accept")
"""Messages that carry the headers of an answer."""


class Observed:
    """Gives each request an id, logs it and counts it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        number, status, began = new_id(), 499, time.monotonic()
        token = request_id.set(number)

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] in _BEGIN:
                status = message.get("status", 101)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", number.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, tell)
        finally:
            seconds = time.monotonic() - began
            api = scope.get("auricle.api", "none")
            method = scope.get("method", "WEBSOCKET")
            self._metrics.count(method, api, status, seconds)
            path = scope["path"].encode("unicode_escape").decode()
            log.info("%s %s %d %.3f s", method, path, status, seconds)
            request_id.reset(token)


def openapi(apis: Mapping[str, FastAPI]) -> dict[str, Any]:
    """One OpenAPI document of the whole data plane, each API under a tag of its own."""
    document: dict[str, Any] = {"openapi": "3.1.0", "info": _INFO, "tags": [], "paths": {}}
    for app in apis.values():
        found = app.openapi()
        info = found["info"]
        document["tags"].append({"name": info["title"], "description": info.get("description", "")})
        for path, operations in found["paths"].items():
            for operation in operations.values():
                operation["tags"] = [info["title"]]
            document["paths"][path] = operations
    keys = {"bearer": {"type": "http", "scheme": "bearer"}}
    return document | {"components": {"securitySchemes": keys}, "security": [{"bearer": []}, {}]}


_INFO = {
    "title": "Auricle: speech to text",
    "version": auricle.__version__,
    "description": "Every API that this server speaks. A key that holds for one holds for all.",
}


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Auricle API</title>
<link rel="stylesheet" href="/docs/api/ui/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/api/ui/swagger-ui-bundle.js"></script>
<script src="/docs/api/ui/swagger-ui-standalone-preset.js"></script>
<script>SwaggerUIBundle({dom_id: "#ui", layout: "StandaloneLayout",
presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
urls: [{name: "Speech", url: "/docs/api/openapi.json"},
{name: "Account, keys, transcripts", url: "/api/v1/schema/?format=json"}]})</script></body></html>
"""


def _package(name: str) -> Path:
    return Path(str(files(name)))


def _docs(apis: Mapping[str, FastAPI]) -> ASGIApp:
    """Swagger UI from a package, so that reading the documentation contacts nobody."""

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)

    async def document(request: Request) -> JSONResponse:
        return JSONResponse(openapi(apis))

    async def elsewhere(request: Request) -> RedirectResponse:
        return RedirectResponse("/docs/api")

    ui = _package("drf_spectacular_sidecar") / "static/drf_spectacular_sidecar/swagger-ui-dist"
    routes = [
        Route("/docs/api", page),
        Route("/docs/api/openapi.json", document),
        Mount("/docs/api/ui", StaticFiles(directory=ui)),
        Route("/docs/api/", elsewhere),
    ]
    return GZipMiddleware(Starlette(routes=routes))


def _static() -> ASGIApp:
    """What the admin and the browsable API need of their packages."""
    packages = ["django.contrib.admin", "rest_framework"]
    files_ = StaticFiles(packages=[(name, "static") for name in packages])
    return Starlette(routes=[Mount("/static", files_)])


def _metrics(desk: Desk, metrics: Metrics) -> ASGIApp:
    """The figures, for operators only."""

    async def page(request: Request) -> Response:
        try:
            caller = await desk.identify(key_in(request.headers), peer_of(request), "")
            if not caller.operator:
                return Response("The metrics are for operators.\n", 403)
            return Response(await metrics.page(), media_type=MEDIA_TYPE)
        except AuricleError as error:
            return Response(f"{error.message}\n", error.status)

    return Starlette(routes=[Route("/metrics", page)])
