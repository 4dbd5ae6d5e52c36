"""What is worked on: a text in pieces, each a segment of a transcript or a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

MOST_PIECE = 600
"""Characters of a piece: speech without punctuation is cut at blanks."""


class Piece(msgspec.Struct, frozen=True):
    """A segment of a transcript, or a sentence of a plain text."""

    text: str
    order: int
    """Its place."""
    start: float | None = None
    """Seconds; None where nobody knows, as in plain text."""
    end: float | None = None
    speaker: str | None = None
    id: int | None = None
    """Number of the segment's row."""


def asks(sentence: str, language: str) -> bool:
    """Whether a sentence is a question, by its last mark."""
    marks = ("?", "？", "؟", *(";" if language == "el" else ""))
    return sentence.rstrip("\"'”’»)] ").endswith(marks)


class Source(msgspec.Struct, frozen=True):
    """A transcript or a plain text."""

    pieces: tuple[Piece, ...]
    language: str
    """Whisper's code."""
    original: str | None = None
    """A plain text as it was sent."""

    @property
    def text(self) -> str:
        """The plain text as it was sent, or a transcript's segments, one a line."""
        joined = "\n".join(piece.text for piece in self.pieces)
        return joined if self.original is None else self.original


_ENDS = re.compile(
    r"(?<=[.!?…。！？؟।])(?<![\s.(][^\W\d_]\.)(?<!\b(?:Mr|Ms|Dr|St|Sr)\.)(?<!\b(?:Mrs|Sra)\.)"
    r"[\"'”’»)\]]*\s+|(?<=[。！？])|\n+"
)
"""Where sentences end: not after "U.S.", "J." or "Dr."."""


def from_text(text: str, language: str) -> Source:
    """A plain text, cut into sentences."""
    sentences = (part.strip() for part in _ENDS.split(text))
    cut = (short for sentence in sentences if sentence for short in _cut(sentence))
    pieces = tuple(Piece(each, order) for order, each in enumerate(cut))
    return Source(pieces, language, text)


def _cut(sentence: str) -> Iterator[str]:
    while len(sentence) > MOST_PIECE:
        at = sentence.rfind(" ", 1, MOST_PIECE)
        at = at if at > 0 else MOST_PIECE
        yield sentence[:at]
        sentence = sentence[at:].strip()
    if sentence:
        yield sentence


def tokens(text: str) -> int:
    """About how many tokens a language model makes of a text: rather too many than too few."""
    plain = sum(char < "\u0250" for char in text)
    return int(plain / 3.5 + (len(text) - plain) / 1.5) + 1


def chunks(pieces: Sequence[Piece], most: int) -> list[list[Piece]]:
    """The pieces in their order, in chunks of at most so many tokens and of like size."""
    sizes = [tokens(piece.text) + 4 for piece in pieces]
    count = max(1, -(-sum(sizes) // most))
    target = sum(sizes) / count
    found: list[list[Piece]] = [[]]
    filled = 0.0
    for piece, size in zip(pieces, sizes, strict=True):
        if found[-1] and (filled + size > most or filled >= target):
            found.append([])
            filled = 0.0
        found[-1].append(piece)
        filled += size
    return found


def lines(pieces: Sequence[Piece]) -> str:
    """Pieces as a prompt shows them: who says what."""
    shown = []
    before: str | None = None
    for piece in pieces:
        label = f"{piece.speaker}: " if piece.speaker and piece.speaker != before else ""
        before = piece.speaker
        shown.append(f"{label}{harmless(piece.text)}")
    return "\n".join(shown)


_MARKS = re.compile(r"<(?=\s*[|/]?\s*[a-zA-Z_|])")


def harmless(text: str) -> str:
    """A text without what a prompt or a chat template could take for a mark of its own."""
    return _MARKS.sub("‹", text)
