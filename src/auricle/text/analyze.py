"""What is in a text: sentiment, topics, entities, action items, questions, personal data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from auricle.text import sentiment
from auricle.text.actions import ActionItem, action_items
from auricle.text.asking import Progress, ask_for, each
from auricle.text.condense import condense, keywords
from auricle.text.faithful import LEAST_TITLE, Said, stems, telling, unlike
from auricle.text.figures import figures
from auricle.text.llm import LLM, Tick
from auricle.text.named import Finder
from auricle.text.names import names as named
from auricle.text.source import Piece, Source, asks, chunks

MOST_TOPICS = 8
FEW_TOPICS = 3
"""Words that stand in for topics where the model names none that are talked about."""

MOST_MENTIONS = 20


class Topic(msgspec.Struct, frozen=True):
    """Something that is talked about."""

    name: str
    segment_order: int | None
    """Where it is talked about most, as far as its own words say."""
    start: float | None


class Mention(msgspec.Struct, frozen=True):
    """A place at which something is named."""

    segment_order: int
    start: float | None


class Entity(msgspec.Struct, frozen=True):
    """Somebody or something that is named."""

    text: str
    type: str
    count: int
    mentions: list[Mention]
    """The first twenty."""


class Question(msgspec.Struct, frozen=True):
    """A question, word for word."""

    text: str
    speaker: str | None
    segment_order: int
    start: float | None


@dataclass(frozen=True, slots=True)
class Tools:
    """What an analysis is made with. The models are loaded when they are called for; that raises
    :class:`ModelNotInstalled`."""

    llm: Callable[[], LLM]
    names: Callable[[str], Finder | None]
    """What finds names in a language; None where no model for it is installed."""
    progress: Progress
    tick: Tick


def analyze(source: Source, kind: str, language: str, tools: Tools) -> tuple[dict[str, Any], str]:
    """One kind of :data:`auricle.text.wording.ANALYSES`, and which model has made it."""
    found, model = _KINDS[kind](source, language, tools)
    return msgspec.to_builtins(found), model


def _sentiment(source: Source, language: str, tools: Tools) -> tuple[Any, str]:
    if source.language == "en":
        return sentiment.by_lexicon(source), "vader"
    llm = tools.llm()
    return sentiment.by_model(source, llm, tools.progress, tools.tick), llm.model


class _Topics(msgspec.Struct):
    topics: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=3, max_length=60)]],
        msgspec.Meta(min_length=1, max_length=MOST_TOPICS),
    ]


def topics(source: Source, language: str, tools: Tools) -> tuple[dict[str, list[Topic]], str]:
    """What is talked about, the main topics first."""
    llm = tools.llm()
    task = "List the main topics of the transcript, each in one to five words, no topic twice."

    def work(part: list[Piece]) -> list[str]:
        given = ask_for(llm, _Topics, part, task, language, 260, tools.tick).topics
        said = Said(part, llm, source.language, language)
        return [name.strip() for name in given if said.holds(name, LEAST_TITLE)]

    read = condense(source.pieces, llm.most)
    by_part = each(llm, work, chunks(read, llm.chunk), tools.progress)
    rounds = [name for names in zip(*map(_padded, by_part), strict=True) for name in names]
    named = unlike(filter(None, rounds))[:MOST_TOPICS]
    if not named and language == source.language:
        named = keywords(read, source.pieces, FEW_TOPICS)
    return {"topics": [_topic(name, source) for name in named]}, llm.model


def _padded(names: list[str]) -> list[str]:
    return [*names, *[""] * (MOST_TOPICS - len(names))]


def _topic(name: str, source: Source) -> Topic:
    words = telling(name)
    piece = max(source.pieces, key=lambda piece: len(words & stems(piece.text)))
    if not words & stems(piece.text):
        return Topic(name, None, None)
    return Topic(name, piece.order, piece.start)


def _entities(source: Source, language: str, tools: Tools) -> tuple[Any, str]:
    """Names in a text, and its dates and sums."""
    names = tools.names(source.language)
    texts = [piece.text for piece in source.pieces]
    found: list[tuple[str, str, Piece]] = []
    for piece, many in zip(source.pieces, names.find(texts) if names else (), strict=False):
        tools.tick()
        found += [(each.text, each.kind, piece) for each in many]
    if names is not None and source.language == "en":
        return {"entities": _grouped(found)}, names.model
    # Where the model knows people and places alone, the language model tells the rest.
    sure = {word for name, _, _ in found for word in name.split()}
    llm = tools.llm()
    told = named(source, language, llm, tools.progress, tools.tick)
    if names is not None:
        told = [one for one in told if one[1] not in ("person", "place")]
    rest = [one for one in told if not set(one[0].split()) <= sure]
    answered = llm.model + (f" and {names.model}" if names else "")
    return {"entities": _grouped([*found, *rest, *figures(source)])}, answered


def _grouped(found: list[tuple[str, str, Piece]]) -> list[Entity]:
    groups: dict[str, list[tuple[str, str, Piece]]] = {}
    for one in found:
        groups.setdefault(one[0].strip(" .,'’").casefold(), []).append(one)
    made = [
        Entity(
            many[0][0],
            many[0][1],
            len(many),
            [Mention(piece.order, piece.start) for _, _, piece in many[:MOST_MENTIONS]],
        )
        for name, many in groups.items()
        if name
    ]
    return sorted(made, key=lambda entity: -entity.count)


def _action_items(source: Source, language: str, tools: Tools) -> tuple[Any, str]:
    llm = tools.llm()
    found: list[ActionItem] = action_items(source, language, llm, tools.progress, tools.tick)
    return {"action_items": found}, llm.model


def _questions(source: Source, language: str, tools: Tools) -> tuple[Any, str]:
    asked = [
        Question(piece.text, piece.speaker, piece.order, piece.start)
        for piece in source.pieces
        if asks(piece.text, source.language)
    ]
    return {"questions": asked}, "punctuation"


def _pii(source: Source, language: str, tools: Tools) -> tuple[Any, str]:
    from auricle.text import pii  # noqa: PLC0415  (takes seconds to import)

    names = tools.names(source.language)
    found = pii.redact(source.text, names, tools.tick)
    return found, "presidio" + (f" and {names.model}" if names else "")


_KINDS: dict[str, Callable[[Source, str, Tools], tuple[Any, str]]] = {
    "sentiment": _sentiment,
    "topics": topics,
    "entities": _entities,
    "action_items": _action_items,
    "questions": _questions,
    "pii_redact": _pii,
}
