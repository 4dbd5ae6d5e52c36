"""What is written from a transcript: prose by kind, and kinds that are made of parts.

Quotes are chosen among real sentences and chapters begin at real segments: a model picks and names
them, so it can invent neither words nor times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any

import msgspec
import numpy as np

from auricle.text.asking import ask_for, each, speaks_to_a_model
from auricle.text.cards import Made, flashcards, quiz
from auricle.text.condense import condense
from auricle.text.prose import KINDS, prose
from auricle.text.source import Piece
from auricle.text.writing import Coverage, Writer, title, titles_of
from auricle.transcript.search import lexemes

MOST_QUOTES = 6
CHAPTER_S = 300.0
"""Seconds of a chapter, about."""

MOST_CHAPTERS = 20
SEGMENT_S = 5.0
"""Seconds that a sentence of plain text takes to say, about."""


class Quote(msgspec.Struct, frozen=True):
    """A sentence, word for word."""

    text: str
    speaker: str | None
    segment_order: int
    start: float | None
    end: float | None


class Chapter(msgspec.Struct, frozen=True):
    """A part of a recording; times increase from chapter to chapter."""

    title: str
    segment_order: int
    start: float | None


class Content(msgspec.Struct, frozen=True):
    """What was written. ``items`` are its parts, where the kind has parts."""

    content: str
    kind: str
    model: str
    language: str
    coverage: Coverage
    items: list[Any]


def generate(writer: Writer, kind: str) -> Content:
    """One kind of :data:`auricle.text.wording.CONTENTS`."""
    llm, language = writer.llm, writer.language
    if kind in KINDS:
        content, coverage = prose(writer, kind)
        return Content(content, kind, llm.model, language, coverage, [])
    made = _PARTS[kind](writer)
    coverage = Coverage(len(writer.source.pieces), made.read)
    items = msgspec.to_builtins(made.items)
    return Content(made.content, kind, made.model, language, coverage, items)


class _Numbers(msgspec.Struct):
    numbers: Annotated[
        list[Annotated[int, msgspec.Meta(ge=1, le=12)]],
        msgspec.Meta(min_length=1, max_length=MOST_QUOTES),
    ]


def _quotes(writer: Writer) -> Made:
    """Quotes: the model chooses among the sentences that say most."""
    good = [p for p in writer.source.pieces if _quotable(p)] or list(writer.source.pieces)
    candidates = condense(good, 700)[:60]
    step = max(1, len(candidates) // 12)
    shown = candidates[::step][:12]
    numbered = [
        msgspec.structs.replace(piece, text=f"{number}. {piece.text}", speaker=None)
        for number, piece in enumerate(shown, 1)
    ]
    task = (
        f"Choose at most {MOST_QUOTES} of these numbered sentences that are best to quote. "
        "Answer with their numbers."
    )
    writer.progress(0, 1)
    found = ask_for(writer.llm, _Numbers, numbered, task, "en", 60, writer.tick)
    chosen = [shown[n - 1] for n in sorted(set(found.numbers)) if n <= len(shown)]
    quotes = [Quote(p.text, p.speaker, p.order, p.start, p.end) for p in chosen]
    content = "\n".join(f"> {q.text}{_attribution(q)}\n" for q in quotes).strip()
    return Made(quotes, content, len(writer.source.pieces), writer.llm.model)


def _quotable(piece: Piece) -> bool:
    return 6 <= len(lexemes(piece.text)) <= 60 and not speaks_to_a_model(piece.text)


def _attribution(quote: Quote) -> str:
    parts = [quote.speaker, clock(quote.start) if quote.start is not None else None]
    said = ", ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def _chapters(writer: Writer) -> Made:
    """Chapters: cut where the words change most, named by the model."""
    pieces = writer.source.pieces
    parts = cut_chapters(pieces)

    def work(part: list[Piece]) -> str:
        return title(writer, condense(part, 500))

    titles = each(writer.llm, work, parts, writer.progress)
    chapters: list[Chapter] = []
    for name, part in zip(titles, parts, strict=True):
        before = {chapter.title for chapter in chapters}
        names = [each for each in (name, *titles_of(part, pieces)) if each not in before]
        chapters.append(Chapter((names or [name])[0], part[0].order, part[0].start))
    shown = [
        f"{clock(chapter.start)} {chapter.title}" if chapter.start is not None else chapter.title
        for chapter in chapters
    ]
    return Made(chapters, "\n".join(shown), len(pieces), writer.llm.model)


def cut_chapters(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Parts of about :data:`CHAPTER_S` seconds, cut where the words on both sides differ most."""
    end = pieces[-1].end
    seconds = len(pieces) * SEGMENT_S if end is None else end - (pieces[0].start or 0.0)
    wanted = min(MOST_CHAPTERS, max(1, round(seconds / CHAPTER_S)), len(pieces))
    words = [set(lexemes(piece.text)) for piece in pieces]
    ideal = np.linspace(0, len(pieces), wanted + 1)[1:-1]
    reach = len(pieces) / wanted / 3
    cuts = [0]
    for place in ideal:
        first, last = max(cuts[-1] + 1, int(place - reach)), int(place + reach) + 1
        near = range(first, min(len(pieces), last))
        if near:
            cuts.append(min(near, key=lambda at: _likeness(words, at)))
    bounds = [*cuts, len(pieces)]
    return [list(pieces[a:b]) for a, b in pairwise(bounds)]


def _likeness(words: Sequence[set[str]], at: int) -> float:
    before = {word for group in words[max(0, at - 8) : at] for word in group if len(word) > 3}
    after = {word for group in words[at : at + 8] for word in group if len(word) > 3}
    return len(before & after) / max(1, min(len(before), len(after)))


def clock(seconds: float) -> str:
    """Seconds as players show them."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


_PARTS: dict[str, Callable[[Writer], Made]] = {
    "key_quotes": _quotes,
    "chapter_markers": _chapters,
    "flashcards": flashcards,
    "quiz": quiz,
}
