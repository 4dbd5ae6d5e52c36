"""``/v1/stream``: live transcription, in the two ways in which STT.ai's clients speak.

Documented: a JSON frame configures the session, and a segment's ``text`` comes when it is final.
The official SDKs: the key and the rest stand in the query, every message has a ``text``, which is
all that was said in the session, and an empty frame ends the sound. Who has the key in the query
for want of headers, as browsers have, and no more than that, may still send the JSON frame.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from auricle.core.errors import AuricleError, BadRequest, Cancelled
from auricle.desk import Customer, Desk, LiveCall, LiveRequest
from auricle.dialects.connection import key_of, peer_of
from auricle.dialects.errors import retry_headers
from auricle.dialects.multipart import to_boolean
from auricle.dialects.sockets import Line, frames
from auricle.media import SAMPLE_RATE, RawAudio
from auricle.speech import LiveOptions
from auricle.speech.messages import Spoken
from auricle.transcript import Word
from auricle.transcript.languages import parse

router = APIRouter()

DIALECT = "sttai"

AFTER_FINAL_S = 35.0
"""How long a socket stays open after the final message: the SDKs take any close for a failure."""

KEEP_ALIVE_S = 30.0
"""Clients give up when nothing comes for 90 seconds."""

MOST_TEXT = 60_000
"""Bytes: dictation clients take no message of more than 64 KiB."""

SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", "۔", "؟", "।")


@dataclass(frozen=True, slots=True)
class Config:
    """What a client asks for."""

    request: LiveRequest
    cumulative: bool
    """Whether ``text`` is all that was said, each message replacing the one before."""


def to_config(given: Mapping[str, Any], *, cumulative: bool = False) -> Config:
    """Read a query or a JSON frame. Raises :class:`BadRequest` that names the field."""
    request = LiveRequest(
        raw=RawAudio("pcm_s16le", SAMPLE_RATE),
        model=_said(given, "model"),
        listening=LiveOptions(language=parse(_said(given, "language"))),
        diarize=_flag(given, "diarize", default=False),
    )
    return Config(request, _flag(given, "cumulative", default=cumulative))


def _said(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be text.")
    return value


def _flag(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name)
    if value is None or value == "":
        return default
    return value if isinstance(value, bool) else to_boolean(name, str(value))


class Messages:
    """Turns what is spoken into messages of one of the two ways."""

    def __init__(self, *, cumulative: bool, always: bool = False, most: int | None = None) -> None:
        """``always`` puts a text into every message; ``most`` is how many bytes of it a message
        may hold: the newest are shown."""
        self.cumulative = cumulative
        self._always = always
        self._most = most
        self._said = ""
        self._open: list[Word] = []
        self._shown: dict[str, Any] = {}

    def of(self, spoken: Spoken) -> list[dict[str, Any]]:
        """The messages for an update; none where nothing is new."""
        found = self._growing(spoken) if self.cumulative else self._segments(spoken)
        partial = (_text(self._open) + spoken.partial).strip()
        message = {"type": "partial", "partial": partial} | _more(spoken)
        if self._always:
            message["text"] = self._shortened(self._said + spoken.partial)
        if message != self._shown:
            self._shown = message
            found.append(message)
        return found

    def final(self) -> dict[str, Any]:
        """The last message."""
        ending = {"type": "transcript", "partial": "", "is_final": True, "final": True}
        if self.cumulative:
            return ending | {"text": self._shortened(self._said)}
        return ending | (self._segment() if self._open else {})

    def alive(self) -> dict[str, Any]:
        """What can be said when there is nothing to say."""
        whole = {"text": self._shortened(self._said)} if self._always else {}
        return {"type": "partial", "partial": ""} | whole

    def ready(self) -> dict[str, Any]:
        """That sound may come."""
        return {"status": "ready"} | self.alive() | {"type": "ready"}

    def error(self, error: AuricleError) -> dict[str, Any]:
        """What has gone wrong."""
        said = self.alive() if self._always else {}
        return said | {"type": "error", "error": error.message, "code": error.status}

    def _growing(self, spoken: Spoken) -> list[dict[str, Any]]:
        """All that is said for good."""
        if not spoken.words:
            return []
        self._said += _text(spoken.committed)
        said = {"text": self._shortened(self._said), "partial": spoken.partial.strip()}
        return [{"type": "transcript"} | said | _words(spoken.committed) | _more(spoken)]

    def _segments(self, spoken: Spoken) -> list[dict[str, Any]]:
        """The sentences and utterances that end."""
        found: list[dict[str, Any]] = []
        for word in spoken.committed:
            self._open.append(word)
            if word.text.rstrip().endswith(SENTENCE_ENDS):
                found.append(self._segment() | _more(spoken))
        if self._open and spoken.state == "silent":
            found.append(self._segment() | _more(spoken))
        return found

    def _segment(self) -> dict[str, Any]:
        words, self._open = self._open, []
        said = {"type": "transcript", "text": _text(words).strip(), "partial": ""}
        return said | _words(words)

    def _shortened(self, text: str) -> str:
        text = text.strip()
        if self._most is None:
            return text
        return text.encode()[-self._most :].decode(errors="ignore")


def _text(words: Iterable[Word]) -> str:
    return "".join(word.text for word in words)


def _words(words: Iterable[Word]) -> dict[str, Any]:
    rows = [
        {"word": word.bare, "start": word.start, "end": word.end}
        | ({"speaker": word.speaker} if word.speaker else {})
        for word in words
    ]
    return {"words": rows}


def _more(spoken: Spoken) -> dict[str, Any]:
    """What messages say besides, where it is known."""
    language = {"language": spoken.language} if spoken.language else {}
    return language | ({"behind": spoken.behind} if spoken.behind else {})


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Samples go in, messages come out; refusals are HTTP answers to the handshake."""
    desk: Desk = socket.app.state.desk
    query = socket.query_params
    async with AsyncExitStack() as stack:
        try:
            customer = await desk.identify(key_of(socket), peer_of(socket), DIALECT, anonymous=True)
            if "model" in query or "language" in query:
                config = to_config(query, cumulative=True)
                begun = desk.live.session(customer, DIALECT, config.request)
                call = await stack.enter_async_context(begun)
            else:
                await desk.live.admit(customer)
        except AuricleError as error:
            refused = JSONResponse({"error": error.message}, error.status, retry_headers(error))
            await socket.send_denial_response(refused)
            return
        await socket.accept()
        if "model" in query or "language" in query:
            messages = Messages(cumulative=config.cumulative, always=True)
            line = Line(socket, messages.error)
            await line.send(messages.ready())
            if await _hear(line, call, messages):
                await _part(socket, line)
        else:
            await _configured(socket, desk, customer)


