"""The caller's end of the link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from auricle.core.errors import Unavailable, from_code
from auricle.link import frames

AGAIN_S = 2
"""Seconds after which to ask again when a worker has gone."""


@asynccontextmanager
async def call(address: str, method: str, params: Any = None) -> AsyncIterator[Conversation]:
    """Begin a call; leaving the block gives it up.

    Raises :class:`Unavailable` when nobody listens at the address.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(address)
    except OSError as error:
        raise _gone() from error
    try:
        conversation = Conversation(reader, writer)
        await conversation.send(frames.Ask(method, params))
        yield conversation
    finally:
        writer.close()


async def ask(address: str, method: str, params: Any = None) -> Any:
    """Run a call without events; returns its result. Raises what :func:`call` and the call do."""
    async with call(address, method, params) as conversation:
        async for _ in conversation:
            continue
        return conversation.result


class Conversation:
    """A running call: iterate over its events; :attr:`result` is there afterwards.

    Iterating raises the call's error, and :class:`Unavailable` when the worker dies meanwhile.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = msgspec.msgpack.Decoder(frames.Reply)
        self.result: Any = None

    async def tell(self, value: Any) -> None:
        """Add something; waits while the worker does not keep up."""
        await self.send(frames.Tell(value))

    async def send(self, frame: frames.Ask | frames.Tell) -> None:
        """Send a frame. What a worker that has gone left to be read is for :meth:`__aiter__`."""
        try:
            await frames.write(self._writer, frame)
        except ConnectionError:
            return

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            match await frames.read(self._reader, self._decoder):
                case frames.Event(value=value):
                    yield value
                case frames.Result(value=value):
                    self.result = value
                    return
                case frames.Fault(code=code, message=message, retry_after=retry_after):
                    raise from_code(code, message, retry_after)
                case None:
                    raise _gone()


def _gone() -> Unavailable:
    return Unavailable(
        "The worker that should answer is restarting. Try again in a few seconds.",
        retry_after=AGAIN_S,
    )
