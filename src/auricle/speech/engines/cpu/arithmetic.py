"""What the layers of Whisper are made of, for rows of float32 numbers at an address.

Products of matrices are of int8 weights with a scale for each output and of activations that are
quantised as they come, with a scale for each row, as CTranslate2 does it. The instruction wants one
side unsigned: activations are stored with 128 added, and ``starts`` take that off again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import DTypeLike, NDArray

from auricle.speech.compiled import INLINE, OPTIONS
from auricle.speech.engines.cpu.lanes import (
    LANES,
    MATRIX,
    MATRIX_STEPS,
    PANEL,
    TILE,
    USES_MATRICES,
    absolute,
    as_float,
    begin_matrices,
    byte_tile,
    copysign,
    end_matrices,
    keep,
    largest,
    load,
    mantissa,
    matrix_tile,
    maximum,
    nearest,
    rint,
    splat,
    store,
    store_halves,
    store_quads,
    times_power,
    total,
    whole,
)

F32 = NDArray[np.float32]

HEAD = 64
"""Numbers of an attention head; the same in all Whisper models."""

f32 = np.float32

LOG2_E = f32(1.4426950408889634)
_LEAST = f32(-126)
_MOST = f32(40)


WEIGHTS, STARTS, SCALES, BIAS, INPUTS, OUTPUTS, GROUPS, MATRICES = range(8)
"""What :attr:`Linear.places` says: four addresses, three counts, and whether AMX does it."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer, packed for :func:`linear`."""

    weights: NDArray[np.int8]
    """``[outputs / 64, inputs / 4, 64, 4]``"""
    starts: NDArray[np.int32]
    """``[groups, outputs]``: -128 times the sum of the weights of a group of inputs."""
    scales: F32
    """``[outputs]``"""
    bias: F32
    """``[groups, outputs]``: zeros but for the first group."""
    places: NDArray[np.int64] = field(init=False)
    """For kernels, whose parallel loops take arrays of numbers only."""

    def __post_init__(self) -> None:
        arrays = self.weights, self.starts, self.scales, self.bias
        counts = self.weights.shape[1] * 4, self.scales.shape[0], self.starts.shape[0]
        places = [*(array.ctypes.data for array in arrays), *counts, USES_MATRICES]
        object.__setattr__(self, "places", np.array(places, np.int64))


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that begin at a whole line of the processor's cache."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    found = np.zeros(size + 64, np.uint8)
    first = -found.ctypes.data % 64
    return found[first : first + size].view(dtype).reshape(shape)


