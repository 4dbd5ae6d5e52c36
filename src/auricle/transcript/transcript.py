"""The whole of what was said in one recording."""

from __future__ import annotations

from dataclasses import dataclass

from auricle.transcript.model import Segment, Word
from auricle.transcript.segments import split_words


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole recording. ``words`` is what is kept; segments are derived from them."""

    words: tuple[Word, ...]
    language: str
    """Whisper's code of the language, ``en`` for instance; ``""`` when nobody spoke."""
    language_probability: float
    duration: float
    """Seconds of audio that were decoded."""
    model: str
    """Id of the model that answered."""
    edited: tuple[Segment, ...] | None = None
    """The segments as somebody has corrected them; None derives them from the words."""

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).strip()

    @property
    def segments(self) -> tuple[Segment, ...]:
        return split_words(self.words) if self.edited is None else self.edited

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speaker labels in the order of their first word."""
        return tuple(dict.fromkeys(w.speaker for w in self.words if w.speaker is not None))
