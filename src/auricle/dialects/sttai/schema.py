"""What the OpenAPI document says of the routes whose bodies are streamed."""

from __future__ import annotations

from typing import Any

from auricle.dialects.openapi import (
    BOOLEAN,
    INTEGER,
    SECONDS,
    STRING,
    WORDS,
    array,
    choice,
    form,
    record,
    says,
)

DESCRIPTION = """Speech to text on your own machine, in the shape of the STT.ai API.

Errors are `{"error": "what happened and what to do"}`.
"""


def _error(description: str) -> dict[str, Any]:
    return says(description, record(error=STRING))


_SEGMENT = record(
    {"speaker": STRING | {"description": "with diarize=true"}},
    start=SECONDS,
    end=SECONDS,
    text=STRING,
    confidence={"type": "number", "minimum": 0, "maximum": 1},
    words=WORDS,
)

TRANSCRIBE_BODY = form(
    {
        "model": STRING | {"description": "An id of GET /v1/models; the server's default without."},
        "language": STRING
        | {"default": "auto", "description": "A code of GET /v1/languages, or auto."},
        "diarize": BOOLEAN | {"default": True},
        "speakers": INTEGER
        | {
            "default": 0,
            "minimum": 0,
            "maximum": 20,
            "description": "How many speak; 0 finds it out.",
        },
        "enhance": BOOLEAN
        | {"default": False, "description": "Takes noise out first: helps where there is much."},
        "response_format": choice(
            "json", "verbose_json", "txt", "text", "srt", "vtt", default="json"
        ),
    }
)

_TRANSCRIPT = record(
    text=STRING,
    language=STRING,
    duration=SECONDS,
    segments=array(_SEGMENT),
    speakers=array(STRING),
    model=STRING,
)

TRANSCRIBE_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": _error("Whatever else went wrong."),
    200: says(
        "The transcript. Silence gives an empty text and no segments.",
        _TRANSCRIPT,
        "text/plain",
        "application/x-subrip",
        "text/vtt",
    ),
    400: _error("No file, not a recording, or a field that makes no sense."),
    413: _error("The file or the recording is too large."),
    503: _error("The model is not installed, or no worker is running; Retry-After may say more."),
}


def _responses(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: says("OK", schema), "default": _error("Whatever went wrong.")}


MODEL = record(id=STRING, name=STRING, languages=INTEGER, speed=STRING, description=STRING)
LANGUAGES_RESPONSES = _responses(record(languages=array(record(code=STRING, name=STRING))))
HEALTH_RESPONSES = _responses(
    record(
        status=STRING,
        gpu_available=BOOLEAN,
        gpu_name={"type": ["string", "null"]},
        gpu_memory_mb=INTEGER,
    )
)
