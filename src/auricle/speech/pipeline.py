"""One recording through the engine: windows, batches, guards, word times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from auricle.speech.ahead import ahead
from auricle.speech.align import to_words
from auricle.speech.engines import Aligned, Encoded, Engine
from auricle.speech.guards import decode_guarded
from auricle.speech.language import FIRST_WINDOWS, settle
from auricle.speech.options import DEFAULT_DECODING, DecodeOptions, SpeechOptions
from auricle.speech.progress import NOBODY, NOTHING_DONE, Checkpoint, Progress, Watcher
from auricle.speech.skipped import more_is_said, parts_around_holes
from auricle.speech.vad import Voice, VoiceActivity
from auricle.speech.windows import SAMPLE_RATE, Voiced, Window, voiced, windows
from auricle.transcript import Transcript, Word

F32 = NDArray[np.float32]

BLOCKS_AHEAD = 32
"""Blocks of sound that are decoded and listened to while the engine works."""

FIRST_BATCH = 4
"""Windows of the first batch: the engine does not wait for a whole one."""


def transcribe(
    blocks: Iterable[F32],
    engine: Engine,
    options: SpeechOptions,
    *,
    voice: Voice | None = None,
    decoding: DecodeOptions = DEFAULT_DECODING,
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
    first_batch = _encoded(islice(drawn, FIRST_BATCH), engine, decoding.batch_size)
    batches = chain(first_batch, _encoded(drawn, engine, decoding.batch_size))
    language, sure, first = _find_language(batches, engine, options, resume)
    listener = _Listener(engine, options, decoding, language)
    for batch in _chain(first, batches):
        known = len(words)
        for heard in listener.hear(batch):
            words.extend(listener.words(heard, not_before=words[-1].end if words else 0.0))
        watcher.checkpoint(stand.reach(batch, tuple(words[known:]), language, sure))
    return Transcript(
        words=tuple(words),
        language=language if words or options.language else "",
        language_probability=round(sure, 4) if words else 0.0,
        duration=round(stand.decoded, 3),
        model=engine.model,
    )


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
        self, batch: _Batch, words: tuple[Word, ...], language: str, sure: float
    ) -> Checkpoint:
        self._done = batch.windows[-1].spans[-1].end
        self._windows += len(batch.windows)
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


@dataclass(frozen=True, slots=True)
class _Batch:
    windows: Sequence[Window]
    encoded: Encoded


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was said in a window."""

    window: Window
    tokens: tuple[int, ...]
    aligned: Aligned


class _Listener:
    """Decodes the batches of one recording."""

    def __init__(
        self, engine: Engine, options: SpeechOptions, decoding: DecodeOptions, language: str
    ) -> None:
        self._engine = engine
        self._decoding = decoding
        self._prompt = engine.tokens.prompt(language, options.task, options.prompt)
        self._start = engine.tokens.start_sequence(language, options.task)
        self._written = language if options.task == "transcribe" else "en"

    def hear(self, batch: _Batch) -> list[_Heard]:
        """Decode a batch, and once more, in parts, the windows in which something was skipped."""
        heard = self._hear(batch)
        parts = {
            row: parts_around_holes(found.window, found.aligned)
            for row, found in enumerate(heard)
            if found is not None
        }
        again = iter(self._hear_all([part for row in parts.values() for part in row]))
        result: list[_Heard] = []
        for row, found in enumerate(heard):
            if found is None:
                continue
            retried = [said for said in islice(again, len(parts[row])) if said is not None]
            better = more_is_said(found.tokens, [said.tokens for said in retried])
            result.extend(retried if better else [found])
        return result

    def words(self, heard: _Heard, not_before: float) -> list[Word]:
        """The words of one window, after those before it."""
        return to_words(
            heard.window,
            heard.aligned,
            heard.tokens,
            self._engine.tokens,
            self._written,
            not_before,
        )

    def _hear_all(self, parts: Sequence[Window]) -> Iterator[_Heard | None]:
        for batch in _encoded(iter(parts), self._engine, self._decoding.batch_size):
            yield from self._hear(batch)

    def _hear(self, batch: _Batch) -> list[_Heard | None]:
        """Decode and align a batch; None where nobody spoke."""
        engine = self._engine
        decoded = decode_guarded(engine, batch.encoded, batch.windows, self._prompt, self._decoding)
        rows = [row for row, found in enumerate(decoded) if found.tokens]
        result: list[_Heard | None] = [None] * len(decoded)
        if not rows:
            return result
        aligned = engine.align(
            batch.encoded.select(rows),
            self._start,
            [decoded[row].tokens for row in rows],
            [batch.windows[row].duration for row in rows],
        )
        for row, times in zip(rows, aligned, strict=True):
            result[row] = _Heard(batch.windows[row], decoded[row].tokens, times)
        return result


def _encoded(drawn: Iterator[Window], engine: Engine, size: int) -> Iterator[_Batch]:
    while batch := list(islice(drawn, size)):
        yield _Batch(batch, engine.encode([window.samples for window in batch]))


def _chain(first: list[_Batch], rest: Iterator[_Batch]) -> Iterator[_Batch]:
    while first:
        yield first.pop(0)
    yield from rest


def _find_language(
    batches: Iterator[_Batch], engine: Engine, options: SpeechOptions, resume: Checkpoint
) -> tuple[str, float, list[_Batch]]:
    """The language, its probability, and the batches that were drawn to find it."""
    if options.language:
        return options.language, 1.0, []
    if resume.language:
        return resume.language, resume.language_probability, []
    drawn: list[_Batch] = []
    heard: list[tuple[Window, dict[str, float]]] = []
    for batch in batches:
        drawn.append(batch)
        rows = range(min(FIRST_WINDOWS, len(batch.windows)))
        found = engine.detect_languages(batch.encoded.select(rows))
        heard.extend(zip(batch.windows, found, strict=False))
        if settled := settle(heard, last=False):
            return *settled, drawn
    language, sure = settle(heard, last=True) or ("en", 0.0)
    return language, sure, drawn
