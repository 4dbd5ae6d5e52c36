"""A text as it is spoken: numbers and abbreviations in words, sentence by sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import partial

import msgspec
from num2words import num2words
from spokenform import prepare

LONGEST = 250
"""Characters that are spoken at a time: some 20 s, and well within what Kokoro takes."""

FIRST = 60
"""Characters of the first piece, if it has clauses: so the first sound comes soon."""

SENTENCE_S, PARAGRAPH_S, CLAUSE_S = 0.3, 0.6, 0.12
"""Pauses after a piece of text."""

_GROUPED = re.compile(r"(?<=\d)[\u00a0\u2009\u202f ](?=\d{3}(?!\d))")
_COUNTED = re.compile(r"(?<![\d.,])\d{4,15}(?= [^\W\d_]{3,})")
_DIGITS = re.compile(r"\d{1,15}")
_SENTENCES = re.compile(r"(?<=[.!?…])[\"'»”’)]*\s+")
_CLAUSES = re.compile(r"(?<=[,;:—–])\s+|\s+(?=[—–])")


class Piece(msgspec.Struct, frozen=True):
    """A piece of text, and the pause after it."""

    text: str
    pause_s: float


def pieces(text: str, language: str) -> Iterator[Piece]:
    """The sentences of a text, long ones at their clauses, as they are spoken."""
    most = FIRST
    for paragraph in re.split(r"\n\s*\n", unicodedata.normalize("NFC", text)):
        sentences = _SENTENCES.split(in_words(" ".join(paragraph.split()), language))
        found: list[Piece] = []
        for sentence in sentences:
            found += (clause for clause in _clauses(sentence, most) if clause.text)
            most = LONGEST if found else most
        for place, piece in enumerate(found):
            last = place == len(found) - 1
            yield Piece(piece.text, PARAGRAPH_S if last else piece.pause_s)


def in_words(text: str, language: str) -> str:
    """The same with numbers, dates, amounts and abbreviations written out."""
    if not text:
        return ""
    code = language.partition("-")[0]
    if code == "fr":  # spokenform reads "1234 maisons" as 123, 4 and metres
        text = _COUNTED.sub(partial(_number, code), _GROUPED.sub("", text))
    found: str = prepare(text, language=code, use_spacy=False).spoken_text
    if code == "en":  # misaki reads what is left as English does: years in pairs, for instance
        return found
    return _DIGITS.sub(partial(_number, code), found)


def _number(code: str, digits: re.Match[str]) -> str:
    return f" {num2words(int(digits[0]), lang=code)} "


def _clauses(sentence: str, most: int) -> Iterator[Piece]:
    """A sentence whole, or its clauses in parts of ``most`` characters, where they are no longer;
    none is longer than :data:`LONGEST`."""
    held = ""
    for clause in _CLAUSES.split(sentence.strip()) if len(sentence) > most else [sentence]:
        for part in _words(clause.strip()):
            if held and len(held) + len(part) >= most:
                yield Piece(held, CLAUSE_S)
                held, most = "", LONGEST
            held = f"{held} {part}".strip()
    yield Piece(held, SENTENCE_S)


def _words(clause: str) -> Iterator[str]:
    """A clause whole, or what fits of its words, or of a word that is endless."""
    while len(clause) > LONGEST:
        cut = clause.rfind(" ", 0, LONGEST)
        cut = cut if cut > 0 else LONGEST
        yield clause[:cut]
        clause = clause[cut:].strip()
    yield clause
