"""Corrections of what was heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from auricle.library.models import Segment as Row
from auricle.library.models import Vector
from auricle.library.words import search_vector, to_row, to_word
from auricle.transcript import Word
from auricle.transcript.languages import UNSPACED

MOST_PAIRS = 40_000
"""Old words times new ones above which they are not compared: that takes cubic time at worst."""


def correct(row: Row, text: str, language: str) -> None:
    """Write another text into a segment. Words that stay keep their times; the others share the
    time of those that they replace."""
    old = [to_word(word) for word in row.words]
    new = tuple(corrected(old, _split(text, language)))
    row.words = [to_row(word) for word in new]
    row.search = search_vector(new)
    row.save(update_fields=["words", "search"])
    Vector.objects.filter(segment=row).delete()  # it is made anew when somebody searches


def corrected(old: Sequence[Word], texts: Sequence[str]) -> Iterator[Word]:
    """The words of a new text, with times after those of the old one.

    ``texts`` carry their leading blanks. The result covers the same time as ``old``.
    """
    if len(old) * len(texts) > MOST_PAIRS:
        yield from _shared(old, 0, len(old), texts)
        return
    matcher = SequenceMatcher(
        a=[word.bare for word in old], b=[t.strip() for t in texts], autojunk=False
    )
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(old[first:last], texts[begin:end], strict=True)
            yield from (Word(t, w.start, w.end, w.probability, w.speaker) for w, t in pairs)
        else:
            yield from _shared(old, first, last, texts[begin:end])


def _shared(old: Sequence[Word], first: int, last: int, texts: Sequence[str]) -> Iterator[Word]:
    """New words in the time of the old ones, by their lengths; in no time where none were."""
    if first < last:
        start, end = old[first].start, old[last - 1].end
    else:
        start = end = old[first - 1].end if first else old[0].start
    letters = sum(len(text) for text in texts)
    passed = 0
    for text in texts:
        at = start + (end - start) * passed / letters
        passed += len(text)
        until = start + (end - start) * passed / letters
        yield Word(text, round(at, 3), round(until, 3), 1.0, old[0].speaker)


def _split(text: str, language: str) -> list[str]:
    """A text's words with their leading blanks; letters where words have no blanks."""
    if language in UNSPACED:
        return list(" ".join(text.split()))
    return [f" {word}" for word in text.split()]
