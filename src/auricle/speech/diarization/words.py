"""Whose words they are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from auricle.speech.diarization.protocol import Turn
from auricle.transcript import Word

ONLY = "Speaker 1"
"""What the speaker is called where nobody can be told from anybody else."""


def told_apart(
    words: Sequence[Word], turns: Sequence[Turn], names: Mapping[int, str]
) -> tuple[Word, ...]:
    """The words with their speakers: ``Speaker 1``, ``Speaker 2``... by first appearance.

    ``names`` are those of speakers who are known. A word belongs to whoever speaks during most of
    it, to the speaker before if that is undecided, and to the nearest turn if nobody does.
    """
    labels: dict[int | None, str] = {}
    result = []
    for word, speaker in zip(words, _speakers(words, turns), strict=True):
        if speaker not in labels:
            named = None if speaker is None else names.get(speaker)
            labels[speaker] = named or f"Speaker {len(labels) + 1}"
        result.append(replace(word, speaker=labels[speaker]))
    return tuple(result)


def _speakers(words: Iterable[Word], turns: Sequence[Turn]) -> Iterator[int | None]:
    """A speaker's number for each word; None for all if there are no turns."""
    turns = sorted(turns, key=lambda turn: turn.start)
    starts = [turn.start for turn in turns]
    # Of those that began before a word, the one that ended last.
    ended = list(accumulate(turns, _later))
    longest = max((turn.end - turn.start for turn in turns), default=0.0)
    before: int | None = None
    for word in words:
        first = bisect_left(starts, word.start - longest)
        last = bisect_left(starts, max(word.end, word.start + 1e-3))
        shares = _shares(turns[first:last], word)
        if shares:
            most = max(shares.values())
            decided = [speaker for speaker, share in shares.items() if share >= most - 1e-3]
            before = before if before in decided else decided[0]
        elif turns:
            near = [*ended[max(0, last - 1) : last], *turns[last : last + 1]]
            before = min(near, key=lambda turn: _gap(turn, word)).speaker
        yield before


def _shares(turns: Iterable[Turn], word: Word) -> dict[int, float]:
    """Seconds of a word in which each speaker speaks; a word without length has a moment."""
    shares: dict[int, float] = {}
    end = max(word.end, word.start + 1e-3)
    for turn in turns:
        share = min(turn.end, end) - max(turn.start, word.start)
        if share > 0:
            shares[turn.speaker] = shares.get(turn.speaker, 0.0) + share
    return shares


def _later(one: Turn, other: Turn) -> Turn:
    """The one that ends later."""
    return one if one.end >= other.end else other


def _gap(turn: Turn, word: Word) -> float:
    return max(turn.start - word.end, word.start - turn.end, 0.0)
