"""Hears when transcripts change: one database connection for a whole serving process."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import psycopg

from auricle import db
from auricle.core.errors import AuricleError
from auricle.library.runs import CHANNEL

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
    async def of(self, transcript: int) -> AsyncGenerator[asyncio.Event]:
        """An event that is set whenever this transcript may have changed."""
        event = asyncio.Event()
        waiting = self._waiting[str(transcript)]
        waiting.add(event)
        try:
            yield event
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(str(transcript), None)

    async def _listen(self) -> None:
        while True:
            try:
                async with await db.listener() as connection:
                    await connection.execute(f'LISTEN "{CHANNEL}"')
                    self._wake(list(self._waiting))  # what happened while we were away?
                    async for notice in connection.notifies():
                        self._wake([notice.payload])
            except (psycopg.Error, AuricleError, OSError) as error:
                log.warning("the database does not tell of changes: %s", error)
            await asyncio.sleep(AGAIN_S)

    def _wake(self, transcripts: list[str]) -> None:
        for transcript in transcripts:
            for event in self._waiting.get(transcript, ()):
                event.set()
