"""Which segments a question is about: by meaning and by words, merged by rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auricle.transcript.search import lexemes

F32 = NDArray[np.float32]

RELEVANT = 0.25
"""Cosine of a question and a segment below which they have nothing to do with each other."""

COMMON = 0.2
"""Share of the segments from which on a word says nothing: "the", "what"."""

K = 60
"""Constant of reciprocal rank fusion, as its authors set it (Cormack et al. 2009)."""


def nearest(question: F32, vectors: F32, most: int) -> list[tuple[int, float]]:
    """Rows of ``vectors`` (``[rows, 384]``, unit length) by their cosine to a question."""
    scores = vectors @ question
    best = np.argsort(-scores)[:most]
    return [(int(row), float(scores[row])) for row in best if scores[row] >= RELEVANT]


def worded(question: str, texts: Sequence[str], most: int) -> list[tuple[int, float]]:
    """Texts by how many of a question's rare words they hold (BM25)."""
    asked = {word for word in lexemes(question) if len(word) > 3 or word > "\u0dff"}
    words = [lexemes(text) for text in texts]
    average = sum(map(len, words)) / max(1, len(words))
    holding = {word: sum(word in each for each in words) for word in asked}
    asked = {word for word in asked if holding[word] <= max(2, len(words) * COMMON)}
    scores = np.zeros(len(texts))
    for row, each in enumerate(words):
        for word in asked.intersection(each):
            rarity = np.log(1 + (len(words) - holding[word] + 0.5) / (holding[word] + 0.5))
            times = each.count(word)
            scores[row] += rarity * times * 2.2 / (times + 0.3 + 0.9 * len(each) / average)
    best = np.argsort(-scores)[:most]
    return [(int(row), float(scores[row])) for row in best if scores[row] > 0]


def merged(*rankings: Sequence[int]) -> list[int]:
    """What stands high in any of some rankings, best first (reciprocal rank fusion)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking):
            scores[row] = scores.get(row, 0.0) + 1 / (K + rank)
    return sorted(scores, key=lambda row: -scores[row])
