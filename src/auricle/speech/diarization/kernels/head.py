"""CAM++'s beginning, half of its work: convolutions over frequency and time with int8 weights.

Numbers lie as [frequency, frame, channel], so that what a tap sees of three frames is one row of
bytes. Two frames are computed at a time, for 32 channels fill half of a tile only: a row is four
frames, of which each output uses three. What a rectifier leaves has no sign and is quantised by
frequency. Single-threaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from auricle.speech.compiled import INLINE, OPTIONS
from auricle.speech.diarization.graphs import CamPlusPlus
from auricle.speech.diarization.spectrum import BANDS
from auricle.speech.engines.cpu.arithmetic import linear_of_rows, packed_unsigned
from auricle.speech.engines.cpu.lanes import (
    LANES,
    PANEL,
    TILE,
    float_tile,
    keep,
    largest,
    load,
    maximum,
    nearest,
    splat,
    store,
    store_bytes,
    store_number,
)

CHANNELS = 32
FRAME = 4 * CHANNELS
"""Bytes of a frame in float32."""
PAIR = 2 * CHANNELS
"""Bytes of two frames as they are quantised, from one row to the next; and outputs of a row."""
BEFORE, ROOM = 1, 3
"""Frames of zeros before the first, and together with those after the last."""
ROWS = 8 * TILE
"""Pairs of frames whose sums stay in a core's cache."""

TAPS = 5
"""Frames that the last convolution sees, of which it takes every second."""
WIDTH = 128
"""Channels that it makes."""

f32 = np.float32
F32 = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]


