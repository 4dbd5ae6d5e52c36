"""CAM++'s densely connected layers, with int8 weights.

Where the processor has the instructions, the tile of :mod:`auricle.speech.engines.cpu.lanes` does
them several times as fast as ONNX Runtime: a layer reads the channels of those before it where
they are, and what its rectifier leaves is quantised by row, without a sign. Single-threaded, so
that the segmentation runs beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from auricle.speech.compiled import INLINE, OPTIONS
from auricle.speech.diarization.graphs import BLOCKS, CamPlusPlus
from auricle.speech.engines.cpu.arithmetic import Linear, linear, packed_unsigned
from auricle.speech.engines.cpu.lanes import (
    LANES,
    TILE,
    keep,
    largest,
    load,
    maximum,
    nearest,
    splat,
    store,
    store_bytes,
)

F32 = NDArray[np.float32]

WIDTH = 128
"""Channels between a layer's two convolutions."""
NEW = 32
"""Channels that a layer adds."""
SEGMENT = 100
"""Frames that share a mask."""
ROWS = 8 * TILE
"""Rows that stay in a core's cache."""

f32 = np.float32


@njit(**INLINE)
def rectified(numbers: Any, size: Any, factors: Any, shifts: Any, room: Any, out: Any) -> Any:
    """``max(0, numbers * factors + shifts)`` as bytes from 0 to 255; returns their scale."""
    most = splat(f32(1e-12))
    for i in range(0, 4 * size, 4 * LANES):
        number = load(numbers + i) * load(factors + i) + load(shifts + i)
        number = maximum(number, splat(f32(0)))
        store(room + i, number)
        most = maximum(most, number)
    top = largest(most)
    factor = f32(255) / top
    for i in range(0, size, LANES):
        store_bytes(out + i, nearest(load(room + 4 * i) * factor))
    return top / f32(255)


