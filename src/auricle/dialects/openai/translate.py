"""Between OpenAI's wire and the desk's records. Pure functions."""

from __future__ import annotations

import math
import re
import string
import zlib
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from auricle.core.errors import (
    AuricleError,
    BadMedia,
    BadRequest,
    ModelNotInstalled,
    NoCredits,
    NotFound,
    TooLarge,
    TooMany,
    Unauthorized,
    UnknownLanguage,
    UnknownModel,
)
from auricle.desk import Reference, TranscriptionRequest
from auricle.dialects.multipart import Form
from auricle.models import Model, find
from auricle.speech import Task
from auricle.transcript import Segment, Transcript
from auricle.transcript.export import FORMATS
from auricle.transcript.languages import NAMES, parse

TEXTS = {"text": "txt", "srt": "srt", "vtt": "vtt"}
"""Formats that are text, by OpenAI's names for them, with ours."""

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
GRANULARITIES = ("word", "segment")

MOST_KNOWN = 4
"""Voices that a request may bring along, as in OpenAI's API."""

LONGEST_NAME = 100

WHISPER_1 = "whisper-1"
"""The name that OpenAI's tools send; the default model answers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form asks for."""

    recording: TranscriptionRequest
    fmt: str
    """One of :data:`RESPONSE_FORMATS`."""
    words: bool
    stream: bool


class Misfit(BadRequest):
    """A field that makes no sense; ``param`` names it."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


def to_wanted(form: Form, task: Task) -> Wanted:
    """Read the form's fields. Raises :class:`BadRequest` that names the field."""
    if not form.get("model"):
        raise Misfit("model", f"model is missing: send {WHISPER_1!r}, or an id of GET /v1/models.")
    fmt = _one_of("response_format", form.get("response_format") or "json", _formats(task))
    _check_temperature(form.get("temperature"))
    asked = form.all("timestamp_granularities")
    granularities = [_one_of("timestamp_granularities", value, GRANULARITIES) for value in asked]
    recording = TranscriptionRequest(
        model=form.get("model"),
        language=parse(form.get("language")),
        languages=_languages(form),
        task=task,
        prompt=" ".join(filter(None, [", ".join(form.all("keywords")), form.get("prompt")])),
        diarize=fmt == "diarized_json",
        known=_known(form) if fmt == "diarized_json" else (),
    )
    streams = task == "transcribe" and form.boolean("stream", default=False)
    return Wanted(recording, fmt, "word" in granularities, streams)


def _languages(form: Form) -> tuple[str, ...]:
    found = (parse(code) for code in form.all("languages"))
    return tuple(dict.fromkeys(code for code in found if code))


def _known(form: Form) -> tuple[Reference, ...]:
    """The voices that the form brings along."""
    names = [name.strip() for name in form.all("known_speaker_names")]
    clips = form.all("known_speaker_references")
    if len(names) != len(clips) or len(names) > MOST_KNOWN:
        raise Misfit(
            "known_speaker_references",
            f"Send as many known_speaker_references as known_speaker_names, {MOST_KNOWN} at most; "
            f"{len(clips)} and {len(names)} came.",
        )
    if len(set(names)) < len(names) or not all(0 < len(name) <= LONGEST_NAME for name in names):
        raise Misfit(
            "known_speaker_names",
            f"Send known_speaker_names that differ, of 1 to {LONGEST_NAME} characters.",
        )
    return tuple(Reference(name, _clip(url)) for name, url in zip(names, clips, strict=True))


def _clip(url: str) -> str:
    """What a data URL holds, in Base64."""
    head, _, data = url.partition(",")
    try:
        if head.startswith("data:") and head.endswith(";base64") and b64decode(data, validate=True):
            return data
    except ValueError:
        pass
    raise Misfit(
        "known_speaker_references",
        f"known_speaker_references must be data URLs such as data:audio/wav;base64,UklGR..., not "
        f"{url[:40]!r}.",
    )


def _formats(task: Task) -> tuple[str, ...]:
    return RESPONSE_FORMATS if task == "transcribe" else RESPONSE_FORMATS[:-1]


