"""What the OpenAPI document says of the routes whose bodies are read by hand."""

from __future__ import annotations

from typing import Any

from auricle.dialects.openapi import (
    BOOLEAN,
    INTEGER,
    SECONDS,
    STRING,
    WORDS,
    Schema,
    array,
    choice,
    form,
    json_body,
    record,
    says,
)
from auricle.media import ENCODINGS

DESCRIPTION = """Speech to text on your own machine, in the shape of Cartesia's API.

Errors are `{"error_code", "title", "message", "request_id"}`.
"""

_NULL_STRING: Schema = {"type": ["string", "null"]}
_ERROR = record(error_code=_NULL_STRING, title=STRING, message=STRING, request_id=STRING)


def _error(description: str) -> Schema:
    return says(description, _ERROR)


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_VERSION: Schema = {
    "name": "Cartesia-Version",
    "in": "header",
    "schema": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    "description": "Any date; 2024-06-10 without.",
}

STT_BODY: Schema = form(
    {
        "model": STRING | {"description": "ink-whisper, or an id of GET /v1/models."},
        "language": STRING | {"default": "en"},
        "timestamp_granularities[]": array(choice("word")),
    },
    "model",
) | {
    "parameters": [
        _VERSION,
        _query("encoding", choice(*ENCODINGS), "Of samples without a header."),
        _query(
            "sample_rate",
            INTEGER | {"minimum": 1000, "maximum": 384_000},
            "Of samples without a header.",
        ),
    ]
}

_TRANSCRIPT = record(
    {"words": WORDS, "is_final": BOOLEAN},
    type=choice("transcript"),
    text=STRING,
    request_id=STRING,
    language=STRING,
    duration=SECONDS,
)

_REFUSED: dict[int | str, dict[str, Any]] = {
    "default": _error("Whatever else went wrong."),
    400: _error("Something that makes no sense; the message names the field."),
    401: _error("No key, or one that does not hold."),
    403: _error("Known, but not allowed."),
    429: _error("Too many at once, or too many wrong keys."),
}

STT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: says("The transcript. Silence gives an empty text.", _TRANSCRIPT),
    **_REFUSED,
    402: _error("No credits are left."),
    413: _error("The file or the recording is too large."),
    503: _error("The model is not installed, or no worker is running."),
}

TOKEN_BODY: Schema = json_body(
    record(
        {
            "expires_in": {"type": ["integer", "null"], "minimum": 1, "maximum": 3600},
            "grants": {
                "type": ["object", "null"],
                "properties": {"stt": BOOLEAN, "tts": BOOLEAN, "agent": BOOLEAN},
            },
        }
    )
) | {"parameters": [_VERSION]}

TOKEN_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: says("The token.", record(token=STRING)),
    **_REFUSED,
}
