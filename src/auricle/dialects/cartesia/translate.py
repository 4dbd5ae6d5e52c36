"""Between Cartesia's wire and the desk's records. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import NoneType
from typing import Any

import auricle
from auricle.accounts.tokens import LONGEST_S
from auricle.core.errors import AuricleError, BadMedia, BadRequest
from auricle.desk import TranscriptionRequest
from auricle.dialects.multipart import Form
from auricle.media import ENCODINGS, RawAudio
from auricle.transcript import Transcript
from auricle.transcript.languages import parse

GRANTS = ("stt", "tts", "agent")
SAMPLE_RATES = range(1000, 384_001)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form asks for."""

    recording: TranscriptionRequest
    language: str
    """As it was written, to be echoed."""
    words: bool


def check_version(headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Raise :class:`BadRequest` for a version that is no date; any date will do, and none."""
    version = headers.get("cartesia-version") or query.get("cartesia_version", "")
    if version and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", version):
        raise BadRequest(f"Cartesia-Version must be a date such as 2024-06-10, not {version!r}.")


def to_raw(query: Mapping[str, str]) -> RawAudio | None:
    """Read ``encoding`` and ``sample_rate``. Raises :class:`BadRequest`."""
    encoding, rate = query.get("encoding", ""), query.get("sample_rate", "")
    if not encoding:
        return None  # a rate alone is what the file says itself
    if encoding not in ENCODINGS:
        raise BadRequest(f"Unknown encoding {encoding!r}. Send one of: {', '.join(ENCODINGS)}.")
    if not rate:
        raise BadRequest("encoding needs a sample_rate (in Hz, such as 16000).")
    if not rate.isdecimal() or len(rate) > 6 or int(rate) not in SAMPLE_RATES:
        raise BadRequest(
            f"sample_rate must be a whole number from {SAMPLE_RATES[0]} to {SAMPLE_RATES[-1]}, "
            f"not {rate!r}."
        )
    return RawAudio(encoding, int(rate))


def to_wanted(form: Form, raw: RawAudio | None) -> Wanted:
    """Read the form's fields. Raises :class:`BadRequest` that names the field."""
    if not form.get("model"):
        raise BadRequest("model is missing: send 'ink-whisper', or an id of GET /v1/models.")
    granularities = form.all("timestamp_granularities")
    if unknown := [value for value in granularities if value != "word"]:
        raise BadRequest(f"timestamp_granularities[] can only be 'word', not {unknown[0]!r}.")
    language = form.get("language") or "en"
    recording = TranscriptionRequest(
        model=to_model(form.get("model")), language=parse(language), raw=raw
    )
    return Wanted(recording, language, bool(granularities))


def to_model(asked: str) -> str:
    """Snapshots of a model (``ink-whisper-2025-06-04``) are that model."""
    return re.sub(r"^(ink-\w+)-\d{4}-\d{2}-\d{2}$", r"\1", asked)


def to_grants(body: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Read the body of an access token's order: its seconds, and what it is good for.

    Without ``grants`` it is good for speech in both directions. Raises :class:`BadRequest`.
    """
    seconds = body.get("expires_in")
    if seconds is None:
        seconds = LONGEST_S
    if type(seconds) is not int or not 0 < seconds <= LONGEST_S:
        raise BadRequest(f"expires_in must be a whole number from 1 to {LONGEST_S} (seconds).")
    grants = body.get("grants")
    if grants is None:
        grants = {"stt": True, "tts": True}
    if not isinstance(grants, dict) or {type(each) for each in grants.values()} - {bool, NoneType}:
        raise BadRequest('grants must be an object such as {"stt": true}.')
    if unknown := set(grants) - set(GRANTS):
        raise BadRequest(f"grants can name {', '.join(GRANTS)}, not {min(unknown)!r}.")
    return seconds, [name for name, given in grants.items() if given]


def explained(error: BadMedia, raw: RawAudio | None) -> BadMedia:
    """What could not be read may be samples without a header."""
    if raw is not None:
        return error
    return BadMedia(
        f"{error.message} For samples without a header, say how they are written: "
        "?encoding=pcm_s16le&sample_rate=16000 (as it is)."
    )


def from_transcript(transcript: Transcript, wanted: Wanted, request: str) -> dict[str, Any]:
    """The answer of ``POST /stt``; ``request`` is the request's id."""
    found: dict[str, Any] = {
        "type": "transcript",
        "text": transcript.text,
        "request_id": request,
        "is_final": True,
        "language": wanted.language,
        "duration": transcript.duration,
    }
    if wanted.words:
        found["words"] = [
            {"word": word.bare, "start": word.start, "end": word.end} for word in transcript.words
        ]
    return found


def status_view() -> dict[str, Any]:
    """The answer of ``GET /``."""
    return {"ok": True, "version": auricle.__version__}


def error_view(error: AuricleError, request: str) -> dict[str, Any]:
    """An error as Cartesia's versions since 2026-03-01 write it."""
    titles = {status.value: status.phrase for status in HTTPStatus}
    return {
        "error_code": error.code,
        "title": titles.get(error.status, "Error"),
        "message": error.message,
        "request_id": request,
    }
