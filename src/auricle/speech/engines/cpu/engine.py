"""Whisper through kernels of our own: the engine for processors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ctranslate2
import numba
import numpy as np
from numpy.typing import NDArray

from auricle.speech.engines.cpu.checkpoint import Checkpoint
from auricle.speech.engines.cpu.decoding import Decoder, Row, Search
from auricle.speech.engines.cpu.encoding import Encoder, Window
from auricle.speech.engines.cpu.spectrum import log_mel
from auricle.speech.engines.cpu.times import first_frames, sharpened
from auricle.speech.engines.ctranslate2 import (
    CONTEXT,
    FRAME_S,
    CTranslate2Engine,
    EncodedBatch,
)
from auricle.speech.engines.protocol import Align, Aligned, Ask, Decode, Decoded, Detect, Encode
from auricle.speech.mel import FRAMES, SAMPLE_RATE
from auricle.speech.tokens import WhisperTokens

F32 = NDArray[np.float32]

TOGETHER = 24
"""Hypotheses that are decoded together, if there are so many windows."""

URGENT = 8
"""Urgent ones for which there is room besides."""

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


class CPUEngine:
    """A model folder in CTranslate2's format, on the processor.

    A piece of work is one window encoded and one token for each of those that are being decoded.
    """

    together = TOGETHER

    def __init__(self, model: str, folder: Path, threads: int) -> None:
        self.model = model
        self._folder, self._threads = folder, min(threads, numba.config.NUMBA_NUM_THREADS)
        self._reference: CTranslate2Engine | None = None
        self.tokens = WhisperTokens(folder)
        checkpoint = Checkpoint.read(folder)
        self._encoder = Encoder(checkpoint, self._threads)
        self._decoder = Decoder(checkpoint, self.tokens)
        self._n_mels = checkpoint.n_mels
        self._whole: deque[Encode | Decode] = deque()
        self._searches: dict[Search, tuple[Ask, Callable[[Row], Any]]] = {}
        self._done: list[tuple[Ask, Any]] = []

    def room(self, *, urgent: bool) -> int:
        """One window at a time, while there is room to decode it."""
        if self._whole:
            return 0
        return max(0, TOGETHER + (URGENT if urgent else 0) - len(self._decoder.rows))

    def add(self, ask: Ask) -> None:
        """Note something to do."""
        match ask:
            case Detect():
                start = self.tokens.control("startoftranscript")
                row = Row(ask.encoded.window, [start], 0, most=1, forced=())
                self._join(ask, row, self._languages)
            case Decode(temperature=0):
                self._decode(ask)
            case Align():
                self._align(ask)
            case _:
                self._whole.append(ask)

    def work(self) -> list[tuple[Ask, Any]]:
        """Encode a window, if one waits, and take a step with all that are being decoded."""
        numba.set_num_threads(self._threads)  # which numba remembers for each thread
        if self._whole:
            self._do_whole(self._whole.popleft())
        if self._decoder.rows:
            self._step()
        done, self._done = self._done, []
        return done

    def clear(self) -> None:
        """Forget all that was asked."""
        self._whole.clear()
        self._searches, self._done = {}, []
        self._decoder.clear()

    def _do_whole(self, ask: Encode | Decode) -> None:
        """What is not done a token at a time."""
        try:
            answer = self._heard(ask) if isinstance(ask, Encode) else self._sample(ask)
        except Exception as error:
            self._done.append((ask, error))
        else:
            self._done.append((ask, answer))

    def _step(self) -> None:
        try:
            for search in self._decoder.step():
                ask, answer = self._searches.pop(search)
                self._done.append((ask, answer(search.best)))
        except Exception as error:
            self._done += [(ask, error) for ask, _ in self._searches.values()]
            self._searches = {}
            self._decoder.clear()

    def _heard(self, ask: Encode) -> Heard:
        samples = ask.samples
        mel = log_mel(samples, self._n_mels)[:, : _padded(len(samples))]
        return Heard(self._encoder(mel, max(1, round(len(samples) / SAMPLE_RATE / FRAME_S))))

    def _join(self, ask: Ask, row: Row, answer: Callable[[Row], Any], beam_size: int = 1) -> None:
        self._searches[self._decoder.join(row, beam_size)] = ask, answer

    def _languages(self, row: Row) -> dict[str, float]:
        codes = self.tokens.languages
        if not codes:
            return {"en": 1.0}
        ids = [self.tokens.control(code) for code in codes]
        return dict(zip(codes, _softmax(_first(row)[ids]).tolist(), strict=True))

    def _decode(self, ask: Decode) -> None:
        heard: Heard = ask.encoded
        start = list(ask.prompt).index(self.tokens.control("startoftranscript"))
        prompt = [*ask.prompt, *ask.prefix]
        row = Row(heard.window, prompt, start, _most(heard.window, prompt), len(ask.prefix))

        def answer(best: Row) -> Decoded:
            heard.row = best
            no_speech = _softmax(_first(best))[self.tokens.no_speech]
            return Decoded(best.text, best.score, float(no_speech))

        self._join(ask, row, answer, ask.beam_size)

    def _sample(self, ask: Decode) -> Decoded:
        """Chance is CTranslate2's affair; it goes on from what was encoded here."""
        if self._reference is None:
            self._reference = CTranslate2Engine(self.model, self._folder, self._threads)
        window = ask.encoded.window
        states = ctranslate2.StorageView.from_array(window.states[None])
        batch = EncodedBatch(states, _most(window, ask.prompt))
        prompt = [*ask.prompt, *ask.prefix]
        found = self._reference.decode(batch, prompt, ask.beam_size, ask.temperature)[0]
        return replace(found, tokens=(*ask.prefix, *found.tokens))

    def _align(self, ask: Align) -> None:
        """Take the times from the decoding, or decode again what was not decoded last."""
        row = ask.encoded.row
        if row is not None and row.text == tuple(ask.tokens):
            self._done.append((ask, _aligned(row, ask.duration)))
            return
        prompt = [*ask.start, self.tokens.control("notimestamps")]
        most = len(ask.tokens) + 1
        row = Row(ask.encoded.window, prompt, 0, most=most, forced=tuple(ask.tokens))
        self._join(ask, row, lambda found: _aligned(found, ask.duration))


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
    text = weights[len(row.prompt) - row.given - row.start - 1 :]
    firsts = first_frames(np.ascontiguousarray(text))[: len(row.text) + 1]
    probabilities = [1.0] * row.given + np.exp(row.logprobs[: len(row.tokens)]).tolist()
    return Aligned(tuple((firsts * FRAME_S).tolist()), tuple(probabilities))


def _softmax(logits: F32) -> F32:
    powers = np.exp(logits - logits.max())
    shares: F32 = powers / powers.sum()
    return shares
