"""Word times from attention: Whisper's own reading of its alignment heads, as kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from auricle.speech.compiled import INLINE, OPTIONS, PARALLEL


@njit(**PARALLEL)
def sharpened(seen: Any, out: Any) -> None:
    """Whisper's reading of attention: normalised over the tokens, smoothed over time (a median of
    7), averaged over the heads. ``seen`` [heads, tokens, frames] to ``out`` [tokens, frames].
    """
    heads, tokens, frames = seen.shape
    smoothed = np.empty((heads, tokens, frames), np.float32)
    for h in prange(heads):
        mean, spread = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
        _spread(seen[h], mean, spread)
        line = np.empty(frames + 6, np.float32)
        for n in range(tokens):
            for t in range(frames):
                line[t + 3] = (seen[h, n, t] - mean[t]) * spread[t]
            _smooth(line, smoothed[h, n])
    for n in prange(tokens):
        for t in range(frames):
            total = np.float32(0)
            for h in range(heads):
                total += smoothed[h, n, t]
            out[n, t] = total / np.float32(heads)


@njit(**OPTIONS)
def _spread(seen: Any, mean: Any, spread: Any) -> None:
    """Of ``seen`` [tokens, frames] over the tokens: mean and 1 / standard deviation [frames]."""
    tokens, frames = seen.shape
    for n in range(tokens):
        for t in range(frames):
            mean[t] += seen[n, t] / np.float32(tokens)
    for n in range(tokens):
        for t in range(frames):
            spread[t] += (seen[n, t] - mean[t]) ** 2
    for t in range(frames):
        variance = spread[t] / np.float32(tokens)
        spread[t] = np.float32(1) / np.sqrt(max(variance, np.float32(1e-12)))


@njit(**OPTIONS)
def _smooth(line: Any, out: Any) -> None:
    """Medians of 7 along ``line`` [3 + frames + 3], reflected at both ends, to ``out`` [frames]."""
    frames = out.shape[0]
    for t in range(3):
        line[2 - t] = line[min(4 + t, frames + 2)]
        line[frames + 3 + t] = line[max(frames + 1 - t, 3)]
    for t in range(frames):
        out[t] = _median(
            line[t],
            line[t + 1],
            line[t + 2],
            line[t + 3],
            line[t + 4],
            line[t + 5],
            line[t + 6],
        )


@njit(**INLINE)
def _median(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any) -> Any:
    """The middle one of seven, by a network of comparisons (Devillard, "Fast median search", 1998);
    without branches, so that the loop around it is vectorised."""
    a, f = min(a, f), max(a, f)
    a, d = min(a, d), max(a, d)
    b, g = min(b, g), max(b, g)
    c, e = min(c, e), max(c, e)
    b = max(a, b)
    d, f = min(d, f), max(d, f)
    c, g = min(c, g), max(c, g)
    c, d = min(c, d), max(c, d)
    d = min(d, g)
    e = min(e, f)
    b, e = min(b, e), max(b, e)
    d = max(b, d)
    return min(d, e)


@njit(**OPTIONS)
def first_frames(weights: Any) -> Any:
    """Where each token begins: dynamic time warping along ``weights`` [tokens, frames], which is
    high where a token attends. Returns [tokens] frames."""
    tokens, frames = weights.shape
    cost = np.full(frames + 1, np.float32(np.inf))
    cost[0] = np.float32(0)
    steps = np.empty((tokens, frames), np.int8)
    for n in range(tokens):
        diagonal, cost[0] = cost[0], np.float32(np.inf)
        for t in range(frames):
            above, left = cost[t + 1], cost[t]
            if diagonal < above and diagonal < left:
                least, step = diagonal, 0
            elif above < left:
                least, step = above, 1
            else:
                least, step = left, 2
            diagonal = above
            cost[t + 1] = least - weights[n, t]
            steps[n, t] = step
    firsts = np.zeros(tokens, np.int64)
    n, t = tokens - 1, frames - 1
    while n >= 0 and t >= 0:
        firsts[n] = t
        step = steps[n, t]
        if step != 2:
            n -= 1
        if step != 1:
            t -= 1
    return firsts
