"""Live sessions in the worker: sound comes over the link, words go back while they are spoken.

Whoever calls has admitted the session and written its row; from then on the worker is in charge of
it, as of a recording: it keeps words, extends what is reserved, and stores the transcript at the
end, also when the caller vanishes. When the worker itself dies, what it has kept is stored by
whoever finds that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import astuple, dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from auricle import db, link
from auricle.core.errors import AuricleError, Cancelled, TooLong, Unavailable
from auricle.credits.services import minutes
from auricle.desk import endings
from auricle.desk.requests import LiveRequest
from auricle.library import runs, voices
from auricle.library.runs import Run, Superseded
from auricle.media.samples import SampleReader
from auricle.speech import Timing
from auricle.speech.engines import Ask
from auricle.speech.live import STEP_S, Hypothesis, LiveSession, Update
from auricle.speech.messages import FINISH, FLUSH, Spoken
from auricle.speech.progress import Checkpoint
from auricle.speech.scheduler import Claim, Priority
from auricle.speech.windows import SAMPLE_RATE
from auricle.transcript import Transcript, Word
from auricle.work.attempts import Attempts
from auricle.work.speakers import Labels
from auricle.work.transcriber import Transcriber

log = logging.getLogger(__name__)

MOST_WAITING_S = 10.0
"""Seconds of sound that may wait for the engine; then the caller waits."""

MOST_AT_ONCE_S = 3.0
"""Seconds of sound that are taken at once when much waits."""

BEHIND_S = 4.0
"""Seconds of sound that wait, from which a session says that it is behind."""

GIVE_UP_S = 20.0
"""Seconds for which a session may be as far behind as it can be."""

PAUSED_S = 2.0
"""Seconds for which nothing is sent, in a pause, after which what was said is committed."""

STALLED_S = 6.0
"""The same within speech: the line or the caller is held up, and a word ought not to be cut."""

KEEP_AGAIN_S = 10.0
"""Seconds without another try at keeping words after the database was away."""

GRACE_S = 0.5
"""Seconds more: when this process has stood still, what was sent meanwhile comes right after."""

STALLED = "stalled"

GONE = "The session was ended: its transcript has been deleted or cancelled."

F32 = NDArray[np.float32]
Submit = Callable[[Coroutine[Ask, Any, Hypothesis]], Future[Hypothesis]]


class LiveSessions:
    """All live sessions of a worker."""

    def __init__(self, worker: str, transcriber: Transcriber, attempts: Attempts) -> None:
        self._worker = worker
        self._transcriber = transcriber
        self._attempts = attempts
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def running(self) -> int:
        """How many there are."""
        return len(self._running)

    async def end(self) -> None:
        """End all of them; what was said is written down and stored."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def serve(self, call: link.Call) -> None:
        """Hear one session, from its row to its transcript; ``params`` is the row's number."""
        run = await db.run(runs.claim, int(call.params), self._worker)
        if run is None:
            raise Cancelled(GONE)
        task = asyncio.current_task()
        assert task is not None
        with self._attempts.listed(run), ExitStack() as stack:
            book = _Book(run)
            self._running.add(task)
            try:
                await self._hear(run, book, call, stack)
            finally:
                await book.close()
                self._running.discard(task)
                log.info("a live session of %.0f s has ended, %d words", book.end, len(book.words))

    async def _hear(self, run: Run, book: _Book, call: link.Call, stack: ExitStack) -> None:
        asked = msgspec.convert(run.options["live"], LiveRequest)
        account = run.network if run.account is None else str(run.account)
        opening = self._transcriber.live(run.model, Claim(Priority.LIVE, account))
        access, voice = await asyncio.to_thread(stack.enter_context, opening)
        book.model = access.engine.model
        session = LiveSession(access.engine.tokens, voice, access.decoding, asked.listening)
        labels = None
        if asked.diarize:
            known = await db.run(voices.of, run.account)
            labels = Labels(self._transcriber.speakers, known)
        hearing = _Hearing(session, access.submit, book, call, labels)
        await hearing.run(SampleReader(asked.raw))


