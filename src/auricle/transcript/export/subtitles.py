"""SRT and WebVTT, laid out for reading.

Limits after the BBC subtitle guidelines and Netflix' timed text style guide: two lines of 42
columns, a cue stays between 5/6 s and 7 s, cues never overlap. Columns are counted as a terminal
would, so that Chinese, Japanese and Korean lines hold half as many characters.
WebVTT: https://www.w3.org/TR/webvtt1/ (``&``, ``<`` and ``>`` are escaped). SRT has no standard.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auricle.transcript.model import Segment, Word
from auricle.transcript.segments import CLAUSE_ENDS, SENTENCE_ENDS
from auricle.transcript.transcript import Transcript

LINE_COLUMNS = 42
LONGEST_S = 7.0
SHORTEST_S = 5 / 6
PAUSE_S = 0.7
"""A silence inside a segment that ends a cue."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is on the screen at once."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str | None


def to_srt(transcript: Transcript) -> str:
    """Render as SubRip."""
    named = len(transcript.speakers) > 1
    blocks = []
    for number, cue in enumerate(cues(transcript), 1):
        text = "\n".join(cue.lines)
        prefix = f"{cue.speaker}: " if named and cue.speaker else ""
        times = f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}"
        blocks.append(f"{number}\n{times}\n{prefix}{text}\n")
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """Render as WebVTT, speakers as voice spans."""
    named = len(transcript.speakers) > 1
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript):
        text = html.escape("\n".join(cue.lines), quote=False)
        voice = f"<v {html.escape(cue.speaker, quote=False)}>" if named and cue.speaker else ""
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{voice}{text}\n")
    return "\n".join(blocks)


def cues(transcript: Transcript) -> tuple[Cue, ...]:
    """Lay a transcript out as cues, in time order, without overlap."""
    groups = [group for segment in transcript.segments for group in _split(segment)]
    return tuple(_timed(groups, transcript.duration))


def _timed(groups: Sequence[tuple[Word, ...]], duration: float) -> Iterator[Cue]:
    """Give short cues more time where the next one leaves it."""
    for index, words in enumerate(groups):
        start, end = words[0].start, words[-1].end
        limit = groups[index + 1][0].start if index + 1 < len(groups) else max(duration, end)
        yield Cue(start, max(end, min(start + SHORTEST_S, limit)), _lines(words), words[0].speaker)


def _split(segment: Segment) -> Iterator[tuple[Word, ...]]:
    """Cut a segment into groups of words that fit on a screen."""
    rest = list(segment.words)
    while rest:
        size = _fitting(rest)
        if size < len(rest):
            size = _best_cut(rest, size)
        yield tuple(rest[:size])
        rest = rest[size:]


def _fitting(words: Sequence[Word]) -> int:
    """How many of the first words fit into one cue."""
    for size in range(1, len(words)):
        following = words[size]
        if following.start - words[size - 1].end >= PAUSE_S:
            return size
        if following.end - words[0].start > LONGEST_S or len(_wrap(words[: size + 1])) > 2:
            return size
    return len(words)


def _best_cut(words: Sequence[Word], size: int) -> int:
    """Where to end a cue that could hold ``size`` words: at a pause, after punctuation, or so that
    what is left over for the last cue is more than a word or two."""
    if words[size].start - words[size - 1].end >= PAUSE_S:
        return size
    fewest = max(size // 2, 1)
    for at in range(size, fewest, -1):
        if words[at - 1].bare.endswith(SENTENCE_ENDS + CLAUSE_ENDS):
            return at
    half = (len(words) + 1) // 2
    return max(fewest, min(size, half)) if len(words) < 2 * size else size


def _lines(words: Sequence[Word]) -> tuple[str, ...]:
    """One line, or two that are as equal as the words allow."""
    whole = _text(words)
    if columns(whole) <= LINE_COLUMNS:
        return (whole,)
    pairs = [(_text(words[:at]), _text(words[at:])) for at in range(1, len(words))]
    fitting = [pair for pair in pairs if max(map(columns, pair)) <= LINE_COLUMNS]
    if fitting:
        return min(fitting, key=lambda pair: abs(columns(pair[0]) - columns(pair[1])))
    return tuple(_wrap(words))


def _wrap(words: Sequence[Word]) -> list[str]:
    """Fill lines greedily; a word longer than a line is broken."""
    lines = [""]
    for word in words:
        if columns((lines[-1] + word.text).strip()) > LINE_COLUMNS and lines[-1].strip():
            lines.append("")
        lines[-1] += word.text
        while columns(lines[-1].strip()) > LINE_COLUMNS:
            head = _head(lines[-1].strip())
            lines[-1:] = [head, lines[-1].strip()[len(head) :]]
    return [line.strip() for line in lines]


def _head(text: str) -> str:
    """The longest beginning of a text that fits on a line."""
    size = 1
    while size < len(text) and columns(text[: size + 1]) <= LINE_COLUMNS:
        size += 1
    return text[:size]


def _text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words).strip()


def columns(text: str) -> int:
    """Width of a text in columns: wide characters count two, combining marks none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
