"""The routes for voices. They decide nothing: the desk does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auricle.core.errors import BadRequest, UnknownModel
from auricle.desk import Desk
from auricle.desk.texts_json import text_of
from auricle.dialects.connection import key_of, peer_of, unless_gone
from auricle.dialects.intake import refuse_without_file
from auricle.dialects.multipart import declared_size, read_form
from auricle.dialects.numbers import number
from auricle.dialects.openapi import BOOLEAN, FILE, NUMBER, STRING, choice, form, record, says
from auricle.dialects.sound import sound_response
from auricle.models.voice import CLONING
from auricle.voice import requests
from auricle.voice.formats import ENHANCED, FORMATS, known

router = APIRouter(tags=["voice"])

DIALECT = "sttai"

MOST_REFERENCE = 20_000_000
"""Bytes of a reference: ten seconds in whatever quality."""

MOST_TEXT = 5_000
"""Characters that are spoken at a time in a cloned voice."""

_ENHANCE_BODY = form(
    {
        "format": choice(*ENHANCED, default="wav"),
        "strength": NUMBER
        | {
            "minimum": 0,
            "maximum": 1,
            "default": 1,
            "description": "How much of what can be taken away is.",
        },
    }
)
_TTS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": record(
                    {
                        "model": choice(*(model.id for model in CLONING)),
                        "format": choice(*ENHANCED, default="wav"),
                        "consent": BOOLEAN
                        | {"description": "Whoever speaks there agrees; may be demanded."},
                    },
                    reference=FILE | {"description": "3 to 10 seconds of one voice."},
                    text=STRING,
                )
            }
        },
    }
}
_ERROR = record(error=STRING)
_SOUND = {
    "description": "The sound. X-Model says what has made it.",
    "content": {
        shape.media_type: {"schema": {"type": "string", "format": "binary"}}
        for name, shape in FORMATS.items()
        if name in ENHANCED
    },
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _SOUND,
    400: says("No recording, or a field that makes no sense: what, and what to send.", _ERROR),
    413: says("The file or the recording is too large.", _ERROR),
    503: says("A model is not installed (its command is named), or too much waits.", _ERROR),
    "default": says("Whatever else went wrong.", _ERROR),
}


@router.post(
    "/v1/enhance-audio",
    summary="Take the noise out of a recording, and bring it to EBU R 128's loudness",
    openapi_extra=_ENHANCE_BODY,
    responses=_RESPONSES,
)
async def enhance_audio(request: Request) -> Response:
    """At 48 kHz, mono or stereo, every sample in its place; what is clean is left alone."""
    desk: Desk = request.app.state.desk
    customer = await desk.identify(key_of(request), peer_of(request), DIALECT)
    admission = await desk.voice.admit(customer, DIALECT, declared_size(request))
    with desk.receive(admission) as upload:
        sent = await read_form(request, upload)
        refuse_without_file(sent)
        asked = requests.Enhance(
            path=desk.voice.arrived(upload),
            name=upload.name,
            format=known(sent.get("format") or "wav", ENHANCED, "format"),
            strength=number(sent.get("strength").strip() or 1, "strength", 0, 1),
            max_seconds=desk.voice.longest(customer),
        )
        # All of it is made before the first byte comes, so the upload is not needed afterwards.
        sound = await unless_gone(request, desk.voice.make(customer, asked))
    return sound_response(sound)


@router.post(
    "/v1/tts",
    summary="Speak a text in the voice of a recording",
    openapi_extra=_TTS_BODY,
    responses=_RESPONSES,
)
async def tts(request: Request) -> Response:
    """3 to 10 seconds of one voice are the reference. The file says that it is synthetic."""
    desk: Desk = request.app.state.desk
    customer = await desk.identify(key_of(request), peer_of(request), DIALECT)
    admission = await desk.voice.admit(customer, DIALECT, declared_size(request), MOST_REFERENCE)
    with desk.receive(admission) as upload:
        sent = await read_form(request, upload, "reference")
        refuse_without_file(sent, "reference")
        consent = sent.boolean("consent", default=False)
        desk.voice.refuse_without_consent(agreed=consent)
        asked = requests.Clone(
            path=desk.voice.arrived(upload),
            name=upload.name,
            text=text_of({"text": sent.get("text")}),
            model=_model(sent.get("model")),
            format=known(sent.get("format") or "wav", ENHANCED, "format"),
            who=desk.voice.name_of(customer),
            consent=consent,
        )
        if len(asked.text) > MOST_TEXT:
            raise BadRequest(f"The text is longer than {MOST_TEXT:,} characters.")
        sound = await unless_gone(request, desk.voice.make(customer, asked))
    return sound_response(sound)


def _model(asked: str) -> str:
    name = asked.strip().lower()
    if name and name not in {model.id for model in CLONING}:
        raise UnknownModel(
            f"Unknown model {asked[:100]!r}. Send one of: {', '.join(m.id for m in CLONING)}."
        )
    return name
