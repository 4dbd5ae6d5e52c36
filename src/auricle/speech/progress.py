"""How far a recording has come, and from where its transcription can go on."""

from __future__ import annotations

from dataclasses import dataclass

from auricle.transcript import Word


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording has come."""

    done: float
    """Seconds of the recording that are transcribed."""
    decoded: float
    """Seconds of its sound that have been read."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a recording's transcription stands; it can go on from here."""

    done: float
    """Seconds of the recording before which all is transcribed."""
    windows: int
    """How many windows that took."""
    words: tuple[Word, ...]
    language: str
    language_probability: float


class Watcher:
    """Hears how a transcription goes on. An exception from it stops the work: so one cancels."""

    def progress(self, progress: Progress) -> None:
        """Called for each block that is read."""

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Called after each batch of windows but the last, with the words that are new."""


NOBODY = Watcher()
NOTHING_DONE = Checkpoint(0.0, 0, (), "", 0.0)
