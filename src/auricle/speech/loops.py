"""Phrases said over and over: what Whisper does when it has lost its way."""

from __future__ import annotations

from collections.abc import Sequence

LOOP_REPEATS = 4
"""A phrase said this often in a row is a loop..."""
LOOP_TOKENS = 12
"""...if the repeats take at least this many tokens."""

LONGEST_PHRASE = 30
"""Tokens of a phrase that is noticed while it is being repeated."""


def runs_in_circles(tokens: Sequence[int]) -> bool:
    """Whether the last tokens are a loop, from which no decoder comes back."""
    for size in range(1, min(len(tokens) // LOOP_REPEATS, LONGEST_PHRASE) + 1):
        count = max(LOOP_REPEATS, -(-LOOP_TOKENS // size))
        span = count * size
        tail = tokens[-span:]
        if len(tail) == span and tail[size:] == tail[:-size]:
            return True
    return False


def without_loops(tokens: Sequence[int]) -> tuple[int, ...]:
    """Keep one of each phrase that is repeated over and over."""
    kept: list[int] = []
    at = 0
    while at < len(tokens):
        size, count = _loop_at(tokens, at)
        kept.extend(tokens[at : at + size])
        at += size * count
    return tuple(kept)


def _loop_at(tokens: Sequence[int], at: int) -> tuple[int, int]:
    """Length and number of the repeats that begin here; ``(1, 1)`` when there are none."""
    for size in range(1, (len(tokens) - at) // LOOP_REPEATS + 1):
        phrase = tokens[at : at + size]
        count = 1
        while tokens[at + count * size : at + (count + 1) * size] == phrase:
            count += 1
        if count >= LOOP_REPEATS and count * size >= LOOP_TOKENS:
            return size, count
    return 1, 1
