"""Words to segments: a new one at the end of a sentence, at a pause, where the speaker changes."""

from __future__ import annotations

from collections.abc import Iterable

from auricle.transcript.model import Segment, Word

PAUSE_S = 1.0
"""A silence this long ends a segment even inside a sentence."""

LONGEST_S = 20.0
"""A segment longer than this is cut at its next comma, or at twice this anywhere."""

SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "．", "؟", "۔", "।", "॥", "።", "།", "៖")
CLAUSE_ENDS = (",", ";", ":", "،", "؛", "、", "，", "；", "：")
_CLOSERS = "\"'”’»)]}」』）】"
_ABBREVIATIONS = frozenset(
    [
        *("mr", "mrs", "ms", "dr", "st", "prof", "sr", "jr", "vs", "no", "nr", "inc", "ltd", "co"),
        *("e.g", "i.e", "bzw", "z.b"),
    ]
)


def split_words(words: Iterable[Word]) -> tuple[Segment, ...]:
    """Group words, in time order, into segments."""
    segments: list[Segment] = []
    current: list[Word] = []
    for word in words:
        if current and _breaks(current, word):
            segments.append(Segment(tuple(current)))
            current = []
        current.append(word)
    if current:
        segments.append(Segment(tuple(current)))
    return tuple(segments)


def _breaks(current: list[Word], following: Word) -> bool:
    last = current[-1]
    if following.speaker != last.speaker or following.start - last.end >= PAUSE_S:
        return True
    length = following.end - current[0].start
    return (
        ends_sentence(last.text, following.text)
        or (length > LONGEST_S and last.bare.rstrip(_CLOSERS).endswith(CLAUSE_ENDS))
        or length > 2 * LONGEST_S
    )


def ends_sentence(text: str, following: str) -> bool:
    """Whether a sentence ends between these two words of a text."""
    core = text.strip().rstrip(_CLOSERS)
    if not core.endswith(SENTENCE_ENDS):
        return False
    if not core.endswith("."):
        return True
    if following and not following[0].isspace():  # 3.14, example.com, U.S.
        return False
    stem = core.rstrip(".").lstrip("\"'“‘«([{").lower()
    is_initial = len(stem) == 1 and stem.isalpha() and stem != "i"
    is_lower = following.lstrip().lstrip("\"'“‘«([{")[:1].islower()
    return not (is_initial or is_lower or stem in _ABBREVIATIONS)
