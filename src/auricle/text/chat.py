"""Answers to questions about a transcript, from the segments that a search has found."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import msgspec

from auricle.text.asking import SYSTEM, anchor, material, speaks_to_a_model
from auricle.text.condense import central
from auricle.text.faithful import Said, alike, stems, unlike
from auricle.text.llm import LLM, Prompt, Tick, is_small
from auricle.text.requests import Chat
from auricle.text.source import Piece, asks, from_text, harmless
from auricle.transcript.languages import NAMES
from auricle.transcript.search import lexemes

MOST_HISTORY = 4
"""Questions and answers before that a model is shown."""

MOST_QUOTED = 3
"""Sentences that stand for an answer."""

LEAST_NAMED = 2
"""Words that a question has to name, so that what holds them is its answer."""

NOTHING = {
    "en": "The transcript says nothing about that.",
    "es": "La transcripción no dice nada sobre eso.",
    "pt": "A transcrição não diz nada sobre isso.",
    "fr": "La transcription ne dit rien à ce sujet.",
    "de": "Das Transkript sagt dazu nichts.",
    "it": "La trascrizione non dice nulla al riguardo.",
}
"""The answer where nothing relevant was found, by language; English for the others."""


class Answer(msgspec.Struct, frozen=True):
    """An answer, and what has given it."""

    answer: str
    model: str


def answer(asked: Chat, llm: LLM, tick: Tick) -> Answer:
    """Answer a question from the segments that were found for it, and from who speaks."""
    question, found, language = asked.question, asked.found, asked.language
    nothing = NOTHING.get(language, NOTHING["en"])
    if not found:
        return Answer(nothing, "")
    people = harmless(", ".join(asked.speakers))
    if asked.about == "people" and people and is_small(llm):  # which tells what was said instead
        return Answer(f"{people}.", "")
    who = f"These people speak: {people}.\n\n" if people else ""
    name = NAMES.get(language, "english").title()
    task = (
        f"Question: {question}\n\nAnswer the question in one to three sentences from the "
        f"transcript alone. If it does not hold the answer, say: {nothing} Write in {name}."
    )
    prompt = Prompt(
        SYSTEM,
        f"{who}{material(found)}\n\n{task}",
        250,
        history=asked.history[-MOST_HISTORY:],
    )
    given = from_text(llm.complete(prompt, tick), language)
    said = Said([*found, Piece(f"{question} {nothing} {who}", -1)], llm, language, language)
    proper = [piece.text for piece in given.pieces if said.holds(piece.text)]
    kept = unlike(text for text in proper if lexemes(text) != lexemes(question))
    if is_small(llm) and all(alike(sentence, nothing) for sentence in kept):
        kept = _outright(question, found, language) or kept
    return Answer(" ".join(kept) or _quoted(asked, nothing), llm.model)


def _outright(question: str, found: Sequence[Piece], language: str) -> list[str]:
    """What was said, where it holds all that a question names: small models deny it at times."""
    idle = _idle(language)
    named = stems(" ".join(word for word in lexemes(question) if word not in idle))
    if len(named) < LEAST_NAMED:
        return []
    said = (piece.text.strip() for piece in found if named <= stems(piece.text))
    told = (text for text in said if not asks(text, language) and not speaks_to_a_model(text))
    return unlike(told)[:MOST_QUOTED]


def _idle(language: str) -> set[str]:
    """The words of a language that name nothing."""
    if language not in NOTHING:
        return set()
    words: set[str] = import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS
    return words


def _quoted(asked: Chat, nothing: str) -> str:
    """What was said, where nothing that was written can be used."""
    if asked.about != "part":
        return " ".join(piece.text for piece in central(asked.found, MOST_QUOTED))
    nearest, _ = anchor(asked.question, asked.found)
    return nearest.text if nearest else nothing
