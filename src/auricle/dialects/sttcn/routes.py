"""The routes. They decide nothing: the desk does, and translate.py knows the wire."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from auricle.core.errors import AuricleError, TooLong
from auricle.desk import Admission, Desk, Ticket, TranscriptionRequest
from auricle.dialects.app import make_app
from auricle.dialects.connection import key_of, peer_of, unless_gone
from auricle.dialects.errors import retry_headers
from auricle.dialects.intake import read_json, refuse_without_file
from auricle.dialects.multipart import declared_size, read_form
from auricle.dialects.sttcn import schema, translate

router = APIRouter(prefix="/api/v1/recognition", tags=["speech"])

DIALECT = "sttcn"


def create_app(desk: Desk, sync_minutes: int) -> FastAPI:
    """The application that answers ``/api/v1/recognition/*``.

    ``sync_minutes`` is how much audio the synchronous call takes.
    """
    app = make_app(
        desk,
        router,
        render_error,
        title="Auricle: speech-to-text.cn's API",
        description=schema.DESCRIPTION,
    )
    app.state.sync_minutes = sync_minutes
    return app


def render_error(error: AuricleError) -> JSONResponse:
    """The envelope, with a code instead of data."""
    code, status = translate.code_of(error)
    return JSONResponse(translate.envelope(code, error.message, None), status, retry_headers(error))


@router.post(
    "/async/",
    summary="Submit a recording by URL or file",
    openapi_extra=schema.BODY,
    responses=schema.SUBMITTED,
)
async def submit(request: Request) -> dict[str, Any]:
    """The answer is a task; ask for it at ``status/``."""
    began = time.monotonic()
    desk: Desk = request.app.state.desk
    admission = await _admit(request)
    ticket = await _submit(request, admission)
    report = await desk.report(admission.customer, ticket.task)
    data = translate.submitted(report, time.monotonic() - began)
    return translate.envelope(200, "Task submitted successfully", data)


@router.post(
    "/sync/",
    summary="Recognise a short recording by URL or file, and wait",
    openapi_extra=schema.BODY,
    responses=schema.RECOGNISED,
)
async def recognise(request: Request) -> dict[str, Any]:
    """The answer is the text."""
    began = time.monotonic()
    desk: Desk = request.app.state.desk
    minutes: int = request.app.state.sync_minutes
    admission = (await _admit(request)).no_longer_than(minutes * 60)
    try:
        ticket = await _submit(request, admission)
        await unless_gone(request, desk.ended(ticket))
    except TooLong as error:
        raise TooLong(translate.USE_ASYNC.format(minutes)) from error
    report = await desk.report(admission.customer, ticket.task)
    data = translate.recognised(report, time.monotonic() - began)
    return translate.envelope(200, "Recognition successful", data)


@router.get(
    "/status/",
    summary="Ask for a task",
    openapi_extra=schema.TASK_ID,
    responses=schema.FOUND,
)
async def status(request: Request) -> dict[str, Any]:
    """Where it stands, and its text when it has succeeded."""
    began = time.monotonic()
    desk: Desk = request.app.state.desk
    customer = await desk.identify(key_of(request), peer_of(request), DIALECT)
    task = translate.to_task(request.query_params.get("task_id", ""))
    report = await desk.report(customer, task)
    data = translate.found(report, time.monotonic() - began)
    return translate.envelope(200, "Query successful", data)


async def _admit(request: Request) -> Admission:
    desk: Desk = request.app.state.desk
    declared = None if _is_json(request) else declared_size(request)
    return await desk.admit(key_of(request), peer_of(request), DIALECT, declared)


async def _submit(request: Request, admission: Admission) -> Ticket:
    desk: Desk = request.app.state.desk
    if _is_json(request):
        url = translate.to_url(await read_json(request))
        return await desk.submit_url(admission, url, TranscriptionRequest())
    with desk.receive(admission) as upload:
        refuse_without_file(await read_form(request, upload))
        return await desk.submit(admission, upload, TranscriptionRequest())


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "application/json"
