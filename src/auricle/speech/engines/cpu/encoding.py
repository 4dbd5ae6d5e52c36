"""Whisper's encoder (Radford et al. 2022, section 2.2) up to what the decoder attends to.

A layer is two passes over the frames: the attention of a head needs all of them, and all the rest
needs only its own. The rest goes through blocks of frames that stay in a core's own cache while the
weights pass by once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from auricle.speech.compiled import PARALLEL
from auricle.speech.engines.cpu import weights
from auricle.speech.engines.cpu.arithmetic import (
    F32,
    GROUPS,
    HEAD,
    OUTPUTS,
    Linear,
    aligned,
    gelu,
    linear,
    linear_of_rows,
    normalise,
    packed,
    quantise,
    ready,
)
from auricle.speech.engines.cpu.attention import (
    Heard,
    attend,
    nothing_heard,
    pack_key,
    pack_value,
)
from auricle.speech.engines.cpu.checkpoint import Checkpoint
from auricle.speech.engines.cpu.lanes import LANES, PANEL, TILE, float_tile, keep, load, store
from auricle.speech.engines.cpu.weights import GROUP

MOST_ROWS = 384
"""Frames of a block: with their states, 2 MB for the widest part of Whisper base."""


def block_rows(frames: int, threads: int) -> int:
    """Frames of a block, so that each thread has as much to do: a multiple of 6, of which a tile
    is, and of 4, whose values lie together."""
    blocks = threads * math.ceil(frames / (threads * MOST_ROWS))
    return 2 * TILE * math.ceil(frames / blocks / (2 * TILE))


@njit(**PARALLEL)
def convolve(frames: Any, weights: Any, bias: Any, bytes_: Any, scales: Any) -> None:
    """``gelu(convolution + bias)`` of time-major ``frames`` [length + 2, inputs], quantised.

    Three frames wide, with ``weights`` [width / 64, 3 * inputs, 64] in float32. ``frames`` begins
    and ends with a frame of zeros. Three frames lie next to each other in memory, so that the
    convolution is a product of matrices whose rows overlap. What comes out is split into frames of
    even and of odd number, counted with a frame before the first: ``bytes_`` [2, length / 2 + 1,
    width] and ``scales`` [width / 64, 2, length / 2 + 1].
    """
    inputs, width = frames.shape[1], bytes_.shape[2]
    for tile in prange((frames.shape[0] - 2) // TILE):
        ones, out = np.ones(PANEL, np.float32), np.empty((TILE, width), np.float32)
        first = tile * TILE
        for panel in range(width // PANEL):
            float_tile(
                frames.ctypes.data + first * inputs * 4,
                inputs * 4,
                weights.ctypes.data + panel * inputs * 3 * PANEL * 4,
                inputs * 3,
                0,
                ones.ctypes.data,
                ones.ctypes.data,
                bias.ctypes.data + panel * PANEL * 4,
                out.ctypes.data + panel * PANEL * 4,
                width * 4,
                0,
            )
        for row in range(TILE):
            place = out.ctypes.data + row * width * 4
            gelu(place, width)
            half, number = divmod(first + row + 1, 2)
            to = bytes_.ctypes.data + (number * bytes_.shape[1] + half) * width
            for part in range(width // PANEL):
                at = part * PANEL
                scales[part, number, half] = quantise(place + 4 * at, PANEL, to + at)
        keep((ones, out))


@njit(**PARALLEL)
def halve(bytes_: Any, scales: Any, rows: Any, taps: Any, positions: Any, out: Any) -> None:
    """``gelu(convolution)`` of every second frame plus ``positions``, to ``out`` [frames, width].

    ``bytes_`` and ``scales`` are what :func:`convolve` makes; ``taps`` [3, width / 64] are the
    places of layers, for the frame before, the one itself and the one after. By blocks of ``rows``.
    """
    frames, width = out.shape
    inputs, parts, step = bytes_.shape[2], scales.shape[0], 4 * width
    for block in prange(-(-frames // rows)):
        first = block * rows
        count = max(0, min(rows, frames - first))
        to = out.ctypes.data + first * step
        for panel in range(width // PANEL):
            for number in range(3 * parts):
                tap, part = number // parts, number % parts
                begin = (tap % 2) * bytes_.shape[1] + first + tap // 2
                linear_of_rows(
                    bytes_.ctypes.data + begin * inputs + part * PANEL,
                    inputs,
                    count,
                    scales.ctypes.data + 4 * (part * 2 * bytes_.shape[1] + begin),
                    taps[tap, part],
                    panel,
                    to + panel * 4 * PANEL,
                    step,
                    number,
                )
        for row in range(count):
            place, position = to + row * step, positions.ctypes.data + (first + row) * step
            gelu(place, width)
            for i in range(0, step, 4 * LANES):
                store(place + i, load(place + i) + load(position + i))


@njit(**PARALLEL)
def to_heads(
    states: Any, rows: Any, gamma: Any, layer: Any, queries: Any, scales: Any, heard: Any
) -> None:
    """``states`` [frames, width], by blocks of ``rows``, to queries [heads, frames, 64], keys and
    values."""
    frames, width = states.shape
    heads = width // HEAD
    for block in prange(-(-frames // rows)):
        first = block * rows
        count = max(0, min(rows, frames - first))
        bytes_, row_scales = np.empty((count, width), np.uint8), np.empty(count, np.float32)
        out, room = np.empty((count, HEAD), np.float32), np.empty(HEAD, np.int8)
        ready(states, first, gamma, bytes_, row_scales)
        for panel in range(3 * heads):
            place, head = out.ctypes.data, panel % heads
            linear(bytes_, row_scales, layer, panel, 0, place, 4 * HEAD, 0)
            for row in range(count):
                numbers, frame = place + row * 4 * HEAD, first + row
                if panel < heads:
                    to = queries.ctypes.data + (head * frames + frame) * HEAD
                    scales[head, frame] = quantise(numbers, HEAD, to)
                elif panel < 2 * heads:
                    pack_key(numbers, heard, head, frame, room)
                else:
                    pack_value(numbers, heard, head, frame)
        keep((bytes_, row_scales, out, room))


@njit(**PARALLEL)
def rest(
    states: Any, rows: Any, heard: Any, joining: Any, gamma: Any, inner: Any, outer: Any
) -> None:
    """Add what was heard [frames, width], and then the feed-forward layers, to ``states``."""
    frames, width = states.shape
    panels = width // PANEL
    groups, step, size = outer[GROUPS], 4 * width, width // joining[GROUPS]
    for block in prange(-(-frames // rows)):
        first = block * rows
        count = max(0, min(rows, frames - first))
        bytes_, scales = np.empty((count, width), np.uint8), np.empty(count, np.float32)
        parts, part_scales = (
            np.empty((joining[GROUPS], count, size), np.uint8),
            np.empty((joining[GROUPS], count), np.float32),
        )
        between, between_bytes = (
            np.empty((count, GROUP), np.float32),
            np.empty((count, GROUP), np.uint8),
        )
        to = states.ctypes.data + first * step
        for part in range(joining[GROUPS]):
            for row in range(count):
                place = heard.ctypes.data + (first + row) * step + part * size * 4
                to_part = parts.ctypes.data + (part * count + row) * size
                part_scales[part, row] = quantise(place, size, to_part)
            for panel in range(panels):
                place = to + panel * 256
                linear(parts[part], part_scales[part], joining, panel, part, place, step, 1)
        ready(states, first, gamma, bytes_, scales)
        between_scales = np.empty(count, np.float32)
        for group in range(groups):
            for n in range(GROUP // PANEL):
                panel, place = group * (GROUP // PANEL) + n, between.ctypes.data + n * 256
                linear(bytes_, scales, inner, panel, 0, place, 4 * GROUP, 0)
            for row in range(count):
                place = between.ctypes.data + row * 4 * GROUP
                gelu(place, GROUP)
                to_bytes = between_bytes.ctypes.data + row * GROUP
                between_scales[row] = quantise(place, GROUP, to_bytes)
            for panel in range(panels):
                place = to + panel * 256
                linear(between_bytes, between_scales, outer, panel, group, place, step, 1)
        keep((bytes_, scales, parts, part_scales, between, between_bytes, between_scales))


@njit(**PARALLEL)
def finish(
    states: Any, rows: Any, gamma: Any, beta: Any, factors: Any, layer: Any, heads: Any, heard: Any
) -> None:
    """Normalise ``states`` in place, and make keys and values for all layers of the decoder from
    them times ``factors``."""
    frames, width = states.shape
    for block in prange(-(-frames // rows)):
        first = block * rows
        count = max(0, min(rows, frames - first))
        bytes_, scales = np.empty((count, width), np.uint8), np.empty(count, np.float32)
        out, room = np.empty((count, HEAD), np.float32), np.empty(HEAD, np.int8)
        ready_ = np.empty(width, np.float32)
        for row in range(count):
            place = states.ctypes.data + (first + row) * width * 4
            normalise(place, width, gamma, place)
            for i in range(0, 4 * width, 4 * LANES):
                state = load(place + i) + load(beta.ctypes.data + i)
                store(place + i, state)
                store(ready_.ctypes.data + i, state * load(factors.ctypes.data + i))
            to = bytes_.ctypes.data + row * width
            scales[row] = quantise(ready_.ctypes.data, width, to)
        for panel in range(layer[OUTPUTS] // PANEL):
            linear(bytes_, scales, layer, panel, 0, out.ctypes.data, 4 * HEAD, 0)
            decoder_layer, head = panel // (2 * heads), panel % heads
            for row in range(count):
                numbers, place = out.ctypes.data + row * 4 * HEAD, decoder_layer * heads + head
                if panel % (2 * heads) < heads:
                    pack_key(numbers, heard, place, first + row, room)
                else:
                    pack_value(numbers, heard, place, first + row)
        keep((bytes_, scales, out, room, ready_))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window as the decoder hears it."""

    sound: int
    """Frames of 20 ms that hold sound; the rest is silence."""
    states: F32
    """``[frames, width]``"""
    heard: Heard
    """Keys and values of all heads of all the decoder's layers."""


