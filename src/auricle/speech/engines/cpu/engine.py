"""Whisper through kernels of our own: the engine for processors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numba
import numpy as np
from numpy.typing import NDArray

from auricle.speech.engines.cpu.checkpoint import Checkpoint
from auricle.speech.engines.cpu.decoding import Decoder, Row
from auricle.speech.engines.cpu.encoding import Encoder, Window
from auricle.speech.engines.cpu.times import first_frames, sharpened
from auricle.speech.engines.ctranslate2 import (
    CONTEXT,
    FRAME_S,
    CTranslate2Engine,
    EncodedBatch,
)
from auricle.speech.engines.protocol import Aligned, Decoded
from auricle.speech.mel import FRAMES, SAMPLE_RATE, log_mel
from auricle.speech.tokens import WhisperTokens

F32 = NDArray[np.float32]

_PROCESSOR = threading.Lock()

MARGIN_S = 5.0
"""Silence after a short window's sound. With little, Whisper repeats itself or leaves words out."""

SHORT_S = 12.0
"""Longer windows are padded to the 30 s that Whisper was trained with: with less, it leaves words
out (docs/experiments.md)."""

GRAIN = 12
"""Frames of a spectrum come in multiples of this: the kernels take six of the encoder's at once."""


@dataclass(slots=True, eq=False)
class Heard:
    """A window that was encoded, with what decoding it has shown."""

    window: Window
    row: Row | None = None
    """What decoded it last."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch of windows."""

    windows: tuple[Heard, ...]

    def __len__(self) -> int:
        return len(self.windows)

    def select(self, rows: Sequence[int]) -> Encoded:
        return Encoded(tuple(self.windows[row] for row in rows))


class CPUEngine:
    """A model folder in CTranslate2's format, on the processor."""

    def __init__(self, model: str, folder: Path, threads: int) -> None:
        self.model = model
        self._folder, self._threads = folder, min(threads, numba.config.NUMBA_NUM_THREADS)
        self._reference: CTranslate2Engine | None = None
        self.tokens = WhisperTokens(folder)
        checkpoint = Checkpoint.read(folder)
        self._encoder = Encoder(checkpoint, self._threads)
        self._decoder = Decoder(checkpoint, self.tokens)
        self._n_mels = checkpoint.n_mels

    def encode(self, windows: Sequence[F32]) -> Encoded:
        with self._processor():
            return Encoded(tuple(Heard(self._heard(samples)) for samples in windows))

    @contextmanager
    def _processor(self) -> Iterator[None]:
        """Have it alone: two models at once would only wait for each other's threads."""
        with _PROCESSOR:
            numba.set_num_threads(self._threads)  # which numba remembers for each thread
            yield

    def _heard(self, samples: F32) -> Window:
        mel = log_mel(samples, self._n_mels)[:, : _padded(len(samples))]
        return self._encoder(mel, max(1, round(len(samples) / SAMPLE_RATE / FRAME_S)))

    def detect_languages(self, encoded: Encoded) -> list[dict[str, float]]:
        codes = self.tokens.languages
        if not codes:
            return [{"en": 1.0} for _ in encoded.windows]
        start = self.tokens.control("startoftranscript")
        rows = [Row(window.window, [start], 0, most=1, forced=()) for window in encoded.windows]
        with self._processor():
            rows = self._decoder.run(rows)
        ids = [self.tokens.control(code) for code in codes]
        return [dict(zip(codes, _softmax(_first(r)[ids]).tolist(), strict=True)) for r in rows]

    def decode(
        self, encoded: Encoded, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        if temperature > 0:
            return self._sample(encoded, prompt, beam_size, temperature)
        start = list(prompt).index(self.tokens.control("startoftranscript"))
        rows = [
            Row(each.window, prompt, start, most=_most(each.window, prompt))
            for each in encoded.windows
        ]
        with self._processor():
            rows = self._decoder.run(rows, beam_size)
        for heard, row in zip(encoded.windows, rows, strict=True):
            heard.row = row
        return [self._decoded(row) for row in rows]

    def _decoded(self, row: Row) -> Decoded:
        no_speech = _softmax(_first(row))[self.tokens.no_speech]
        return Decoded(tuple(row.tokens), row.score, float(no_speech))

    def _sample(
        self, encoded: Encoded, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        """Chance is CTranslate2's affair; it goes on from what was encoded here."""
        if self._reference is None:
            self._reference = CTranslate2Engine(self.model, self._folder, self._threads)
        found: list[Decoded] = []
        for heard in encoded.windows:  # one by one: their lengths differ
            states = ctranslate2.StorageView.from_array(heard.window.states[None])
            batch = EncodedBatch(states, _most(heard.window, prompt))
            found += self._reference.decode(batch, prompt, beam_size, temperature)
        return found

    def align(
        self,
        encoded: Encoded,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        with self._processor():
            self._say_again(encoded, start, tokens)
            return [
                _aligned(window.row, duration)
                for window, duration in zip(encoded.windows, durations, strict=True)
                if window.row
            ]

    def _say_again(
        self, encoded: Encoded, start: Sequence[int], tokens: Sequence[Sequence[int]]
    ) -> None:
        """Decode what is to be aligned, where it is not what was decoded last."""
        prompt = [*start, self.tokens.control("notimestamps")]
        again: list[tuple[Heard, Row]] = []
        for heard, said in zip(encoded.windows, tokens, strict=True):
            if heard.row is None or tuple(heard.row.tokens) != tuple(said):
                most, forced = len(said) + 1, tuple(said)
                again.append((heard, Row(heard.window, prompt, 0, most=most, forced=forced)))
        found = self._decoder.run([row for _, row in again])
        for (heard, _), row in zip(again, found, strict=True):
            heard.row = row


def _first(row: Row) -> F32:
    assert row.first is not None
    return row.first


def _padded(samples: int) -> int:
    """Frames of the spectrum of a window with so many samples."""
    if samples > SHORT_S * SAMPLE_RATE:
        return FRAMES
    wanted = samples // 160 + round(MARGIN_S * 100)
    return min(FRAMES, -(-wanted // GRAIN) * GRAIN)


def _most(window: Window, prompt: Sequence[int]) -> int:
    return min(CONTEXT - len(prompt), 40 + round(25 * window.sound * FRAME_S))


def _aligned(row: Row, duration: float) -> Aligned:
    frames = min(row.window.sound, max(1, round(duration / FRAME_S)))
    seen = np.ascontiguousarray(row.seen[:, : row.steps, :frames])
    weights = np.empty(seen.shape[1:], np.float32)
    sharpened(seen, weights)
    text = weights[len(row.prompt) - row.start - 1 :]
    firsts = first_frames(np.ascontiguousarray(text))
    probabilities = tuple(np.exp(row.logprobs[: len(row.tokens)]).tolist())
    return Aligned(tuple((firsts[: len(row.tokens) + 1] * FRAME_S).tolist()), probabilities)


def _softmax(logits: F32) -> F32:
    powers = np.exp(logits - logits.max())
    shares: F32 = powers / powers.sum()
    return shares
