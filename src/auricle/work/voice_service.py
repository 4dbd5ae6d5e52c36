"""The voice engine's calls, which the text worker's process answers beside its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from auricle import link
from auricle.core.errors import Cancelled, Unavailable
from auricle.voice import requests
from auricle.work.voice_engine import PIECE, Made, VoiceEngine

PLACES = {"enhance": 1, "speak": 2, "clone": 1}
"""Calls of each kind that are worked on at a time: each keeps all cores busy."""

WAITING = 8
"""Calls of each kind that wait; more are refused."""

BUSY_RETRY_S = 30

STALLED_S = 60.0
"""Seconds after which a caller who reads nothing of a text that is being spoken has gone."""


class VoiceService:
    """Runs calls in threads. Who does not read what comes makes the work wait."""

    def __init__(self, engine: VoiceEngine) -> None:
        self._engine = engine
        self._places = {name: asyncio.Semaphore(count) for name, count in PLACES.items()}
        self._inside = dict.fromkeys(PLACES, 0)

    def handlers(self) -> dict[str, Callable[[link.Call], Awaitable[Any]]]:
        """What can be called."""
        return {
            name: partial(self._answer, name, shape) for name, shape in requests.METHODS.items()
        }

    async def _answer(self, name: str, shape: type[Any], call: link.Call) -> None:
        if self._inside[name] >= PLACES[name] + WAITING:
            raise Unavailable(
                "Too much sound is waiting to be made. Try again in a moment.",
                retry_after=BUSY_RETRY_S,
            )
        request = msgspec.convert(call.params, shape)
        self._inside[name] += 1
        try:
            async with self._places[name]:
                made = await self._work(request, call)
            if made is not None:  # nobody waits for who reads it slowly
                await _send(made, call)
        finally:
            self._inside[name] -= 1

    async def _work(self, request: Any, call: link.Call) -> Made | None:
        gone = threading.Event()
        loop = asyncio.get_running_loop()

        def tick() -> None:
            if gone.is_set():
                raise Cancelled("The caller went away.")

        def emit(value: Any) -> None:
            tick()
            sent = asyncio.run_coroutine_threadsafe(call.emit(_plain(value)), loop)
            try:
                sent.result(STALLED_S)
            except TimeoutError as error:
                sent.cancel()
                raise Cancelled("The caller does not read what it has asked for.") from error

        try:
            return await asyncio.to_thread(self._engine.run, request, emit, tick)
        finally:
            gone.set()  # when we are cancelled, the thread ends at its next step


async def _send(made: Made, call: link.Call) -> None:
    with made.file as file:
        await call.emit(_plain(made.begun))
        await asyncio.to_thread(file.seek, 0)
        while data := await asyncio.to_thread(file.read, PIECE):
            await call.emit({"data": data})


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,))
