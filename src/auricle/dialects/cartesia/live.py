"""``/stt/websocket`` and ``/stt/turns/websocket``: live transcription as Cartesia's clients speak.

In the first, the client says when what was said is to be final (``finalize``); texts are what was
said since the last final one. In the second, the server tells whose turn it is; texts are all that
was said in the turn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from auricle.core.errors import AuricleError, BadRequest
from auricle.core.logging import request_id
from auricle.desk import Desk, LiveCall, LiveRequest
from auricle.dialects.cartesia import translate
from auricle.dialects.connection import key_of, peer_of
from auricle.dialects.errors import retry_headers
from auricle.dialects.numbers import number
from auricle.dialects.sockets import Line
from auricle.speech import LiveOptions, Timing
from auricle.speech.messages import Spoken
from auricle.transcript.languages import parse

router = APIRouter()

DIALECT = "cartesia"

MOST_TERMS, MOST_TERM_CHARACTERS = 100, 1200

DECAY_S = 0.5
"""After t seconds of silence, the probability that the speaker goes on is taken to be
exp(-t / DECAY_S): by that, thresholds become seconds."""


class Messages(Protocol):
    """Turns what is spoken into one of the two kinds of messages."""

    def begin(self) -> list[dict[str, Any]]:
        """What is said before anything is heard."""
        ...

    def of(self, spoken: Spoken) -> list[dict[str, Any]]:
        """What an update comes down to."""
        ...

    def end(self) -> list[dict[str, Any]]:
        """What is said last."""
        ...


@dataclass(slots=True)
class Texts:
    """Messages of the first kind: final texts, each after the one before, and what may follow."""

    language: str
    """As it was asked for."""
    _shown: str = ""
    _final: float = 0.0

    def begin(self) -> list[dict[str, Any]]:
        return []

    def of(self, spoken: Spoken) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if spoken.words:
            rows = [
                {"word": word.bare, "start": word.start, "end": word.end}
                for word in spoken.committed
            ]
            text = "".join(word.text for word in spoken.committed)
            # LiveKit's agents add these up, over all messages: interim ones must not have any.
            said = {"duration": round(spoken.end - self._final, 3), "words": rows}
            found.append(self._transcript(text, spoken, final=True) | said)
            self._shown, self._final = "", spoken.end
        if spoken.partial != self._shown:
            self._shown = spoken.partial
            found.append(self._transcript(spoken.partial, spoken, final=False))
        if spoken.flushed:
            found.append({"type": "flush_done"})
        return found

    def end(self) -> list[dict[str, Any]]:
        return [{"type": "done"}]

    def _transcript(self, text: str, spoken: Spoken, *, final: bool) -> dict[str, Any]:
        return {
            "type": "transcript",
            "is_final": final,
            "text": text,
            "language": spoken.language or self.language,
        }


@dataclass(slots=True)
class Turns:
    """Messages of the second kind."""

    _open: bool = False
    _said: str = ""
    _shown: str = ""
    _eager: bool = False

    def begin(self) -> list[dict[str, Any]]:
        return [{"type": "connected"}]

    def of(self, spoken: Spoken) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if not self._open and (spoken.words or spoken.state != "silent"):
            self._open = True
            found.append({"type": "turn.start"})
        if not self._open:
            return found
        self._said += "".join(word.text for word in spoken.committed)
        transcript = (self._said + spoken.partial).strip()
        if spoken.state == "silent":
            return [*found, self._close()]
        if self._eager and spoken.state == "speaking":
            self._eager = False
            found.append({"type": "turn.resume"})
        if transcript != self._shown:
            self._shown = transcript
            found.append({"type": "turn.update", "transcript": transcript})
        if spoken.state == "pausing" and not self._eager:
            self._eager = True
            found.append({"type": "turn.eager_end", "transcript": transcript})
        return found

    def end(self) -> list[dict[str, Any]]:
        return [self._close()] if self._open else []

    def _close(self) -> dict[str, Any]:
        transcript = self._said.strip()
        self._open, self._eager, self._said, self._shown = False, False, "", ""
        return {"type": "turn.end", "transcript": transcript}


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """When a turn begins and ends: probabilities that the speaker speaks, or goes on."""

    start_threshold: float = 0.8
    eager_end_threshold: float = 0.4
    end_threshold: float = 0.2
    end_timeout_ms: float = 5600

    @property
    def timing(self) -> Timing:
        """The same as the engine takes it: thresholds after the start as seconds of silence."""
        most = self.end_timeout_ms / 1000
        eager, end = (
            min(most, -DECAY_S * math.log(probability))
            for probability in (self.eager_end_threshold, self.end_threshold)
        )
        return Timing(pause=end, eager=eager, onset=self.start_threshold)


def to_turn_settings(
    given: Mapping[str, Any], before: TurnSettings, prefix: str = ""
) -> TurnSettings:
    """Read what is given; the rest stays as it was. Raises :class:`BadRequest`."""
    values = {
        name: number(given.get(prefix + name, getattr(before, name)), prefix + name, *bounds)
        for name, bounds in TURN_BOUNDS.items()
    }
    found = TurnSettings(**values)
    if not found.start_threshold > found.eager_end_threshold > found.end_threshold:
        raise BadRequest(
            f"{prefix}start_threshold must be above {prefix}eager_end_threshold, and that above "
            f"{prefix}end_threshold."
        )
    return found


TURN_BOUNDS = {
    "start_threshold": (0.5, 0.9),
    "eager_end_threshold": (0.3, 0.6),
    "end_threshold": (0.05, 0.5),
    "end_timeout_ms": (640.0, 11_200.0),
}


def to_manual(query: QueryParams) -> LiveRequest:
    """Read the query of ``/stt/websocket``. Raises :class:`BadRequest` that names the field."""
    name = "max_silence_duration_secs"
    pause = number(query.get(name, 0.5), name, 0.1, 30.0)
    listening = LiveOptions(
        language=parse(query.get("language") or "en"),
        prompt=_terms(query),
        quiet=number(query.get("min_volume", 0.0), "min_volume", 0.0, 1.0),
        timing=Timing(pause=pause, eager=min(pause, Timing().eager)),
    )
    return _request(query, listening)


def to_turns(query: QueryParams, settings: TurnSettings) -> LiveRequest:
    """Read the query of ``/stt/turns/websocket``. Raises :class:`BadRequest`."""
    language = parse(query.get("language", ""))
    return _request(query, LiveOptions(language, _terms(query), timing=settings.timing))


def _request(query: QueryParams, listening: LiveOptions) -> LiveRequest:
    raw = translate.to_raw(query)
    if raw is None:
        raise BadRequest("encoding and sample_rate are missing, such as pcm_s16le and 16000.")
    if not query.get("model"):
        raise BadRequest("model is missing: send 'ink-whisper', or an id of GET /v1/models.")
    return LiveRequest(raw, translate.to_model(query["model"]), listening)


def _terms(query: QueryParams) -> str:
    """Words to listen for, as text that could have come before."""
    terms = query.getlist("keyterm")
    if len(terms) > MOST_TERMS or sum(map(len, terms)) > MOST_TERM_CHARACTERS:
        raise BadRequest(
            f"Send at most {MOST_TERMS} keyterms of {MOST_TERM_CHARACTERS} characters in all."
        )
    return ", ".join(terms)


@router.websocket("/stt/websocket")
async def manual(socket: WebSocket) -> None:
    """The client says when what was said is to be final."""

    async def obey(call: LiveCall, frame: str) -> None:
        match frame.strip():
            case "finalize":
                await call.flush()
            case "close" | "done":
                await call.finish()
            case other:
                raise BadRequest(f"Send 'finalize', 'close' or samples, not {other[:80]!r}.")

    language = socket.query_params.get("language") or "en"
    await _serve(socket, to_manual, Texts(language), obey)


@router.websocket("/stt/turns/websocket")
async def turns(socket: WebSocket) -> None:
    """The server tells when a turn begins and ends."""
    settings = TurnSettings()

    async def obey(call: LiveCall, frame: str) -> None:
        nonlocal settings
        try:
            message = json.loads(frame)
            kind = message["type"]
        except (ValueError, TypeError, KeyError):
            kind = None
        if kind == "close":
            await call.finish()
        elif kind != "config":
            raise BadRequest(f'Send {{"type": "close"}} or samples, not {frame[:80]!r}.')
        else:
            settings = to_turn_settings(_turn(message), settings)
            await call.adjust(settings.timing)

    def to_request(query: QueryParams) -> LiveRequest:
        nonlocal settings
        settings = to_turn_settings(query, settings, "turn_")
        return to_turns(query, settings)

    await _serve(socket, to_request, Turns(), obey)


def _turn(message: Mapping[str, Any]) -> Mapping[str, Any]:
    turn = message.get("turn") or {}
    if not isinstance(turn, dict):
        raise BadRequest("turn must be an object.")
    return turn


Command = Callable[[LiveCall, str], Awaitable[None]]


async def _serve(
    socket: WebSocket,
    to_request: Callable[[QueryParams], LiveRequest],
    messages: Messages,
    command: Command,
) -> None:
    """Hear a session from the handshake, which is refused with an HTTP answer, to its end."""
    desk: Desk = socket.app.state.desk
    number = request_id.get()
    async with AsyncExitStack() as stack:
        try:
            translate.check_version(socket.headers, socket.query_params)
            customer = await desk.identify(key_of(socket), peer_of(socket), DIALECT)
            asked = to_request(socket.query_params)
            call = await stack.enter_async_context(desk.live.session(customer, DIALECT, asked))
        except AuricleError as error:
            await socket.send_denial_response(_refusal(error))
            return

        async def obey(frame: bytes | str) -> None:
            if isinstance(frame, bytes):
                await call.send(frame)
            else:
                await command(call, frame)

        def signed(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
            return [message | {"request_id": number} for message in found]

        await socket.accept()
        line = Line(socket, lambda error: _error(error) | {"request_id": number})
        for message in signed(messages.begin()):
            await line.send(message)
        if await line.hear(call, obey, lambda spoken: signed(messages.of(spoken))):
            for message in signed(messages.end()):
                await line.send(message)
            await line.close()


def _refusal(error: AuricleError) -> JSONResponse:
    content = translate.error_view(error, request_id.get())
    return JSONResponse(content, error.status, retry_headers(error))


def _error(error: AuricleError) -> dict[str, Any]:
    """An error within a session; some clients read ``code``, some ``status_code``."""
    titles = {status.value: status.phrase for status in HTTPStatus}
    return {
        "type": "error",
        "message": error.message,
        "status_code": error.status,
        "code": error.status,
        "title": titles.get(error.status, "Error"),
        "error_code": error.code,
    }