def packed(weight: F32, bias: F32, group: int = 0, factors: F32 | None = None) -> Linear:
    """Pack ``weight`` [outputs, inputs]; ``group`` inputs are quantised together, or all of them.

    ``factors`` multiply the weights of each input. Outputs are filled up to whole panels with
    zeros.
    """
    outputs, inputs = weight.shape
    if factors is None:
        factors = np.ones(inputs, np.float32)
    panels = -(-outputs // PANEL)
    group = group or inputs
    whole_ = aligned((panels, inputs // 4, PANEL, 4), np.int8)
    starts = np.zeros((inputs // group, panels * PANEL), np.int32)
    scales = np.full(panels * PANEL, f32(1e-12) / f32(127))
    weight, factors = np.ascontiguousarray(weight), factors.astype(np.float32)
    quantise_weights(weight, factors, group, whole_, starts, scales)
    biases = np.zeros(starts.shape, np.float32)
    biases[0, :outputs] = bias
    return Linear(whole_, starts, scales, biases)


def packed_unsigned(weight: F32, bias: F32) -> Linear:
    """The same for inputs that are never negative: they are stored as they are, from 0 to 255."""
    layer = packed(weight, bias)
    return Linear(layer.weights, np.zeros_like(layer.starts), layer.scales, layer.bias)


# Without fastmath, which would multiply by the scale's reciprocal.
@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def quantise_weights(
    weight: Any, factors: Any, group: Any, panels: Any, starts: Any, scales: Any
) -> None:
    """Fill in what :func:`packed` has made room for."""
    outputs, inputs = weight.shape
    for output in prange(outputs):
        most = f32(1e-12)
        for number in range(inputs):
            most = max(most, abs(weight[output, number] * factors[number]))
        scale = most / f32(127)
        scales[output] = scale
        panel, place = output // PANEL, output % PANEL
        for number in range(inputs):
            value = np.rint(weight[output, number] * factors[number] / scale)
            panels[panel, number // 4, place, number % 4] = np.int8(value)
            starts[number // group, output] -= 128 * np.int32(value)


@njit(**INLINE)
def linear(
    states: Any,
    scales: Any,
    layer: Any,
    panel: Any,
    group: Any,
    out: Any,
    out_step: Any,
    adds: Any,
) -> None:
    """One panel of a linear layer (its places), of quantised ``states`` [rows, a group's inputs].

    ``rows`` is a multiple of 6. ``out`` is the address of the panel's first output, rows of which
    are ``out_step`` bytes apart.
    """
    rows, inputs = states.shape
    place, place_scales = states.ctypes.data, scales.ctypes.data
    _product(place, inputs, rows, inputs, place_scales, layer, panel, group, out, out_step, adds)


@njit(**INLINE)
def linear_of_rows(
    states: Any,
    step: Any,
    rows: Any,
    scales: Any,
    layer: Any,
    panel: Any,
    out: Any,
    out_step: Any,
    adds: Any,
) -> None:
    """The same for a layer with one group, and ``rows`` of quantised numbers that begin ``step``
    bytes after each other at an address: those of a convolution overlap."""
    inputs = layer[INPUTS]
    _product(states, step, rows, inputs, scales, layer, panel, 0, out, out_step, adds)


@njit(**OPTIONS)
def _product(
    states: Any, step: Any, rows: Any, inputs: Any, scales: Any, layer: Any, panel: Any,
    group: Any, out: Any, out_step: Any, adds: Any,
) -> None:  # fmt: skip
    weights = layer[WEIGHTS] + panel * PANEL * layer[INPUTS] + group * inputs * PANEL
    first = (group * layer[OUTPUTS] + panel * PANEL) * 4
    starts, bias = layer[STARTS] + first, layer[BIAS] + first
    factors, steps = layer[SCALES] + panel * 256, inputs // 4
    matrices = layer[MATRICES] and rows >= MATRIX and steps % MATRIX_STEPS == 0
    tall = MATRIX if matrices else TILE
    if matrices:
        begin_matrices()
    for row in range(0, rows, tall):
        # The last tile begins earlier, and does not write what the one before it has.
        at = min(row, rows - tall)
        tile_of(
            tall, states + at * step, step, weights, steps, starts, scales + 4 * at, factors, bias,
            out + at * out_step, out_step, adds, row - at,
        )  # fmt: skip
    if matrices:
        end_matrices()


@njit(**INLINE)
def tile_of(
    tall: Any, a: Any, a_step: Any, b: Any, steps: Any, start: Any, row_scales: Any, scales: Any,
    bias: Any, out: Any, out_step: Any, adds: Any, skip: Any,
) -> None:  # fmt: skip
    """A tile of so many rows; see :data:`byte_tile` and :data:`matrix_tile`."""
    if tall == MATRIX:
        matrix_tile(a, a_step, b, steps, start, row_scales, scales, bias, out, out_step, adds, skip)
    else:
        byte_tile(a, a_step, b, steps, start, row_scales, scales, bias, out, out_step, adds)


@njit(**INLINE)
def magnitude(numbers: Any, size: Any) -> Any:
    """The largest absolute value; at least 1e-12."""
    most = splat(f32(1e-12))
    for i in range(0, size, LANES):
        most = maximum(most, absolute(load(numbers + 4 * i)))
    return largest(most)


@njit(**INLINE)
def quantise(numbers: Any, size: Any, out: Any) -> Any:
    """To bytes with 128 added; returns the scale. ``size`` is a multiple of four vectors."""
    most = magnitude(numbers, size)
    factor = f32(127) / most
    for i in range(0, size, 4 * LANES):
        one, two, three, four = four_scaled(numbers + 4 * i, factor)
        store_quads(out + i, one, two, three, four, 128)
    return most / f32(127)


@njit(**INLINE)
def four_scaled(numbers: Any, factor: Any) -> Any:
    """Four vectors from an address on, times ``factor``, as whole numbers."""
    step = 4 * LANES
    one, two = nearest(load(numbers) * factor), nearest(load(numbers + step) * factor)
    three = nearest(load(numbers + 2 * step) * factor)
    return one, two, three, nearest(load(numbers + 3 * step) * factor)


@njit(**INLINE)
def normalise(numbers: Any, size: Any, gamma: Any, out: Any) -> None:
    """To mean 0 and variance 1, times ``gamma`` [size], to ``out``."""
    summed = splat(f32(0))
    for i in range(0, size, LANES):
        summed = summed + load(numbers + 4 * i)
    mean = total(summed) / f32(size)
    squares = splat(f32(0))
    for i in range(0, size, LANES):
        apart = load(numbers + 4 * i) - mean
        squares = squares + apart * apart
    spread = f32(1) / np.sqrt(total(squares) / f32(size) + f32(1e-5))
    for i in range(0, size, LANES):
        apart = (load(numbers + 4 * i) - mean) * spread
        store(out + 4 * i, apart * load(gamma.ctypes.data + 4 * i))


@njit(**INLINE)
def ready(states: Any, first: Any, gamma: Any, out: Any, scales: Any) -> None:
    """Normalise and quantise the rows of ``out`` [rows, width] from ``states``."""
    rows, width = out.shape
    room = np.empty(width, np.float32)
    for row in range(rows):
        place = states.ctypes.data + (first + row) * width * 4
        normalise(place, width, gamma, room.ctypes.data)
        scales[row] = quantise(room.ctypes.data, width, out.ctypes.data + row * width)
    keep((room,))


@njit(**INLINE)
def power_of_two(exponent: Any) -> Any:
    """``2**exponent``, and 2**-126 below that. The fraction by a polynomial (least squares at
    Chebyshev points, 2e-7), the rest by the bits of a float."""
    held = maximum(exponent, _LEAST)
    near = rint(held)
    part = held - near
    power = f32(1.3398874e-3) * part + f32(9.6184373e-3)
    power = power * part + f32(5.5503324e-2)
    power = power * part + f32(2.4022648e-1)
    power = power * part + f32(6.9314719e-1)
    power = power * part + f32(1.0)
    return times_power(power, near)


@njit(**INLINE)
def power_of_e(negative: Any) -> Any:
    """``exp(-x)`` for each lane of ``x``, between 2**-40 and 2**40: products of three of them are
    still float32 numbers."""
    exponent = maximum(negative * -LOG2_E, splat(-_MOST))
    return power_of_two(splat(f32(0)) - maximum(splat(f32(0)) - exponent, splat(-_MOST)))


@njit(**INLINE)
def remembered(put: Any, kept: Any, new: Any, cell: Any) -> Any:
    """The cell of an LSTM after a step: sigmoid(kept) * cell + sigmoid(put) * tanh(new).

    With e(x) = exp(-x), sigmoid(x) is 1 / (1 + e(x)) and tanh(x) (1 - e(2x)) / (1 + e(2x)): on one
    denominator, there is one division instead of three.
    """
    put, kept = power_of_e(put) + f32(1), power_of_e(kept) + f32(1)
    new = power_of_e(new * f32(2))
    both = put * (new + f32(1))
    return (cell * both + kept - new * kept) / (kept * both)


@njit(**INLINE)
def shown(gate: Any, cell: Any) -> Any:
    """What an LSTM hands on: sigmoid(gate) * tanh(cell)."""
    spread = power_of_e(cell * f32(2))
    return (f32(1) - spread) / ((power_of_e(gate) + f32(1)) * (spread + f32(1)))


@njit(**INLINE)
def gelu(numbers: Any, size: Any) -> None:
    """``x * Phi(x)`` in place, ``Phi(x) - 1/2`` as an odd polynomial up to 4.35 (least squares at
    Chebyshev points; 3e-5 of what it should be)."""
    for i in range(0, size, LANES):
        x = load(numbers + 4 * i)
        near = copysign(f32(0) - maximum(f32(0) - absolute(x), f32(-4.35)), x)
        square = near * near
        half = f32(3.80224457e-11) * square - f32(3.94031504e-9)
        half = half * square + f32(1.80282599e-7)
        half = half * square - f32(4.83604036e-6)
        half = half * square + f32(8.54580169e-5)
        half = half * square - f32(1.06221602e-3)
        half = half * square + f32(9.66856492e-3)
        half = half * square - f32(6.61227017e-2)
        half = half * square + f32(3.98793702e-1)
        store(numbers + 4 * i, x * (near * half + f32(0.5)))


@njit(**INLINE)
def top(numbers: Any, size: Any) -> Any:
    """The largest. ``size`` is a multiple of four vectors, as in :func:`weigh`."""
    step = 4 * LANES
    one, two = load(numbers), load(numbers + step)
    three, four = load(numbers + 2 * step), load(numbers + 3 * step)
    for i in range(4 * step, 4 * size, 4 * step):
        place = numbers + i
        one, two = maximum(one, load(place)), maximum(two, load(place + step))
        three = maximum(three, load(place + 2 * step))
        four = maximum(four, load(place + 3 * step))
    return largest(maximum(maximum(one, two), maximum(three, four)))


@njit(**INLINE)
def rough_power_of_two(bits: Any) -> Any:
    """``2**(bits / 2**23 - 127)`` to 7e-4, at least 2**-125, with half of the instructions.

    As a whole number, ``bits`` are a float between whose powers of two lie straight lines; what
    these are wrong by is a polynomial of the mantissa (smallest greatest error).
    """
    straight = as_float(whole(maximum(bits, f32(2 * 2**23))))
    place = mantissa(straight)
    right = f32(0.70747255) - f32(0.10644492) * place
    right = right * place - f32(1.37730315)
    right = right * place + f32(1.7756128)
    return straight * right


@njit(**INLINE)
def weigh(scores: Any, scales: Any, most: Any, size: Any, high: Any, low: Any) -> Any:
    """``exp(scores - max)`` in place, and that times the values' scales (0..``most``) as 16 bits in
    two bytes, in the order of :func:`store_halves`; returns 1 / the sum of the powers. One byte
    would make nothing of the many weak weights of a long window."""
    scale = LOG2_E * f32(2**23)
    shift = f32(127 * 2**23) - top(scores, size) * scale
    factor = f32(65535) / most
    summed = splat(f32(0))
    for i in range(0, size, 4 * LANES):
        first = _weight(scores, scales, i, scale, shift, factor)
        second = _weight(scores, scales, i + LANES, scale, shift, factor)
        third = _weight(scores, scales, i + 2 * LANES, scale, shift, factor)
        fourth = _weight(scores, scales, i + 3 * LANES, scale, shift, factor)
        summed = summed + ((first[0] + second[0]) + (third[0] + fourth[0]))
        store_halves(high + i, low + i, first[1], second[1], third[1], fourth[1])
    return f32(1) / total(summed)


@njit(**INLINE)
def _weight(scores: Any, scales: Any, i: Any, scale: Any, shift: Any, factor: Any) -> Any:
    """A vector of powers, which replace the scores, and of weights."""
    power = rough_power_of_two(load(scores + 4 * i) * scale + shift)
    store(scores + 4 * i, power)
    return power, whole(power * (load(scales + 4 * i) * factor))
