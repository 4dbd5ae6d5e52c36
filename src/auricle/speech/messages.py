"""What a live session says over the link; importing this loads no inference runtime."""

from __future__ import annotations

from typing import Any

import msgspec

from auricle.transcript import Word

FLUSH, FINISH = "flush", "finish"
"""What its caller can tell a session besides sound, which is bytes."""


class Spoken(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is new in a session. The first one says that it listens."""

    words: tuple[tuple[Any, ...], ...] = ()
    """Words that are said for good: text, start, end, probability, speaker."""
    partial: str = ""
    """What comes after them as far as can be told."""
    state: str = "silent"
    """``silent``, ``speaking`` or ``pausing``."""
    language: str = ""
    """Whisper's code; empty until it is settled."""
    end: float = 0.0
    """Seconds of sound that have been heard."""
    behind: float = 0.0
    """Seconds of sound that wait, where the machine does not keep up."""
    flushed: bool = False
    """Whether this answers :data:`FLUSH`."""

    @property
    def committed(self) -> tuple[Word, ...]:
        """The words as the rest of the house knows them."""
        return tuple(Word(*row) for row in self.words)
