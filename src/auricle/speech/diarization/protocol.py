"""What a diarizer is: the pipeline knows nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MOST_SPEAKERS = 20

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody speaks; others may at the same time."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    speaker: int
    """Number of the speaker, from 0."""


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when in one recording."""

    turns: tuple[Turn, ...] = ()
    """By their starts."""
    prints: F32 | None = None
    """``[speakers, numbers]``, of unit length: the speakers' voices, if the diarizer has them."""


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """Somebody whose voice was enrolled."""

    name: str
    vector: Sequence[float]
    """Its print, of unit length."""


class Session(Protocol):
    """One recording, heard as it comes."""

    def feed(self, block: F32) -> None:
        """Hear the next samples: mono, float32, 16 kHz."""
        ...

    def finish(self, speakers: int = 0) -> Diarization:
        """Say who spoke when; ``speakers`` is how many there are, 0 finds it out."""
        ...


class Diarizer(Protocol):
    """Tells the speakers of recordings apart. Thread-safe."""

    def session(self) -> Session:
        """Start on a recording."""
        ...
