"""The routes. They decide nothing: the desk does, and translate.py knows the wire."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.background import BackgroundTask

from auricle.core.errors import AuricleError, Unavailable
from auricle.desk import Desk, Node
from auricle.dialects.app import make_app
from auricle.dialects.connection import answer_in_time, key_of, peer_of
from auricle.dialects.errors import retry_headers
from auricle.dialects.intake import take
from auricle.dialects.sttai import schema, stream, text_routes, translate, voice_routes
from auricle.transcript import Transcript

router = APIRouter()
router.include_router(text_routes.router)
router.include_router(stream.router)
router.include_router(voice_routes.router)

DIALECT = "sttai"

SDK_PATIENCE_S = 300.0
"""Seconds of silence after which STT.ai's Python SDK hangs up; it does not say so itself."""


def create_app(desk: Desk, *, cumulative: bool) -> FastAPI:
    """The application that answers ``/v1/*`` and ``/health``.

    ``cumulative`` is whether live texts are all that was said, where a client does not say.
    """
    app = make_app(
        desk,
        router,
        render_error,
        title="Auricle: STT.ai API",
        description=schema.DESCRIPTION,
        redirect_slashes=True,
    )
    app.state.cumulative = cumulative
    return app


def render_error(error: AuricleError) -> JSONResponse:
    """STT.ai's error body: one string that says what happened and what to do."""
    return JSONResponse({"error": error.message}, error.status, retry_headers(error))


@router.post(
    "/v1/transcribe",
    summary="Transcribe an audio or video file",
    openapi_extra=schema.TRANSCRIBE_BODY,
    responses=schema.TRANSCRIBE_RESPONSES,
    tags=["speech"],
)
async def transcribe(request: Request) -> Response:
    """Upload a recording; the answer is its transcript with word times."""
    desk: Desk = request.app.state.desk
    ticket, wanted = await take(request, DIALECT, translate.to_wanted, anonymous=True)

    async def render(transcript: Transcript) -> Response:
        # Hours of words take seconds to lay out: not where everybody else is waiting.
        return await asyncio.to_thread(_render, request, transcript, wanted)

    patience = SDK_PATIENCE_S if translate.is_sdk(dict(request.headers)) else None
    delivered = BackgroundTask(desk.delivered, ticket)
    return await answer_in_time(request, desk.result(ticket), render, patience, delivered)


def _render(request: Request, transcript: Transcript, wanted: translate.Wanted) -> Response:
    headers = {"X-Model": transcript.model}
    if wanted.fmt == "json":
        content = translate.from_transcript(transcript, wanted.recording)
        return JSONResponse(content, headers=headers)
    text, media_type = translate.to_text(transcript, wanted.fmt)
    if translate.wants_json(dict(request.headers)):
        return JSONResponse(text.decode(), headers=headers)
    return Response(text, media_type=media_type, headers=headers)


@router.get(
    "/v1/languages",
    summary="List the languages",
    responses=schema.LANGUAGES_RESPONSES,
    tags=["service"],
)
async def languages() -> dict[str, Any]:
    """No key is needed."""
    return translate.languages_view()


@router.get(
    "/health",
    summary="Is the service up, and on what?",
    responses=schema.HEALTH_RESPONSES,
    tags=["service"],
)
async def health(request: Request) -> JSONResponse:
    """No key is needed; an operator's key shows more. 503 while no worker can transcribe."""
    desk: Desk = request.app.state.desk
    try:
        node = await desk.node()
    except Unavailable:
        node = Node(())
    health = translate.health_view(node) | await desk.details(key_of(request), peer_of(request))
    if node.workers:
        return JSONResponse(health)
    error = "No worker is running, so nothing can be transcribed now. Try again in a moment."
    return JSONResponse({"error": error} | health, 503)