async def _configured(socket: WebSocket, desk: Desk, customer: Customer) -> None:
    """The way in which a frame may configure the session."""
    sdk = "token" in socket.query_params
    cumulative = sdk or socket.app.state.cumulative
    messages = Messages(cumulative=cumulative, always=sdk, most=None if sdk else MOST_TEXT)
    line = Line(socket, messages.error)
    try:
        if sdk:
            await line.send(messages.ready())
        found = await _first(socket, line, cumulative=cumulative)
        if found is None:
            return
        config, frame = found
        messages.cumulative = config.cumulative
        async with desk.live.session(customer, DIALECT, config.request) as call:
            if not sdk or frame is None:
                await line.send(messages.ready())
            if not await _hear(line, call, messages, frame):
                return
        if sdk:
            await _part(socket, line)
        else:
            await line.close()
    except AuricleError as error:
        await line.fail(error)


async def _first(
    socket: WebSocket, line: Line, *, cumulative: bool
) -> tuple[Config, bytes | str | None] | None:
    """The configuration that comes first; sound that comes instead, or its end, asks for the
    defaults, and is returned with them. None when the client has gone."""
    async for frame in frames(socket):
        try:
            given = {} if isinstance(frame, bytes) else _object(frame)
            if isinstance(frame, bytes) or (given.get("action") is not None and _stops(frame)):
                return to_config({}, cumulative=cumulative), frame
            return to_config(given, cumulative=cumulative), None
        except BadRequest as error:
            await line.wrong(error)
    return None


async def _hear(
    line: Line, call: LiveCall, messages: Messages, first: bytes | str | None = None
) -> bool:
    """Hear a session to its final message; its first frame may have come already. Returns whether
    the client is still there."""
    ended = False

    async def obey(frame: bytes | str) -> None:
        nonlocal ended
        stops = not frame if isinstance(frame, bytes) else _stops(frame)
        if ended:
            return
        ended = stops
        if isinstance(frame, bytes) and frame:
            await call.send(frame)
        else:
            await call.finish()

    breathing = asyncio.create_task(_breathe(line, messages))
    try:
        if first is not None:
            await obey(first)
        if not await line.hear(call, obey, messages.of):
            return False
    finally:
        breathing.cancel()
    await line.send(messages.final())
    return True


def _stops(frame: str) -> bool:
    """Whether a text frame ends the sound: nothing else may be said. Raises
    :class:`BadRequest`."""
    if _object(frame).get("action") == "stop":
        return True
    raise BadRequest(f'Send {{"action": "stop"}} to finish, not {frame[:80]!r}.')


async def _part(socket: WebSocket, line: Line) -> None:
    """Leave it to the client to hang up, for a while."""
    with suppress(TimeoutError, Cancelled):
        async with asyncio.timeout(AFTER_FINAL_S):
            async for _ in frames(socket):
                continue
    await line.close()


async def _breathe(line: Line, messages: Messages) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_S / 3)
        if time.monotonic() - line.last >= KEEP_ALIVE_S:
            await line.send(messages.alive())


def _object(frame: str) -> dict[str, Any]:
    try:
        found = json.loads(frame)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadRequest(f"This is no JSON object: {frame[:80]!r}.")
    return found
