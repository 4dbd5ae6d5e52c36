"""The routes. They decide nothing: the desk does, and translate.py knows the wire."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from auricle.core.errors import AuricleError, BadMedia
from auricle.core.logging import request_id
from auricle.desk import Desk
from auricle.dialects.app import make_app
from auricle.dialects.cartesia import live, schema, translate
from auricle.dialects.connection import answer_in_time, key_of, patience_of, peer_of
from auricle.dialects.errors import retry_headers
from auricle.dialects.intake import read_json, take
from auricle.transcript import Transcript

router = APIRouter()
router.include_router(live.router)

DIALECT = "cartesia"


def create_app(desk: Desk) -> FastAPI:
    """The application that answers ``/stt`` and ``/access-token``."""
    return make_app(
        desk,
        router,
        render_error,
        title="Auricle: Cartesia's speech-to-text API",
        description=schema.DESCRIPTION,
    )


def render_error(error: AuricleError) -> JSONResponse:
    """Cartesia's error body."""
    content = translate.error_view(error, request_id.get())
    return JSONResponse(content, error.status, retry_headers(error))


@router.post(
    "/stt",
    summary="Transcribe a recording",
    openapi_extra=schema.STT_BODY,
    responses=schema.STT_RESPONSES,
    tags=["speech"],
)
async def stt(request: Request) -> Response:
    """Upload a recording, or samples without a header; the answer is its text."""
    desk: Desk = request.app.state.desk
    translate.check_version(request.headers, request.query_params)
    raw = translate.to_raw(request.query_params)
    try:
        ticket, wanted = await take(request, DIALECT, partial(translate.to_wanted, raw=raw))
    except BadMedia as error:
        raise translate.explained(error, raw) from error

    async def render(transcript: Transcript) -> Response:
        content = await asyncio.to_thread(
            translate.from_transcript, transcript, wanted, request_id.get()
        )
        return JSONResponse(content, headers={"X-Model": transcript.model})

    return await answer_in_time(request, desk.result(ticket), render, patience_of(request))


@router.post(
    "/access-token",
    summary="Make a short-lived access token",
    openapi_extra=schema.TOKEN_BODY,
    responses=schema.TOKEN_RESPONSES,
    tags=["account"],
)
async def access_token(request: Request) -> dict[str, str]:
    """What a server gives to a browser instead of its API key."""
    desk: Desk = request.app.state.desk
    translate.check_version(request.headers, request.query_params)
    seconds, grants = translate.to_grants(await read_json(request))
    token = await desk.access_token(key_of(request), peer_of(request), DIALECT, seconds, grants)
    return {"token": token}
