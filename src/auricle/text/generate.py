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

from auricle.text.actions import action_items, render_actions
from auricle.text.asking import Progress, ask_for, each, speaks_to_a_model
from auricle.text.condense import condense
from auricle.text.llm import LLM, Tick
from auricle.text.source import Piece, Source, chunks
from auricle.text.summarize import Coverage, write
from auricle.transcript.search import lexemes

PROSE: dict[str, tuple[str, int]] = {
    "blog_post": (
        "Write a blog post about what is said in the transcript: a title in the first line, "
        "beginning with '# ', then an introduction, two or three sections with '## ' headings, "
        "and a conclusion.",
        900,
    ),
    "social_media": (
        "Write three short posts for social media about what is said in the transcript, each at "
        "most 280 characters, with an empty line between them.",
        300,
    ),
    "social_twitter": (
        "Write one post for X (Twitter) of at most 280 characters about what is said.",
        120,
    ),
    "social_linkedin": (
        "Write a post for LinkedIn about what is said: a first line that makes curious, two short "
        "paragraphs, and a question at the end.",
        350,
    ),
    "newsletter": (
        "Write a newsletter about what is said in the transcript: a subject line that begins with "
        "'Subject: ', a greeting, the news in short paragraphs, and a closing line.",
        600,
    ),
    "show_notes": (
        "Write show notes for this episode: a short description, then the topics as bullet points "
        "that begin with '- '.",
        450,
    ),
    "meeting_notes": (
        "Write meeting notes with the headings '## Summary', '## Discussion' and '## Decisions', "
        "the last two as bullet points that begin with '- '.",
        600,
    ),
    "study_guide": (
        "Write a study guide with the headings '## Key points', '## Terms' and "
        "'## Questions for review', each as bullet points that begin with '- '.",
        700,
    ),
}
"""What each kind is, as a model is told, and how many tokens it may take."""

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


class Card(msgspec.Struct, frozen=True):
    """A flashcard."""

    question: str
    answer: str


class Quiz(msgspec.Struct, frozen=True):
    """A question with four answers, one of them right."""

    question: str
    options: list[str]
    answer: int
    """Number of the right one, from 0."""


class Content(msgspec.Struct, frozen=True):
    """What was written. ``items`` are its parts, where the kind has parts."""

    content: str
    kind: str
    model: str
    language: str
    coverage: Coverage
    items: list[Any]


class Making(msgspec.Struct):
    """What content is made from, and with."""

    source: Source
    language: str
    llm: LLM
    progress: Progress
    tick: Tick
    wish: str
    """What the person who asks wants besides."""


def generate(making: Making, kind: str) -> Content:
    """One kind of :data:`auricle.text.wording.CONTENTS`."""
    llm, language = making.llm, making.language
    if kind in PROSE:
        content, coverage = _prose(making, kind)
        return Content(content, kind, llm.model, language, coverage, [])
    items, content, read = _PARTS[kind](making)
    coverage = Coverage(len(making.source.pieces), read)
    return Content(content, kind, llm.model, language, coverage, msgspec.to_builtins(items))


def _prose(making: Making, kind: str) -> tuple[str, Coverage]:
    task, most = PROSE[kind]
    task += f" The reader also wants: {making.wish}" if making.wish else ""
    source, language, llm = making.source, making.language, making.llm
    content, coverage = write(source, task, most, language, llm, making.progress, making.tick)
    if kind == "meeting_notes":
        found = action_items(source, language, llm, making.progress, making.tick)
        content += f"\n\n## Action items\n{render_actions(found, language)}"
    return content, coverage


class _Numbers(msgspec.Struct):
    numbers: Annotated[
        list[Annotated[int, msgspec.Meta(ge=1, le=12)]],
        msgspec.Meta(min_length=1, max_length=MOST_QUOTES),
    ]


def _quotes(making: Making) -> tuple[Sequence[Any], str, int]:
    """Quotes: the model chooses among the sentences that say most."""
    good = [p for p in making.source.pieces if _quotable(p)] or list(making.source.pieces)
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
    making.progress(0, 1)
    found = ask_for(making.llm, _Numbers, numbered, task, "en", 60, making.tick)
    chosen = [shown[n - 1] for n in sorted(set(found.numbers)) if n <= len(shown)]
    quotes = [Quote(p.text, p.speaker, p.order, p.start, p.end) for p in chosen]
    content = "\n".join(f"> {q.text}{_attribution(q)}\n" for q in quotes).strip()
    return quotes, content, len(making.source.pieces)


