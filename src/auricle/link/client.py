"""The caller's end of the link."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from auricle.core.errors import Unavailable, from_code
from auricle.link import frames


@dataclass(frozen=True, slots=True)
class Ended:
    """The last thing that :meth:`Link.call` yields: the call's result."""

    value: Any


class Link:
    """A connection to one worker, for any number of calls at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count()
        self._replies: dict[int, asyncio.Queue[frames.Reply | None]] = {}
        self._pump = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def connect(cls, address: str) -> Link:
        """Connect to a worker. Raises :class:`Unavailable` when nobody listens there."""
        try:
            return cls(*await asyncio.open_unix_connection(address))
        except OSError as error:
            raise Unavailable(_GONE, retry_after=5) from error

    @property
    def alive(self) -> bool:
        """Whether the worker still answers."""
        return not self._pump.done()

    async def close(self) -> None:
        """Hang up; running calls are given up by the worker."""
        self._writer.close()
        self._pump.cancel()
        with suppress(asyncio.CancelledError):
            await self._pump

    async def call(self, method: str, params: Any) -> AsyncGenerator[Any | Ended]:
        """Run a call: yields its events and then :class:`Ended`.

        Raises the call's error, or :class:`Unavailable` when the worker dies meanwhile. Leaving
        the iteration early gives the call up.
        """
        number = next(self._ids)
        queue = self._replies[number] = asyncio.Queue()
        if not self.alive:
            queue.put_nowait(None)
        else:
            frames.write(self._writer, frames.Ask(number, method, params))
        ended = False
        try:
            while not ended:
                reply = await queue.get()
                ended = not isinstance(reply, frames.Event)
                yield _value(reply)
        finally:
            del self._replies[number]
            if not ended and self.alive:
                frames.write(self._writer, frames.Stop(number))

    async def _read(self) -> None:
        decoder = msgspec.msgpack.Decoder(frames.Reply)
        try:
            while (payload := await frames.read(self._reader)) is not None:
                reply = decoder.decode(payload)
                if queue := self._replies.get(reply.id):
                    queue.put_nowait(reply)
        finally:
            self._writer.close()
            for queue in self._replies.values():
                queue.put_nowait(None)


_GONE = "The transcription engine is restarting. Try again in a few seconds."


def _value(reply: frames.Reply | None) -> Any | Ended:
    match reply:
        case frames.Event(value=value):
            return value
        case frames.Result(value=value):
            return Ended(value)
        case frames.Fault(code=code, message=message, retry_after=retry_after):
            raise from_code(code, message, retry_after)
    raise Unavailable(_GONE, retry_after=5)
