"""Names in languages that no model for names is installed for.

Where a script has capitals, what may be a name is found by them; the language model only says what
each is. So nothing is listed that is not in the text, and all of the text is looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from auricle.text.asking import Progress, ask_for, each
from auricle.text.llm import LLM, Tick
from auricle.text.source import Piece, Source, chunks, tokens

MOST_CANDIDATES = 48
"""What may be a name; what is named most often goes first."""

AT_A_TIME = 12

LEAST_BARE = 0.7
"""Share of its places at which a German name has no article or adjective before it: nouns do."""

LONG = 30
"""Segments from which on a name must stand within a sentence at least once: in fewer, "Tom" may
only ever begin one."""

Kind = Literal["person", "organization", "place", "other", "no name"]
Found = tuple[str, str, Piece]
"""A name, its kind and where it is."""


class _Named(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(min_length=2, max_length=40)]
    type: Literal["person", "organization", "place", "other"]


class _Entities(msgspec.Struct):
    entities: Annotated[list[_Named], msgspec.Meta(max_length=20)]


def names(source: Source, language: str, llm: LLM, progress: Progress, tick: Tick) -> list[Found]:
    """The names in a text, with every place at which they stand."""
    if not any(char.isupper() for piece in source.pieces for char in piece.text):
        return _listed(source, language, llm, progress, tick)
    places = candidates(source)
    ordered = list(places)
    shown = [Piece(f"{name}: {places[name][0].text}", n) for n, name in enumerate(ordered)]
    groups = [shown[at : at + AT_A_TIME] for at in range(0, len(shown), AT_A_TIME)]

    def work(group: list[Piece]) -> list[str]:
        return _kinds([ordered[piece.order] for piece in group], group, llm, tick)

    kinds = [kind for found in each(llm, work, groups, progress) for kind in found]
    return [
        (name, kind, piece)
        for name, kind in zip(ordered, kinds, strict=True)
        if kind != "no name"
        for piece in places[name]
    ]


def _kinds(names: Sequence[str], shown: Sequence[Piece], llm: LLM, tick: Tick) -> list[str]:
    """What each of some candidates is: the decoder writes their names, the model their kinds."""
    fields = {f"name_{number}": name for number, name in enumerate(names)}
    shape = msgspec.defstruct("Kinds", [(field, Kind) for field in fields], rename=fields)
    task = (
        "For each word, say what it is in its sentence. Examples: Peter: person. Hamburg: place. "
        "BMW: organization. Money: no name. Tuesday: no name."
    )
    most = sum(2 * tokens(name) + 12 for name in names) + 40
    made = ask_for(llm, shape, shown, task, "en", most, tick)
    return [getattr(made, field) for field in fields]


_WORDS = re.compile(r"[\w’'-]+|[^\w\s]")


def candidates(source: Source) -> dict[str, list[Piece]]:
    """What may be a name, with the pieces that hold it; what is there most often goes first."""
    lower = {w for piece in source.pieces for w in _WORDS.findall(piece.text) if w.islower()}
    found: dict[str, list[Piece]] = {}
    bare: Counter[str] = Counter()
    inner: Counter[str] = Counter()
    for piece in source.pieces:
        for name, alone, begins in _runs(piece.text, lower):
            found.setdefault(name, []).append(piece)
            bare[name] += alone
            inner[name] += not begins
    least = LEAST_BARE if source.language == "de" else 0.0
    good = [
        name
        for name, pieces in found.items()
        if bare[name] >= least * len(pieces)
        and (inner[name] or len(source.pieces) < LONG)
        and name.casefold() not in _DAYS
    ]
    best = sorted(good, key=lambda name: -len(found[name]))[:MOST_CANDIDATES]
    return {name: found[name] for name in best}


def _runs(text: str, lower: set[str]) -> list[tuple[str, bool, bool]]:
    """Runs of capitalised words, whether each stands without article or adjective, and whether it
    begins a sentence."""
    words = _WORDS.findall(text)
    runs: list[tuple[str, bool, bool]] = []
    run: list[str] = []
    before, first = "", False
    for at, word in enumerate([*words, ""]):
        begins = at == 0 or words[at - 1] in ".!?"
        named = word[:1].isupper() and len(word) > 1 and not (begins and word.lower() in lower)
        if named:
            if not run:
                before, first = (words[at - 1].lower() if at else ""), begins
            run.append(word)
        elif run:
            runs.append((" ".join(run), not _BEFORE_A_NOUN.fullmatch(before), first))
            run = []
    return runs


_BEFORE_A_NOUN = re.compile(
    r"\d+|das|[kmds]?ein|ihr|viel|all|im|am|zum|zur|vom|beim|ins|ans|\w+(?:e|en|er|es|em)"
)
"""What stands before German nouns that are no names: articles, adjectives, numbers."""

_DAYS = frozenset({
    "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag", "januar",
    "februar", "märz", "april", "mai", "juni", "juli", "august", "september", "oktober", "november",
    "dezember",
})  # fmt: skip


def _listed(source: Source, language: str, llm: LLM, progress: Progress, tick: Tick) -> list[Found]:
    """What the language model lists, where it stands in the text."""
    task = (
        "List the people, organisations and places that are named in the transcript, as they are "
        "written there. An empty list where nobody and nothing is named."
    )

    def work(part: list[Piece]) -> list[Found]:
        listed = ask_for(llm, _Entities, part, task, language, 500, tick).entities
        return [(e.text, e.type, piece) for e in listed for piece in part if e.text in piece.text]

    parts = each(llm, work, chunks(source.pieces, llm.chunk), progress)
    return [one for part in parts for one in part]
