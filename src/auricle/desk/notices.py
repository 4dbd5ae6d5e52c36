"""Hears when transcripts change: one database connection for a whole serving process."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress

import psycopg

from auricle import db
from auricle.core.errors import AuricleError
from auricle.library import runs

log = logging.getLogger(__name__)

AGAIN_S = 1.0


class Notices:
    """An asynchronous context manager; :meth:`of` wakes those who wait."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def __aenter__(self) -> Notices:
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    @asynccontextmanager
    async def of(self, transcript: int, *, ended: bool = False) -> AsyncGenerator[asyncio.Event]:
        """An event that is set whenever this transcript may have changed, or may have ended."""
        event = asyncio.Event()
        notice = runs.notice(transcript, ended=ended)
        waiting = self._waiting[notice]
        waiting.add(event)
        try:
            yield event
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(notice, None)

    async def _listen(self) -> None:
        while True:
            try:
                async with await db.listener() as connection:
                    await connection.execute(f'LISTEN "{runs.CHANNEL}"')
                    self._wake(list(self._waiting))  # what happened while we were away?
                    async for notice in connection.notifies():
                        self._wake({notice.payload, notice.payload.partition(" ")[0]})
            except (psycopg.Error, AuricleError, OSError) as error:
                log.warning("the database does not tell of changes: %s", error)
            await asyncio.sleep(AGAIN_S)

    def _wake(self, notices: Iterable[str]) -> None:
        for notice in notices:
            for event in self._waiting.get(notice, ()):
                event.set()