@njit(**INLINE)
def settle(sums: Any, frames: Any, padded: Any, out: Any, scale: Any) -> None:
    """Rectify ``sums`` [padded frames, 32] in place, zero beyond ``frames``, and quantise to
    ``out``; the scale goes to ``scale``. All are addresses."""
    most = splat(f32(1e-12))
    for i in range(0, frames * FRAME, 4 * LANES):
        number = maximum(load(sums + i), splat(f32(0)))
        store(sums + i, number)
        most = maximum(most, number)
    for i in range(frames * FRAME, padded * FRAME, 4 * LANES):
        store(sums + i, splat(f32(0)))
    top = largest(most)
    factor = f32(255) / top
    for i in range(0, padded * FRAME, 4 * LANES):
        store_bytes(out + i // 4, nearest(load(sums + i) * factor))
    store_number(scale, top / f32(255))


@njit(**OPTIONS)
def listen(spectra: Any, frames: Any, kernel: Any, bias: Any, out: Any, scales: Any) -> None:
    """The first convolution, of float32 numbers.

    ``spectra`` [82, padded + 4] are the bands with zeros around them, ``kernel`` [3, 4, 64] its
    weights for pairs of frames; ``out`` [82, padded + 3, 32] are bytes, and ``scales`` [82].
    """
    padded = out.shape[1] - ROOM
    sums = np.empty((padded, CHANNELS), np.float32)
    ones = np.ones(PANEL, np.float32)
    nothing = np.zeros(PANEL, np.float32)
    for band in range(BANDS):
        for tap in range(3):
            for pair in range(0, padded // 2, TILE):
                float_tile(
                    spectra.ctypes.data + (band + tap) * spectra.strides[0] + pair * 8,
                    8,
                    kernel.ctypes.data + tap * 16 * PANEL,
                    4,
                    0,
                    ones.ctypes.data,
                    ones.ctypes.data,
                    nothing.ctypes.data if tap else bias.ctypes.data,
                    sums.ctypes.data + pair * 2 * FRAME,
                    2 * FRAME,
                    tap,
                )
        to = out.ctypes.data + (band + 1) * out.strides[0] + BEFORE * CHANNELS
        settle(sums.ctypes.data, frames, padded, to, scales.ctypes.data + 4 * (band + 1))
    keep((sums, ones, nothing))


@njit(**OPTIONS)
def convolve(
    given: Any, scales: Any, frames: Any, taps: Any, first: Any, stride: Any, sums: Any, adds: Any,
    out: Any, out_scales: Any,
) -> None:  # fmt: skip
    """A convolution of ``given`` [bands + 2, padded + 3, 32] by ``taps`` (places of layers) over
    bands from ``first`` on, of which every ``stride`` is taken.

    ``sums`` [bands or 1, padded, 32] are what it is added to, if ``adds`` is 1, and what becomes
    of it; where ``out`` has bands, they are rectified and quantised.
    """
    padded = given.shape[1] - ROOM
    bands = (given.shape[0] - 2) // stride
    factors = np.empty(ROWS, np.float32)
    for band in range(bands):
        row = sums.ctypes.data + (band * padded * FRAME if sums.shape[0] > 1 else 0)
        for pair in range(0, padded // 2, ROWS):
            count = min(ROWS, padded // 2 - pair)
            for tap in range(taps.shape[0]):
                seen = band * stride + first + tap
                factors[:] = scales[seen]
                linear_of_rows(
                    given.ctypes.data + seen * given.strides[0] + pair * PAIR,
                    PAIR,
                    count,
                    factors.ctypes.data,
                    taps[tap],
                    0,
                    row + pair * 2 * FRAME,
                    2 * FRAME,
                    adds + tap,
                )
        if out.shape[0] > 1:
            to = out.ctypes.data + (band + 1) * out.strides[0] + BEFORE * CHANNELS
            settle(row, frames, padded, to, out_scales.ctypes.data + 4 * (band + 1))
    keep((factors, given, scales, sums, out, out_scales))


@njit(**OPTIONS)
def gather(sums: Any, frames: Any, out: Any) -> Any:
    """Rectify ``sums`` [bands, padded, 32] and quantise all to ``out`` [padded + 2 * 2 + more,
    bands * 32], frame by frame, two frames of zeros first; returns the scale."""
    bands = sums.shape[0]
    most = f32(1e-12)
    for band in range(bands):
        for frame in range(frames):
            for n in range(CHANNELS):
                most = max(most, sums[band, frame, n])
    factor = f32(255) / most
    for band in range(bands):
        for frame in range(frames):
            for n in range(CHANNELS):
                number = max(sums[band, frame, n], f32(0)) * factor
                out[frame + TAPS // 2, band * CHANNELS + n] = np.uint8(np.rint(number))
    return most / f32(255)


@njit(**OPTIONS)
def join(given: Any, scale: Any, layer: Any, out: Any) -> None:
    """The last convolution, over time: ``given`` of :func:`gather` to ``out`` [frames / 2, 128],
    rectified."""
    rows, width = out.shape[0], given.shape[1]
    factors = np.full(rows, f32(scale))  # as an argument it came as float64
    for panel in range(WIDTH // PANEL):
        linear_of_rows(
            given.ctypes.data,
            2 * width,
            rows,
            factors.ctypes.data,
            layer,
            panel,
            out.ctypes.data + panel * 4 * PANEL,
            4 * WIDTH,
            0,
        )
    for row in range(rows):
        for n in range(WIDTH):
            out[row, n] = max(out[row, n], f32(0))
    keep((factors, given))


class Head:
    """CAM++ up to its dense layers. Thread-safe."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        net = CamPlusPlus(weights)
        kernel, bias = net.folded("head.conv1", "head.bn1")
        self._kernel = np.ascontiguousarray(_pairs(kernel).transpose(0, 2, 1))
        self._bias = np.tile(bias, 2)
        self._blocks = [
            _Block(net, f"head.layer{layer}.{n}", stride=2 - n) for layer in (1, 2) for n in (0, 1)
        ]
        self._last = _Taps(net, "head.conv2", "head.bn2")
        kernel, bias = net.folded("xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")
        # From [channel, band] to [band, channel], and from taps outside to taps inside.
        bands = kernel.shape[1] // CHANNELS
        kernel = kernel.reshape(WIDTH, CHANNELS, bands, TAPS).transpose(0, 3, 2, 1)
        self._join = packed_unsigned(np.ascontiguousarray(kernel).reshape(WIDTH, -1), bias)

    def __call__(self, spectra: F32) -> F32:
        """``[frames, 80]`` to ``[frames / 2, 128]``; an even number of frames."""
        frames = len(spectra)
        padded = frames + -frames % (2 * TILE)
        bands = np.zeros((BANDS + 2, padded + 4), np.float32)
        bands[1:-1, BEFORE : BEFORE + frames] = spectra.T
        heard, scales = _room(BANDS, padded)
        listen(bands, frames, self._kernel, self._bias, heard, scales)
        sums = np.zeros((0, padded, CHANNELS), np.float32)
        for block in self._blocks:
            heard, scales, sums = block(heard, scales, sums, frames)
        sums = np.empty((len(sums) // 2, padded, CHANNELS), np.float32)
        none, none_scales = _room(-1, padded)
        convolve(heard, scales, frames, self._last.places, 0, 2, sums, 0, none, none_scales)
        rows = padded // 2
        joined = np.zeros((padded + TAPS, len(sums) * CHANNELS), np.uint8)
        scale = gather(sums, frames, joined)
        out = np.empty((rows, WIDTH), np.float32)
        join(joined, scale, self._join.places, out)
        return out[: frames // 2]


class _Taps:
    """A convolution over bands and frames, as a layer for each band that it sees."""

    def __init__(self, net: CamPlusPlus, conv: str, batchnorm: str) -> None:
        kernel, bias = net.folded(conv, batchnorm)
        nothing = np.zeros(PAIR, np.float32)
        self._layers = [
            packed_unsigned(tap, nothing if number else np.tile(bias, 2))
            for number, tap in enumerate(_pairs(kernel))
        ]
        self.places: Places = np.stack([layer.places for layer in self._layers])


class _Block:
    """Two convolutions, and what goes past them."""

    def __init__(self, net: CamPlusPlus, name: str, stride: int) -> None:
        self._stride = stride
        self._first = _Taps(net, f"{name}.conv1", f"{name}.bn1")
        self._second = _Taps(net, f"{name}.conv2", f"{name}.bn2")
        self._past = _Taps(net, f"{name}.shortcut.0", f"{name}.shortcut.1") if stride > 1 else None

    def __call__(self, heard: Bytes, scales: F32, sums: F32, frames: int) -> tuple[Bytes, F32, F32]:
        """Bytes, their scales, and the same as float32 numbers, which the next block adds to."""
        bands, padded = (len(heard) - 2) // self._stride, heard.shape[1] - ROOM
        between, between_scales = _room(bands, padded)
        room = np.empty((1, padded, CHANNELS), np.float32)
        stride = self._stride
        convolve(
            heard, scales, frames, self._first.places, 0, stride, room, 0, between, between_scales
        )
        if self._past:
            sums = np.empty((bands, padded, CHANNELS), np.float32)
            none, none_scales = _room(-1, padded)
            convolve(
                heard, scales, frames, self._past.places, 1, stride, sums, 0, none, none_scales
            )
        out, out_scales = _room(bands, padded)
        convolve(
            between, between_scales, frames, self._second.places, 0, 1, sums, 1, out, out_scales
        )
        return out, out_scales, sums


def _room(bands: int, padded: int) -> tuple[Bytes, F32]:
    """Zeros for the bytes of some bands, with one more on each side, and for their scales."""
    return (
        np.zeros((bands + 2, padded + ROOM, CHANNELS), np.uint8),
        np.zeros(bands + 2, np.float32),
    )


def _pairs(kernel: F32) -> F32:
    """``[32, inputs, bands, frames]`` as ``[bands, 64, 4 * inputs]``: for two frames at a time,
    the second sees what begins one frame later. Kernels of one frame see the middle one."""
    outputs, inputs, bands, taps = kernel.shape
    kernel = kernel.transpose(2, 0, 3, 1)
    found = np.zeros((bands, 2, outputs, 4, inputs), np.float32)
    for second in (0, 1):
        first = second + (3 - taps) // 2
        found[:, second, :, first : first + taps] = kernel
    return found.reshape(bands, 2 * outputs, 4 * inputs)
