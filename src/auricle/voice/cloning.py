"""Speaking with the voice of a recording: what engines have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

REFERENCE_RATE = 24_000
"""Samples a second of what engines are given."""


class Cloner(Protocol):
    """A loaded engine. One thread at a time."""

    sample_rate: int
    """Of what it makes."""
    needs_words: bool
    """Whether it must be told what is said in the reference."""

    def clone(self, reference: F32, words: str, text: str) -> Iterator[F32]:
        """Speak a sentence with the voice of ``reference``, mono at :data:`REFERENCE_RATE`;
        ``words`` are what is said there, if they are needed."""
        ...
