"""Between STT.ai's wire and the desk's records. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auricle.core.errors import BadRequest
from auricle.desk import Node, TranscriptionRequest
from auricle.dialects.multipart import Form
from auricle.models import Model
from auricle.transcript import Segment, Transcript
from auricle.transcript.export import FORMATS
from auricle.transcript.languages import NAMES, parse

MOST_SPEAKERS = 20

RESPONSE_FORMATS = {
    "json": "json",
    "verbose_json": "json",
    "txt": "txt",
    "text": "txt",
    "srt": "srt",
    "vtt": "vtt",
}
"""Accepted names and what they mean. The JSON answer holds everything already, so the verbose one
is the same."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form asks for."""

    recording: TranscriptionRequest
    fmt: str
    """json, txt, srt or vtt."""


def to_wanted(form: Form) -> Wanted:
    """Read the form's fields. Raises :class:`BadRequest` that names the field and what to send."""
    recording = TranscriptionRequest(
        model=form.get("model"),
        language=parse(form.get("language")),
        diarize=form.boolean("diarize", default=True),
        speakers=_speakers(form.get("speakers")),
        enhance=form.boolean("enhance", default=False),
    )
    return Wanted(recording, _format(form))


def _format(form: Form) -> str:
    asked = form.get("response_format").strip().lower() or "json"
    if asked not in RESPONSE_FORMATS:
        raise BadRequest(
            f"Unknown response_format {asked!r}. Send one of: {', '.join(RESPONSE_FORMATS)}."
        )
    return RESPONSE_FORMATS[asked]


def _speakers(value: str) -> int:
    text = value.strip() or "0"
    if not text.isdecimal() or len(text) > 2 or int(text) > MOST_SPEAKERS:
        raise BadRequest(
            f"speakers must be a whole number from 0 (find out) to {MOST_SPEAKERS}, not {value!r}."
        )
    return int(text)


def from_transcript(transcript: Transcript, request: TranscriptionRequest) -> dict[str, Any]:
    """The JSON answer."""
    labels = list(transcript.speakers) if request.diarize else []
    return {
        "text": transcript.text,
        "language": transcript.language,
        "duration": transcript.duration,
        "segments": [_segment(each, told=bool(labels)) for each in transcript.segments],
        "speakers": labels,
        "model": transcript.model,
    }


def _segment(segment: Segment, *, told: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "confidence": round(segment.confidence, 4),
        "words": [
            {"word": word.bare, "start": word.start, "end": word.end} for word in segment.words
        ],
    }
    return found | {"speaker": segment.speaker} if told else found


def to_text(transcript: Transcript, fmt: str) -> tuple[bytes, str]:
    """The answer in a text format, in UTF-8, and its media type."""
    export = FORMATS[fmt]
    return export.render(transcript, ""), export.media_type


def wants_json(headers: dict[str, str]) -> bool:
    """Whether a client can only read JSON, so that text must come as a JSON string.

    STT.ai's own Python SDK calls ``.json()`` on every answer, whatever format it asked for.
    """
    accept = headers.get("accept", "")
    return is_sdk(headers) or (
        "application/json" in accept and "*/*" not in accept and "text/" not in accept
    )


def is_sdk(headers: dict[str, str]) -> bool:
    """Whether STT.ai's Python SDK asks."""
    return headers.get("user-agent", "").startswith("stt-ai-python/")


def models_view(models: tuple[Model, ...]) -> dict[str, Any]:
    """The answer of ``GET /v1/models``."""
    return {
        "models": [
            {
                "id": model.id,
                "name": model.name,
                "languages": model.languages,
                "speed": model.speed,
                "description": model.description,
            }
            for model in models
        ]
    }


def languages_view() -> dict[str, Any]:
    """The answer of ``GET /v1/languages``: the 99 that every Whisper model knows."""
    return {
        "languages": [{"code": code, "name": name} for code, name in NAMES.items() if code != "yue"]
    }


def health_view(node: Node) -> dict[str, Any]:
    """The answer of ``GET /health``."""
    gpu = node.gpu
    return {
        "status": "ok" if node.workers else "no worker is running",
        "gpu_available": gpu is not None,
        "gpu_name": gpu.gpu_name if gpu else None,
        "gpu_memory_mb": gpu.gpu_memory_mb if gpu else 0,
    }
