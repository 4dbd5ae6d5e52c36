"""An engine that hears nothing and is done at once: for tests and for trying the server out.

It has the shape of the real ones. It answers each window with the text it was made with, or with
the window's number in words; its tokens are UTF-8 bytes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auricle.speech.engines.protocol import Aligned, Decoded
from auricle.transcript.languages import NAMES

F32 = NDArray[np.float32]


class FakeTokens:
    """Bytes as tokens."""

    languages = tuple(NAMES)

    def start_sequence(self, language: str, task: str) -> list[int]:
        return [256, 257, 258]

    def prompt(self, language: str, task: str, before: str = "") -> list[int]:
        return [*self.start_sequence(language, task), 259]

    def encode(self, text: str) -> list[int]:
        """Text to tokens."""
        return list(text.encode())

    def decode(self, tokens: Sequence[int]) -> str:
        return bytes(token for token in tokens if token < 256).decode(errors="replace")

    def split_words(self, tokens: Sequence[int], language: str) -> list[tuple[str, int]]:
        words = [f" {word}" for word in self.decode(tokens).split(" ") if word]
        return [(word, len(word.encode())) for word in words]


@dataclass(frozen=True)
class FakeEncoded:
    """Numbers of windows."""

    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def select(self, rows: Sequence[int]) -> FakeEncoded:
        return FakeEncoded(tuple(self.numbers[row] for row in rows))


class FakeEngine:
    """Answers window n with ``say(n, temperature)``, in ``seconds`` a window."""

    def __init__(
        self,
        say: Callable[[int, float], Decoded | str] | None = None,
        languages: Sequence[dict[str, float]] = ({"en": 0.99},),
        seconds: float = 0.0,
    ) -> None:
        self.model = "fake"
        self.tokens = FakeTokens()
        self.decode_calls: list[tuple[tuple[int, ...], float]] = []
        self._say = say or (lambda number, _: f" Window number {number}.")
        self._languages = languages
        self._count = itertools.count()
        self._seconds = seconds

    def encode(self, windows: Sequence[F32]) -> FakeEncoded:
        return FakeEncoded(tuple(next(self._count) for _ in windows))

    def detect_languages(self, encoded: FakeEncoded) -> list[dict[str, float]]:
        return [self._languages[min(n, len(self._languages) - 1)] for n in encoded.numbers]

    def decode(
        self, encoded: FakeEncoded, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        self.decode_calls.append((encoded.numbers, temperature))
        time.sleep(self._seconds * len(encoded))
        return [self._decoded(number, temperature) for number in encoded.numbers]

    def _decoded(self, number: int, temperature: float) -> Decoded:
        said = self._say(number, temperature)
        if isinstance(said, str):
            return Decoded(tuple(self.tokens.encode(said)), logprob=-0.2, no_speech=0.01)
        return said

    def align(
        self,
        encoded: FakeEncoded,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        return [
            Aligned(
                tuple(np.linspace(0, duration, len(row) + 1).tolist()),
                (0.9,) * len(row),
            )
            for row, duration in zip(tokens, durations, strict=True)
        ]
