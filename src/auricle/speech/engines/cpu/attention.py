"""Attention in bytes: of every frame to every other in the encoder, and of a token to a window.

Keys and values are packed as the panels of a matrix product: for a query, the keys are 64 outputs a
panel whose inputs are the 64 numbers of a head, and the values are one panel whose inputs are all
the frames. Both have a scale for each frame; a value's scale goes into the weight it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import carray, njit, prange
from numpy.typing import NDArray

from auricle.speech.compiled import INLINE, PARALLEL
from auricle.speech.engines.cpu.arithmetic import (
    F32,
    HEAD,
    aligned,
    f32,
    four_scaled,
    magnitude,
    quantise,
    tile_of,
    top,
    weigh,
)
from auricle.speech.engines.cpu.lanes import (
    LANES,
    MATRIX,
    PANEL,
    TILE,
    USES_MATRICES,
    begin_matrices,
    byte_pair,
    byte_row,
    end_matrices,
    keep,
    load,
    nearest,
    pointer,
    set_byte,
    store,
    store_quads,
    whole_sum,
    whole_total,
)

KEYS, KEY_SCALES, KEY_STARTS, VALUES, VALUE_SCALES, MASK, PANELS, MATRICES = range(8)
"""What :attr:`Heard.places` says: six addresses, a count, and whether AMX does the products."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Keys and values of some heads, packed. Frames are filled up to whole panels."""

    keys: NDArray[np.int8]
    """``[heads, panels, 16, 64, 4]``"""
    key_scales: F32
    """``[heads, panels * 64]``, as the rest"""
    key_starts: NDArray[np.int32]
    """-128 times the sum of a key: queries are stored with 128 added."""
    values: NDArray[np.int8]
    """``[heads, panels * 16, 64, 4]``"""
    value_scales: F32
    mask: F32
    """``[panels * 64]``, added to scores: 0, and far below where there is no frame."""

    places: NDArray[np.int64] = field(init=False)
    """For kernels, whose parallel loops take arrays of numbers only."""

    def __post_init__(self) -> None:
        addresses = [array.ctypes.data for array in (*self.arrays, self.mask)]
        places = [*addresses, self.keys.shape[1], USES_MATRICES]
        object.__setattr__(self, "places", np.array(places, np.int64))

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All that is by head and frame."""
        return self.keys, self.key_scales, self.key_starts, self.values, self.value_scales


def nothing_heard(heads: int, frames: int) -> Heard:
    """Room for the keys and values of so many frames."""
    panels = -(-frames // PANEL)
    room = panels * PANEL
    return Heard(
        aligned((heads, panels, HEAD // 4, PANEL, 4), np.int8),
        np.zeros((heads, room), np.float32),
        np.zeros((heads, room), np.int32),
        aligned((heads, room // 4, HEAD, 4), np.int8),
        np.zeros((heads, room), np.float32),
        np.where(np.arange(room) < frames, 0, -1e30).astype(np.float32),
    )


@njit(**INLINE)
def pack_key(numbers: Any, heard: Any, head: Any, frame: Any, room: Any) -> None:
    """Write the key of one frame, 64 ``numbers``, with ``room`` [64] for its bytes."""
    most = magnitude(numbers, HEAD)
    summed = np.int32(0)
    for d in range(0, HEAD, 4 * LANES):
        one, two, three, four = four_scaled(numbers + 4 * d, f32(127) / most)
        store_quads(room.ctypes.data + d, one, two, three, four, 0)
        summed += whole_total(whole_sum(whole_sum(one, two), whole_sum(three, four)))
    place = head * heard[PANELS] * PANEL + frame
    first = heard[KEYS] + (place - frame % PANEL) * HEAD
    quads = carray(pointer(first), HEAD // 4 * PANEL, np.int32)
    ready_ = carray(pointer(room.ctypes.data), HEAD // 4, np.int32)
    for quad in range(HEAD // 4):
        quads[quad * PANEL + frame % PANEL] = ready_[quad]
    carray(pointer(heard[KEY_SCALES] + 4 * place), 1, np.float32)[0] = most / f32(127)
    carray(pointer(heard[KEY_STARTS] + 4 * place), 1, np.int32)[0] = np.int32(-128) * summed


@njit(**INLINE)
def place_of_quad(quad: Any) -> Any:
    """Where four frames' values are, so that they meet the weights that :func:`store_halves` packs:
    it takes four vectors' first four numbers, then their second four, and so on."""
    each = LANES // 4
    vector, part = quad % LANES // each, quad % each
    return quad - quad % LANES + 4 * part + vector


