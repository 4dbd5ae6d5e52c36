"""Flashcards and quizzes: asked by the model, kept where the transcript holds the answer.

Where too few are, sentences of the transcript are shown with a gap. Wrong answers are then other
words and numbers of the transcript.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from auricle.core.errors import Unavailable
from auricle.text.asking import ask_for, each
from auricle.text.condense import central, condense
from auricle.text.faithful import Said, stems, telling
from auricle.text.headings import worded
from auricle.text.source import Piece, chunks
from auricle.text.writing import Writer

LEAST_CARDS = 4
"""To how many gaps fill up, where the transcript has as many sentences."""

LEAST = 0.5
"""Share of a question's and its answer's words that neighbouring segments hold: questions have
words of their own."""

GAP = "…"


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


def flashcards(writer: Writer) -> tuple[Sequence[Any], str, int]:
    """Flashcards, as they are and as text; how many segments were read for them."""
    task = "Write flashcards about the facts in the transcript: short questions, short answers."
    found, read = _asked(writer, _Cards, task, 600)
    cards = [Card(card.question, card.answer) for card in found]
    if writer.source.language == writer.language:
        cards += gaps(read, LEAST_CARDS - len(cards))
    asked, told = worded("question", writer.language), worded("answer", writer.language)
    shown = [f"**{asked}:** {card.question}\n**{told}:** {card.answer}" for card in cards]
    return cards, "\n\n".join(shown) or worded("no_cards", writer.language), len(read)


def quiz(writer: Writer) -> tuple[Sequence[Any], str, int]:
    """Questions with several answers, as they are and as text; how many segments were read."""
    task = (
        "Write quiz questions about the facts in the transcript. 'answer' is the right answer, "
        "'wrong' are three different wrong ones of the same kind."
    )
    found, read = _asked(writer, _Quizzes, task, 700)
    made = [(card.question, card.answer, card.wrong) for card in found]
    if writer.source.language == writer.language:
        # What a small model calls wrong may be right, or made up.
        trusted = writer.llm.most is None
        made = [(q, a, wrong if trusted else others(a, read, q)) for q, a, wrong in made]
        made += [
            (gap.question, gap.answer, others(gap.answer, read, gap.question))
            for gap in gaps(read, LEAST_CARDS - len(made))
        ]
    asked = [_shuffled(number, *each) for number, each in enumerate(m for m in made if m[2])]
    solution = worded("solution", writer.language)
    shown = [_render(number, each, solution) for number, each in enumerate(asked, 1)]
    return asked, "\n\n".join(shown) or worded("no_cards", writer.language), len(read)


def _asked(writer: Writer, shape: type[Any], task: str, most: int) -> tuple[list[Any], list[Piece]]:
    """Have each part of what is read asked about; questions that it does not answer are dropped."""
    llm = writer.llm
    read = condense(writer.source.pieces, llm.most)

    def work(part: list[Piece]) -> list[Any]:
        try:
            made = ask_for(llm, shape, part, task, writer.language, most, writer.tick).cards
        except Unavailable:
            if llm.most is None:
                raise
            return []  # a small model that runs in circles
        said = Said(part, llm, writer.source.language, writer.language)
        return [card for card in made if _proper(card, said)]

    found = [
        card for part in each(llm, work, chunks(read, llm.chunk), writer.progress) for card in part
    ]
    return list({card.question.casefold(): card for card in found}.values()), read


def _proper(card: Any, said: Said) -> bool:
    """Whether neighbouring segments hold question and answer, and the question tells no answer."""
    if stems(card.answer) <= stems(card.question):
        return False
    return said.holds(card.answer, 1.0) and said.holds(f"{card.question} {card.answer}", LEAST)


@dataclass(frozen=True, slots=True)
class _Found:
    """A word or number that a gap can stand for."""

    text: str
    number: bool
    start: int
    end: int


_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"[^\W\d_]{4,}(?:-[^\W\d_]+)*")


def gaps(pieces: Sequence[Piece], count: int) -> list[Card]:
    """Sentences that say most, each with a gap where a number or its longest word was."""
    if count <= 0:
        return []
    made = []
    for piece in central(pieces, count):
        gap = _gap(piece.text)
        if gap is not None and len(telling(piece.text)) > 2:
            made.append(Card(f"{piece.text[: gap.start]}{GAP}{piece.text[gap.end :]}", gap.text))
    return list({card.question: card for card in made}.values())


def _gap(text: str) -> _Found | None:
    """What is asked about: a number, a name or the longest word."""
    found = _candidates(text)
    names = [each for each in found if each.start and each.text[:1].isupper()]
    numbers = [each for each in found if each.number]
    best = numbers or names or found
    return max(best, key=lambda each: len(each.text), default=None)


def _candidates(text: str) -> list[_Found]:
    return [
        _Found(match[0], form is _NUMBER, match.start(), match.end())
        for form in (_NUMBER, _WORD)
        for match in form.finditer(text)
    ]


def others(right: str, pieces: Sequence[Piece], question: str) -> list[str]:
    """Three other words or numbers of the transcript, as like to the right answer as there are."""
    number, capital = right[:1].isdigit(), right[:1].isupper()
    known = stems(f"{right} {question}")
    every = {
        each.text.casefold(): each
        for piece in pieces
        for each in _candidates(piece.text)
        if not stems(each.text) & known
    }

    def unlike(each: _Found) -> tuple[bool, bool, int]:
        capital_too = each.text[:1].isupper() and each.start > 0
        return each.number != number, capital_too != capital, abs(len(each.text) - len(right))

    return [each.text for each in sorted(every.values(), key=unlike)[:3]]


def _shuffled(number: int, question: str, right: str, wrong: Sequence[str]) -> Quiz:
    """The right answer at a place that changes from question to question."""
    options = list(dict.fromkeys(each for each in wrong if each != right))
    place = number * 3 % (len(options) + 1)
    options.insert(place, right)
    return Quiz(question, options, place)


def _render(number: int, asked: Quiz, solution: str) -> str:
    options = "\n".join(f"{'ABCD'[n]}. {text}" for n, text in enumerate(asked.options))
    return f"{number}. {asked.question}\n{options}\n{solution}: {'ABCD'[asked.answer]}"
