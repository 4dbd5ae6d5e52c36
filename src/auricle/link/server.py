"""The worker's end of the link."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from auricle.core.errors import AuricleError, Internal
from auricle.link import frames

log = logging.getLogger(__name__)

LONGEST_PATH = 100
"""Bytes of a socket's path; systems stop at 104 or 108."""

_REQUESTS: msgspec.msgpack.Decoder[frames.Ask] = msgspec.msgpack.Decoder(frames.Ask)
_ADDITIONS: msgspec.msgpack.Decoder[frames.Tell] = msgspec.msgpack.Decoder(frames.Tell)


class Call:
    """A running call, as its handler sees it. When the caller goes away, the handler's task is
    cancelled."""

    def __init__(
        self, params: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.params = params
        self._reader = reader
        self._writer = writer
        self._told: asyncio.Queue[Any] = asyncio.Queue(1)

    async def emit(self, value: Any) -> None:
        """Send an event; waits while the caller does not read."""
        await frames.write(self._writer, frames.Event(value))

    async def told(self) -> AsyncIterator[Any]:
        """What the caller adds, as it comes; never ends of itself."""
        while True:
            yield await self._told.get()

    async def listen(self) -> None:
        """Read until the caller hangs up. What nobody takes is not read on: so callers wait."""
        while (frame := await frames.read(self._reader, _ADDITIONS)) is not None:
            await self._told.put(frame.value)


Handler = Callable[[Call], Awaitable[Any]]


def socket_path(folder: Path, name: str) -> Path:
    """Where a socket can be: in the folder, or elsewhere when its path is too long for one."""
    path = folder / f"{name}.sock"
    if len(bytes(path)) > LONGEST_PATH:
        return Path(tempfile.mkdtemp(prefix="auricle-")) / f"{name}.sock"
    return path


async def serve(path: Path, handlers: Mapping[str, Handler]) -> asyncio.Server:
    """Listen on a Unix socket that only this user can open; each call runs beside the others."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await _serve(reader, writer, handlers)
        writer.close()

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(connected, path)
    path.chmod(0o600)
    return server


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handlers: Mapping[str, Handler]
) -> None:
    try:
        asked = await frames.read(reader, _REQUESTS)
    except AuricleError as error:
        log.warning("closing a connection: %s", error.message)
        return
    if asked is None:
        return
    call = Call(asked.params, reader, writer)
    running = asyncio.ensure_future(_run(handlers, asked.method, call))
    listening = asyncio.ensure_future(call.listen())
    try:
        await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await frames.write(writer, running.result())
    finally:
        for task in (running, listening):
            task.cancel()
        await asyncio.gather(running, listening, return_exceptions=True)


async def _run(
    handlers: Mapping[str, Handler], method: str, call: Call
) -> frames.Result | frames.Fault:
    try:
        return frames.Result(await handlers[method](call))
    except AuricleError as error:
        return frames.Fault(error.code, error.message, error.retry_after)
    except ConnectionError:
        raise
    except Exception:
        log.exception("call %s failed", method)
        message = "Something went wrong here; it has been logged."
        return frames.Fault(Internal.code, message, None)