@dataclass(slots=True)
class _Book:
    """What is kept of a session."""

    run: Run
    model: str = ""
    words: list[Word] = field(default_factory=list)
    language: str = ""
    probability: float = 0.0
    end: float = 0.0
    """Seconds of sound that were heard."""
    _kept: int = 0
    _keep_from: float = 0.0
    _looks: int = 0
    _minutes: int = 1

    def add(self, words: tuple[Word, ...], session: LiveSession) -> None:
        """Note words that are said for good."""
        self.words += words
        self._looks += 1
        self.language, self.probability = session.language, session.probability

    async def keep(self) -> None:
        """Keep what is new, before anybody is told: what was told outlives this process. While the
        database is away, it is kept later."""
        if self._kept == len(self.words) or time.monotonic() < self._keep_from:
            return
        new = tuple(self.words[self._kept :])
        checkpoint = Checkpoint(self.end, self._looks, new, self.language, self.probability)
        try:
            await db.run(runs.keep, self.run, checkpoint)
            self._kept += len(new)
        except Unavailable as error:
            self._keep_from = time.monotonic() + KEEP_AGAIN_S
            log.warning("words are kept later: %s", error.message)

    async def pay(self) -> None:
        """Reserve what each minute costs as it begins. Raises :class:`NoCredits`,
        :class:`TooLong` past what the plan permits, and :class:`Superseded`."""
        most = self.run.options["max_seconds"]
        if self.end > most:
            raise TooLong(f"A session lasts {most / 3600:g} hours at most. Begin another one.")
        if (now := minutes(self.end)) > self._minutes:
            try:
                await db.run(endings.extend, self.run, now)
                self._minutes = now
            except Unavailable as error:
                log.warning("a minute is reserved later: %s", error.message)

    async def close(self) -> None:
        """Store the transcript and settle its price."""
        heard = Transcript(
            tuple(self.words), self.language, self.probability, round(self.end, 3), self.model
        )
        try:
            await asyncio.to_thread(db.patiently, endings.hang_up, self.run, heard)
        except Superseded:
            log.info("transcript %d is not ours any more", self.run.id)
        except Unavailable as error:
            log.warning("transcript %d is left for later: %s", self.run.id, error.message)


Item = F32 | str | Timing


