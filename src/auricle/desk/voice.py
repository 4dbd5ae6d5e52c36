"""Cleaning recordings and speaking texts: admitted, done by the voice engine, counted, paid."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec

from auricle import db, link
from auricle.core.errors import BadMedia, BadRequest
from auricle.core.settings import Settings
from auricle.desk import admission as rules
from auricle.desk.requests import Admission, Customer
from auricle.desk.texts import Texts
from auricle.jobs import services as jobs
from auricle.storage import Upload, too_large
from auricle.voice.requests import Begun, Request


@dataclass(frozen=True, slots=True)
class Sound:
    """A file with sound that has begun to come."""

    about: Begun
    pieces: AsyncGenerator[bytes]
    """To be read to its end, or closed."""


class Voice:
    """The door to the voice engine."""

    def __init__(self, settings: Settings, texts: Texts) -> None:
        self._settings = settings
        self._texts = texts

    async def admit(
        self, customer: Customer, dialect: str, declared: int | None, most: int | None = None
    ) -> Admission:
        """Decide, before a body is read, whether to read it; ``most`` is a limit of its own.

        Raises :class:`TooLarge` when the client itself says that it is, :class:`Unavailable` when
        nobody could do the work now, and :class:`NoCredits`.
        """
        admission = Admission(customer, dialect)
        if most is not None:
            terms = replace(customer.terms, max_bytes=min(most, customer.terms.max_bytes))
            admission = Admission(replace(customer, terms=terms), dialect)
        limit = admission.max_bytes
        if declared is not None and declared > limit + rules.FORM_BYTES:
            raise too_large(limit)
        await self._address()
        rules.refuse_without_room(self._settings, declared)
        await db.run(self._texts.refuse_poor, customer)
        return admission

    def arrived(self, upload: Upload) -> str:
        """Where an upload lies. Raises :class:`BadMedia` for an empty one."""
        if not upload.size:
            raise BadMedia("The file is empty. Send a recording.")
        return str(upload.path)

    def longest(self, customer: Customer) -> float:
        """Seconds that a recording of theirs may last."""
        return rules.longest(customer, self._settings.max_audio_hours)

    def refuse_without_consent(self, *, agreed: bool) -> None:
        """Raise :class:`BadRequest` where the operator demands what a request does not say."""
        if self._settings.clone_consent and not agreed:
            raise BadRequest(
                "This server clones a voice only with the consent of whoever speaks: send "
                "consent=true if they have agreed."
            )

    def name_of(self, customer: Customer) -> str:
        """Who it is, for the log."""
        owner = customer.owner
        return f"account {owner.account}" if owner.account else f"address {owner.network}"

    async def make(self, customer: Customer, request: Request) -> Sound:
        """Have sound made; returns when it begins to come. It is counted with its last piece.

        Raises :class:`Unavailable` while no worker is there or too much waits,
        :class:`ModelNotInstalled`, :class:`NoCredits`, and what is wrong with the request.
        """
        await db.run(self._texts.refuse_poor, customer)
        events = self._events(request, await self._address())
        try:
            about = msgspec.convert(await anext(events), Begun)
        except BaseException:
            await events.aclose()
            raise
        return Sound(about, self._pieces(customer, events, about.bytes))

    async def _pieces(
        self, customer: Customer, events: AsyncGenerator[Any], size: int | None
    ) -> AsyncGenerator[bytes]:
        """The pieces, of which there are ``size`` bytes, if that is known."""
        given = 0
        async with aclosing(events):
            async for event in events:
                given += len(event["data"])
                if given == size:  # who has all of it may go, and this would end here
                    await db.run(self._texts.count, customer)
                yield event["data"]
        if given != size:
            await db.run(self._texts.count, customer)

    async def _events(self, request: Request, address: str) -> AsyncGenerator[Any]:
        method, params = type(request).__name__.lower(), msgspec.to_builtins(request)
        async with link.call(address, method, params) as conversation:
            async for event in conversation:
                yield event

    async def _address(self) -> str:
        silence = timedelta(seconds=self._settings.worker_timeout_s)
        return await db.run(jobs.text_address, silence, jobs.this_machine())
