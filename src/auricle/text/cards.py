"""Flashcards and quizzes.

A small model asks what nobody said and answers wrongly. In its place, sentences that say most are
shown with a gap: right by themselves, and wrong answers are other words of the transcript.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec

from auricle.text.asking import ask_for, each
from auricle.text.condense import central, condense
from auricle.text.faithful import Said, stems, telling
from auricle.text.headings import worded
from auricle.text.llm import is_small
from auricle.text.source import Piece, chunks
from auricle.text.writing import Writer

MOST_GAPS = 12
"""Cards that are made without a model."""

GAP = "…"
GAPS = "gaps"
"""What stands for the model where none is asked."""


class Card(msgspec.Struct, frozen=True):
    """A flashcard."""

    question: str
    answer: str


class Quiz(msgspec.Struct, frozen=True):
    """A question with two to four answers, one of them right."""

    question: str
    options: list[str]
    answer: int
    """Number of the right one, from 0."""


@dataclass(frozen=True, slots=True)
class Made:
    """What is made of parts, and what has made it."""

    items: Sequence[Any]
    content: str
    read: int
    """Segments that were read."""
    model: str


class _Card(msgspec.Struct):
    question: Annotated[str, msgspec.Meta(min_length=5, max_length=160)]
    answer: Annotated[str, msgspec.Meta(min_length=1, max_length=160)]


class _Cards(msgspec.Struct):
    cards: Annotated[list[_Card], msgspec.Meta(max_length=6)]


class _Multiple(msgspec.Struct):
    question: Annotated[str, msgspec.Meta(min_length=5, max_length=160)]
    answer: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    wrong: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=80)]],
        msgspec.Meta(min_length=3, max_length=3),
    ]


class _Quizzes(msgspec.Struct):
    cards: Annotated[list[_Multiple], msgspec.Meta(max_length=4)]


def flashcards(writer: Writer) -> Made:
    """Flashcards."""
    task = "Write flashcards about the facts in the transcript: short questions, short answers."
    found, made = _asked(writer, _Cards, task, 600)
    cards = [Card(card.question, card.answer) for card in found]
    if made.model == GAPS:
        cards = gaps(writer.source.pieces, MOST_GAPS)
    asked, told = worded("question", writer.language), worded("answer", writer.language)
    shown = [f"**{asked}:** {card.question}\n**{told}:** {card.answer}" for card in cards]
    return replace(made, items=cards, content="\n\n".join(shown) or made.content)


def quiz(writer: Writer) -> Made:
    """Questions with several answers, one of them right."""
    task = (
        "Write quiz questions about the facts in the transcript. 'answer' is the right answer, "
        "'wrong' are three different wrong ones of the same kind."
    )
    found, made = _asked(writer, _Quizzes, task, 700)
    asked = [(card.question, card.answer, card.wrong) for card in found]
    if made.model == GAPS:
        pieces = writer.source.pieces
        options = [(card, others(card, pieces)) for card in gaps(pieces, MOST_GAPS, pieces)]
        asked = [(card.question, card.answer, wrong) for card, wrong in options if wrong]
    quizzes = [_shuffled(number, *each) for number, each in enumerate(asked)]
    solution = worded("solution", writer.language)
    shown = [_render(number, each, solution) for number, each in enumerate(quizzes, 1)]
    return replace(made, items=quizzes, content="\n\n".join(shown) or made.content)


def _asked(writer: Writer, shape: type[Any], task: str, most: int) -> tuple[list[Any], Made]:
    """What a model that can has asked about each part of what is read, and what stands where
    nothing can be asked; questions that give themselves away are dropped."""
    llm, source = writer.llm, writer.source
    nothing = worded("no_cards", writer.language)
    with_gaps = Made([], nothing, len(source.pieces), GAPS)
    same_language = source.language == writer.language
    if is_small(llm) and same_language:
        return [], with_gaps
    read = condense(source.pieces, llm.most)

    def work(part: list[Piece]) -> list[Any]:
        made = ask_for(llm, shape, part, task, writer.language, most, writer.tick).cards
        said = Said(part, llm, source.language, writer.language)
        return [card for card in made if _proper(card, said)]

    by_part = each(llm, work, chunks(read, llm.chunk), writer.progress)
    unique = {card.question.casefold(): card for part in by_part for card in part}
    if not unique and same_language:
        return [], with_gaps
    return list(unique.values()), Made([], nothing, len(read), llm.model)


def _proper(card: Any, said: Said) -> bool:
    """Whether a question does not tell its answer, and neither is made up as far as words tell."""
    tells = stems(card.answer) <= stems(card.question)
    return not tells and said.holds(f"{card.question} {card.answer}")


@dataclass(frozen=True, slots=True)
class _Found:
    """A word or number that a gap can stand for."""

    text: str
    number: bool
    start: int
    end: int


_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"[^\W\d_]{4,}(?:-[^\W\d_]+)*")


def gaps(pieces: Sequence[Piece], count: int, among: Sequence[Piece] = ()) -> list[Card]:
    """Sentences that say most, each with a gap; of a sort of which ``among`` holds others."""
    sorts = [_sort(each) for piece in among for each in _candidates(piece.text)]
    made: dict[str, Card] = {}
    for piece in central(pieces, count):
        found = [e for e in _candidates(piece.text) if not among or sorts.count(_sort(e)) > 1]
        if found and len(telling(piece.text)) > 2:
            gap = max(found, key=lambda each: (_sort(each), len(each.text)))
            question = f"{piece.text[: gap.start]}{GAP}{piece.text[gap.end :]}"
            made.setdefault(question, Card(question, gap.text))
    return list(made.values())


def _sort(found: _Found) -> int:
    """What is rather asked about: 2 for numbers, 1 for names, 0 for other words."""
    return 2 if found.number else int(found.start > 0 and found.text[0].isupper())


def _candidates(text: str) -> list[_Found]:
    return [
        _Found(match[0], form is _NUMBER, match.start(), match.end())
        for form in (_NUMBER, _WORD)
        for match in form.finditer(text)
    ]


def others(card: Card, pieces: Sequence[Piece]) -> list[str]:
    """Up to three other words or numbers of the transcript, of the answer's sort and length."""
    whole = _candidates(card.question.replace(GAP, card.answer))
    sort = max(_sort(each) for each in whole if each.text == card.answer)
    known = stems(f"{card.question} {card.answer}")
    found = {
        each.text.casefold(): each.text
        for piece in pieces
        for each in _candidates(piece.text)
        if _sort(each) == sort and not stems(each.text) & known
    }
    return sorted(found.values(), key=lambda text: abs(len(text) - len(card.answer)))[:3]


def _shuffled(number: int, question: str, right: str, wrong: Sequence[str]) -> Quiz:
    """The right answer at a place that changes from question to question."""
    options = list(dict.fromkeys(each for each in wrong if each != right))
    place = number * 3 % (len(options) + 1)
    options.insert(place, right)
    return Quiz(question, options, place)


def _render(number: int, asked: Quiz, solution: str) -> str:
    options = "\n".join(f"{'ABCD'[n]}. {text}" for n, text in enumerate(asked.options))
    return f"{number}. {asked.question}\n{options}\n{solution}: {'ABCD'[asked.answer]}"
