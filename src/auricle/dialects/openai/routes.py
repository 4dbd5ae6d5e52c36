"""The routes. They decide nothing: the desk does, and translate.py knows the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from auricle.core.errors import AuricleError
from auricle.desk import Desk, Ticket
from auricle.dialects.app import make_app
from auricle.dialects.connection import answer_in_time, patience_of, unless_gone
from auricle.dialects.errors import retry_headers
from auricle.dialects.intake import take
from auricle.dialects.openai import embeddings, schema, speech, translate
from auricle.dialects.openai.streaming import events
from auricle.transcript import Transcript

router = APIRouter(tags=["speech"])
router.include_router(embeddings.router)
router.include_router(speech.router)

DIALECT = "openai"


def create_app(desk: Desk) -> FastAPI:
    """The application that answers ``/v1/audio/*`` and ``/v1/embeddings``."""
    return make_app(
        desk,
        router,
        render_error,
        title="Auricle: OpenAI's audio API",
        description=schema.DESCRIPTION,
    )


def render_error(error: AuricleError) -> JSONResponse:
    """OpenAI's error body."""
    return JSONResponse(translate.error_view(error), error.status, retry_headers(error))


@router.post(
    "/v1/audio/transcriptions",
    summary="Transcribe a recording",
    openapi_extra=schema.TRANSCRIPTION_BODY,
    responses=schema.TRANSCRIPTION_RESPONSES,
)
async def transcriptions(request: Request) -> Response:
    """Upload a recording; the answer is its text in one of six formats, or as it is heard."""
    read = partial(translate.to_wanted, task="transcribe")
    ticket, wanted = await take(request, DIALECT, read)
    return await _answer(request, ticket, wanted)


@router.post(
    "/v1/audio/translations",
    summary="Write in English what is said in another language",
    openapi_extra=schema.TRANSLATION_BODY,
    responses=schema.TRANSLATION_RESPONSES,
)
async def translations(request: Request) -> Response:
    """Whisper's own translation, which knows English alone."""
    read = partial(translate.to_wanted, task="translate")
    ticket, wanted = await take(request, DIALECT, read)
    return await _answer(request, ticket, wanted)


async def _answer(request: Request, ticket: Ticket, wanted: translate.Wanted) -> Response:
    desk: Desk = request.app.state.desk
    delivered = BackgroundTask(desk.delivered, ticket)
    if wanted.stream:
        response = await _stream(request, ticket, wanted)
        response.background = delivered
        return response

    async def render(transcript: Transcript) -> Response:
        return await asyncio.to_thread(_render, transcript, wanted)

    patience = None if wanted.fmt in translate.TEXTS else patience_of(request)
    return await answer_in_time(request, desk.result(ticket), render, patience, delivered)


def _render(transcript: Transcript, wanted: translate.Wanted) -> Response:
    headers = {"X-Model": transcript.model}
    if wanted.fmt in translate.TEXTS:
        text = translate.to_text(transcript, wanted.fmt)
        return Response(text, media_type="text/plain; charset=utf-8", headers=headers)
    return JSONResponse(translate.from_transcript(transcript, wanted), headers=headers)


async def _stream(request: Request, ticket: Ticket, wanted: translate.Wanted) -> Response:
    """The events, once there is one: what fails before that is an error like any other."""
    desk: Desk = request.app.state.desk
    found = events(desk.follow(ticket), wanted)

    async def begin() -> bytes:
        return await anext(found)

    first = await unless_gone(request, begin())

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for event in found:
            yield event

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(all_of_them(), media_type="text/event-stream", headers=headers)
