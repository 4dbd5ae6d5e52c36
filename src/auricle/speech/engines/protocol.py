"""What the speech pipeline asks of an inference engine.

An engine is one loaded model on one device, used by one thread. It is given things to do, each
with one window, and works on many of them at a time, a piece after the other; whoever asks for
something awaits it (:mod:`auricle.speech.scheduler` sees to that).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

Encoded = Any
"""What an engine has made of a window; for the same engine alone."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Encode:
    """Encode a window of at most 30 s of samples at 16 kHz."""

    samples: F32

    def __await__(self) -> Generator[Ask, Any, Encoded]:
        return (yield self)


@dataclass(frozen=True, slots=True, eq=False)
class Detect:
    """Tell the probabilities of the languages."""

    encoded: Encoded

    def __await__(self) -> Generator[Ask, Any, dict[str, float]]:
        answer: dict[str, float] = yield self
        return answer


@dataclass(frozen=True, slots=True, eq=False)
class Decode:
    """Write down what is said after a prompt; sampling when ``temperature`` > 0."""

    encoded: Encoded
    prompt: Sequence[int]
    beam_size: int
    temperature: float
    prefix: Sequence[int] = ()
    """Text tokens that the answer begins with, because they are known."""

    def __await__(self) -> Generator[Ask, Any, Decoded]:
        answer: Decoded = yield self
        return answer


@dataclass(frozen=True, slots=True, eq=False)
class Align:
    """Find when each token was spoken."""

    encoded: Encoded
    start: Sequence[int]
    tokens: Sequence[int]
    duration: float
    """The window's seconds of sound."""

    def __await__(self) -> Generator[Ask, Any, Aligned]:
        answer: Aligned = yield self
        return answer


Ask = Encode | Detect | Decode | Align


class Tokens(Protocol):
    """A model's vocabulary; :class:`auricle.speech.tokens.WhisperTokens` says what each does."""

    @property
    def languages(self) -> tuple[str, ...]: ...

    def start_sequence(self, language: str, task: str) -> list[int]: ...

    def prompt(self, language: str, task: str, before: str = "") -> list[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...

    def split_words(self, tokens: Sequence[int], language: str) -> list[tuple[str, int]]: ...


class Engine(Protocol):
    """One loaded model."""

    @property
    def model(self) -> str:
        """Its id."""
        ...

    @property
    def tokens(self) -> Tokens:
        """Its vocabulary."""
        ...

    @property
    def together(self) -> int:
        """Windows that it works on at the same time when there are enough."""
        ...

    def room(self, *, urgent: bool) -> int:
        """How many more windows it would begin with now; for urgent ones there is more room."""
        ...

    def add(self, ask: Ask) -> None:
        """Note something to do."""
        ...

    def work(self) -> list[tuple[Ask, Any]]:
        """Do a piece of what is to be done: a fraction of a second of work. Returns what is done
        by that, and its answers: an exception where it went wrong."""
        ...

    def clear(self) -> None:
        """Forget all that was asked."""
        ...
