"""Admit, submit, result."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from auricle import db
from auricle.accounts import tokens
from auricle.core.errors import (
    AddressRefused,
    AuricleError,
    BadMedia,
    Forbidden,
    NotFound,
    TooMany,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.credits.services import minutes
from auricle.desk import admission as rules
from auricle.desk.live import Live
from auricle.desk.notices import Notices
from auricle.desk.requests import (
    Admission,
    Customer,
    Node,
    Peer,
    Report,
    Ticket,
    TranscriptionRequest,
)
from auricle.desk.texts import Texts
from auricle.desk.voice import Voice
from auricle.egress import Guard
from auricle.library import services as library
from auricle.library.models import Status
from auricle.library.models import Transcript as Row
from auricle.library.runs import stem
from auricle.library.services import Owner, State
from auricle.library.words import to_transcript
from auricle.media import MediaPool, RawAudio
from auricle.models import CATALOG, Model, resolve
from auricle.storage import Blobs, Upload, Uploads
from auricle.transcript import Transcript, Word

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_URL = 8000
LOOK_UP_S = 3.0

LOOK_AGAIN_S = 3.0
"""How often a waiting client's transcript is looked at although nothing was announced."""


class Desk:
    """One for each serving process; an asynchronous context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uploads = Uploads(settings.uploads_dir)
        self._blobs = Blobs(settings)
        self._guard = Guard(settings.url_allow_hosts)
        self._notices = Notices()
        self._receiving: Counter[Owner] = Counter()
        self._probes = asyncio.Semaphore(settings.media_processes)
        self._resources = AsyncExitStack()
        self.texts = Texts(settings)
        """Work on text."""
        self.live = Live(settings)
        """Live sessions."""
        self.voice = Voice(settings, self.texts)
        """Cleaning recordings, speaking."""

    async def __aenter__(self) -> Desk:
        self._media = self._resources.enter_context(MediaPool())
        await self._resources.enter_async_context(self._notices)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    async def node(self) -> Node:
        """What can answer now."""
        return await db.run(rules.node, self._settings)

    async def details(self, key: str, peer: Peer) -> dict[str, Any]:
        """What only an operator may know of this installation; nothing for everybody else."""
        try:
            customer = await self.identify(key, peer, "", anonymous=True)
            return await db.run(rules.details, self._settings) if customer.operator else {}
        except AuricleError:
            return {}

    async def models(self) -> tuple[Model, ...]:
        """The models that answer here: installed, or stood in for by the operator's alias."""
        installed = (await self.node()).models
        aliases = self._settings.model_aliases
        return tuple(m for m in CATALOG if resolve(m.id, aliases, None) in installed)

    async def identify(
        self, key: str, peer: Peer, dialect: str, *, anonymous: bool = False
    ) -> Customer:
        """Find out who asks; ``anonymous`` says whether they may come without a key.

        Raises :class:`Unauthorized`, :class:`Forbidden` for a disabled account, and
        :class:`TooMany` for an address that guesses.
        """
        return await db.run(rules.identify, self._settings, key, peer, dialect, anonymous=anonymous)

    async def access_token(
        self, key: str, peer: Peer, dialect: str, seconds: int, grants: Collection[str]
    ) -> str:
        """A short-lived token for whoever holds a key. Raises as :meth:`identify` does, and
        :class:`Forbidden` for who holds but a token."""
        if key.startswith(tokens.PREFIX):
            raise Forbidden("An access token does not make others: send an API key.")
        if not key:
            raise Unauthorized(rules.NO_KEY)
        await self.identify(key, peer, dialect)
        return tokens.create_token(key, seconds, grants)

    async def admit(
        self, key: str, peer: Peer, dialect: str, declared: int | None, *, anonymous: bool = False
    ) -> Admission:
        """Find out who asks and decide, before a body is read, whether to read it.

        Raises what :meth:`identify` does, :class:`TooLarge` when the client itself says that it is,
        :class:`Unavailable` when nobody could transcribe it now, :class:`NoCredits` and
        :class:`TooMany`.
        """

        def admit() -> Admission:
            who = rules.identify(self._settings, key, peer, dialect, anonymous=anonymous)
            return rules.admit(self._settings, who, dialect, declared)

        return await db.run(admit)

    @contextmanager
    def receive(self, admission: Admission) -> Iterator[Upload]:
        """Make room for a recording. Raises :class:`TooMany` for whoever sends too many at once."""
        owner, most = admission.customer.owner, 2 * admission.customer.terms.concurrent
        if self._receiving[owner] >= most:
            raise TooMany(
                f"You may send {most} recordings at a time. Wait until one has arrived.",
                retry_after=rules.BUSY_RETRY_S,
            )
        self._receiving[owner] += 1
        try:
            with self._uploads.new(admission.max_bytes) as upload:
                yield upload
        finally:
            self._receiving[owner] -= 1
            self._receiving += Counter()  # forgets whoever sends nothing

    async def submit(
        self, admission: Admission, upload: Upload, request: TranscriptionRequest
    ) -> Ticket:
        """Accept a recording: from here on it is not lost. An upload that is sent again joins
        the transcript that it has led to.

        Raises :class:`BadMedia` for what is no recording, :class:`UnknownModel`,
        :class:`ModelNotInstalled`, :class:`TooLarge`, :class:`NoCredits` and :class:`TooMany`.
        """
        model = rules.model_of(self._settings, request.model, admission.models)
        if not upload.size:
            raise BadMedia("The file is empty. Send a recording.")
        customer = admission.customer
        duration = await self._probe(upload, request.raw)
        rules.refuse_longer(customer, duration, self._settings.max_audio_hours)
        row = rules.new_row(admission, model, request, upload.sha256)
        row.title, row.file_name = stem(upload.name), upload.name[-300:]
        row.duration, row.size, row.blob = duration, upload.size, new_id()
        return _ticket(await self._accept(admission, upload, row))

    async def submit_url(
        self, admission: Admission, url: str, request: TranscriptionRequest
    ) -> Ticket:
        """Accept a recording that a worker is to download. The same URL, sent again, joins the
        transcript that it has led to.

        Raises :class:`AddressRefused` for what is never contacted, and as :meth:`submit` does.
        """
        model = rules.model_of(self._settings, request.model, admission.models)
        if len(url) > MOST_URL:
            raise AddressRefused(f"The URL is longer than {MOST_URL} characters.")
        with suppress(Unreachable):  # which may have changed by the time it is downloaded
            await asyncio.to_thread(self._guard.check, url, LOOK_UP_S)
        row = rules.new_row(admission, model, request, f"url {url}")
        row.status, row.source = Status.DOWNLOADING, url
        return _ticket(await db.run(_accept, admission, row))

    async def report(self, customer: Customer, task: UUID) -> Report:
        """Where a recording of theirs stands. Raises :class:`NotFound`."""
        return await db.run(_report, customer, task)

    async def result(self, ticket: Ticket) -> Transcript:
        """Wait for a transcript. Raises what went wrong with it; the work goes on without us."""
        return await self._at_end(ticket, to_transcript)

    async def ended(self, ticket: Ticket) -> None:
        """Wait for a transcript's end, without reading it. Raises as :meth:`result` does."""
        await self._at_end(ticket, lambda _: None)

    async def _at_end(self, ticket: Ticket, read: Callable[[Row], T]) -> T:
        """What is read of a transcript once it has ended. Raises what went wrong with it."""
        async with self._notices.of(ticket.id, ended=True) as ended:
            found = await db.run(_ended, ticket.id, read)
            while found is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), LOOK_AGAIN_S)
                ended.clear()
                with suppress(Unavailable):  # the database restarts; the job goes on, and so do we
                    found = await db.run(_ended, ticket.id, read)
        if isinstance(found, AuricleError):
            raise found
        return found[0]

    async def follow(self, ticket: Ticket) -> AsyncIterator[tuple[Word, ...] | Transcript]:
        """Yield the words of a transcript as they are heard, and at its end the whole of it.

        Raises what went wrong with it.
        """
        batches = sent = 0
        async for state in self.watch(ticket.id):
            if state.error:
                raise state.error
            if state.finished:
                break
            found = await db.run(library.words_after, ticket.id, batches)
            if words := tuple(word for batch in found for word in batch):
                yield words
            batches, sent = batches + len(found), sent + len(words)
        transcript = await db.run(_fetch, ticket.id)
        if sent < len(transcript.words):
            yield transcript.words[sent:]
        yield transcript

    async def delivered(self, ticket: Ticket) -> None:
        """Note that the client has its answer; what has no account is forgotten now."""
        if ticket.kept:
            return
        if blob := await db.run(library.delivered, ticket.id):
            await asyncio.to_thread(self.forget, blob)

    def forget(self, blob: str) -> None:
        """Delete a recording that nobody needs any more. Blocks."""
        try:
            self._blobs.delete(blob)
        except Unavailable as error:
            log.warning("a recording is left for the next sweep: %s", error.message)

    async def watch(self, transcript: int) -> AsyncIterator[State]:
        """Yield where a transcript stands, each time that this changes, up to its end.

        Raises :class:`NotFound` when it is deleted meanwhile.
        """
        last: State | None = None
        async with self._notices.of(transcript) as changed:
            while last is None or not last.finished:
                changed.clear()
                state = await self._state(transcript, waited=last is not None)
                if state is not None and state != last:
                    yield state
                    last = state
                if last is not None and last.finished:
                    return
                try:
                    await asyncio.wait_for(changed.wait(), LOOK_AGAIN_S)
                except TimeoutError:
                    continue

    async def _state(self, transcript: int, *, waited: bool) -> State | None:
        try:
            return await db.run(_state, transcript)
        except Unavailable:
            if not waited:
                raise
            return None  # the database restarts; the job goes on, and so do we

    async def _probe(self, upload: Upload, raw: RawAudio | None) -> float:
        """Seconds that a recording says it has; 0 where it does not say."""
        async with self._probes:
            with upload.path.open("rb") as file:
                found = await asyncio.to_thread(self._media.probe, file, upload.name, raw)
        return max(0.0, found.duration or 0.0)

    async def _accept(self, admission: Admission, upload: Upload, row: Row) -> Row:
        await asyncio.to_thread(self._blobs.put, upload.path, row.blob)
        try:
            accepted = await db.run(_accept, admission, row)
        except Unavailable:
            # After a broken connection nobody knows whether the row was kept: the recording stays,
            # and is swept up later if nobody wants it.
            raise
        except Exception:
            await asyncio.to_thread(self.forget, row.blob)
            raise
        if accepted.pk != row.pk:
            await asyncio.to_thread(self.forget, row.blob)
        return accepted


