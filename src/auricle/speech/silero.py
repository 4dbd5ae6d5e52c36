"""Silero's voice activity network (v6) in float32, by kernels of our own.

Several times as fast as ONNX Runtime, for which its convolutions over four steps of time are too
small: here a convolution is a product of matrices for all frames at once, whose rows overlap in
memory. Where rows of one frame end and those of the next begin, there are some that mean nothing;
what they give is not looked at, or zeroed where it would be taken for padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from auricle.speech.compiled import INLINE, OPTIONS
from auricle.speech.engines.cpu.arithmetic import aligned, remembered, shown
from auricle.speech.engines.cpu.lanes import (
    LANES,
    PANEL,
    TILE,
    float_row,
    float_tile,
    keep,
    load,
    maximum,
    splat,
    store,
    total,
)

SAMPLES = 576
"""Of a frame, with its context."""
PADDED = 640
"""With what is reflected at its end."""
HOP = 128
WINDOW = 256
STEPS = 4
"""Spectra of a frame."""
BINS = 129
ROOM = 144
"""Numbers from one spectrum to the next."""
IMAGINARY = 160
SPECTRUM = 320
"""Where the imaginary parts begin, and where they end."""
WIDE, NARROW = 128, 64
"""Channels of the first and the last convolution, and of those between them."""
HIDDEN = 128
GATES = 4 * HIDDEN
MORE = TILE
"""Rows after the last, for the tiles that reach beyond."""

f32 = np.float32
F32 = NDArray[np.float32]


@njit(**INLINE)
def products(rows: Any, step: Any, count: Any, layer: Any, out: Any, out_step: Any) -> None:
    """``rows`` (an address, ``step`` bytes apart) times a layer's weights [panels, inputs, 64],
    plus its bias, to ``out`` (an address); the count is rounded up to a multiple of 6."""
    weights, bias = layer
    ones = np.ones(PANEL, np.float32)
    panels, inputs = weights.shape[:2]
    for panel in range(panels):
        for row in range(0, count, TILE):
            float_tile(
                rows + row * step,
                step,
                weights.ctypes.data + panel * inputs * 4 * PANEL,
                inputs,
                0,
                ones.ctypes.data,
                ones.ctypes.data,
                bias.ctypes.data + panel * 4 * PANEL,
                out + row * out_step + panel * 4 * PANEL,
                out_step,
                0,
            )
    keep((ones,))


@njit(**INLINE)
def rectify(numbers: Any, size: Any) -> None:
    """Zero what is negative."""
    for i in range(0, 4 * size, 4 * LANES):
        store(numbers + i, maximum(load(numbers + i), splat(f32(0))))


@njit(**OPTIONS)
def encode(frames: Any, layers: Any, gates: Any) -> None:
    """``frames`` [count and more, 640] through the spectra and the convolutions to what they add to
    the ``gates`` [count and more, 512]; each of ``layers`` is weights and bias."""
    count = gates.shape[0] - MORE
    basis, one, two, three, four, five = layers
    step, wide, narrow = 4 * HOP, 4 * WIDE, 4 * NARROW
    # There is room for five windows in a frame, of which four are its own.
    spectra = np.empty((5 * count + MORE, SPECTRUM), np.float32)
    products(frames.ctypes.data, step, 5 * count, basis, spectra.ctypes.data, 4 * SPECTRUM)
    heard = np.zeros((count + 2, STEPS + 2, ROOM), np.float32)
    for frame in range(count):
        for n in range(STEPS):
            row = spectra[5 * frame + n]
            for i in range(BINS):
                heard[frame, n + 1, i] = np.sqrt(row[i] ** 2 + row[IMAGINARY + i] ** 2)
    first = np.zeros((6 * count + 1 + 2 * MORE, WIDE), np.float32)
    products(heard.ctypes.data, 4 * ROOM, 6 * count, one, first.ctypes.data + wide, wide)
    rectify(first.ctypes.data, first.size)
    for frame in range(count + 1):
        first[6 * frame] = f32(0)
        first[6 * frame + 5] = f32(0)
    second = np.zeros((3 * (count + MORE), NARROW), np.float32)
    products(first.ctypes.data, 2 * wide, 3 * count, two, second.ctypes.data, narrow)
    rectify(second.ctypes.data, second.size)
    third = np.zeros((count + MORE, NARROW), np.float32)
    products(second.ctypes.data, 3 * narrow, count, three, third.ctypes.data, narrow)
    rectify(third.ctypes.data, third.size)
    fourth = np.zeros((count + MORE, WIDE), np.float32)
    products(third.ctypes.data, narrow, count, four, fourth.ctypes.data, wide)
    rectify(fourth.ctypes.data, fourth.size)
    products(fourth.ctypes.data, wide, count, five, gates.ctypes.data, 4 * GATES)
    keep((spectra, heard, first, second, third, fourth, frames, gates))


@njit(**OPTIONS)
def listen(
    gates: Any, onward: Any, ending: Any, bias: Any, hidden: Any, cell: Any, out: Any
) -> None:
    """The LSTM, frame by frame, and what it says: ``gates`` [count and more, 512] (input, output,
    forget, cell) to the probabilities ``out`` [count]; ``hidden`` and ``cell`` [128] go on."""
    ones, nothing = np.ones(PANEL, np.float32), np.zeros(PANEL, np.float32)
    for frame in range(len(out)):
        row = gates.ctypes.data + frame * 4 * GATES
        for panel in range(GATES // PANEL):
            float_row(
                hidden.ctypes.data,
                0,
                onward.ctypes.data + panel * HIDDEN * 4 * PANEL,
                HIDDEN,
                0,
                ones.ctypes.data,
                ones.ctypes.data,
                nothing.ctypes.data,
                row + panel * 4 * PANEL,
                0,
                1,
            )
        said = splat(f32(0))
        for i in range(0, 4 * HIDDEN, 4 * LANES):
            put, kept = load(row + i), load(row + 8 * HIDDEN + i)
            new = load(row + 12 * HIDDEN + i)
            state = remembered(put, kept, new, load(cell.ctypes.data + i))
            store(cell.ctypes.data + i, state)
            answer = shown(load(row + 4 * HIDDEN + i), state)
            store(hidden.ctypes.data + i, answer)
            said = said + maximum(answer, splat(f32(0))) * load(ending.ctypes.data + i)
        out[frame] = f32(1) / (f32(1) + np.exp(-(total(said) + bias)))
    keep((ones, nothing, gates, hidden, cell, ending, onward))


class Silero:
    """The network, from its weights by their names in the ONNX file. Thread-safe."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        basis = weights["encoder.feature_extractor.forward_basis_buffer"][:, 0]
        spectrum = np.zeros((SPECTRUM, WINDOW), np.float32)
        spectrum[:BINS] = basis[:BINS]
        spectrum[IMAGINARY : IMAGINARY + BINS] = basis[BINS:]
        inward, onward, biases = (weights[f"onnx::LSTM_{n}"][0] for n in (209, 210, 211))
        self._layers = (
            _layer(spectrum, np.zeros(SPECTRUM)),
            _convolution(weights, 0, slice(0, 3), ROOM),
            _convolution(weights, 1, slice(0, 3), WIDE),
            # What is outside of a frame is zero: of what these two see, only so much is inside.
            _convolution(weights, 2, slice(1, 3), NARROW),
            _convolution(weights, 3, slice(1, 2), NARROW),
            _layer(inward, biases[:GATES] + biases[GATES:]),
        )
        self._onward = _layer(onward, np.zeros(GATES))[0]
        self._ending = weights["decoder.conv1d.weight"].reshape(-1)
        self._bias = np.float32(weights["decoder.conv1d.bias"][0])

    def __call__(self, frames: F32, hidden: F32, cell: F32) -> F32:
        """Probabilities for ``frames`` [count, 576]; ``hidden`` and ``cell`` [128] are changed."""
        count = len(frames)
        padded = np.zeros((count + 2, PADDED), np.float32)
        padded[:count, :SAMPLES] = frames
        padded[:count, SAMPLES:] = frames[:, SAMPLES - 2 : SAMPLES - 2 - (PADDED - SAMPLES) : -1]
        gates = np.empty((count + MORE, GATES), np.float32)
        encode(padded, self._layers, gates)
        found = np.empty(count, np.float32)
        listen(gates, self._onward, self._ending, self._bias, hidden, cell, found)
        return found


def _convolution(
    weights: Mapping[str, NDArray[Any]], number: int, taps: slice, room: int
) -> tuple[F32, F32]:
    """Of a convolution the taps that matter, with ``room`` for the channels of each."""
    kernel, bias = (weights[f"encoder.conv_layers.{number}.{part}"] for part in ("weight", "bias"))
    kernel = kernel[:, :, taps].transpose(0, 2, 1)
    kernel = np.pad(kernel, ((0, 0), (0, 0), (0, room - kernel.shape[2])))
    return _layer(kernel.reshape(len(kernel), -1), bias)


def _layer(weight: NDArray[Any], bias: NDArray[Any]) -> tuple[F32, F32]:
    """``weight`` [outputs, inputs] as :func:`products` wants it, and ``bias``."""
    panels = aligned((len(weight) // PANEL, weight.shape[1], PANEL), np.float32)
    panels[...] = weight.reshape(-1, PANEL, weight.shape[1]).transpose(0, 2, 1)
    return panels, bias.astype(np.float32)
