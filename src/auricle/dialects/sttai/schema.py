"""What the OpenAPI document says of the routes whose bodies are streamed."""

from __future__ import annotations

from typing import Any

DESCRIPTION = """Speech to text on your own machine, in the shape of the STT.ai API.

Errors are `{"error": "what happened and what to do"}`.
"""

_ERROR = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "string"}},
        }
    }
}


def _error(description: str) -> dict[str, Any]:
    return {"description": description, "content": _ERROR}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


_STRING = {"type": "string"}
_SECONDS = {"type": "number", "description": "seconds"}
_WORD = _object(word=_STRING, start=_SECONDS, end=_SECONDS)
_SEGMENT = _object(
    start=_SECONDS,
    end=_SECONDS,
    text=_STRING,
    confidence={"type": "number", "minimum": 0, "maximum": 1},
    words=_list(_WORD),
)
_SEGMENT["properties"]["speaker"] = _STRING | {"description": "with diarize=true"}

TRANSCRIBE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "Audio or video in any format that FFmpeg reads.",
                        },
                        "model": _STRING
                        | {"description": "An id of GET /v1/models; the server's default without."},
                        "language": _STRING
                        | {
                            "default": "auto",
                            "description": "A code of GET /v1/languages, or auto.",
                        },
                        "diarize": {"type": "boolean", "default": True},
                        "speakers": {
                            "type": "integer",
                            "default": 0,
                            "minimum": 0,
                            "maximum": 20,
                            "description": "How many speak; 0 finds it out.",
                        },
                        "response_format": {
                            "type": "string",
                            "enum": ["json", "verbose_json", "txt", "text", "srt", "vtt"],
                            "default": "json",
                        },
                    },
                }
            }
        },
    }
}

_TRANSCRIPT = _object(
    text=_STRING,
    language=_STRING,
    duration=_SECONDS,
    segments=_list(_SEGMENT),
    speakers=_list(_STRING),
    model=_STRING,
)

TRANSCRIBE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The transcript. Silence gives an empty text and no segments.",
        "content": {
            "application/json": {"schema": _TRANSCRIPT},
            "text/plain": {"schema": _STRING},
            "application/x-subrip": {"schema": _STRING},
            "text/vtt": {"schema": _STRING},
        },
    },
    400: _error("No file, not a recording, or a field that makes no sense."),
    413: _error("The file or the recording is too large."),
    503: _error("The model is not installed, or no worker is running; Retry-After may say more."),
}


def _responses(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "OK", "content": {"application/json": {"schema": schema}}}}


MODELS_RESPONSES = _responses(
    _object(
        models=_list(
            _object(
                id=_STRING,
                name=_STRING,
                languages={"type": "integer"},
                speed=_STRING,
                description=_STRING,
            )
        )
    )
)
LANGUAGES_RESPONSES = _responses(_object(languages=_list(_object(code=_STRING, name=_STRING))))
HEALTH_RESPONSES = _responses(
    _object(
        status=_STRING,
        gpu_available={"type": "boolean"},
        gpu_name={"type": ["string", "null"]},
        gpu_memory_mb={"type": "integer"},
    )
)
