"""One ASGI application out of complete sub-applications, chosen by path prefix."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

import auricle
from auricle.core.settings import Settings
from auricle.desk import Desk
from auricle.dialects import sttai


def create_app(settings: Settings) -> ASGIApp:
    """The whole server."""
    desk = Desk(settings)
    sttai_app = sttai.create_app(desk)
    return Lifespan(
        desk,
        Prefixes(
            {
                "/v1": sttai_app,
                "/health": sttai_app,
                "/docs/api": _docs(sttai_app),
                "/": sttai_app,
            }
        ),
    )


class Prefixes:
    """Sends a request to the application with the longest prefix, by whole path segments.

    ``/v1/embed`` is not a prefix of ``/v1/embeddings``. Applications see the whole path.
    """

    def __init__(self, table: Mapping[str, ASGIApp]) -> None:
        rows = (
            (tuple(part for part in path.split("/") if part), app) for path, app in table.items()
        )
        self._table = sorted(rows, key=lambda row: -len(row[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = tuple(scope["path"].split("/")[1:])
        for prefix, app in self._table:
            if parts[: len(prefix)] == prefix:
                await app(scope, receive, send)
                return


class Lifespan:
    """Opens the desk when the server starts and closes it when the server stops."""

    def __init__(self, desk: Desk, app: ASGIApp) -> None:
        self._desk = desk
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        async with self._desk:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the data plane."""
    document = app.openapi()
    document["info"]["version"] = auricle.__version__
    return document


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Auricle API</title>
<link rel="stylesheet" href="/docs/api/ui/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/api/ui/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/docs/api/openapi.json", dom_id: "#ui"})</script></body></html>
"""


def _swagger_ui() -> Path:
    package = files("drf_spectacular_sidecar")
    return Path(str(package / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"))


def _docs(app: FastAPI) -> ASGIApp:
    """Swagger UI from a package, so that reading the documentation contacts nobody."""

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)

    async def document(request: Request) -> JSONResponse:
        return JSONResponse(openapi(app))

    async def elsewhere(request: Request) -> RedirectResponse:
        return RedirectResponse("/docs/api")

    routes = [
        Route("/docs/api", page),
        Route("/docs/api/openapi.json", document),
        Mount("/docs/api/ui", StaticFiles(directory=_swagger_ui())),
        Route("/docs/api/", elsewhere),
    ]
    return GZipMiddleware(Starlette(routes=routes))
