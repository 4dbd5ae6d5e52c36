"""One recording through the engine: windows, guards, word times."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from auricle.speech.ahead import ahead
from auricle.speech.engines import Ask, Encoded, Engine
from auricle.speech.hearing import Heard, Listener, look
from auricle.speech.language import FIRST_WINDOWS, settle
from auricle.speech.options import DEFAULT_DECODING, DecodeOptions, SpeechOptions
from auricle.speech.progress import NOBODY, NOTHING_DONE, Checkpoint, Progress, Watcher
from auricle.speech.scheduler import ANYTIME, Claim, Priority, Scheduler
from auricle.speech.vad import Voice, VoiceActivity
from auricle.speech.windows import SAMPLE_RATE, Voiced, Window, voiced, windows
from auricle.transcript import Transcript, Word

F32 = NDArray[np.float32]
T = TypeVar("T")

BLOCKS_AHEAD = 32
"""Blocks of sound that are decoded and listened to while the engine works."""

MOST_AHEAD = 40
"""Windows of one recording that are submitted and not yet collected."""


@dataclass(frozen=True, slots=True)
class EngineAccess:
    """An engine as one recording uses it: in turns with all others."""

    engine: Engine
    scheduler: Scheduler = field(default_factory=Scheduler)
    decoding: DecodeOptions = DEFAULT_DECODING
    claim: Claim = ANYTIME

    def submit(self, steps: Coroutine[Ask, object, T], *, soon: bool = False) -> Future[T]:
        """Have something done; ``soon`` lets it go before long recordings, this one's rest too."""
        claim = self.claim
        if soon:
            claim = replace(claim, priority=min(claim.priority, Priority.SHORT))
        return self.scheduler.submit(self.engine, steps, claim)


def transcribe(
    blocks: Iterable[F32],
    access: EngineAccess,
    options: SpeechOptions,
    *,
    voice: Voice | None = None,
    watcher: Watcher = NOBODY,
    resume: Checkpoint = NOTHING_DONE,
) -> Transcript:
    """Transcribe a recording.

    ``blocks`` are mono float32 samples at 16 kHz from the recording's beginning, drawn as they are
    needed; with ``resume``, those that are done are passed over. Silence and noise give a
    transcript without words.
    """
    words = list(resume.words)
    stand = _Stand(resume, watcher)
    heard_blocks = voiced(_after(blocks, resume.done), voice or VoiceActivity())
    drawn = _moved(windows(stand.watch(ahead(heard_blocks, BLOCKS_AHEAD))), by=resume.done)
    language, sure, first = _find_language(drawn, access, options, resume)
    listener = Listener(access.engine.tokens, options, access.decoding, language)
    for done in _in_order(chain(first, ((window, None) for window in drawn)), listener, access):
        known = len(words)
        for heard in chain.from_iterable(found for _, found in done.windows):
            words.extend(listener.words(heard, not_before=words[-1].end if words else 0.0))
        if not done.last:  # what is about to be returned whole need not be kept first
            reached = [window for window, _ in done.windows]
            watcher.checkpoint(stand.reach(reached, tuple(words[known:]), language, sure))
    return Transcript(
        words=tuple(words),
        language=language if words or options.language else "",
        language_probability=round(sure, 4) if words else 0.0,
        duration=round(stand.decoded, 3),
        model=access.engine.model,
    )


@dataclass(frozen=True, slots=True)
class _Done:
    """What was heard in some windows, in the recording's order."""

    windows: list[tuple[Window, list[Heard]]]
    last: bool
    """Whether they are the recording's last."""


def _in_order(
    drawn: Iterable[tuple[Window, Encoded | None]], listener: Listener, access: EngineAccess
) -> Iterator[_Done]:
    """What was heard, as much at a time as is there."""
    waiting: deque[tuple[Window, Future[list[Heard]]]] = deque()
    try:
        for number, (window, encoded) in enumerate(drawn):
            # Beside dozens of others the first would take ten times as long to its first words.
            steps = listener.hear(window, encoded)
            waiting.append((window, access.submit(steps, soon=number == 0)))
            if waiting[0][1].done() or len(waiting) >= MOST_AHEAD:
                yield _Done(_collect(waiting), last=False)
        while waiting:
            yield _Done(_collect(waiting), last=not waiting)
    finally:
        for _, future in waiting:
            future.cancel()


def _collect(
    waiting: deque[tuple[Window, Future[list[Heard]]]],
) -> list[tuple[Window, list[Heard]]]:
    """Wait for the first; take with it those behind it that are done."""
    found: list[tuple[Window, list[Heard]]] = []
    while not found or (waiting and waiting[0][1].done()):
        window, future = waiting[0]
        found.append((window, future.result()))
        waiting.popleft()
    return found


class _Stand:
    """How far the work is; said also while nothing but silence is heard."""

    def __init__(self, resume: Checkpoint, watcher: Watcher) -> None:
        self._watcher = watcher
        self._samples = round(resume.done * SAMPLE_RATE)
        self._done = resume.done
        self._windows = resume.windows

    @property
    def decoded(self) -> float:
        return self._samples / SAMPLE_RATE

    def watch(self, heard: Iterable[Voiced]) -> Iterator[Voiced]:
        """Count the blocks."""
        for block, probabilities in heard:
            self._samples += len(block)
            self._watcher.progress(Progress(self._done, self.decoded))
            yield block, probabilities

    def reach(
        self, done: list[Window], words: tuple[Word, ...], language: str, sure: float
    ) -> Checkpoint:
        self._done = done[-1].spans[-1].end
        self._windows += len(done)
        return Checkpoint(self._done, self._windows, words, language, sure)


def _after(blocks: Iterable[F32], seconds: float) -> Iterator[F32]:
    """Pass over what is done already."""
    skip = round(seconds * SAMPLE_RATE)
    for block in blocks:
        if skip < len(block):
            yield block[skip:]
        skip = max(0, skip - len(block))


def _moved(drawn: Iterator[Window], by: float) -> Iterator[Window]:
    """Windows of a recording whose first ``by`` seconds were passed over, on its own clock."""
    for window in drawn:
        yield replace(
            window,
            pieces=tuple(replace(piece, start=piece.start + by) for piece in window.pieces),
            spans=tuple(
                replace(span, start=span.start + by, end=span.end + by) for span in window.spans
            ),
        )


def _find_language(
    drawn: Iterator[Window], access: EngineAccess, options: SpeechOptions, resume: Checkpoint
) -> tuple[str, float, list[tuple[Window, Encoded]]]:
    """The language, its probability, and the windows that were encoded to find it."""
    if options.language:
        return options.language, 1.0, []
    if resume.language:
        return resume.language, resume.language_probability, []
    first: list[tuple[Window, Encoded]] = []
    heard: list[tuple[Window, dict[str, float]]] = []
    while some := list(islice(drawn, FIRST_WINDOWS)):
        looks = [access.submit(look(window)) for window in some]
        for window, future in zip(some, looks, strict=True):
            encoded, probabilities = future.result()
            first.append((window, encoded))
            heard.append((window, probabilities))
        if settled := settle(heard, options.languages, last=False):
            return *settled, first
    language, sure = settle(heard, options.languages, last=True) or ("en", 0.0)
    return language, sure, first
