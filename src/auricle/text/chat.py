"""Answers to questions about a transcript, from the segments that a search has found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from auricle.text.asking import SYSTEM, anchor, material
from auricle.text.condense import central
from auricle.text.faithful import Said, unlike
from auricle.text.llm import LLM, Prompt, Tick
from auricle.text.source import Piece, from_text, harmless
from auricle.transcript.languages import NAMES

MOST_HISTORY = 4
"""Questions and answers before that a model is shown."""

MOST_QUOTED = 3
"""Sentences that stand for an answer about the whole."""

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


def answer(
    question: str,
    found: Sequence[Piece],
    history: Sequence[tuple[str, str]],
    language: str,
    llm: LLM,
    tick: Tick,
    speakers: Sequence[str] | None = None,
) -> Answer:
    """Answer a question from the segments that were found for it; ``speakers`` are everybody who
    speaks, for a question about the whole, and None for others."""
    if not found:
        return Answer(NOTHING.get(language, NOTHING["en"]), "")
    name = NAMES.get(language, "english").title()
    nothing = NOTHING.get(language, NOTHING["en"])
    who = f"These people speak: {harmless(', '.join(speakers))}.\n\n" if speakers else ""
    task = (
        f"Question: {question}\n\nAnswer the question in one to three sentences from the "
        f"transcript alone. If it does not hold the answer, say: {nothing} Write in {name}."
    )
    prompt = Prompt(
        SYSTEM,
        f"{who}{material(found)}\n\n{task}",
        250,
        history=tuple(history[-MOST_HISTORY:]),
    )
    given = from_text(llm.complete(prompt, tick), language)
    said = Said([*found, Piece(f"{question} {nothing} {who}", -1)], llm, language, language)
    kept = unlike(piece.text for piece in given.pieces if said.holds(piece.text))
    return Answer(" ".join(kept) or _quoted(question, found, nothing, speakers), llm.model)


def _quoted(
    question: str, found: Sequence[Piece], nothing: str, speakers: Sequence[str] | None
) -> str:
    """What was said, where nothing that was written can be used."""
    if speakers is not None:
        return " ".join(piece.text for piece in central(found, MOST_QUOTED))
    nearest, _ = anchor(question, found)
    return nearest.text if nearest else nothing
