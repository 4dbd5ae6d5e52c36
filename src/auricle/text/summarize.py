"""Summaries: the whole text where it fits, else notes of its parts and a summary of the notes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from auricle.text.actions import action_items, render_actions
from auricle.text.asking import Progress
from auricle.text.llm import LLM, Tick
from auricle.text.source import Source
from auricle.text.writing import Coverage, Part, Writer, write

PARAGRAPH = 4
"""Sentences of a paragraph."""


class Summary(msgspec.Struct, frozen=True):
    """A summary, and what it is made of."""

    summary: str
    style: str
    model: str
    language: str
    coverage: Coverage


def summarize(
    source: Source, style: str, language: str, llm: LLM, progress: Progress, tick: Tick
) -> Summary:
    """A summary in one of the styles of :data:`auricle.text.wording.STYLES`."""
    if style == "action_items":
        found = action_items(source, language, llm, progress, tick)
        whole = Coverage(len(source.pieces), len(source.pieces))
        return Summary(render_actions(found, language), style, llm.model, language, whole)
    part, render = _STYLES[style]
    what = "Summarise the transcript."
    written = write(Writer(source, language, llm, progress, tick), what, [part])
    summary = render(written.parts["summary"])
    return Summary(summary, style, llm.model, language, written.coverage)


def paragraphs(sentences: list[str]) -> str:
    """Sentences as prose."""
    rows = range(0, len(sentences), PARAGRAPH)
    return "\n\n".join(" ".join(sentences[at : at + PARAGRAPH]) for at in rows)


def bullets(sentences: list[str]) -> str:
    """Sentences as bullet points."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


_STYLES: dict[str, tuple[Part, Callable[[list[str]], str]]] = {
    "brief": (Part("summary", "sentences that say what it is about", 4, 2), paragraphs),
    "detailed": (
        Part("summary", "sentences that tell in detail, in its order, what was said", 12, 8),
        paragraphs,
    ),
    "bullet_points": (Part("summary", "its main points as sentences", 8, 4), bullets),
    "headline": (Part("summary", "a headline of at most twelve words", title=True), "".join),
}
