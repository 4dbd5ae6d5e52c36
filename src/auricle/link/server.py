"""The worker's end of the link."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from auricle.core.errors import AuricleError, Cancelled, Internal
from auricle.link import frames

log = logging.getLogger(__name__)

MOST_CALLS = 64
"""Calls that run at a time; the rest wait. Most of them wait for the engine."""

_THREADS = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix="call")


class Call:
    """A running call, as its handler sees it. Handlers run in threads."""

    def __init__(self, params: Any, emit: Callable[[Any], None]) -> None:
        self.params = params
        self._emit = emit
        self._stopped = threading.Event()

    def emit(self, value: Any) -> None:
        """Send an event to the caller. Raises :class:`Cancelled` once the caller has gone."""
        if self._stopped.is_set():
            raise Cancelled("The caller has gone away.")
        self._emit(value)

    def stop(self) -> None:
        """Make the next :meth:`emit` raise."""
        self._stopped.set()


Handler = Callable[[Call], Any]


async def serve(path: Path, handlers: Mapping[str, Handler]) -> asyncio.Server:
    """Listen on a Unix socket that only this user can open."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(_Connection.factory(handlers), path)
    path.chmod(0o600)
    return server


class _Connection:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handlers: Mapping[str, Handler],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handlers = handlers
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def factory(cls, handlers: Mapping[str, Handler]) -> Callable[..., Any]:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await cls(reader, writer, handlers).run()

        return connected

    async def run(self) -> None:
        decoder = msgspec.msgpack.Decoder(frames.Request)
        try:
            while (payload := await frames.read(self._reader)) is not None:
                self._take(decoder.decode(payload))
        except msgspec.DecodeError as error:
            log.warning("closing a connection that does not speak the protocol: %s", error)
        finally:
            for call in self._calls.values():
                call.stop()
            self._writer.close()

    def _take(self, frame: frames.Request) -> None:
        if isinstance(frame, frames.Stop):
            if call := self._calls.get(frame.id):
                call.stop()
            return

        def emit(value: Any) -> None:
            self._loop.call_soon_threadsafe(self._write, frames.Event(frame.id, value))

        call = self._calls[frame.id] = Call(frame.params, emit)
        task = self._loop.create_task(self._run(frame, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, ask: frames.Ask, call: Call) -> None:
        try:
            handler = self._handlers[ask.method]
            result = await self._loop.run_in_executor(_THREADS, handler, call)
            reply: frames.Reply = frames.Result(ask.id, result)
        except AuricleError as error:
            reply = frames.Fault(ask.id, error.code, error.message, error.retry_after)
        except Exception:
            log.exception("call %s failed", ask.method)
            reply = frames.Fault(
                ask.id, Internal.code, "Something went wrong here; it has been logged.", None
            )
        finally:
            del self._calls[ask.id]
        self._write(reply)

    def _write(self, frame: frames.Reply) -> None:
        if not self._writer.is_closing():
            frames.write(self._writer, frame)
