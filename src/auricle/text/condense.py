"""The sentences that say most: what a small model on a slow processor reads of a long text, and
what stands in its place where it has written nothing that can be used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from auricle.text.asking import speaks_to_a_model
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


def central(pieces: Sequence[Piece], count: int) -> list[Piece]:
    """About so many sentences that say most, in their order, one of each part of equal length."""
    harmless = [piece for piece in pieces if not speaks_to_a_model(piece.text)]
    good = [piece for piece in harmless if _whole(piece)]
    good = good if len(good) >= count else harmless
    parts = [
        good[a:b] for a, b in pairwise(np.linspace(0, len(good), count + 1).astype(int)) if a < b
    ]
    words = [[lexemes(piece.text) for piece in part] for part in parts]
    weights = _weights([[word for said in part for word in said] for part in words])
    return [
        max(zip(part, said, strict=True), key=lambda pair: _score(pair[1], weight))[0]
        for part, said, weight in zip(parts, words, weights, strict=True)
    ]


def keywords(part: Sequence[Piece], whole: Sequence[Piece], count: int) -> list[str]:
    """Words that a part has often and the whole seldom, as they are written there."""
    written = [word for piece in part for word in _WORD.findall(piece.text)]
    there = Counter(lexeme for piece in part for lexeme in set(lexemes(piece.text)))
    everywhere = Counter(lexeme for piece in whole for lexeme in set(lexemes(piece.text)))
    shown = {word.casefold(): word for word in reversed(written) if len(word) > 4}
    best = sorted(
        shown, key=lambda word: -(there[word] ** 1.5) / (1 + everywhere[word]) * len(word)
    )
    return [shown[word] for word in best[:count]]


_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def _whole(piece: Piece) -> bool:
    """Whether a piece can stand by itself: a statement, neither very short nor very long."""
    return 4 <= len(lexemes(piece.text)) <= 45 and not piece.text.rstrip().endswith(
        ("?", "？", "؟")
    )


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
