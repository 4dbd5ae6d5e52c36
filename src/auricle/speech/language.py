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
    heard: Sequence[tuple[Window, dict[str, float]]], among: Sequence[str] = (), *, last: bool
) -> tuple[str, float] | None:
    """Return the language and its probability, or None while more windows should be asked;
    ``among`` are those that it can be, unless the model knows none of them."""
    if not heard:
        return None
    votes: Counter[str] = Counter()
    weight = 0.0
    for window, probabilities in heard:
        possible = {code: probabilities[code] for code in among if code in probabilities}
        weight += window.voiced * (max(1e-9, sum(possible.values())) if possible else 1.0)
        for language, probability in (possible or probabilities).items():
            votes[language] += probability * window.voiced  # type: ignore[assignment]
    language, score = votes.most_common(1)[0]
    sure = score / weight
    if sure >= SURE or last or len(heard) >= MOST_WINDOWS:
        return language, sure
    return None