class _Inbox:
    """Sound that waits, and what is to be done when its turn comes; bounded."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._changed = asyncio.Condition()
        self.seconds = 0.0
        self.full_since: float | None = None

    async def put(self, item: Item) -> None:
        """Add something; waits while there is too much."""
        async with self._changed:
            if self.seconds >= MOST_WAITING_S:
                self.full_since = self.full_since or time.monotonic()
            await self._changed.wait_for(lambda: self.seconds < MOST_WAITING_S)
            self._append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Let nothing come after what is here."""
        self._append(FINISH)

    def _append(self, item: Item) -> None:
        self._items.append(item)
        if not isinstance(item, str | Timing):
            self.seconds += len(item) / SAMPLE_RATE

    async def take(self) -> Item:
        """What comes next, once something is here: sound, as much as is good to hear at once, or
        something to do."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._items))
            if isinstance(self._items[0], str | Timing):
                return self._items.popleft()
            return self._sound()

    def _sound(self) -> F32:
        most = round(min(MOST_AT_ONCE_S, max(STEP_S, self.seconds / 3)) * SAMPLE_RATE)
        parts: list[F32] = []
        size = 0
        while self._items and not isinstance(self._items[0], str | Timing) and size < most:
            part = self._items.popleft()
            assert not isinstance(part, str | Timing)
            if len(part) > most - size:
                self._items.appendleft(part[most - size :])
                part = part[: most - size]
            parts.append(part)
            size += len(part)
        self.seconds = max(0.0, self.seconds - size / SAMPLE_RATE)
        if self.seconds < MOST_WAITING_S / 2:
            self.full_since = None
        self._changed.notify_all()
        return np.concatenate(parts)


class _Hearing:
    """One session with its engine."""

    def __init__(
        self,
        session: LiveSession,
        submit: Submit,
        book: _Book,
        call: link.Call,
        labels: Labels | None,
    ) -> None:
        self._session = session
        self._submit = submit
        self._book = book
        self._call = call
        self._labels = labels
        self._inbox = _Inbox()
        self._began = time.monotonic()
        self._said_behind = 0.0
        self._told_state = "silent"
        self._gone = False
        self._broken: Exception | None = None
        self._asked: Future[Hypothesis] | None = None

    async def run(self, reader: SampleReader) -> None:
        """Hear until the caller has finished or gone, or may not go on: then raises why."""
        try:
            await self._run(reader)
        except Superseded as error:
            raise Cancelled(GONE) from error

    async def _run(self, reader: SampleReader) -> None:
        await self._emit(Spoken())
        receiving = asyncio.create_task(self._receive(reader))
        try:
            await self._listen(paying=True)
            if self._broken is not None:
                raise self._broken
        except (AuricleError, ConnectionError, asyncio.CancelledError) as error:
            # What was said until now is still written down.
            receiving.cancel()
            self._gone = not isinstance(error, AuricleError)
            self._inbox.end()
            await self._listen(paying=False)
            raise
        finally:
            receiving.cancel()

    async def _receive(self, reader: SampleReader) -> None:
        try:
            await self._pass_on(reader)
        except Exception as error:
            self._broken = error
            await self._inbox.put(FINISH)

    async def _pass_on(self, reader: SampleReader) -> None:
        async for value in self._call.told():
            if isinstance(value, bytes):
                await self._inbox.put(reader.feed(value))
            elif isinstance(value, dict):
                await self._inbox.put(msgspec.convert(value, Timing))
            else:
                if value == FINISH:
                    await self._inbox.put(reader.finish())
                await self._inbox.put(value)

    async def _listen(self, *, paying: bool) -> None:
        while True:
            await self._look()
            item = await self._next()
            if isinstance(item, str | Timing):
                await self._obey(item)
                if item == FINISH:
                    return
                continue
            await self._feed(item)
            if paying:
                await self._book.pay()
                await self._mind_the_gap()

    async def _next(self) -> Item:
        """What comes next; a caller who falls silent by sending nothing has paused, too."""
        if self._session.state == "silent":
            return await self._inbox.take()
        for patience in (PAUSED_S if self._session.state == "pausing" else STALLED_S, GRACE_S):
            with suppress(TimeoutError):
                return await asyncio.wait_for(self._inbox.take(), patience)
        return STALLED

    async def _obey(self, item: str | Timing) -> None:
        if isinstance(item, Timing):
            self._session.timing = item
            return
        if item == FINISH:
            await self._feed(np.zeros(0, np.float32), last=True)
        else:
            self._session.flush()
        await self._look()
        await self._emit(self._spoken(flushed=item == FLUSH))

    async def _feed(self, samples: F32, *, last: bool = False) -> None:
        if self._labels is not None:
            self._labels.feed(samples)
        feeding = asyncio.ensure_future(asyncio.to_thread(self._session.feed, samples, last=last))
        try:
            await asyncio.shield(feeding)
        except asyncio.CancelledError:
            await feeding  # the thread goes on with the session, which is for one at a time
            raise
        self._book.end = self._session.end
        # A pause is told with what it makes known: who answers eagerly answers that.
        if self._session.state != self._told_state and not self._session.drafting:
            await self._emit(self._spoken())

    async def _look(self) -> None:
        """Have all heard that can be heard now."""
        while True:
            if self._asked is None:
                steps = self._session.look()
                if steps is None:
                    return
                self._asked = self._submit(steps)
            # Whoever is cancelled here goes on with the same look.
            found = await asyncio.shield(asyncio.wrap_future(self._asked))
            self._asked = None
            await self._tell(self._session.take(found))

    async def _tell(self, update: Update) -> None:
        words = update.committed
        if self._labels is not None and words:
            words = await asyncio.to_thread(self._labels.of, words)
        self._book.add(words, self._session)
        await self._book.keep()
        await self._emit(self._spoken(words=words, partial=update.partial))

    async def _mind_the_gap(self) -> None:
        """Say that the machine does not keep up, and end what it cannot catch up with.

        A caller who sends faster than anybody speaks is made to wait instead.
        """
        waiting = self._inbox.seconds + self._session.waiting
        now = time.monotonic()
        faster = self._session.end + self._inbox.seconds > now - self._began + BEHIND_S / 2
        if faster or waiting < BEHIND_S:
            return
        full = self._inbox.full_since
        if full is not None and now - full > GIVE_UP_S:
            raise Unavailable(
                f"This machine does not keep up with live speech now: it is {waiting:.0f} s "
                "behind. What was said is stored so far. Try again when less is going on, or with "
                "a smaller model.",
                retry_after=60,
            )
        if now - self._said_behind >= BEHIND_S:
            self._said_behind = now
            await self._emit(self._spoken(behind=round(waiting, 1)))

    def _spoken(
        self,
        *,
        words: tuple[Word, ...] = (),
        partial: str | None = None,
        behind: float = 0.0,
        flushed: bool = False,
    ) -> Spoken:
        return Spoken(
            tuple(astuple(word) for word in words),
            self._session.partial if partial is None else partial,
            self._session.state,
            self._session.language,
            round(self._session.end, 3),
            behind,
            flushed,
        )

    async def _emit(self, spoken: Spoken) -> None:
        self._told_state = spoken.state
        if not self._gone:
            await self._call.emit(msgspec.to_builtins(spoken))
