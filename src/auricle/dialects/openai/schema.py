"""What the OpenAPI document says of the routes whose bodies are streamed."""

from __future__ import annotations

from typing import Any

from auricle.dialects.openapi import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    SECONDS,
    STRING,
    WORDS,
    Schema,
    array,
    choice,
    form,
    record,
    says,
)

DESCRIPTION = """Speech to text on your own machine, in the shape of OpenAI's audio API.

Errors are `{"error": {"message", "type", "param", "code"}}`.
"""

_NULLABLE: Schema = {"type": ["string", "null"]}
_ERROR = record(error=record(message=STRING, type=STRING, param=_NULLABLE, code=_NULLABLE))


def _error(description: str) -> Schema:
    return says(description, _ERROR)


_SEGMENT = record(
    id=INTEGER,
    seek=INTEGER,
    start=SECONDS,
    end=SECONDS,
    text=STRING,
    tokens=array(INTEGER),
    temperature=NUMBER,
    avg_logprob=NUMBER,
    compression_ratio=NUMBER,
    no_speech_prob=NUMBER,
)
_SAID = record(
    type=choice("transcript.text.segment"),
    id=STRING,
    start=SECONDS,
    end=SECONDS,
    text=STRING,
    speaker=STRING,
)
_USAGE = record(type=choice("duration"), seconds=INTEGER)
_PLAIN = record(text=STRING, usage=_USAGE)
_VERBOSE = record(
    {"words": WORDS},
    task=choice("transcribe", "translate"),
    language=STRING | {"description": "its English name"},
    duration=SECONDS,
    text=STRING,
    segments=array(_SEGMENT),
    usage=_USAGE,
)
_DIARIZED = record(
    task=choice("transcribe"), duration=SECONDS, text=STRING, segments=array(_SAID), usage=_USAGE
)

_FIELDS: dict[str, Schema] = {
    "model": STRING | {"description": "whisper-1, or an id of GET /v1/models."},
    "prompt": STRING | {"description": "Text whose spelling and style are followed."},
    "temperature": NUMBER | {"minimum": 0, "maximum": 1, "description": "Checked, not used."},
}
_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")

TRANSCRIPTION_BODY = form(
    {
        **_FIELDS,
        "language": STRING | {"description": "A code; found out without."},
        "languages[]": array(STRING) | {"description": "Codes among which it is found out."},
        "keywords[]": array(STRING) | {"description": "Words to listen for."},
        "response_format": choice(*_FORMATS, "diarized_json", default="json"),
        "stream": BOOLEAN | {"default": False, "description": "Server-sent events."},
        "timestamp_granularities[]": array(choice("word", "segment")),
        "known_speaker_names[]": array(STRING)
        | {"description": "Names of voices, four at most, for `diarized_json`."},
        "known_speaker_references[]": array(STRING)
        | {"description": "A data URL with a recording of each, of up to 10 seconds."},
    },
    "model",
)
TRANSLATION_BODY = form({**_FIELDS, "response_format": choice(*_FORMATS, default="json")}, "model")

_REFUSED: dict[int | str, dict[str, Any]] = {
    "default": _error("Whatever else went wrong."),
    400: _error("Something that makes no sense; `param` names the field."),
    401: _error("No key, or one that does not hold."),
    402: _error("No credits are left."),
    403: _error("The account is disabled."),
    413: _error("The file or the recording is too large."),
    429: _error("Too many at once, or too many wrong keys."),
    503: _error("The model is not installed, or no worker is running."),
}
TRANSCRIPTION_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: says(
        "The text. Silence gives an empty one.",
        {"anyOf": [_PLAIN, _VERBOSE, _DIARIZED]},
        "text/plain",
        "text/event-stream",
    ),
    **_REFUSED,
}
TRANSLATION_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: says("The text in English.", {"anyOf": [_PLAIN, _VERBOSE]}, "text/plain"),
    **_REFUSED,
}
