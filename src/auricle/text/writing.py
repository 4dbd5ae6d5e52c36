"""Texts in parts: a model fills them sentence by sentence, and what it has made up is left out.

A kind of text is a row of parts. They are decoded by a schema, so that neither form nor end depends
on the model; what is wanting is filled up with sentences of the transcript itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import msgspec

from auricle.core.errors import Unavailable
from auricle.text.asking import Progress, ask_for, each
from auricle.text.condense import central, condense, keywords
from auricle.text.faithful import LEAST_TITLE, Said, telling, unlike
from auricle.text.llm import LLM, Tick, is_small
from auricle.text.source import Piece, Source, chunks, tokens
from auricle.transcript.search import lexemes

MOST_SENTENCE = 220
"""Characters of a sentence."""

MOST_TITLE = 80
MOST_TOKENS_A_LETTER = 0.7
"""In scripts that a model's vocabulary knows little of."""

LEAST_RUN = 3
"""Words from which on a run of them tells which sentence they are of."""

FEWEST_NOTES = 4
"""Notes that a small model is shown at least."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text."""

    name: str
    wanted: str
    """What it is, as a model is told."""
    most: int = 1
    """Sentences, bullet points or posts that it has at most."""
    least: int = 0
    """To how many the transcript's own sentences fill it up; a title is filled up in any case."""
    title: bool = False


class Coverage(msgspec.Struct, frozen=True):
    """How much of a text a model has read; the rest was passed over as saying little."""

    segments: int
    read: int


@dataclass(frozen=True, slots=True)
class Written:
    """The sentences of each part, and what they are made from."""

    parts: dict[str, list[str]]
    coverage: Coverage
    read: list[Piece]


@dataclass(frozen=True, slots=True)
class Writer:
    """What a text is written from, and with."""

    source: Source
    language: str
    llm: LLM
    progress: Progress
    tick: Tick
    wish: str = ""
    """What the person who asks wants besides."""


_NOTES = (Part("notes", "the main points as short sentences: who, what, numbers, decisions", 6, 4),)


def write(writer: Writer, what: str, parts: Sequence[Part]) -> Written:
    """Have something written about a text of any length.

    Raises :class:`Unavailable` when nothing that the model gives can be used.
    """
    source, llm = writer.source, writer.llm
    read = condense(source.pieces, llm.most)
    coverage = Coverage(len(source.pieces), len(read))
    cut = chunks(read, llm.chunk)
    if len(cut) == 1:
        writer.progress(0, 1)
        return Written(_fill(writer, what, parts, read), coverage, read)
    notes = _notes(writer, cut, partial(_of_all, writer.progress, len(cut) + 1))
    if is_small(llm):  # it copies what it is shown first: so that is what stands for all parts
        notes = central(notes, max(FEWEST_NOTES, sum(part.most for part in parts)))
        if len(parts) == 1:  # and what it leaves out of that is put back
            parts = [replace(part, least=part.most) for part in parts]
    writer.progress(len(cut), len(cut) + 1)
    return Written(_fill(writer, what, parts, notes, read), coverage, read)


def _of_all(progress: Progress, steps: int, done: int, total: int) -> None:
    progress(done, steps)


def _notes(writer: Writer, cut: Sequence[list[Piece]], progress: Progress) -> list[Piece]:
    """Notes of all parts that fit into one prompt; notes of notes where they do not."""
    what = "Write notes of this part of a transcript."

    noting = replace(writer, language=writer.source.language)  # in which they can be checked

    def work(part: list[Piece]) -> list[str]:
        return _fill(noting, what, _NOTES, part)["notes"]

    made = [note for notes in each(writer.llm, work, cut, progress) for note in notes]
    pieces = [Piece(note, order) for order, note in enumerate(made)]
    again = chunks(pieces, writer.llm.chunk)
    fit = sum(tokens(note) for note in made) <= writer.llm.chunk or len(again) >= len(cut)
    return pieces if fit else _notes(writer, again, progress)


