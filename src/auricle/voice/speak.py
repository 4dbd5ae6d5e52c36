"""A text into one stream of sound: piece by piece, joined where nobody hears it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from auricle.voice.prepare import Piece

F32 = NDArray[np.float32]

AHEAD = 2
"""Pieces that are made at a time: each keeps about one core busy."""

SILENT = 0.01
"""Share of a piece's peak under which its beginning and its end are silence."""

MARGIN_S, FADE_S = 0.03, 0.01


def speak(
    pieces: Iterable[Piece], say: Callable[[str], F32], rate: int, tick: Callable[[], None]
) -> Iterator[F32]:
    """Yield samples, ``[n]``; the first as soon as the first piece is there.

    ``say`` speaks a piece, in threads; ``tick`` is called now and then, and may raise.
    """
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: deque[tuple[Future[F32], float]] = deque()
        coming = iter(pieces)
        pause, ahead = 0.0, 1  # the first is waited for: nothing is to slow it down
        try:
            while True:
                while len(waiting) < ahead and (piece := next(coming, None)) is not None:
                    waiting.append((pool.submit(say, piece.text), piece.pause_s))
                if not waiting:
                    return
                tick()
                spoken, after = waiting.popleft()
                ahead = AHEAD
                if len(samples := trimmed(spoken.result(), rate)):
                    yield np.concatenate((np.zeros(int(pause * rate), np.float32), samples))
                    pause = after
        finally:
            for future, _ in waiting:
                future.cancel()


def trimmed(samples: F32, rate: int) -> F32:
    """A piece without the silence around it, which comes and goes softly."""
    levels = np.abs(samples)
    loud = np.flatnonzero(levels > SILENT * levels.max(initial=0.0))
    if not len(loud):
        return np.zeros(0, np.float32)
    margin, fade = int(MARGIN_S * rate), int(FADE_S * rate)
    found = samples[max(0, loud[0] - margin) : loud[-1] + margin].copy()
    count = min(fade, len(found) // 2)
    ramp = np.linspace(0, 1, count, dtype=np.float32)
    found[:count] *= ramp
    found[len(found) - count :] *= ramp[::-1]
    return found
