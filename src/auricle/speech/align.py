"""Word times: from token times within a window to words on the recording's clock.

Cross-attention gives a word all the time up to the next one, silence included. Voice activity
knows better where speech begins and ends, so every word is held to one voiced span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from auricle.speech.engines import Aligned, Tokens
from auricle.speech.windows import Span, Window
from auricle.transcript import Word

EDGE_S = 0.12
"""Voice activity notices the first sound late and the last one early by about this much."""

SHORTEST_S = 0.02
LONGEST_S = 2.0
"""A word that lasts longer has swallowed a pause: it is cut to this."""

Interval = tuple[float, float]


def to_words(
    window: Window,
    aligned: Aligned,
    tokens: Sequence[int],
    vocabulary: Tokens,
    language: str,
    not_before: float = 0.0,
) -> list[Word]:
    """The words of one window: in time order, after ``not_before``, none outside of speech."""
    last = window.pieces[-1]
    intervals = speech_intervals(window.spans, not_before, last.start + last.duration)
    groups: list[list[Word]] = [[] for _ in intervals]
    place = 0
    for word in _timed(window, aligned, tokens, vocabulary, language):
        place = max(place, _nearest(word, intervals))
        groups[place].append(word)
    return [
        word
        for group, interval in zip(groups, intervals, strict=True)
        for word in fit(group, interval)
    ]


def _timed(
    window: Window, aligned: Aligned, tokens: Sequence[int], vocabulary: Tokens, language: str
) -> list[Word]:
    """Words with the times that attention gives them."""
    words: list[Word] = []
    at = 0
    for text, count in vocabulary.split_words(tokens, language):
        if text.strip():
            start = window.to_recording(aligned.starts[at])
            end = window.to_recording(aligned.starts[at + count])
            share = aligned.probabilities[at : at + count]
            probability = min(1.0, max(0.0, sum(share) / len(share)))
            words.append(Word(text, start, max(start, end), probability))
        at += count
    return words


def speech_intervals(spans: Sequence[Span], not_before: float, not_after: float) -> list[Interval]:
    """Spans widened to where speech can be, without touching each other."""
    starts = [min(not_after, max(not_before, span.start - EDGE_S)) for span in spans]
    ends = [min(not_after, span.end + EDGE_S) for span in spans]
    for index, (left, right) in enumerate(pairwise(spans)):
        middle = (left.end + right.start) / 2
        ends[index] = min(ends[index], middle)
        starts[index + 1] = max(starts[index + 1], middle)
    return [(start, max(start, end)) for start, end in zip(starts, ends, strict=True)]


def _nearest(word: Word, intervals: Sequence[Interval]) -> int:
    """The interval that a word shares most time with, or else the nearest one."""

    def shared(index: int) -> float:
        start, end = intervals[index]
        return min(word.end, end) - max(word.start, start)

    return max(range(len(intervals)), key=shared)


def fit(words: Sequence[Word], interval: Interval) -> list[Word]:
    """Put words into an interval: in order, none empty where there is room, times in whole ms."""
    if not words:
        return []
    first, last = interval
    shortest = min(SHORTEST_S, (last - first) / len(words))
    starts: list[float] = []
    ends: list[float] = []
    previous = first
    for word in words:
        start = min(max(word.start, previous), last)
        previous = min(max(word.end, start + shortest), last, start + LONGEST_S)
        starts.append(start)
        ends.append(previous)
    limit = last
    for index in reversed(range(len(words))):  # words that crowd at the end are pushed back
        ends[index] = min(ends[index], limit)
        starts[index] = max(first, min(starts[index], ends[index] - shortest))
        limit = starts[index]
    return [
        replace(word, start=round(start, 3), end=round(end, 3))
        for word, start, end in zip(words, starts, ends, strict=True)
    ]
