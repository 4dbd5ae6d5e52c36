"""Summaries: the whole text where it fits, else notes of its parts and a summary of the notes."""

from __future__ import annotations

import re
from functools import partial

import msgspec

from auricle.text.actions import action_items, render_actions
from auricle.text.asking import Progress, ask, each
from auricle.text.condense import condense
from auricle.text.llm import LLM, Tick
from auricle.text.source import Piece, Source, chunks, tokens

STYLE_TASKS = {
    "brief": ("Summarise the transcript in two to four sentences of plain prose.", 220),
    "detailed": (
        "Write a detailed summary of the transcript in several paragraphs of plain prose, in the "
        "order in which things were said.",
        450,
    ),
    "bullet_points": (
        "Summarise the transcript in four to eight bullet points. Begin each line with '- '.",
        400,
    ),
    "headline": ("Write one headline of at most twelve words for the transcript.", 40),
}
"""What each style is, as a model is told, and how many tokens it may take."""

_NOTES = (
    "Write down the main points of this part of a transcript as short notes: who, what, numbers, "
    "decisions. At most six lines.",
    160,
)


class Coverage(msgspec.Struct, frozen=True):
    """How much of a text a model has read; the rest was passed over as saying little."""

    segments: int
    read: int


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
    task, most = STYLE_TASKS[style]
    text, coverage = write(source, task, most, language, llm, progress, tick)
    return Summary(_tidy(text, style), style, llm.model, language, coverage)


def write(
    source: Source,
    task: str,
    max_tokens: int,
    language: str,
    llm: LLM,
    progress: Progress,
    tick: Tick,
) -> tuple[str, Coverage]:
    """Have something written about a text of any length."""
    read = condense(source.pieces, llm.most)
    coverage = Coverage(len(source.pieces), len(read))
    parts = chunks(read, llm.chunk)
    if len(parts) == 1:
        progress(0, 1)
        return ask(llm, read, task, language, max_tokens, tick), coverage
    notes = _notes(parts, language, llm, partial(_of_all, progress, len(parts) + 1), tick)
    progress(len(parts), len(parts) + 1)
    return ask(llm, (), task, language, max_tokens, tick, shown=notes), coverage


def _of_all(progress: Progress, steps: int, done: int, total: int) -> None:
    progress(done, steps)


def _notes(
    parts: list[list[Piece]], language: str, llm: LLM, progress: Progress, tick: Tick
) -> str:
    """Notes of all parts that fit into one prompt; notes of notes where they do not."""
    task, most = _NOTES

    def work(part: list[Piece]) -> str:
        return ask(llm, part, task, language, most, tick)

    notes = each(llm, work, parts, progress)
    if tokens("\n".join(notes)) <= llm.chunk:
        return "\n\n".join(notes)
    again = [Piece(note, order) for order, note in enumerate(notes)]
    return _notes(chunks(again, llm.chunk), language, llm, progress, tick)


def _tidy(text: str, style: str) -> str:
    if style == "headline":
        first = next((line for line in text.splitlines() if line.strip()), "")
        return first.strip().strip('#*"“”').strip()
    if style == "bullet_points":
        lines = (re.sub(r"^\s*(?:[-*•]|\d+[.)])\s*", "", line) for line in text.splitlines())
        return "\n".join(f"- {line.strip()}" for line in lines if line.strip())
    return text
