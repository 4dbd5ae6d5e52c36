"""What becomes of a client while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import HTTPConnection, Request

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
    gone = asyncio.create_task(_hangs_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Cancelled("The client went away while it was waiting.")
    finally:
        gone.cancel()
        task.cancel()


async def _hangs_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
