"""What a transcript is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its punctuation, as the model wrote it.

    ``text`` keeps the blank before it (``" hello"``), so that joining the words of any script
    gives the text back; :attr:`bare` is the word alone.
    """

    text: str
    start: float
    """Seconds from the beginning of the recording."""
    end: float
    probability: float
    """The model's probability for the word, 0..1."""
    speaker: str | None = None

    @property
    def bare(self) -> str:
        """The word without blanks around it."""
        return self.text.strip()


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or what was said between two pauses."""

    words: tuple[Word, ...]

    @property
    def start(self) -> float:
        return self.words[0].start

    @property
    def end(self) -> float:
        return self.words[-1].end

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).strip()

    @property
    def speaker(self) -> str | None:
        return self.words[0].speaker

    @property
    def confidence(self) -> float:
        """Mean word probability, 0..1."""
        return sum(word.probability for word in self.words) / len(self.words)