def _one_of(param: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise Misfit(param, f"Unknown {param} {value!r}. Send one of: {', '.join(known)}.")
    return value


def _check_temperature(value: str) -> None:
    try:
        if 0 <= float(value or 0) <= 1:
            return
    except ValueError:
        pass
    raise Misfit("temperature", f"temperature must be a number from 0 to 1, not {value!r}.")


def to_text(transcript: Transcript, fmt: str) -> bytes:
    """The answer in a text format, in UTF-8."""
    return FORMATS[TEXTS[fmt]].render(transcript, "")


def from_transcript(transcript: Transcript, wanted: Wanted) -> dict[str, Any]:
    """The answer in JSON: json, verbose_json or diarized_json."""
    found: dict[str, Any] = {"text": transcript.text, "usage": _usage(transcript)}
    if wanted.fmt == "json":
        return found
    found |= {"task": wanted.recording.task, "duration": transcript.duration}
    if wanted.fmt == "diarized_json":
        return found | {"segments": list(_said(transcript))}
    spoken = "en" if wanted.recording.task == "translate" else transcript.language
    found["language"] = NAMES.get(spoken, "")
    found["segments"] = [_segment(n, each) for n, each in enumerate(transcript.segments)]
    if wanted.words:
        found["words"] = [
            {"word": word.bare, "start": word.start, "end": word.end} for word in transcript.words
        ]
    return found


def last_events(transcript: Transcript, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """The events after the last words: who said what, if that was asked for, and the whole."""
    if wanted.fmt == "diarized_json":
        yield from _said(transcript)
    # Without the usage: in this event the SDKs' types have it in tokens alone.
    yield {"type": "transcript.text.done", "text": transcript.text}


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """What Whisper's own program writes of a segment, as far as it is known of a sentence."""
    logs = [math.log(max(word.probability, 1e-9)) for word in segment.words]
    content = segment.text.encode()
    return {
        "id": number,
        "seek": round(segment.start * 100),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(logs) / len(logs), 4),
        "compression_ratio": round(len(content) / len(zlib.compress(content)), 4),
        "no_speech_prob": 0.0,
    }


_NUMBERED = re.compile(r"Speaker \d+")


def _said(transcript: Transcript) -> Iterator[dict[str, Any]]:
    """The segments with their speakers, who are called A, B, C... by their first word, unless they
    have a name."""
    unknown = [label for label in transcript.speakers if _NUMBERED.fullmatch(label)]
    letters = {label: _letters(n) for n, label in enumerate(unknown)}
    for number, segment in enumerate(transcript.segments):
        yield {
            "type": "transcript.text.segment",
            "id": f"seg_{number}",
            "start": segment.start,
            "end": segment.end,
            "text": segment.text,
            "speaker": letters.get(segment.speaker or "", segment.speaker or "A"),
        }


def _letters(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    more, last = divmod(number, 26)
    return (_letters(more - 1) if more else "") + string.ascii_uppercase[last]


def models_view(models: Iterable[Model]) -> dict[str, Any]:
    """The list of ``GET /v1/models``: what can be asked for by its own name, and whisper-1."""
    ids = [model.id for model in models]
    names = [*ids, WHISPER_1] if ids else []
    return {"object": "list", "data": [_model(name) for name in names]}


def model_view(models: Iterable[Model], asked: str) -> dict[str, Any]:
    """The answer of ``GET /v1/models/{id}``. Raises :class:`NotFound`."""
    ids = {model.id for model in models}
    try:
        known = bool(ids) if asked == WHISPER_1 else find(asked).id in ids
    except UnknownModel:
        known = False
    if not known:
        raise NotFound(f"There is no model {asked!r} here. GET /v1/models lists those that are.")
    return _model(asked)


def _model(model: str) -> dict[str, Any]:
    # When it was made is not known here, and nobody reads it: zero.
    return {"id": model, "object": "model", "created": 0, "owned_by": "auricle"}


_TYPES: tuple[tuple[type[AuricleError], str, str | None], ...] = (
    (Unauthorized, "invalid_request_error", "invalid_api_key"),
    (NoCredits, "insufficient_quota", "insufficient_quota"),
    (TooMany, "rate_limit_error", "rate_limit_exceeded"),
    (UnknownModel, "invalid_request_error", "model_not_found"),
    (ModelNotInstalled, "invalid_request_error", "model_not_found"),
    (NotFound, "invalid_request_error", "not_found"),
)
"""What OpenAI calls errors: type and code. Others of the client's are invalid requests."""

_PARAMS: tuple[tuple[type[AuricleError], str], ...] = (
    (UnknownModel, "model"),
    (ModelNotInstalled, "model"),
    (UnknownLanguage, "language"),
    (BadMedia, "file"),
    (TooLarge, "file"),
)


def error_view(error: AuricleError) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    general = "server_error" if error.status >= 500 else "invalid_request_error"
    types = ((kind, code) for cls, kind, code in _TYPES if isinstance(error, cls))
    kind, code = next(types, (general, None))
    params = (param for cls, param in _PARAMS if isinstance(error, cls))
    param = getattr(error, "param", None) or next(params, None)
    return {"error": {"message": error.message, "type": kind, "param": param, "code": code}}
