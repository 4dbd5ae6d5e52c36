"""What OpenVINO does slower: attention over packed keys and values, and the choice of a token.

Decoding waits for memory: each step reads every row's cross-attention keys and values. So these are
packed to int8 with a scale for each number of a head (keys transposed, so that both loops run over
neighbours), and read by loops that the compiler turns into vectors. ``exp`` is a polynomial of our
own because that of the standard library keeps loops from being vectorised.

Rows are windows of different lengths that lie anywhere in memory; kernels get their addresses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

HEAD = 64
"""Numbers of an attention head; the same in all Whisper models."""

F32 = NDArray[np.float32]

_OPTIONS: dict[str, Any] = {"fastmath": True, "cache": True, "nogil": True, "error_model": "numpy"}


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    """An address as a pointer to anything."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


@njit(inline="always", **_OPTIONS)
def _softmax(scores: Any, exponents: Any) -> Any:
    """``exp(scores - max)`` in place, with ``exponents`` (int32) as room; returns its sum.

    2**x for a fraction by a polynomial (least squares at Chebyshev points: 8e-8), for a whole
    number by the bits of a float.
    """
    most = scores.max()
    for t in range(scores.shape[0]):
        scaled = max(np.float32(-126.0), (scores[t] - most) * np.float32(1.442695041))
        whole = np.floor(scaled)
        part = scaled - whole
        power = np.float32(1.876232945e-3)
        power = power * part + np.float32(8.992584031e-3)
        power = power * part + np.float32(5.582360446e-2)
        power = power * part + np.float32(2.401545299e-1)
        power = power * part + np.float32(6.931529682e-1)
        power = power * part + np.float32(9.999999269e-1)
        scores[t] = power
        exponents[t] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    powers = exponents.view(np.float32)
    total = np.float32(0)
    for t in range(scores.shape[0]):
        scores[t] *= powers[t]
        total += scores[t]
    return total


@njit(parallel=True, **_OPTIONS)
def pack(states: Any, keys: Any, values: Any, key_scales: Any, value_scales: Any) -> None:
    """Pack one layer's keys and values of one window.

    ``states`` [frames, 2 * width] float32 (keys, then values) to ``keys`` [heads, 64, frames],
    ``values`` [heads, frames, 64] int8, and their scales [heads, 64].
    """
    frames, heads = states.shape[0], keys.shape[0]
    width = heads * HEAD
    for h in prange(heads):
        first = h * HEAD
        most_k = np.full(HEAD, np.float32(1e-6))
        most_v = np.full(HEAD, np.float32(1e-6))
        for t in range(frames):
            for d in range(HEAD):
                most_k[d] = max(most_k[d], abs(states[t, first + d]))
                most_v[d] = max(most_v[d], abs(states[t, width + first + d]))
        for d in range(HEAD):
            key_scales[h, d] = most_k[d] / np.float32(127)
            value_scales[h, d] = most_v[d] / np.float32(127)
            most_k[d] = np.float32(127) / most_k[d]
            most_v[d] = np.float32(127) / most_v[d]
        for t in range(frames):
            for d in range(HEAD):
                values[h, t, d] = np.int8(np.rint(states[t, width + first + d] * most_v[d]))
        for begin in range(0, frames, 64):
            end = min(frames, begin + 64)
            for d in range(HEAD):
                for t in range(begin, end):
                    keys[h, d, t] = np.int8(np.rint(states[t, first + d] * most_k[d]))


@njit(inline="always", **_OPTIONS)
def _score(query: Any, keys: Any, scales: Any, scores: Any) -> None:
    """Add the products of a query [64] and packed keys [64, frames] to ``scores`` [frames]."""
    for d in range(0, HEAD, 4):  # four at a time: each round reads and writes all the scores
        a = query[d] * scales[d]
        b = query[d + 1] * scales[d + 1]
        c = query[d + 2] * scales[d + 2]
        e = query[d + 3] * scales[d + 3]
        for t in range(scores.shape[0]):
            scores[t] += (
                a * np.float32(keys[d, t])
                + b * np.float32(keys[d + 1, t])
                + c * np.float32(keys[d + 2, t])
                + e * np.float32(keys[d + 3, t])
            )