class Encoder:
    """The encoder of one model; for one thread."""

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        self._threads = threads
        self._heads = checkpoint.heads
        self._decoder_heads = checkpoint.layers("decoder") * checkpoint.heads
        self._first = _convolution(checkpoint, "encoder/conv1")
        self._second = _taps(checkpoint, "encoder/conv2")
        self._second_places = np.stack([[part.places for part in tap] for tap in self._second])
        self._positions = checkpoint["encoder/position_encodings/encodings"]
        self._layers = [
            _layer(checkpoint, f"encoder/layer_{n}") for n in range(checkpoint.layers("encoder"))
        ]
        parts = ("gamma", "beta")
        self._norm = [checkpoint[f"encoder/layer_norm/{part}"] for part in parts]
        self._factors, self._last = _last(checkpoint)

    def __call__(self, mel: F32, sound: int) -> Window:
        """Encode a spectrum [mels, frames]; ``frames`` is a multiple of 12."""
        states = self._convolved(mel)
        length, width = states.shape
        heard = nothing_heard(self._heads, length)
        rows = block_rows(length, self._threads)
        queries = np.empty((self._heads, length, HEAD), np.uint8)
        scales = np.empty((self._heads, length), np.float32)
        found = np.empty((length, width), np.float32)
        for layer in self._layers:
            to_heads(states, rows, *layer.to_heads, queries, scales, heard.places)
            attend(queries, scales, heard.places, self._threads, found)
            rest(states, rows, found, *layer.rest)
        to_decoder = nothing_heard(self._decoder_heads, length)
        finish(
            states, rows, *self._norm, self._factors, self._last.places, self._heads,
            to_decoder.places,
        )  # fmt: skip
        return Window(sound, states, to_decoder)

    def _convolved(self, mel: F32) -> F32:
        bands, length = mel.shape
        width = self._positions.shape[1]
        frames = np.zeros((length + 2, bands), np.float32)
        frames[1:-1] = mel.T
        # The frames before the first and after the last are zeros, of which 128 is the byte.
        bytes_ = np.full((2, length // 2 + 1, width), 128, np.uint8)
        scales = np.zeros((width // PANEL, 2, length // 2 + 1), np.float32)
        convolve(frames, *self._first, bytes_, scales)
        states = np.empty((length // 2, width), np.float32)
        rows = block_rows(length // 2, self._threads)
        halve(bytes_, scales, rows, self._second_places, self._positions, states)
        return states


def _convolution(checkpoint: Checkpoint, name: str) -> tuple[F32, F32]:
    weight = checkpoint[f"{name}/weight"]
    width, inputs, _ = weight.shape
    panels = weight.transpose(0, 2, 1).reshape(width // PANEL, PANEL, 3 * inputs)
    turned = aligned((width // PANEL, 3 * inputs, PANEL), np.float32)
    turned[...] = panels.transpose(0, 2, 1)
    return turned, checkpoint[f"{name}/bias"]


def _taps(checkpoint: Checkpoint, name: str) -> list[list[Linear]]:
    """A convolution as layers: for each of the frames that it sees, one for every 64 channels.

    With scales of their own: with one for all channels the encoder's error was half as great again.
    """
    weight, bias = checkpoint[f"{name}/weight"], checkpoint[f"{name}/bias"]
    nothing = np.zeros_like(bias)
    return [
        [
            packed(weight[:, first : first + PANEL, tap], nothing if tap or first else bias)
            for first in range(0, weight.shape[1], PANEL)
        ]
        for tap in range(3)
    ]


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer, as its two kernels want it."""

    weights: tuple[Linear, ...]
    """What the addresses in the rest lead to."""
    to_heads: tuple[NDArray[Any], ...]
    rest: tuple[NDArray[Any], ...]


def _layer(checkpoint: Checkpoint, name: str) -> _Layer:
    first_norm, first = weights.attending(checkpoint, f"{name}/self_attention")
    joining = weights.joining(checkpoint, f"{name}/self_attention/linear_1")
    inner_norm, inner, outer = weights.feed_forward(checkpoint, f"{name}/ffn")
    return _Layer(
        (first, joining, inner, outer),
        (first_norm, first.places),
        (joining.places, inner_norm, inner.places, outer.places),
    )


def _last(checkpoint: Checkpoint) -> tuple[F32, Linear]:
    """Keys and values of all layers of the decoder, and what their inputs are multiplied by."""
    names = [f"decoder/layer_{n}/attention/linear_1" for n in range(checkpoint.layers("decoder"))]
    weight = np.concatenate([checkpoint[f"{name}/weight"] for name in names])
    bias = np.concatenate([checkpoint[f"{name}/bias"] for name in names])
    balance = weights.balance(checkpoint["encoder/layer_norm/gamma"])
    return (1 / balance).astype(np.float32), packed(weight, bias, factors=balance)
