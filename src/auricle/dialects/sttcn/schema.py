"""What the OpenAPI document says of the routes whose bodies are read by hand."""

from __future__ import annotations

from typing import Any

from auricle.dialects.openapi import FILE, INTEGER, NUMBER, STRING, Schema, choice, record, says

DESCRIPTION = """Speech to text on your own machine, in the shape of speech-to-text.cn's API.

Every answer is `{"code", "message", "data"}`. Codes: 200, 1001 (parameter), 1002 (key),
1003 (forbidden), 1004 (not found), 429 (too many), 1005 (server), 1006 (balance).
"""

_TIME = STRING | {"description": "2025-03-16 10:30:45.123 (UTC)"}
_UUID = STRING | {"format": "uuid"}


def _envelope(code: Schema, data: Schema) -> Schema:
    return record(code=code, message=STRING, data=data)


def _error(description: str) -> Schema:
    code = INTEGER | {"enum": [1001, 1002, 1003, 1004, 1005, 1006, 429]}
    return says(description, _envelope(code, {"type": "null"}))


def _ok(data: Schema) -> Schema:
    return says("OK", _envelope(INTEGER | {"enum": [200]}, data))


_BASE = {"task_id": _UUID, "submit_time": _TIME, "consumed_time": NUMBER}
_RESULT = {
    "end_time": _TIME,
    "duration": INTEGER | {"description": "milliseconds"},
    "transcription_text": STRING,
    "consumed_points": INTEGER,
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    "default": _error("Whatever else went wrong."),
    400: _error("Something that makes no sense, or a recording that cannot be read."),
    401: _error("No key, or one that does not hold."),
    402: _error("No points are left."),
    403: _error("The account is disabled."),
    429: _error("Too many at once, or too many wrong keys."),
    503: _error("Nobody can serve this now."),
}

BODY: Schema = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": record(url=STRING | {"format": "uri"})},
            "multipart/form-data": {"schema": record(file=FILE)},
        },
    }
}
TASK_ID: Schema = {
    "parameters": [{"name": "task_id", "in": "query", "required": True, "schema": _UUID}]
}

SUBMITTED = {
    200: _ok(
        record(
            **_BASE,
            dashscope_task_id=STRING,
            task_status=choice("DOWNLOADING", "PENDING", "SUCCEEDED"),
            message=STRING,
        )
    ),
    **_REFUSED,
}
RECOGNISED = {200: _ok(record(**_BASE, **_RESULT, task_status=choice("SUCCEEDED"))), **_REFUSED}
FOUND = {
    200: _ok(
        record(
            {**_RESULT, "message": STRING},
            **_BASE,
            dashscope_task_id=STRING,
            task_status=choice("DOWNLOADING", "PENDING", "SUCCEEDED", "FAILED"),
        )
    ),
    **_REFUSED,
    404: _error("There is no such task."),
}
