"""Action items: who is to do what until when, where that was said."""

from __future__ import annotations

from typing import Annotated

import msgspec

from auricle.text.asking import Progress, anchor, ask_for, each, speaks_to_a_model
from auricle.text.llm import LLM, Tick
from auricle.text.source import Piece, Source, chunks
from auricle.transcript.search import lexemes

LEAST_SHARE = 0.5
"""Share of an action item's words that a segment and its neighbours hold, or it is invented."""


class ActionItem(msgspec.Struct, frozen=True):
    """Something that somebody is to do."""

    task: str
    owner: str | None
    """As it was said; None where it was not."""
    due: str | None
    segment_order: int
    start: float | None


class _Item(msgspec.Struct):
    task: Annotated[str, msgspec.Meta(min_length=3, max_length=160)]
    owner: Annotated[str, msgspec.Meta(max_length=40)]
    due: Annotated[str, msgspec.Meta(max_length=40)]


class _Items(msgspec.Struct):
    action_items: Annotated[list[_Item], msgspec.Meta(max_length=8)]


_TASK = (
    "List the tasks that people in this transcript agreed or promised to do, in their own words. "
    "'owner' is who is to do it and 'due' is until when, as it was said; leave them empty where "
    "it was not said. An empty list where nobody is to do anything."
)


def action_items(
    source: Source, language: str, llm: LLM, progress: Progress, tick: Tick
) -> list[ActionItem]:
    """The action items of a text, in the order in which they were said; all of it is read."""

    def work(part: list[Piece]) -> list[ActionItem]:
        found = ask_for(llm, _Items, part, _TASK, language, 600, tick)
        return [item for each in found.action_items if (item := _checked(each, part))]

    parts = chunks(source.pieces, llm.chunk)
    items = [item for found in each(llm, work, parts, progress) for item in found]
    unique = {" ".join(lexemes(item.task)): item for item in reversed(items)}
    return sorted(unique.values(), key=lambda item: item.segment_order)


def _checked(item: _Item, part: list[Piece]) -> ActionItem | None:
    """The item with the segment that it comes from; None where nobody said it."""
    piece, _ = anchor(item.task, part)
    if piece is None:
        return None
    near = [other for other in part if abs(other.order - piece.order) <= 1]
    said = " ".join(other.text for other in near)
    if anchor(item.task, [Piece(said, 0)])[1] < LEAST_SHARE or speaks_to_a_model(piece.text):
        return None
    return ActionItem(
        item.task.strip().rstrip("."),
        _said(item.owner, part),
        _said(item.due, near),
        piece.order,
        piece.start,
    )


def _said(text: str, pieces: list[Piece]) -> str | None:
    """A name or a date, unless it was made up."""
    words = lexemes(text)
    everything = {word for piece in pieces for word in lexemes(f"{piece.speaker} {piece.text}")}
    return text.strip() if words and everything.issuperset(words) else None


_NONE = {
    "en": "No action items were mentioned.",
    "es": "No se mencionaron tareas.",
    "pt": "Nenhuma tarefa foi mencionada.",
    "fr": "Aucune tâche n'a été mentionnée.",
    "de": "Es wurden keine Aufgaben genannt.",
    "it": "Non è stato menzionato alcun compito.",
}


def render_actions(items: list[ActionItem], language: str) -> str:
    """Action items as lines of text."""
    shown = []
    for item in items:
        more = ", ".join(part for part in (item.owner, item.due) if part)
        shown.append(f"- {item.task}" + (f" ({more})" if more else ""))
    return "\n".join(shown) or _NONE.get(language, _NONE["en"])