def _quotable(piece: Piece) -> bool:
    return 6 <= len(lexemes(piece.text)) <= 60 and not speaks_to_a_model(piece.text)


def _attribution(quote: Quote) -> str:
    parts = [quote.speaker, clock(quote.start) if quote.start is not None else None]
    said = ", ".join(part for part in parts if part)
    return f" ({said})" if said else ""


class _Title(msgspec.Struct):
    title: Annotated[str, msgspec.Meta(min_length=3, max_length=60)]


def _chapters(making: Making) -> tuple[Sequence[Any], str, int]:
    """Chapters: cut where the words change most, named by the model."""
    pieces = making.source.pieces
    parts = cut_chapters(pieces)

    def work(part: list[Piece]) -> Chapter:
        task = "Write a title of two to six words for this part of a transcript."
        read = condense(part, 500)
        found = ask_for(making.llm, _Title, read, task, making.language, 80, making.tick)
        return Chapter(found.title.strip(" .\"'*#"), part[0].order, part[0].start)

    chapters = each(making.llm, work, parts, making.progress)
    shown = [
        f"{clock(chapter.start)} {chapter.title}" if chapter.start is not None else chapter.title
        for chapter in chapters
    ]
    return chapters, "\n".join(shown), len(pieces)


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


class _Card(msgspec.Struct):
    question: Annotated[str, msgspec.Meta(min_length=5, max_length=160)]
    answer: Annotated[str, msgspec.Meta(min_length=1, max_length=160)]


class _Cards(msgspec.Struct):
    flashcards: Annotated[list[_Card], msgspec.Meta(min_length=1, max_length=6)]


def _flashcards(making: Making) -> tuple[Sequence[Any], str, int]:
    task = "Write flashcards about the facts in the transcript: short questions, short answers."
    found, read = _by_part(making, _Cards, task, 600)
    unique = {card.question.casefold(): card for part in found for card in part.flashcards}
    cards = [Card(card.question, card.answer) for card in unique.values()]
    content = "\n\n".join(f"**Q:** {card.question}\n**A:** {card.answer}" for card in cards)
    return cards, content, read


class _Multiple(msgspec.Struct):
    question: Annotated[str, msgspec.Meta(min_length=5, max_length=160)]
    right: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    wrong: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=80)]],
        msgspec.Meta(min_length=3, max_length=3),
    ]


class _Quizzes(msgspec.Struct):
    quiz: Annotated[list[_Multiple], msgspec.Meta(min_length=1, max_length=4)]


def _quiz(making: Making) -> tuple[Sequence[Any], str, int]:
    task = (
        "Write quiz questions about the facts in the transcript. 'right' is the right answer, "
        "'wrong' are three different wrong ones of the same kind."
    )
    found, read = _by_part(making, _Quizzes, task, 700)
    unique = {each.question.casefold(): each for part in found for each in part.quiz}
    quiz = [_shuffled(number, each) for number, each in enumerate(unique.values())]
    content = "\n\n".join(_render_quiz(number, each) for number, each in enumerate(quiz, 1))
    return quiz, content, read


def _shuffled(number: int, asked: _Multiple) -> Quiz:
    """The right answer at a place that changes from question to question."""
    options = list(dict.fromkeys(wrong for wrong in asked.wrong if wrong != asked.right))
    place = number * 3 % (len(options) + 1)
    options.insert(place, asked.right)
    return Quiz(asked.question, options, place)


def _render_quiz(number: int, asked: Quiz) -> str:
    options = "\n".join(f"{'ABCD'[n]}. {text}" for n, text in enumerate(asked.options))
    return f"{number}. {asked.question}\n{options}\nAnswer: {'ABCD'[asked.answer]}"


def _by_part(making: Making, shape: type[Any], task: str, most: int) -> tuple[list[Any], int]:
    """Have each part of what is read made into something."""
    llm, pieces = making.llm, making.source.pieces
    read = condense(pieces, llm.most)

    def work(part: list[Piece]) -> Any:
        return ask_for(llm, shape, part, task, making.language, most, making.tick)

    return each(llm, work, chunks(read, llm.chunk), making.progress), len(read)


def clock(seconds: float) -> str:
    """Seconds as players show them."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


_PARTS: dict[str, Callable[[Making], tuple[Sequence[Any], str, int]]] = {
    "key_quotes": _quotes,
    "chapter_markers": _chapters,
    "flashcards": _flashcards,
    "quiz": _quiz,
}
