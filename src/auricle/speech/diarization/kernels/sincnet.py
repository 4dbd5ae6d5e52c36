"""SincNet after its filters: normalisation, two convolutions with int8 weights, pooling.

Rows are frames here, with all their channels next to each other: the taps of a convolution are then
layers over rows that begin a little later. Single-threaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from auricle.speech.compiled import INLINE, OPTIONS
from auricle.speech.engines.cpu.arithmetic import (
    linear_of_rows,
    packed,
    quantise,
)
from auricle.speech.engines.cpu.lanes import (
    LANES,
    PANEL,
    TILE,
    keep,
    load,
    maximum,
    store,
)

FILTERS = 80
POOLED = 5325
"""A third of how many samples the filters make of a window."""
TAPS = 5
THIRD = 3
"""Frames that a pooling makes one of."""
ROWS = 16 * THIRD
"""Rows that stay in a core's cache; of whole tiles, too."""
MORE = TILE + TAPS
"""Rows of zeros after the last, for the tiles that reach beyond."""
_LEAK = np.float32(0.01)
_EPSILON = np.float32(1e-5)

f32 = np.float32
F32 = NDArray[np.float32]


@njit(**OPTIONS)
def rectify(filtered: Any, first: Any, scale: Any, shifts: Any, out: Any) -> None:
    """What SincNet's normalisation of a window and its first pooling make of filtered sound.

    The largest of three absolute values each, of ``filtered`` [filters, steps] from ``first`` on,
    times ``scale`` plus ``shifts`` [filters], to ``out`` [n, filters].
    """
    some = 64  # frames at a time, so that what is written stays in the cache
    for begin in range(0, POOLED, some):
        for n in range(filtered.shape[0]):
            row, shift = filtered[n, first + 3 * begin :], shifts[n]
            for i in range(min(some, POOLED - begin)):
                one = abs(row[3 * i] * scale + shift)
                two = abs(row[3 * i + 1] * scale + shift)
                three = abs(row[3 * i + 2] * scale + shift)
                out[begin + i, n] = max(one, two, three)


@njit(**INLINE)
def leaked(numbers: Any, size: Any, factors: Any, shifts: Any, room: Any, out: Any) -> Any:
    """``numbers * factors + shifts``, a hundredth of it where it is negative, as bytes with 128
    added; returns their scale."""
    for i in range(0, 4 * size, 4 * LANES):
        number = load(numbers + i) * load(factors + i) + load(shifts + i)
        store(room + i, maximum(number, number * _LEAK))
    return quantise(room, size, out)


@njit(**OPTIONS)
def quantised(states: Any, gamma: Any, beta: Any) -> Any:
    """Normalise each channel of ``states`` [frames, channels] over all frames, rectify, and
    quantise; returns bytes [frames and :data:`MORE`, channels] and scales."""
    frames, channels = states.shape
    sums, squares = np.zeros(channels), np.zeros(channels)
    for frame in range(frames):
        for n in range(channels):
            sums[n] += states[frame, n]
            squares[n] += states[frame, n] * states[frame, n]
    factors, shifts = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    for n in range(len(gamma)):
        mean = sums[n] / frames
        factors[n] = gamma[n] / np.sqrt(max(squares[n] / frames - mean * mean, 0.0) + _EPSILON)
        shifts[n] = beta[n] - mean * factors[n]
    out = np.full((frames + MORE, channels), np.uint8(128))
    scales = np.zeros(frames + MORE, np.float32)
    # Four vectors are quantised at a time. What they write beyond a row, the next one replaces.
    room = np.zeros(-(-channels // (4 * LANES)) * 4 * LANES, np.float32)
    for frame in range(frames):
        scales[frame] = leaked(
            states.ctypes.data + frame * 4 * channels,
            channels,
            factors.ctypes.data,
            shifts.ctypes.data,
            room.ctypes.data,
            out.ctypes.data + frame * channels,
        )
    keep((room, factors, shifts, states))
    return out, scales


@njit(**OPTIONS)
def convolve(given: Any, scales: Any, taps: Any, out: Any) -> None:
    """A convolution of ``given`` [frames, width], quantised by row, and the largest of every three
    of its frames, to ``out`` [frames, 64]; ``taps`` are places of layers."""
    pooled, width = len(out), given.shape[1]
    room = np.empty((ROWS, PANEL), np.float32)
    for first in range(0, pooled, ROWS // THIRD):
        count = min(ROWS // THIRD, pooled - first)
        rows = -(-count * THIRD // TILE) * TILE  # whole tiles, so that none is added twice
        for tap in range(TAPS):
            begin = first * THIRD + tap
            linear_of_rows(
                given.ctypes.data + begin * width,
                width,
                rows,
                scales.ctypes.data + 4 * begin,
                taps[tap],
                0,
                room.ctypes.data,
                4 * PANEL,
                tap,
            )
        for row in range(count):
            at = room.ctypes.data + row * THIRD * 4 * PANEL
            for i in range(0, 4 * PANEL, 4 * LANES):
                most = maximum(load(at + i), load(at + 4 * PANEL + i))
                most = maximum(most, load(at + 8 * PANEL + i))
                store(out.ctypes.data + (first + row) * 4 * PANEL + i, most)
    keep((room, given, scales, out))


class Convolutions:
    """SincNet's two. Thread-safe."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._normals = [
            tuple(np.asarray(weights[f"sincnet.norm1d.{n}.{part}"]) for part in ("weight", "bias"))
            for n in range(3)
        ]
        self._taps = [_taps(weights, layer) for layer in (1, 2)]
        self._places = [np.stack([tap.places for tap in taps]) for taps in self._taps]

    def __call__(self, states: F32) -> tuple[NDArray[np.uint8], F32]:
        """``states`` [5325, 80] of one window to bytes [589, 64] with 128 added, and their scales
        [589]."""
        for places, normal in zip(self._places, self._normals[:-1], strict=True):
            given, scales = quantised(states, *normal)
            pooled = (len(states) - TAPS + 1) // THIRD
            states = np.empty((pooled, PANEL), np.float32)
            convolve(given, scales, places, states)
        given, scales = quantised(states, *self._normals[-1])
        return given[: len(states)], scales[: len(states)]


def _taps(weights: Mapping[str, NDArray[Any]], layer: int) -> list[Any]:
    kernel, bias = (weights[f"sincnet.conv1d.{layer}.{part}"] for part in ("weight", "bias"))
    kernel = np.pad(kernel, ((0, 0), (0, -kernel.shape[1] % LANES), (0, 0)))
    nothing = np.zeros_like(bias)
    return [packed(kernel[:, :, tap], nothing if tap else bias) for tap in range(TAPS)]
