"""WebSockets: refused before they open, heard and answered at once, never left open by mistake."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from auricle.core.errors import AuricleError, BadRequest, Cancelled
from auricle.desk import LiveCall
from auricle.speech.messages import Spoken

IDLE_S = 300.0
"""Seconds without a frame after which nobody is believed to be there."""

IDLE = Cancelled(
    f"Nothing came for {IDLE_S / 60:g} minutes, so the session is over. Send silence to keep it."
)

FAILED = 1011
"""Code with which a socket is closed when something has gone wrong (RFC 6455, section 7.4.1)."""

LONGEST_REASON = 120
"""Bytes that there are for the reason."""

Obey = Callable[[bytes | str], Awaitable[None]]
"""Does what a frame says. Raises :class:`BadRequest` for one that says nothing known."""

Show = Callable[[Spoken], Iterable[dict[str, Any]]]
"""The messages for what is spoken."""


async def frames(socket: WebSocket, idle_s: float = IDLE_S) -> AsyncIterator[bytes | str]:
    """What a client sends, until it goes. Raises :class:`Cancelled` when nothing comes for long."""
    while True:
        try:
            message = await asyncio.wait_for(socket.receive(), idle_s)
        except TimeoutError:
            raise IDLE from None
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        yield message["text"] if data is None else data


class Line:
    """A client's socket, open: JSON goes out; a client that has gone is noticed by who listens."""

    def __init__(self, socket: WebSocket, view: Callable[[AuricleError], dict[str, Any]]) -> None:
        """``view`` writes errors as the dialect does."""
        self._socket = socket
        self._view = view
        self.last = time.monotonic()
        """When something was last said."""

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message, if anybody is there."""
        self.last = time.monotonic()
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.send_text(json.dumps(message, ensure_ascii=False))

    async def wrong(self, error: AuricleError) -> None:
        """Say what is wrong with a frame; the session goes on."""
        await self.send(self._view(error))

    async def fail(self, error: AuricleError) -> None:
        """Say what has gone wrong, and hang up."""
        await self.send(self._view(error))
        await self.close(FAILED, error.message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up; ``reason`` may be long."""
        if self._socket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect, RuntimeError):
                short = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
                await self._socket.close(code, short)

    async def hear(self, call: LiveCall, obey: Obey, show: Show) -> bool:
        """Pass on what comes in either direction. Returns when all is said: whether the client is
        still there to be told so; who has gone, and whose session has failed, is not."""
        hearing = asyncio.create_task(self._pass_in(obey))
        telling = asyncio.create_task(self._pass_out(call, show))
        try:
            await asyncio.wait({hearing, telling}, return_when=asyncio.FIRST_COMPLETED)
            for task in (hearing, telling):
                if task.done():
                    task.result()
            return telling.done() and not hearing.done()
        except AuricleError as error:
            await self.fail(error)
            return False
        finally:
            hearing.cancel()
            telling.cancel()
            await asyncio.gather(hearing, telling, return_exceptions=True)

    async def _pass_in(self, obey: Obey) -> None:
        async for frame in frames(self._socket):
            try:
                await obey(frame)
            except BadRequest as error:
                await self.wrong(error)

    async def _pass_out(self, call: LiveCall, show: Show) -> None:
        async for spoken in call:
            for message in show(spoken):
                await self.send(message)
