"""Which language is spoken: asked of several windows, weighed by how much is said in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from auricle.speech.windows import Window

FIRST_WINDOWS = 4
"""Windows that are asked at first."""

MOST_WINDOWS = 16
"""Windows asked before the most probable language is taken, however unsure."""

SURE = 0.5
"""Probability from which a language is taken."""


def settle(
    heard: Sequence[tuple[Window, dict[str, float]]], *, last: bool
) -> tuple[str, float] | None:
    """Return the language and its probability, or None while more windows should be asked."""
    if not heard:
        return None
    votes: Counter[str] = Counter()
    weight = 0.0
    for window, probabilities in heard:
        weight += window.voiced
        for language, probability in probabilities.items():
            votes[language] += probability * window.voiced  # type: ignore[assignment]
    language, score = votes.most_common(1)[0]
    sure = score / weight
    if sure >= SURE or last or len(heard) >= MOST_WINDOWS:
        return language, sure
    return None
