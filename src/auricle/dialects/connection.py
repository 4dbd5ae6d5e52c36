"""What becomes of a client while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.background import BackgroundTask
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse

from auricle.accounts.keys import key_in
from auricle.core.errors import Cancelled
from auricle.desk import Peer

T = TypeVar("T")

PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


def peer_of(request: HTTPConnection) -> Peer:
    """Where a request comes from; the server has put the address that a trusted proxy names into
    its place."""
    address = request.client.host if request.client else ""
    proxied = any(name in request.headers for name in PROXY_HEADERS)
    return Peer(address, proxied, request.headers.get("host", ""))


def key_of(request: HTTPConnection) -> str:
    """The key that a request carries, in whichever way; or nothing."""
    return key_in(request.headers, request.query_params)


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for work, but no longer when the client hangs up; the body must have been read.

    Nobody else would notice: the server goes on with a request whose client has left.
    """
    task = asyncio.create_task(work)
    try:
        await _ended(request, task)
        return task.result()
    finally:
        task.cancel()


async def answer_in_time(
    request: Request,
    work: Coroutine[Any, Any, T],
    render: Callable[[T], Awaitable[Response]],
    patience_s: float | None,
    after: BackgroundTask | None = None,
) -> Response:
    """What ``render`` makes of work, as JSON, for a client that hangs up after ``patience_s``
    seconds of silence.

    Before that it is sent blanks, which may stand before JSON (RFC 8259, section 2). What goes
    wrong from then on breaks the answer off, for its status has been sent: those clients send the
    recording again, and are told then.
    """
    task = asyncio.create_task(work)
    pause = patience_s / 2 if patience_s else None
    try:
        if await _ended(request, task, pause):
            response = await render(task.result())
            response.background = after
            return response
    except BaseException:
        task.cancel()
        raise
    assert pause is not None
    content = _blanks_before(task, render, pause)
    return StreamingResponse(content, media_type="application/json", background=after)


async def _blanks_before(
    task: asyncio.Task[T], render: Callable[[T], Awaitable[Response]], pause: float
) -> AsyncIterator[bytes]:
    try:
        while not task.done():
            yield b" "
            await asyncio.wait({task}, timeout=pause)
        yield bytes((await render(task.result())).body)
    finally:
        task.cancel()


def patience_of(request: Request) -> float | None:
    """Seconds of silence after which a client hangs up, as the SDKs of OpenAI and Cartesia say."""
    for name in ("x-stainless-read-timeout", "x-stainless-timeout"):
        with suppress(ValueError):
            seconds = float(request.headers.get(name, ""))
            if seconds > 0:
                return seconds
    return None


def is_retry(request: Request) -> bool:
    """Whether a client says that it has sent this before."""
    return request.headers.get("x-stainless-retry-count", "0") != "0"


async def _ended(request: Request, task: asyncio.Task[Any], within: float | None = None) -> bool:
    """Wait for a task, for some seconds; returns whether it has ended. Raises :class:`Cancelled`
    when the client hangs up before."""
    gone = asyncio.create_task(_hangs_up(request))
    try:
        waiting = {task, gone}
        await asyncio.wait(waiting, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if gone.done() and not task.done():
            raise Cancelled("The client went away while it was waiting.")
        return task.done()
    finally:
        gone.cancel()


async def _hangs_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
