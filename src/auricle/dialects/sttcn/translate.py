"""Between speech-to-text.cn's wire and the desk's records. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from auricle.core.errors import (
    AuricleError,
    BadRequest,
    Cancelled,
    Forbidden,
    NoCredits,
    NotFound,
    TooLarge,
    TooMany,
    Unauthorized,
)
from auricle.desk import Report

USE_ASYNC = (
    "Synchronous recognition takes recordings of at most {} minutes. Submit longer ones to "
    "/api/v1/recognition/async/."
)

STATUSES = {"RUNNING": "PENDING"}
"""Ours, where its name for them differs."""

CODES: tuple[tuple[type[AuricleError], int, int], ...] = (
    (Unauthorized, 1002, 401),
    (Forbidden, 1003, 403),
    (NotFound, 1004, 404),
    (TooMany, 429, 429),
    (NoCredits, 1006, 402),
    (BadRequest, 1001, 400),
    (TooLarge, 1001, 400),
    (Cancelled, 1001, 400),
)
"""Code and HTTP status by error. Only the 401 is documented; the others are what HTTP has for
them."""


def code_of(error: AuricleError) -> tuple[int, int]:
    """The code and the HTTP status of an error."""
    found = (row[1:] for row in CODES if isinstance(error, row[0]))
    return next(found, (1005, error.status))


def envelope(code: int, message: str, data: dict[str, Any] | None) -> dict[str, Any]:
    """What every answer comes in."""
    return {"code": code, "message": message, "data": data}


def to_url(body: Mapping[str, Any]) -> str:
    """Read the JSON body. Raises :class:`BadRequest`."""
    url = body.get("url")
    if not isinstance(url, str) or not url.strip():
        raise BadRequest('Send {"url": "https://..."}, or the recording in a form field \'file\'.')
    return url.strip()


def to_task(task_id: str) -> UUID:
    """Read a task's id. Raises :class:`BadRequest` for none, :class:`NotFound` for nonsense."""
    if not task_id:
        raise BadRequest("task_id is missing: send ?task_id=..., as the submission answered it.")
    try:
        return UUID(task_id)
    except ValueError as error:
        raise NotFound("There is no such task.") from error


def submitted(report: Report, consumed_s: float) -> dict[str, Any]:
    """The data of a submission; ``consumed_s`` is how long the request took."""
    status = _status(report)
    return _known(report, consumed_s) | {"message": status}


def recognised(report: Report, consumed_s: float) -> dict[str, Any]:
    """The data of a synchronous recognition."""
    data = found(report, consumed_s)
    del data["dashscope_task_id"]
    return data


def found(report: Report, consumed_s: float) -> dict[str, Any]:
    """The data of a question for a task."""
    data = _known(report, consumed_s)
    if report.ended is None:
        return data | {"message": _status(report)}
    if report.error is not None:
        return data | {"end_time": _time(report.ended), "message": report.error.message}
    return data | {
        "end_time": _time(report.ended),
        "duration": round(report.duration * 1000),
        "transcription_text": report.text,
        "consumed_points": report.cost,
    }


def _known(report: Report, consumed_s: float) -> dict[str, Any]:
    return {
        "task_id": str(report.ticket.task),
        "dashscope_task_id": f"auricle-{report.ticket.slug}",
        "task_status": _status(report),
        "submit_time": _time(report.ticket.submitted),
        "consumed_time": round(consumed_s, 3),
    }


def _status(report: Report) -> str:
    return STATUSES.get(report.status, report.status)


def _time(moment: datetime) -> str:
    """``2025-03-16 10:30:45.123``, in UTC."""
    return moment.astimezone(UTC).isoformat(" ", "milliseconds").partition("+")[0]
