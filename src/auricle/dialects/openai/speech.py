"""OpenAI's speech: the wire, and its route."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from auricle.core.errors import AuricleError, BadRequest, UnknownModel
from auricle.desk import Desk, Sound
from auricle.dialects.connection import key_of, peer_of, unless_gone
from auricle.dialects.intake import read_json
from auricle.dialects.openai.translate import error_view
from auricle.dialects.openapi import NUMBER, STRING, choice, json_body, record, says
from auricle.dialects.sound import sound_response
from auricle.voice import voices
from auricle.voice.formats import FORMATS, known
from auricle.voice.requests import Speak

router = APIRouter(tags=["speech"])

DIALECT = "openai"

MODELS = ("kokoro-82m", "kokoro", "tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""One model answers to all of them."""

MOST_TEXT = 50_000
"""Characters; at OpenAI 4,096."""

MOST_BODY = 8 * MOST_TEXT
SLOWEST, FASTEST = 0.25, 4.0

_BODY = json_body(
    record(
        {
            "response_format": choice(*FORMATS, default="mp3"),
            "speed": NUMBER | {"minimum": SLOWEST, "maximum": FASTEST, "default": 1},
            "stream_format": choice("audio", "sse", default="audio"),
            "instructions": STRING | {"description": "Not followed, as with OpenAI's tts-1."},
            "language": choice(*voices.LANGUAGES.values())
            | {"description": "Found out, or that of the voice, when left out."},
        },
        model=choice(*MODELS),
        input=STRING | {"minLength": 1, "maxLength": MOST_TEXT},
        voice={"anyOf": [choice(*voices.OPENAI, *voices.VOICES), record(id=STRING)]},
    )
)
_ERROR = says("What went wrong.", record(error=record(message=STRING)))
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The sound, as it is made. X-Voice says who speaks.",
        "content": {
            **{
                shape.media_type: {"schema": {"type": "string", "format": "binary"}}
                for shape in FORMATS.values()
            },
            "text/event-stream": {"schema": STRING},
        },
    },
    "default": _ERROR,
}


@router.post("/v1/audio/speech", summary="Speak a text", openapi_extra=_BODY, responses=_RESPONSES)
async def speech(request: Request) -> Response:
    """In one of six formats, at 24 kHz (opus: 48 kHz); the first sentence comes first."""
    desk: Desk = request.app.state.desk
    customer = await desk.identify(key_of(request), peer_of(request), DIALECT)
    body = await read_json(request, MOST_BODY)
    wanted, events = to_speak(body), _events_wanted(body)
    sound = await unless_gone(request, desk.voice.make(customer, wanted))
    if events:
        return StreamingResponse(_events(sound, wanted), media_type="text/event-stream")
    return sound_response(sound)


def to_speak(body: Mapping[str, Any]) -> Speak:
    """Read the fields. Raises :class:`BadRequest` and :class:`UnknownModel`."""
    model = str(body.get("model"))
    if re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model) not in MODELS:  # with or without a snapshot's day
        raise UnknownModel(f"Unknown model {model[:100]!r}. Send one of: {', '.join(MODELS)}.")
    text = body.get("input")
    if not isinstance(text, str) or not text.strip():
        raise BadRequest("Send 'input': a string that is not empty.")
    if len(text) > MOST_TEXT:
        raise BadRequest(f"The input is longer than {MOST_TEXT:,} characters.")
    voice = body.get("voice")
    if isinstance(voice, dict):
        voice = voice.get("id")
    language = _word(body, "language", "")
    return Speak(
        text=text,
        voice=voices.known(_given(voice, "voice")),
        language=voices.spoken(language) if language else "",
        format=known(_word(body, "response_format", "mp3"), tuple(FORMATS), "response_format"),
        speed=_speed(body.get("speed")),
    )


def _events_wanted(body: Mapping[str, Any]) -> bool:
    asked = _word(body, "stream_format", "audio")
    if asked not in ("audio", "sse"):
        raise BadRequest("stream_format must be 'audio' or 'sse'.")
    return asked == "sse"


def _word(body: Mapping[str, Any], field: str, default: str) -> str:
    value = body.get(field)
    return default if value is None else _given(value, field)


def _given(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{field} must be a string.")
    return value


def _speed(value: Any) -> float:
    if value is None:
        return 1.0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not SLOWEST <= value <= FASTEST:
        raise BadRequest(f"speed must be a number from {SLOWEST} to {FASTEST:g}.")
    return float(value)


async def _events(sound: Sound, wanted: Speak) -> AsyncIterator[str]:
    """``speech.audio.delta`` events, then ``speech.audio.done`` or ``error``."""
    try:
        async for piece in sound.pieces:
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
        count = len(wanted.text.split())
        usage = {"input_tokens": count, "output_tokens": 0, "total_tokens": count}
        yield _event({"type": "speech.audio.done", "usage": usage})
    except AuricleError as error:
        yield _event({"type": "error", **error_view(error)})
    finally:
        await sound.pieces.aclose()


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