@njit(**OPTIONS)
def convert(states: Any, size: Any, factors: Any, shifts: Any, layer: Any, out: Any) -> None:
    """A linear layer over the first ``size`` channels of ``states`` after normalisation and
    rectifier, to ``out`` [frames, outputs]; both have a multiple of 6 rows."""
    rows = states.shape[0]
    room = np.empty(size, np.float32)
    bytes_, scales = np.empty((ROWS, size), np.uint8), np.empty(ROWS, np.float32)
    step, to = 4 * states.shape[1], 4 * out.shape[1]
    for first in range(0, rows, ROWS):
        count = min(ROWS, rows - first)
        for row in range(count):
            place = states.ctypes.data + (first + row) * step
            scales[row] = rectified(
                place,
                size,
                factors.ctypes.data,
                shifts.ctypes.data,
                room.ctypes.data,
                bytes_.ctypes.data + row * size,
            )
        for panel in range(out.shape[1] // 64):
            place = out.ctypes.data + first * to + panel * 256
            linear(bytes_[:count], scales, layer, panel, 0, place, to, 0)
    keep((room, bytes_, scales))


@njit(**OPTIONS)
def grow(
    states: Any, frames: Any, size: Any, between: Any, dilation: Any, local: Any, masks: Any
) -> None:
    """Add a layer's new channels to ``states`` after the first ``size``.

    ``between`` [rows, 128] is what its first convolution made, before the rectifier; ``local`` are
    the second one's three taps, one after the other; ``masks`` [segments, 32] are computed here
    from its weights' outputs.
    """
    rows = between.shape[0]
    one, zero = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    room = np.empty(WIDTH, np.float32)
    # Frames before the first and after the last are zeros.
    bytes_ = np.zeros((rows + 2 * dilation, WIDTH), np.uint8)
    scales = np.zeros(rows + 2 * dilation, np.float32)
    for row in range(frames):
        scales[dilation + row] = rectified(
            between.ctypes.data + row * 4 * WIDTH,
            WIDTH,
            one.ctypes.data,
            zero.ctypes.data,
            room.ctypes.data,
            bytes_.ctypes.data + (dilation + row) * WIDTH,
        )
    out = np.empty((ROWS, 64), np.float32)
    for first in range(0, rows, ROWS):
        count = min(ROWS, rows - first)
        for tap in range(3):
            begin = first + tap * dilation
            part, part_scales = bytes_[begin : begin + count], scales[begin : begin + count]
            linear(part, part_scales, local[tap], 0, 0, out.ctypes.data, 256, tap)
        for row in range(min(count, frames - first)):
            mask = masks[(first + row) // SEGMENT]
            for channel in range(NEW):
                states[first + row, size + channel] = out[row, channel] * mask[channel]
    keep((one, zero, room, bytes_, scales, out))


@njit(**OPTIONS)
def masks_of(
    between: Any, frames: Any, inner: Any, inner_bias: Any, outer: Any, outer_bias: Any
) -> Any:
    """A layer's masks ``[segments, 32]`` from the means of all frames and of each hundred."""
    segments = -(-frames // SEGMENT)
    sums = np.zeros((segments, WIDTH), np.float32)
    for row in range(frames):
        to = sums[row // SEGMENT]
        for channel in range(WIDTH):
            to[channel] += max(f32(0), between[row, channel])
    everywhere = np.zeros(WIDTH, np.float32)
    for segment in range(segments):
        everywhere += sums[segment]
    result = np.empty((segments, NEW), np.float32)
    middle = np.empty(len(inner_bias), np.float32)
    for segment in range(segments):
        count = min(SEGMENT, frames - segment * SEGMENT)
        context = sums[segment] / f32(count) + everywhere / f32(frames)
        for n in range(len(middle)):
            total = inner_bias[n]
            for channel in range(WIDTH):
                total += inner[n, channel] * context[channel]
            middle[n] = max(f32(0), total)
        for n in range(NEW):
            total = outer_bias[n]
            for m in range(len(middle)):
                total += outer[n, m] * middle[m]
            result[segment, n] = f32(1) / (f32(1) + np.exp(-total))
    return result


@dataclass(frozen=True, slots=True)
class _Layer:
    """One densely connected layer."""

    size: int
    """Channels that it reads."""
    dilation: int
    factors: F32
    shifts: F32
    first: Linear
    taps: tuple[Linear, Linear, Linear]
    local: NDArray[np.int64]
    """The places of ``taps``."""
    masks: tuple[F32, F32, F32, F32]


@dataclass(frozen=True, slots=True)
class _Transit:
    """What halves the channels after a block."""

    size: int
    factors: F32
    shifts: F32
    layer: Linear


class DenseLayers:
    """CAM++ from the first 128 channels to its pooling. Thread-safe."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        net = CamPlusPlus(weights)
        self._blocks = []
        size = WIDTH
        for number, (layers, dilation) in enumerate(BLOCKS, start=1):
            names = [f"xvector.block{number}.tdnnd{n}" for n in range(1, layers + 1)]
            block = [_layer(net, name, size + n * NEW, dilation) for n, name in enumerate(names)]
            size += layers * NEW
            transit = f"xvector.transit{number}"
            factors, shifts = net.factors(f"{transit}.nonlinear.batchnorm")
            kernel = net.weights(f"{transit}.linear.weight")[:, :, 0]
            nothing = np.zeros(len(kernel), np.float32)
            self._blocks.append(
                (block, _Transit(size, factors, shifts, packed_unsigned(kernel, nothing)))
            )
            size //= 2
        self._last = net.factors("xvector.out_nonlinear.batchnorm")

    def __call__(self, states: F32) -> F32:
        """``[frames, 128]`` to ``[frames, 512]``."""
        frames = len(states)
        rows = frames + -frames % TILE
        states = np.pad(states, ((0, rows - frames), (0, 0)))
        between = np.empty((rows, WIDTH), np.float32)
        for layers, transit in self._blocks:
            grown = np.zeros((rows, transit.size), np.float32)
            grown[:, : states.shape[1]] = states
            for each in layers:
                first = each.first.places
                convert(grown, each.size, each.factors, each.shifts, first, between)
                masks = masks_of(between, frames, *each.masks)
                grow(grown, frames, each.size, between, each.dilation, each.local, masks)
            states = np.empty((rows, transit.size // 2), np.float32)
            layer = transit.layer.places
            convert(grown, transit.size, transit.factors, transit.shifts, layer, states)
        factors, shifts = self._last
        found: F32 = np.maximum(states[:frames] * factors + shifts, 0)
        return found


def _layer(net: CamPlusPlus, name: str, size: int, dilation: int) -> _Layer:
    factors, shifts = net.factors(f"{name}.nonlinear1.batchnorm")
    kernel, bias = net.folded(f"{name}.linear1", f"{name}.nonlinear2.batchnorm")
    local = net.weights(f"{name}.cam_layer.linear_local.weight")
    nothing = np.zeros(len(local), np.float32)
    one, two, three = (packed_unsigned(local[:, :, tap], nothing) for tap in range(3))
    masks = [
        np.ascontiguousarray(net.weights(f"{name}.cam_layer.{part}"))
        for part in ("linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias")
    ]
    return _Layer(
        size,
        dilation,
        factors,
        shifts,
        packed_unsigned(kernel[:, :, 0], bias),
        (one, two, three),
        np.stack([each.places for each in (one, two, three)]),
        (masks[0][:, :, 0].copy(), masks[1], masks[2][:, :, 0].copy(), masks[3]),
    )