def _fill(
    writer: Writer,
    what: str,
    parts: Sequence[Part],
    shown: Sequence[Piece],
    read: Sequence[Piece] | None = None,
) -> dict[str, list[str]]:
    """Have the parts made of what is shown: pieces of the text, or notes of what was ``read``.
    They are checked against both."""
    made = _made(writer, what, parts, shown)
    pieces, notes = (shown, ()) if read is None else (read, shown)
    known = [*pieces, Piece(writer.wish, -1)]
    said = Said(known, writer.llm, writer.source.language, writer.language, notes)
    found: dict[str, list[str]] = {}
    speakers = {piece.speaker for piece in writer.source.pieces if piece.speaker}
    for part in parts:
        whole = [each for each in getattr(made, part.name) if len(each) < _longest(part)]
        given = [tidy(sentence, speakers) for sentence in whole]
        before = [s for p in parts if p.title == part.title for s in found.get(p.name, ())]
        if said.strict and not part.title:
            given = _whole(given, known)
        found[part.name] = _kept(part, [g for g in given if g], said, before)
    if said.same_language:
        _fill_up(parts, found, shown, writer.source.pieces)
    elif not any(found.values()):
        raise Unavailable(f"The model {writer.llm.model} gave no answer that can be used.")
    return found


def _made(writer: Writer, what: str, parts: Sequence[Part], shown: Sequence[Piece]) -> Any:
    """What the model makes of the parts; nothing where a small one runs in circles."""
    told = "; ".join(f"'{part.name}': {_wanted(part)}" for part in parts)
    wish = f" The reader also wants: {writer.wish}" if writer.wish else ""
    task = f"{what} {told}.{wish}"
    shape = _shape(parts, len(shown))
    most = _most_tokens(writer, parts, shown)
    try:
        return ask_for(writer.llm, shape, shown, task, writer.language, most, writer.tick)
    except Unavailable:
        if not is_small(writer.llm):
            raise
        return shape(**{part.name: [] for part in parts})


def _most_tokens(writer: Writer, parts: Sequence[Part], shown: Sequence[Piece]) -> int:
    """Tokens in which all parts fit; of a short text, few: more would be made up."""
    text = "".join(piece.text for piece in shown) or " "
    same = writer.language == writer.source.language
    sentence = MOST_SENTENCE * (tokens(text) / len(text) if same else MOST_TOKENS_A_LETTER)
    room = 150 + 30 * len(parts) + 3 * tokens(text)
    return min(int(sum(part.most for part in parts) * (sentence + 15)), room if same else 10**6)


def _wanted(part: Part) -> str:
    return part.wanted if part.most == 1 else f"{part.wanted} (at most {part.most})"


def _shape(parts: Sequence[Part], pieces: int) -> type[Any]:
    """Lists of sentences, by the names of the parts; no more of them than there can be."""
    fields = []
    for part in parts:
        sentence = Annotated[str, msgspec.Meta(min_length=3, max_length=_longest(part))]
        most = max(1, min(part.most, 2 * pieces))
        # A part that need not be filled may be empty.
        length = msgspec.Meta(min_length=int(part.title or part.least > 0), max_length=most)
        fields.append((part.name, Annotated[list[sentence], length]))
    return msgspec.defstruct("Parts", fields)


def _longest(part: Part) -> int:
    """Characters at which the decoder cuts: what is as long is no whole sentence."""
    return MOST_TITLE if part.title else MOST_SENTENCE


def _kept(part: Part, given: Sequence[str], said: Said, before: Sequence[str]) -> list[str]:
    """What is proper of a part, and is in no part of its sort before it."""
    if part.title:
        short = [each.rstrip(".") for each in given]
        return [each for each in unlike(short, before) if said.holds(each, LEAST_TITLE)][:1]
    proper = [each for each in given if not _half(each) and said.holds(each)]
    return [_ended(sentence) for sentence in unlike(proper, before)]


