"""The routes. They decide nothing: the desk does, and translate.py knows the wire."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from auricle.core.errors import AuricleError
from auricle.desk import Desk, TranscriptionRequest
from auricle.dialects.connection import unless_gone
from auricle.dialects.errors import install_error_handlers
from auricle.dialects.multipart import declared_size, read_form
from auricle.dialects.sttai import schema, translate
from auricle.transcript import Transcript

router = APIRouter()


def create_app(desk: Desk) -> FastAPI:
    """The application that answers ``/v1/*`` and ``/health``."""
    app = FastAPI(
        title="Auricle: STT.ai API",
        description=schema.DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.desk = desk
    app.include_router(router)
    install_error_handlers(app, render_error)
    return app


def render_error(error: AuricleError) -> JSONResponse:
    """STT.ai's error body: one string that says what happened and what to do."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return JSONResponse({"error": error.message}, error.status, headers)


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
    admission = desk.admit(declared_size(request))
    with desk.receive(admission) as upload:
        form = await read_form(request, upload)
        wanted = translate.to_request(form)
        fmt = translate.to_format(form)
        job = await desk.submit(upload, wanted)
        transcript = await unless_gone(request, desk.result(job))
    # Hours of words take seconds to lay out: not where everybody else is waiting.
    return await asyncio.to_thread(_render, request, transcript, wanted, fmt)


def _render(
    request: Request, transcript: Transcript, wanted: TranscriptionRequest, fmt: str
) -> Response:
    headers = {"X-Model": transcript.model}
    if fmt == "json":
        return JSONResponse(translate.from_transcript(transcript, wanted), headers=headers)
    text, media_type = translate.to_text(transcript, fmt)
    if translate.wants_json(dict(request.headers)):
        return JSONResponse(text, headers=headers)
    return Response(text, media_type=media_type, headers=headers)


@router.get(
    "/v1/models",
    summary="List the models that answer here",
    responses=schema.MODELS_RESPONSES,
    tags=["service"],
)
async def models(request: Request) -> dict[str, Any]:
    """No key is needed."""
    desk: Desk = request.app.state.desk
    return translate.models_view(desk.models())


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
    """No key is needed. 503 while no worker can transcribe."""
    desk: Desk = request.app.state.desk
    node = desk.node()
    return JSONResponse(translate.health_view(node), 200 if node.workers else 503)