@transaction.atomic
def _accept(admission: Admission, row: Row) -> Row:
    return rules.accept(admission, row)


def _ticket(row: Row) -> Ticket:
    return Ticket(row.pk, row.slug, row.task, row.created, row.account_id is not None)


def _report(customer: Customer, task: UUID) -> Report:
    row = customer.owner.rows().filter(task=task).first()
    if row is None:
        raise NotFound("There is no such task.")
    done = row.status == Status.SUCCEEDED
    return Report(
        ticket=_ticket(row),
        status=row.status,
        ended=row.finished,
        duration=row.duration,
        text=to_transcript(row).text if done else "",
        cost=minutes(row.duration) if done else 0,
        error=library.state_of(row).error,
    )


def _state(transcript: int) -> State:
    return library.state_of(_row(transcript))


def _ended(transcript: int, read: Callable[[Row], T]) -> tuple[T] | AuricleError | None:
    """What is read of a transcript, or what went wrong with it; None while it goes on."""
    row = _row(transcript)
    state = library.state_of(row)
    if not state.finished:
        return None
    return state.error or (read(row),)


def _fetch(transcript: int) -> Transcript:
    return to_transcript(_row(transcript))


def _row(transcript: int) -> Row:
    row = Row.objects.filter(pk=transcript).first()
    if row is None:
        raise NotFound("The transcript has been deleted.")
    return row
