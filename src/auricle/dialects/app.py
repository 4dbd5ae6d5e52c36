"""What every dialect's application has: its routes, the desk, its own shape of errors."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from auricle.desk import Desk
from auricle.dialects.errors import Render, install_error_handlers


def make_app(
    desk: Desk,
    router: APIRouter,
    render: Render,
    *,
    title: str,
    description: str,
    redirect_slashes: bool = False,
) -> FastAPI:
    """An application without pages of its own: the server has those of all."""
    app = FastAPI(
        title=title,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=redirect_slashes,
    )
    app.state.desk = desk
    app.include_router(router)
    install_error_handlers(app, render)
    return app