@njit(**INLINE)
def pack_value(numbers: Any, heard: Any, head: Any, frame: Any) -> None:
    """Write the value of one frame. Four frames' lie together: they are for one thread."""
    most = magnitude(numbers, HEAD)
    begin = head * heard[PANELS] * PANEL
    at = heard[VALUES] + (begin + 4 * place_of_quad(frame // 4)) * HEAD
    for i in range(0, 4 * HEAD, 4 * LANES):
        set_byte(at + i, nearest(load(numbers + i) * (f32(127) / most)), frame % 4)
    carray(pointer(heard[VALUE_SCALES] + 4 * (begin + frame)), 1, np.float32)[0] = most / f32(127)


@njit(**PARALLEL)
def attend(queries: Any, scales: Any, heard: Any, shares: Any, out: Any) -> None:
    """Every frame to all: quantised ``queries`` [heads, frames, 64] with ``scales`` [heads, frames]
    to ``out`` [frames, heads * 64]. ``frames`` is a multiple of 6; each head's are done in
    ``shares``."""
    heads, frames = scales.shape
    panels = heard[PANELS]
    room = panels * PANEL
    tall = MATRIX if heard[MATRICES] and frames >= MATRIX else TILE
    tiles = -(-frames // tall)
    for n in prange(heads * shares):
        head, share = n // shares, n % shares
        scores = np.empty((tall, room), np.float32)
        high, low = np.empty((tall, room), np.uint8), np.empty((tall, room), np.uint8)
        factors = np.empty((2, tall), np.float32)
        nothing, ones = np.zeros(PANEL, np.float32), np.ones(PANEL, np.float32)
        value_scales = heard[VALUE_SCALES] + head * room * 4
        most = top(value_scales, room)
        values = heard[VALUES] + head * room * HEAD
        if tall == MATRIX:
            begin_matrices()
        for tile in range(share * tiles // shares, (share + 1) * tiles // shares):
            # The last tile begins earlier, and does not write what the one before it has.
            at = min(tile * tall, frames - tall)
            skip = tile * tall - at
            first = head * frames + at
            for panel in range(panels):
                place = head * room + panel * PANEL
                tile_of(
                    tall,
                    queries.ctypes.data + first * HEAD,
                    HEAD,
                    heard[KEYS] + place * HEAD,
                    HEAD // 4,
                    heard[KEY_STARTS] + 4 * place,
                    scales.ctypes.data + 4 * first,
                    heard[KEY_SCALES] + 4 * place,
                    heard[MASK] + 4 * panel * PANEL,
                    scores.ctypes.data + 4 * panel * PANEL,
                    4 * room,
                    0,
                    skip,
                )
            for row in range(skip, tall):
                line = scores.ctypes.data + row * room * 4
                to_high, to_low = high.ctypes.data + row * room, low.ctypes.data + row * room
                share_ = weigh(line, value_scales, most, room, to_high, to_low)
                factors[1, row] = share_ * most / f32(65535)
                factors[0, row] = factors[1, row] * f32(256)
            to = out.ctypes.data + (at * heads + head) * HEAD * 4
            for byte, part in ((0, high), (1, low)):
                tile_of(
                    tall,
                    part.ctypes.data,
                    room,
                    values,
                    room // 4,
                    nothing.ctypes.data,
                    factors.ctypes.data + 4 * byte * tall,
                    ones.ctypes.data,
                    nothing.ctypes.data,
                    to,
                    heads * HEAD * 4,
                    byte,
                    skip,
                )
        if tall == MATRIX:
            end_matrices()
        keep((scores, high, low, factors, nothing, ones))


@njit(**INLINE)
def attend_once(
    query: Any, heard: Any, head: Any, panels: Any, mask: Any, scores: Any, out: Any
) -> Any:
    """One token to the first ``panels`` of a head, from and to 64 float32 numbers at an address.

    ``mask`` is an address. Leaves powers in ``scores`` [panels * 64 or more]; returns what they
    have to be multiplied by to be shares.
    """
    room = panels * PANEL
    bytes_, both = np.empty(HEAD, np.uint8), np.empty((2, room), np.uint8)
    factors, ones = np.empty(2, np.float32), np.ones(PANEL, np.float32)
    nothing, halves = np.zeros(PANEL, np.float32), np.empty((2, HEAD), np.float32)
    factors[0] = quantise(query, HEAD, bytes_.ctypes.data)
    first = head * heard[PANELS] * PANEL
    for panel in range(panels):
        place = first + panel * PANEL
        byte_row(
            bytes_.ctypes.data,
            HEAD,
            heard[KEYS] + place * HEAD,
            HEAD // 4,
            heard[KEY_STARTS] + 4 * place,
            factors.ctypes.data,
            heard[KEY_SCALES] + 4 * place,
            mask + 4 * panel * PANEL,
            scores.ctypes.data + 4 * panel * PANEL,
            4 * PANEL,
            0,
        )
    value_scales = heard[VALUE_SCALES] + 4 * first
    most = top(value_scales, room)
    high = both.ctypes.data
    share = weigh(scores.ctypes.data, value_scales, most, room, high, high + room)
    factors[1] = share * most / f32(65535)
    factors[0] = factors[1] * f32(256)
    byte_pair(
        high,
        room,
        heard[VALUES] + first * HEAD,
        room // 4,
        nothing.ctypes.data,
        factors.ctypes.data,
        ones.ctypes.data,
        nothing.ctypes.data,
        halves.ctypes.data,
        4 * HEAD,
        0,
    )
    for i in range(0, 4 * HEAD, 4 * LANES):
        store(out + i, load(halves.ctypes.data + i) + load(halves.ctypes.data + 4 * HEAD + i))
    keep((scores, bytes_, both, factors, ones, nothing, halves))
    return share
