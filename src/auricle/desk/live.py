"""Live sessions at the door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from auricle import db, link
from auricle.core.errors import Unavailable
from auricle.core.settings import Settings
from auricle.desk import admission as rules
from auricle.desk import endings
from auricle.desk.requests import Customer, LiveRequest
from auricle.speech import Timing
from auricle.speech.messages import FINISH, FLUSH, Spoken


class Live:
    """The door to the workers that hear live speech."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def admit(self, customer: Customer) -> None:
        """Decide whether to let somebody in who has not said yet what they want.

        Raises :class:`NoCredits`, :class:`TooMany` and :class:`Unavailable`.
        """
        await db.run(rules.admit_live, self._settings, customer)

    @asynccontextmanager
    async def session(
        self, customer: Customer, dialect: str, request: LiveRequest
    ) -> AsyncIterator[LiveCall]:
        """Begin a session; leaving the block hangs up, and what was said is stored.

        Raises as :meth:`admit` does, and :class:`UnknownModel` and :class:`ModelNotInstalled`.
        """
        row, address = await db.run(rules.begin_live, self._settings, customer, dialect, request)
        async with AsyncExitStack() as stack:
            try:
                calling = link.call(address, "live", row.pk)
                conversation = await stack.enter_async_context(calling)
            except Unavailable:
                await db.run(endings.delete, row)
                raise
            yield LiveCall(conversation)


class LiveCall:
    """A session under way: iterate over what is said in it.

    Iterating raises what ends the session: :class:`NoCredits`, :class:`TooLong`,
    :class:`Unavailable` when the machine does not keep up or the worker dies, and
    :class:`Cancelled`.
    """

    def __init__(self, conversation: link.Conversation) -> None:
        self._conversation = conversation

    async def send(self, data: bytes) -> None:
        """Pass on samples, however they are cut; waits while the engine does not keep up."""
        await self._conversation.tell(data)

    async def flush(self) -> None:
        """Have all that was said until here said for good."""
        await self._conversation.tell(FLUSH)

    async def adjust(self, timing: Timing) -> None:
        """Change when speech begins and when it is over, from here on."""
        await self._conversation.tell(msgspec.to_builtins(timing))

    async def finish(self) -> None:
        """Say that no more sound comes; iterating ends when all is said."""
        await self._conversation.tell(FINISH)

    async def __aiter__(self) -> AsyncIterator[Spoken]:
        async for event in self._conversation:
            yield msgspec.convert(event, Spoken)
