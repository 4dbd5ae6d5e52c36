"""The sentences that say most: what a small model on a slow processor reads of a long text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from auricle.text.source import Piece, tokens
from auricle.transcript.search import lexemes

SECTIONS = 12
"""Parts of equal length of which each keeps its share, so that no part is left out."""


def condense(pieces: Sequence[Piece], most: int | None) -> list[Piece]:
    """At most so many tokens of the pieces, in their order; all of them where they fit, and where
    there is no limit.

    What is kept is central: it has many words that are frequent in its part and rare in others.
    """
    if most is None or sum(tokens(piece.text) for piece in pieces) <= most:
        return list(pieces)
    bounds = np.linspace(0, len(pieces), SECTIONS + 1).astype(int)
    parts = [range(a, b) for a, b in pairwise(bounds)]
    words = [lexemes(piece.text) for piece in pieces]
    weights = _weights([[word for n in part for word in words[n]] for part in parts])
    kept: set[int] = set()
    for part, weight in zip(parts, weights, strict=True):
        room = most / SECTIONS
        ranked = sorted(part, key=lambda n: -_score(words[n], weight))
        for number in ranked:
            size = tokens(pieces[number].text)
            if size <= room:
                kept.add(number)
                room -= size
    return [pieces[number] for number in sorted(kept)]


def _weights(parts: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """What each word weighs in each part: tf-idf."""
    counts = [Counter(part) for part in parts]
    spread = Counter(word for count in counts for word in count)
    return [
        {
            word: np.log1p(times) * np.log((len(parts) + 1) / (spread[word] + 0.5))
            for word, times in count.items()
        }
        for count in counts
    ]


def _score(words: Sequence[str], weight: dict[str, float]) -> float:
    if len(words) < 4:
        return 0.0
    return float(sum(weight[word] for word in set(words)) / len(words) ** 0.5)