@njit(inline="always", **_OPTIONS)
def _sum(weights: Any, values: Any, summed: Any) -> None:
    """Add packed values [frames, 64] by their ``weights`` [frames] to ``summed`` [64]."""
    size = weights.shape[0]
    whole = size - size % 4
    for t in range(0, whole, 4):
        a, b, c, e = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
        for d in range(HEAD):
            summed[d] += (
                a * np.float32(values[t, d])
                + b * np.float32(values[t + 1, d])
                + c * np.float32(values[t + 2, d])
                + e * np.float32(values[t + 3, d])
            )
    for t in range(whole, size):
        for d in range(HEAD):
            summed[d] += weights[t] * np.float32(values[t, d])


@njit(parallel=True, **_OPTIONS)
def cross_attention(
    query: Any, places: Any, frames: Any, layer: Any, watched: Any, steps: Any, out: Any
) -> None:
    """Attention of one step over packed keys and values; ``query`` [rows, width] is scaled.

    ``places`` [rows, 5] are addresses of a row's keys, values, their scales (all layers), and of
    what the watched heads attend to [watched heads, steps, frames] float32. ``frames`` [rows].
    ``watched`` [heads] is a head's place there, or -1; ``steps`` [rows, 2] are a row's step and how
    many there is room for (0: none is watched).
    """
    rows, width = query.shape
    heads = width // HEAD
    for n in prange(rows * heads):
        r, h = n // heads, n % heads
        size = frames[r]
        block = layer * heads + h
        keys = carray(_pointer(places[r, 0] + block * HEAD * size), (HEAD, size), np.int8)
        values = carray(_pointer(places[r, 1] + block * HEAD * size), (size, HEAD), np.int8)
        key_scales = carray(_pointer(places[r, 2] + block * HEAD * 4), HEAD, np.float32)
        value_scales = carray(_pointer(places[r, 3] + block * HEAD * 4), HEAD, np.float32)
        scores = np.zeros(size, np.float32)
        _score(query[r, h * HEAD : (h + 1) * HEAD], keys, key_scales, scores)
        share = np.float32(1) / _softmax(scores, np.empty(size, np.int32))
        summed = np.zeros(HEAD, np.float32)
        _sum(scores, values, summed)
        for d in range(HEAD):
            out[r, h * HEAD + d] = summed[d] * value_scales[d] * share
        if watched[h] >= 0 and steps[r, 1] > 0:
            at = (watched[h] * steps[r, 1] + steps[r, 0]) * size * 4
            seen = carray(_pointer(places[r, 4] + at), size, np.float32)
            for t in range(size):
                seen[t] = scores[t] * share


@njit(parallel=True, **_OPTIONS)
def self_attention(states: Any, keys: Any, values: Any, slots: Any, lengths: Any, out: Any) -> None:
    """Attention of one step over what was written before, which the step itself joins.

    ``states`` [rows, 3 * width]: scaled queries, keys, values. ``keys``, ``values`` [slots, heads,
    room, 64]; ``slots`` [rows] is where a row's are and ``lengths`` [rows] how many there are.
    """
    rows, heads = states.shape[0], keys.shape[1]
    width = heads * HEAD
    for n in prange(rows * heads):
        r, h = n // heads, n % heads
        first, slot, size = h * HEAD, slots[r], lengths[r] + 1
        for d in range(HEAD):
            keys[slot, h, size - 1, d] = states[r, width + first + d]
            values[slot, h, size - 1, d] = states[r, 2 * width + first + d]
        scores = np.empty(size, np.float32)
        for t in range(size):
            score = np.float32(0)
            for d in range(HEAD):
                score += states[r, first + d] * keys[slot, h, t, d]
            scores[t] = score
        share = np.float32(1) / _softmax(scores, np.empty(size, np.int32))
        summed = np.zeros(HEAD, np.float32)
        for t in range(size):
            weight = scores[t]
            for d in range(HEAD):
                summed[d] += weight * values[slot, h, t, d]
        for d in range(HEAD):
            out[r, first + d] = summed[d] * share


@njit(parallel=True, **_OPTIONS)
def choose(logits: Any, masks: Any, mask: Any, tokens: Any, logprobs: Any) -> None:
    """The most probable token of each row of ``logits`` [rows, vocabulary], and its log probability
    among those that its mask [masks, vocabulary] (0 or a large negative number) leaves."""
    for r in prange(logits.shape[0]):
        masked = logits[r] + masks[mask[r]]
        tokens[r] = masked.argmax()
        total = _softmax(masked, np.empty(masked.shape[0], np.int32))
        logprobs[r] = -np.log(total)


@njit(parallel=True, **_OPTIONS)
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


@njit(**_OPTIONS)
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


@njit(**_OPTIONS)
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


@njit(inline="always", **_OPTIONS)
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


@njit(**_OPTIONS)
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
