"""Action items: who is to do what until when, where that was said.

Sentences that sound like a task are found by their words in six languages; the model is shown those
alone. In other languages it reads everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from auricle.core.errors import Unavailable
from auricle.text.asking import Progress, anchor, ask_for, each, speaks_to_a_model
from auricle.text.duties import due_of, owner_of
from auricle.text.faithful import alike, unlike
from auricle.text.headings import worded
from auricle.text.llm import LLM, Tick, is_small
from auricle.text.source import Piece, Source, asks, chunks
from auricle.transcript.search import lexemes

MOST_TASK = 160
"""Characters at which the decoder cuts a task."""

LEAST_SHARE = 0.5
"""Share of an action item's words that its segment holds, or it is invented."""

LEAST_OF_SMALL = 0.7
"""The same for a small model, which puts halves of two tasks together."""


class ActionItem(msgspec.Struct, frozen=True):
    """Something that somebody is to do."""

    task: str
    owner: str | None
    """As it was said; None where it was not."""
    due: str | None
    segment_order: int
    start: float | None


class _Item(msgspec.Struct):
    task: Annotated[str, msgspec.Meta(min_length=3, max_length=MOST_TASK)]
    owner: Annotated[str, msgspec.Meta(max_length=40)]
    due: Annotated[str, msgspec.Meta(max_length=40)]


class _Items(msgspec.Struct):
    action_items: Annotated[list[_Item], msgspec.Meta(max_length=8)]


_TASK = (
    "List the tasks that people in this transcript agreed or promised to do, in their own words. "
    "'owner' is who is to do it and 'due' is until when, as it was said; leave them empty where "
    "it was not said. An empty list where nobody is to do anything."
)

_SOUNDS_LIKE_A_TASK = {
    "en": r"\b(?:could|can|would|will) you\b|\bplease\b|\b(?:I|we)(?:'ll|’ll| will)\b"
    r"|\b(?:will|shall|must|should|needs? to|ha(?:s|ve) to|going to)\b.*\b(?:tomorrow|tonight|next"
    r" (?:week|month)|(?:by|until|before|on) (?:the end|next|noon|\d|(?:mon|tues|wednes|thurs|fri"
    r"|satur|sun)day))"
    r"|\b(?:promised?|agreed|volunteered) to\b|\baction item|\btakes? care of\b|\bto-?do\b",
    "es": r"\b(?:puede|puedes|podría|podrías)\b.*\?|\bpor favor\b|\b(?:yo )?me encargo\b"
    r"|\bse encarga\b|\b(?:voy|va|vamos|van) a\b|\b(?:tiene|tienes|tenemos|hay) que\b",
    "pt": r"\b(?:pode|podes|poderia|podias)\b.*\?|\bpor favor\b|\beu vou\b|\btrata disso\b"
    r"|\bfic(?:a|ou) (?:de|responsável|encarregad)|\b(?:vou|vai|vamos|vão|tem de|tem que|temos de"
    r"|temos que|precisa de)\b.*\baté\b",
    "fr": r"\b(?:peux-tu|pouvez-vous|pourriez-vous|pourrais-tu)\b|\bs'il (?:te|vous) plaît\b"
    r"|\bje vais\b|\bs'(?:en )?occupe|\b(?:doit|devez|devons|dois|va|vont) .*"
    r"\b(?:avant|d'ici|jusqu)",
    "de": r"\b(?:kannst|könntest|können|könnten) (?:du|sie|ihr)\b|\bbitte\b"
    r"|\b(?:mich|sich|uns) (?:\w+ )?(?:darum|um)\b|\bich werde\b"
    r"|\bbis (?:zum |nächsten? |spätestens )?(?:\d|montag|dienstag|mittwoch|donnerstag|freitag"
    r"|samstag|sonntag|morgen|ende)(?!.*\?)|\bich \w+ .*\bam (?:\d|\w+tag|mittwoch)\b",
    "it": r"\b(?:puoi|può|potresti|potrebbe)\b.*\?|\bper favore\b|\b(?:me ne|se ne) occup"
    r"|\b(?:deve|devi|dobbiamo|devono|vado|va) .*\bentro\b",
}
"""By language: requests, promises, and what is to be done by a certain time."""

_WORD = re.compile(r"[^\W_]+")

MOST_DECISIONS = 12