def _fill_up(
    parts: Sequence[Part],
    found: dict[str, list[str]],
    shown: Sequence[Piece],
    whole: Sequence[Piece],
) -> None:
    """Put the transcript's own sentences where too little has been written."""
    for part in parts:
        wanting = 0 if part.title else part.least - len(found[part.name])
        if wanting > 0:
            others = [s for p in parts if not p.title for s in found[p.name]]
            candidates = [_ended(piece.text) for piece in central(shown, part.least + len(others))]
            found[part.name] += unlike(candidates, others)[:wanting]
            found[part.name].sort(key=partial(_place, shown))
    for number, part in enumerate(parts):
        if part.title and not found[part.name]:
            below = found[parts[number + 1].name] if number else []  # what a heading stands above
            headed = [Piece(sentence, 0) for sentence in below]
            names = [", ".join(keywords(headed, whole, 3))] if headed else titles_of(shown, whole)
            taken = [name for p in parts if p.title for name in found[p.name]]
            found[part.name] = [name for name in names if name and name not in taken][:1]


def _place(shown: Sequence[Piece], sentence: str) -> int:
    """Where a sentence was said, about."""
    words = telling(sentence)
    return max(shown, key=lambda piece: len(words & telling(piece.text))).order


def title(writer: Writer, pieces: Sequence[Piece]) -> str:
    """A title for some pieces."""
    part = Part("title", "a title of two to six words", title=True)
    try:
        return _fill(writer, "Name this part of a transcript.", [part], pieces)["title"][0]
    except Unavailable:
        if not is_small(writer.llm):
            raise
        return titles_of(pieces, writer.source.pieces)[0]  # as it was said, if in another language


def titles_of(part: Sequence[Piece], whole: Sequence[Piece]) -> list[str]:
    """Titles that need no model: short sentences that say most, and words of a part alone."""
    said = [piece.text.rstrip(".") for piece in central(part, min(3, len(part)))]
    words = ", ".join(keywords(part, whole, 3)) or part[0].text
    return [*(each for each in said if len(each) < MOST_TITLE), words[:MOST_TITLE]]


def tidy(sentence: str, speakers: Collection[str] = ()) -> str:
    """A sentence without the marks and numbers that models put around it, and without the name of
    the speaker that stands before it in a prompt."""
    label, colon, said = sentence.partition(": ")
    sentence = said if colon and label.strip() in speakers else sentence
    sentence = re.sub(r"^\W*\d{1,2}[.)] ", "", sentence)
    return " ".join(sentence.split()).strip('"“”*#_- ')


_SENTENCES = re.compile(r"(?<=[.!?…])\s+(?=[^\W\d_])")


def _whole(given: Iterable[str], known: Sequence[Piece]) -> list[str]:
    """Sentences, completed where they are part of one that was said; without others that begin in
    the middle."""
    cased = any(piece.text[:1].isupper() for piece in known)
    cut = (sentence for each in given for sentence in _SENTENCES.split(each) if sentence)
    said = [(_run(p.text), p.text.strip()) for p in known if len(p.text) < MOST_SENTENCE]
    made = [_completed(sentence, said) for sentence in cut]
    return [sentence for sentence in made if not (cased and sentence[:1].islower())]


def _completed(sentence: str, said: Sequence[tuple[str, str]]) -> str:
    """The whole of a sentence of which only a run of words was written; ``said`` are runs with
    their sentences."""
    run = _run(sentence)
    if len(run.split()) < LEAST_RUN:
        return sentence
    return next((whole for words, whole in said if run in words), sentence)


def _run(text: str) -> str:
    return f" {' '.join(lexemes(text))} "


def _half(sentence: str) -> bool:
    """Whether a sentence stops after a few words."""
    return sentence[-1:].isalnum() and len(lexemes(sentence)) < 4


def _ended(sentence: str) -> str:
    return f"{sentence}." if sentence[-1:].isalnum() and len(sentence.split()) > 3 else sentence
