"""From a stream of samples to windows of at most 30 s for Whisper.

Speech is found by hysteresis on the voice activity; what lies between is left out, so that one
window may hold speech from many places (its :class:`Piece` list says which). Windows end where
people pause: when the next span does not fit any more, the window is cut at its longest pause of
the last part, and what follows waits for the next window.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from auricle.speech.vad import FRAME_S, Voice

SAMPLE_RATE = 16_000
LONGEST_S = 29.0
"""Seconds of audio in a window; Whisper itself takes 30."""

ONSET = 0.5
OFFSET = 0.35
"""Voice activity at which speech begins, and under which it ends."""

MIN_SILENCE_S = 0.16
PAD_S = 0.4
"""Audio kept on both sides of a span; never more than half of the silence to the next one."""

SHORTEST_CUT = 0.6
"""A full window is cut in the part after this share of its length."""

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """Speech without a pause, in seconds of the recording."""

    start: float
    end: float
    voice: float
    """Highest voice activity in it, averaged over a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a window's audio and where it comes from, in seconds."""

    start: float
    offset: float
    """Where it begins in the window."""
    duration: float


@dataclass(frozen=True, slots=True)
class Window:
    """What goes through Whisper at once."""

    samples: F32
    pieces: tuple[Piece, ...]
    spans: tuple[Span, ...]

    @property
    def duration(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def voice(self) -> float:
        """Highest voice activity of its spans."""
        return max(span.voice for span in self.spans)

    @property
    def voiced(self) -> float:
        """Seconds of speech in it."""
        return sum(span.end - span.start for span in self.spans)

    def part(self, first: int, last: int) -> Window:
        """The window that holds only the spans from ``first`` up to, not including, ``last``."""
        begin, end = self._border(first), self._border(last)
        samples: list[F32] = []
        pieces: list[Piece] = []
        offset = 0.0
        for piece in self.pieces:
            start = max(piece.start, begin)
            stop = min(piece.start + piece.duration, end)
            if stop > start:
                at = round((piece.offset + start - piece.start) * SAMPLE_RATE)
                part = self.samples[at : at + round((stop - start) * SAMPLE_RATE)]
                samples.append(part)
                pieces.append(Piece(start, offset, len(part) / SAMPLE_RATE))
                offset += len(part) / SAMPLE_RATE
        return Window(np.concatenate(samples), tuple(pieces), self.spans[first:last])

    def _border(self, index: int) -> float:
        """The middle of the silence before a span; the window's ends at its ends."""
        if index == 0:
            return 0.0
        if index == len(self.spans):
            return self.pieces[-1].start + self.pieces[-1].duration
        return (self.spans[index - 1].end + self.spans[index].start) / 2

    def to_recording(self, local: float) -> float:
        """Translate a time within the window to a time within the recording."""
        for piece in self.pieces:
            if local < piece.offset + piece.duration:
                return piece.start + max(0.0, local - piece.offset)
        last = self.pieces[-1]
        return last.start + last.duration


Voiced = tuple[F32, F32]
"""A block of samples, and the speech probabilities of the frames that it completes."""


def voiced(blocks: Iterable[F32], voice: Voice) -> Generator[Voiced]:
    """Listen to ``blocks`` of mono samples at 16 kHz; an empty block has the last frames."""
    stream = voice.stream()
    for block in blocks:
        yield block, stream.feed(block)
    nothing = np.zeros(0, np.float32)
    yield nothing, stream.feed(nothing, last=True)


def windows(heard: Iterable[Voiced]) -> Iterator[Window]:
    """Yield the windows of a recording as soon as they are complete.

    Memory is bounded by a window and a block.
    """
    detector = _SpanDetector()
    packer = _Packer()
    for block, probabilities in heard:
        packer.hear(block)
        for span in detector.feed(probabilities):
            yield from packer.add(span)
        packer.forget(before=detector.open_since)
    for span in detector.rest():
        yield from packer.add(span)
    yield from packer.rest()


@dataclass
class _SpanDetector:
    """Frame probabilities to spans; an endless span is cut at its least voiced moment."""

    _frame: int = 0
    _start: int | None = None
    _silence: int | None = None
    _voice: list[float] = field(default_factory=list)

    @property
    def open_since(self) -> float:
        """Seconds before which every span has been handed out."""
        return FRAME_S * (self._frame if self._start is None else self._start)

    def feed(self, probabilities: F32) -> Iterator[Span]:
        for probability in probabilities.tolist():
            yield from self._step(probability)
            self._frame += 1

    def rest(self) -> Iterator[Span]:
        if self._start is not None:
            yield self._close(self._frame if self._silence is None else self._silence)

    def _step(self, probability: float) -> Iterator[Span]:
        if self._start is None:
            if probability >= ONSET:
                self._start, self._silence, self._voice = self._frame, None, [probability]
            return
        self._voice.append(probability)
        if probability >= ONSET:
            self._silence = None
        elif probability < OFFSET and self._silence is None:
            self._silence = self._frame
        if self._silence is not None and (self._frame - self._silence) * FRAME_S >= MIN_SILENCE_S:
            yield self._close(self._silence)
            self._start = None
        elif len(self._voice) * FRAME_S >= LONGEST_S - 2 * PAD_S:
            yield from self._cut()

    def _cut(self) -> Iterator[Span]:
        assert self._start is not None
        smooth = np.convolve(self._voice, np.ones(5) / 5, mode="same")
        first = int(len(smooth) * SHORTEST_CUT)
        at = first + int(smooth[first:-5].argmin())
        rest = self._voice[at:]
        start = self._start
        yield self._close(start + at)
        self._start, self._voice = start + at, rest
        if self._silence is not None and self._silence < self._start:
            self._silence = None

    def _close(self, end: int) -> Span:
        assert self._start is not None
        voiced = np.array(self._voice[: max(1, end - self._start)])
        voice = np.convolve(voiced, np.ones(3) / 3, mode="valid") if len(voiced) >= 3 else voiced
        return Span(self._start * FRAME_S, end * FRAME_S, float(voice.max()))


class _Packer:
    """Collects spans, and the audio under them, into windows."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._audio: list[F32] = []
        self._audio_from = 0
        self._heard = 0
        self._used_until = 0.0

    def hear(self, block: F32) -> None:
        self._audio.append(block)
        self._heard += len(block)

    def add(self, span: Span) -> Iterator[Window]:
        """Take a span; yields a window when it does not fit any more."""
        self._spans.append(span)
        while self._length(self._spans) > LONGEST_S:
            yield self._window(self._cut())

    def rest(self) -> Iterator[Window]:
        if self._spans:
            yield self._window(len(self._spans))

    def forget(self, before: float) -> None:
        """Drop the audio that no window can need any more."""
        first = min(before, self._spans[0].start) if self._spans else before
        keep_from = int((first - PAD_S) * SAMPLE_RATE)
        while self._audio and self._audio_from + len(self._audio[0]) <= keep_from:
            self._audio_from += len(self._audio.pop(0))

    def _cut(self) -> int:
        """How many spans the window takes: up to the longest pause in its last part."""
        fitting = len(self._spans) - 1
        while fitting > 1 and self._length(self._spans[:fitting]) > LONGEST_S:
            fitting -= 1
        candidates = [
            count
            for count in range(1, fitting + 1)
            if count == fitting or self._length(self._spans[:count]) >= SHORTEST_CUT * LONGEST_S
        ]
        return max(candidates, key=lambda n: (self._spans[n].start - self._spans[n - 1].end, n))

    def _length(self, spans: list[Span]) -> float:
        return sum(end - start for start, end in self._padded(spans))

    def _padded(self, spans: list[Span]) -> list[tuple[float, float]]:
        """The stretches of audio that go into a window with these spans."""
        stretches: list[tuple[float, float]] = []
        for index, span in enumerate(spans):
            before = stretches[-1][1] if stretches else self._used_until
            start = max(before, span.start - PAD_S)
            following = self._following(index)
            end = min(span.end + PAD_S, (span.end + following) / 2)
            if stretches and start - before < 1 / SAMPLE_RATE:
                stretches[-1] = (stretches[-1][0], end)
            else:
                stretches.append((start, end))
        return stretches

    def _following(self, index: int) -> float:
        """Where the next span starts, or how far has been heard."""
        if index + 1 < len(self._spans):
            return self._spans[index + 1].start
        heard = self._heard / SAMPLE_RATE
        return max(2 * heard - self._spans[index].end, self._spans[index].end)

    def _window(self, count: int) -> Window:
        taken = self._spans[:count]
        audio = np.concatenate(self._audio)
        samples: list[F32] = []
        pieces: list[Piece] = []
        offset = 0.0
        for start, end in self._padded(taken):
            first = max(0, round(start * SAMPLE_RATE) - self._audio_from)
            part = audio[first : round(end * SAMPLE_RATE) - self._audio_from]
            samples.append(part)
            pieces.append(Piece(start, offset, len(part) / SAMPLE_RATE))
            offset += len(part) / SAMPLE_RATE
            self._used_until = end
        self._spans = self._spans[count:]
        return Window(np.concatenate(samples), tuple(pieces), tuple(taken))