_DECIDED = (
    r"\bdecided?\b|\bdecision\b|\bagreed\b|\bapproved?\b|\bwe postponed\b"  # English
    r"|\bdecidi\w+|\bacord(?:amos|ado|ó)\b|\baprob\w+|\baprov\w+|\bdecis\w+"  # Spanish, Portuguese
    r"|\bdécid\w+|\bconven\w+|\bapprouv\w+"  # French
    r"|\bbeschl(?:oss|iess|ieß)\w*|\bentschieden\b|\bvereinbart\b|\bgenehmigt\b"  # German
    r"|\bdecis\w+|\bconcordat\w+|\bapprovat\w+"  # Italian
)


def action_items(
    source: Source, language: str, llm: LLM, progress: Progress, tick: Tick
) -> list[ActionItem]:
    """The action items of a text, in the order in which they were said."""
    told = sounding_like_tasks(source)
    shown = source.pieces if told is None else _once(told)
    least = LEAST_OF_SMALL if is_small(llm) else LEAST_SHARE
    copied = language == source.language and is_small(llm)

    def work(part: list[Piece]) -> list[ActionItem]:
        try:
            found = ask_for(llm, _Items, part, _TASK, language, 600, tick)
        except Unavailable:
            if told is None or not is_small(llm):
                raise
            return []  # a small model that runs in circles; the sentences themselves are there
        checked = (
            _checked(each, part, least, source.language, copied=copied)
            for each in found.action_items
        )
        return [item for item in checked if item]

    parts = chunks(shown, llm.chunk) if shown else []
    items = [item for found in each(llm, work, parts, progress) for item in found]
    if told is not None and copied:
        items += _missed(shown, items, language)
    return _unique(items)


def _once(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces without those that repeat another."""
    first = {piece.text: piece for piece in reversed(pieces)}
    return sorted(first.values(), key=lambda piece: piece.order)


def sounding_like_tasks(source: Source) -> list[Piece] | None:
    """The sentences that sound like a task; None for languages of which that is not known."""
    form = _SOUNDS_LIKE_A_TASK.get(source.language)
    if form is None:
        return None
    sounds = re.compile(form, re.IGNORECASE)
    return [
        piece
        for piece in source.pieces
        if sounds.search(piece.text)
        and not speaks_to_a_model(piece.text)
        and len(lexemes(piece.text)) > 3
    ]


def decided(written: Sequence[str], source: Source) -> list[str]:
    """Of what a model calls decisions, those that were decided in so many words, and the other
    sentences that say so."""
    said = [
        piece.text
        for piece in source.pieces
        if re.search(_DECIDED, piece.text, re.IGNORECASE) and not asks(piece.text, source.language)
    ]
    kept = [
        each
        for each in written
        if not asks(each, source.language) and any(alike(each, sentence) for sentence in said)
    ]
    return unlike([*kept, *said])[:MOST_DECISIONS]


def _missed(told: Sequence[Piece], items: Sequence[ActionItem], language: str) -> list[ActionItem]:
    """Tasks that a small model has passed over, as they were said."""
    there = {item.segment_order for item in items}
    return [
        ActionItem(
            piece.text.strip(),
            owner_of(piece, language),
            due_of(piece, language),
            piece.order,
            piece.start,
        )
        for piece in told
        if piece.order not in there
    ]


def _unique(items: Sequence[ActionItem]) -> list[ActionItem]:
    unique = {" ".join(lexemes(item.task)): item for item in reversed(items)}
    return sorted(unique.values(), key=lambda item: item.segment_order)


def _checked(
    item: _Item, part: list[Piece], least: float, language: str, *, copied: bool
) -> ActionItem | None:
    """The item with the segment that it comes from; None where nobody said it.

    What is ``copied`` names nothing that is not there: else two sentences were mixed.
    """
    piece, share = anchor(item.task, part)
    cut = len(item.task) >= MOST_TASK
    if piece is None or cut or share < least or speaks_to_a_model(piece.text):
        return None
    named = " ".join(w for w in _WORD.findall(item.task) if w[0].isupper() or w.isdigit())
    if copied and not set(lexemes(named)) <= set(lexemes(piece.text)):
        return None
    task = item.task.strip().rstrip(".")
    owner = owner_of(piece, language) or _said(item.owner, piece)
    due = due_of(piece, language) or _said(item.due, piece)
    return ActionItem(task, owner, due, piece.order, piece.start)


def _said(text: str, piece: Piece) -> str | None:
    """A name or a date, unless it was made up."""
    words = lexemes(text)
    there = set(lexemes(piece.text))
    return text.strip() if words and there.issuperset(words) else None


def render_actions(items: list[ActionItem], language: str) -> str:
    """Action items as lines of text."""
    shown = []
    for item in items:
        more = ", ".join(part for part in (item.owner, item.due) if part)
        shown.append(f"- {item.task}" + (f" ({more})" if more else ""))
    return "\n".join(shown) or worded("no_action_items", language)
