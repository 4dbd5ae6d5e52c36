"""Bidirectional LSTMs with int8 weights, for several windows at a time.

Half of the segmentation's work. What a layer puts out lies between -1 and 1, so its bytes need no
scale of their own: the state that goes to the next frame is, as it is, the input of the next layer.
Single-threaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from auricle.speech.compiled import INLINE, OPTIONS
from auricle.speech.engines.cpu.arithmetic import (
    BIAS,
    INPUTS,
    MATRICES,
    SCALES,
    STARTS,
    WEIGHTS,
    Linear,
    linear_of_rows,
    packed,
    remembered,
    shown,
)
from auricle.speech.engines.cpu.lanes import (
    LANES,
    MATRIX,
    PANEL,
    TILE,
    begin_matrices,
    byte_row,
    byte_tile,
    end_matrices,
    keep,
    load,
    matrix_tile,
    nearest,
    offset,
    store,
    store_bytes,
)

LAYERS = 4
HIDDEN = 128
"""Numbers of a state, in each direction."""
GATES = 4 * HIDDEN
AHEAD = 16
"""Frames whose input is multiplied at once, so that the products stay in a core's cache."""
UNIT = np.float32(1 / 127)
"""What a byte's step is worth, for numbers between -1 and 1."""
ZERO = 128
"""The byte that means nothing."""

f32 = np.float32
F32 = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@njit(**INLINE)
def remember(gates: Any, cell: Any, out: Any) -> None:
    """One step of one row: the ``cell`` [128] changes, and what is handed on goes to ``out`` as
    bytes; ``gates`` are input, forget, cell and output, 128 each. All are addresses."""
    for i in range(0, 4 * HIDDEN, 4 * LANES):
        put, kept = load(gates + i), load(gates + 4 * HIDDEN + i)
        state = remembered(put, kept, load(gates + 8 * HIDDEN + i), load(cell + i))
        store(cell + i, state)
        answer = shown(load(gates + 12 * HIDDEN + i), state) * f32(127)
        store_bytes(out + i // 4, offset(nearest(answer)))


@njit(**OPTIONS)
def hear(given: Any, scales: Any, inward: Any, onward: Any, back: Any, out: Any) -> None:
    """One direction (``back`` is 1 for the one from the end) of a layer.

    ``given`` [frames, windows, inputs] are bytes, ``scales`` [frames, windows] theirs; ``out``
    [frames, windows, 256] are bytes too, of which this direction has its half. ``inward`` and
    ``onward`` are the places of the weights of the input and of the state.
    """
    frames, windows, inputs = given.shape
    gates = np.empty((AHEAD * windows + TILE, GATES), np.float32)
    cells = np.zeros((windows, HIDDEN), np.float32)
    states = np.full((windows, HIDDEN), np.uint8(ZERO))
    units = np.full(windows, UNIT)
    width, step = out.shape[2], 4 * GATES
    state, state_step = states.ctypes.data, HIDDEN
    for part in range(-(-frames // AHEAD)):
        first = max(0, frames - (part + 1) * AHEAD) if back else part * AHEAD
        count = (frames - part * AHEAD if back else min(frames, first + AHEAD)) - first
        # Whole tiles are computed. Where they would reach beyond the end, they begin earlier.
        rows = -(-count * windows // TILE) * TILE
        begin = min(first * windows, frames * windows - rows)
        for panel in range(GATES // PANEL):
            linear_of_rows(
                given.ctypes.data + begin * inputs,
                inputs,
                rows,
                scales.ctypes.data + 4 * begin,
                inward,
                panel,
                gates.ctypes.data + panel * 4 * PANEL,
                step,
                0,
            )
        if onward[MATRICES]:
            begin_matrices()
        for number in range(count):
            frame = first + (count - 1 - number if back else number)
            at = gates.ctypes.data + (frame * windows - begin) * step
            for panel in range(GATES // PANEL):
                onwards(state, state_step, windows, units.ctypes.data, onward, panel, at, step)
            state = out.ctypes.data + frame * windows * width + back * HIDDEN
            state_step = width
            for window in range(windows):
                cell = cells.ctypes.data + window * 4 * HIDDEN
                remember(at + window * step, cell, state + window * width)
        if onward[MATRICES]:
            end_matrices()
    keep((gates, cells, states, units, given, scales, out))


@njit(**INLINE)
def onwards(
    state: Any, state_step: Any, windows: Any, units: Any, layer: Any, panel: Any, at: Any, to: Any
) -> None:
    """Add what the states of all windows have to say to a panel of the gates."""
    weights = layer[WEIGHTS] + panel * PANEL * layer[INPUTS]
    steps, starts = layer[INPUTS] // 4, layer[STARTS] + panel * 256
    factors, bias = layer[SCALES] + panel * 256, layer[BIAS] + panel * 256
    out = at + panel * 4 * PANEL
    row = 0
    while layer[MATRICES] and row + MATRIX <= windows:
        matrix_tile(
            state + row * state_step, state_step, weights, steps, starts, units,
            factors, bias, out + row * to, to, 1, 0,
        )  # fmt: skip
        row += MATRIX
    while row + TILE <= windows:
        byte_tile(
            state + row * state_step, state_step, weights, steps, starts, units,
            factors, bias, out + row * to, to, 1,
        )  # fmt: skip
        row += TILE
    while row < windows:
        byte_row(
            state + row * state_step, state_step, weights, steps, starts, units,
            factors, bias, out + row * to, to, 1,
        )  # fmt: skip
        row += 1


class Recurrent:
    """The segmentation's LSTMs. Thread-safe."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], inputs: int) -> None:
        """``inputs`` is how many numbers the first layer gets, zeros at the end included."""
        self._layers = [
            [_direction(weights, f"_l{layer}{way}", inputs) for way in ("", "_reverse")]
            for layer in range(LAYERS)
        ]

    def __call__(self, given: Bytes, scales: F32) -> Bytes:
        """``given`` [frames, windows, inputs], quantised by row, to bytes [frames, windows, 256]
        that are 127 times a number, plus 128."""
        for layer in self._layers:
            out = np.empty((*given.shape[:2], 2 * HIDDEN), np.uint8)
            for back, (inward, onward) in enumerate(layer):
                hear(given, scales, inward.places, onward.places, back, out)
            given, scales = out, np.full(scales.shape, UNIT)
        return given


def _direction(
    weights: Mapping[str, NDArray[Any]], suffix: str, inputs: int
) -> tuple[Linear, Linear]:
    inward = weights[f"lstm.weight_ih{suffix}"]
    inward = np.pad(inward, ((0, 0), (0, max(0, inputs - inward.shape[1]))))
    bias = weights[f"lstm.bias_ih{suffix}"] + weights[f"lstm.bias_hh{suffix}"]
    onward = weights[f"lstm.weight_hh{suffix}"]
    return packed(inward, bias), packed(onward, np.zeros(len(onward), np.float32))
