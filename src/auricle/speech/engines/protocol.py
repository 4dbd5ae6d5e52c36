"""What the speech pipeline asks of an inference engine.

An engine is one loaded model on one device, used by one thread at a time. All four calls take a
batch; a batch of one takes the same way as a batch of sixteen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decoded:
    """One hypothesis for one window."""

    tokens: tuple[int, ...]
    """Text tokens only."""
    logprob: float
    """Mean log probability of a token, the end token included."""
    no_speech: float
    """Probability of the no-speech token at the first step, 0..1."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """When each text token of a window was spoken."""

    starts: tuple[float, ...]
    """Seconds within the window at which each token begins, and, last, where the text ends."""
    probabilities: tuple[float, ...]


class Encoded(Protocol):
    """A batch of encoder outputs, wherever they live."""

    def __len__(self) -> int:
        """How many windows."""
        ...

    def select(self, rows: Sequence[int]) -> Encoded:
        """The same for some of the windows."""
        ...


class Tokens(Protocol):
    """A model's vocabulary; :class:`auricle.speech.tokens.WhisperTokens` says what each does."""

    @property
    def languages(self) -> tuple[str, ...]: ...

    def start_sequence(self, language: str, task: str) -> list[int]: ...

    def prompt(self, language: str, task: str, before: str = "") -> list[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...

    def split_words(self, tokens: Sequence[int], language: str) -> list[tuple[str, int]]: ...


class Engine(Protocol):
    """One loaded model. ``encoded`` is always what its own :meth:`encode` has returned."""

    model: str
    """Its id."""

    @property
    def tokens(self) -> Tokens:
        """Its vocabulary."""
        ...

    def encode(self, windows: Sequence[F32]) -> Encoded:
        """Encode windows of at most 30 s of samples at 16 kHz."""
        ...

    def detect_languages(self, encoded: Any) -> list[dict[str, float]]:
        """Probabilities of the languages, for each window."""
        ...

    def decode(
        self, encoded: Any, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        """Decode each window after the same prompt; greedy sampling when ``temperature`` > 0."""
        ...

    def align(
        self,
        encoded: Any,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        """Find when each token was spoken; ``durations`` are the windows' seconds of sound."""
        ...
