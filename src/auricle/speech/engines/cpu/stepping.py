"""A step of Whisper's decoder: one token for each of some rows (Radford et al. 2022, section 2.2).

Rows know nothing of each other. What they share is that the weights pass by once for all of them.
Rows of states are filled up to a multiple of 6, the tile of the products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit, prange

from auricle.speech.compiled import PARALLEL
from auricle.speech.engines.cpu.arithmetic import (
    GROUPS,
    HEAD,
    LOG2_E,
    OUTPUTS,
    f32,
    gelu,
    linear,
    power_of_two,
    quantise,
    ready,
    top,
)
from auricle.speech.engines.cpu.attention import MASK, PANELS, attend_once, pack_key, pack_value
from auricle.speech.engines.cpu.lanes import (
    LANES,
    PANEL,
    TILE,
    keep,
    load,
    pointer,
    splat,
    store,
    total,
)
from auricle.speech.engines.cpu.weights import GROUP

ADDRESS, ROOM, SOUND = range(3)
"""What ``seen`` says of a row: where to write down what its watched heads attend to (float32
``[watched heads, room, sound]``), the room in steps (0: not at all), and the frames of sound."""


@njit(**PARALLEL)
def _join(states: Any, heard: Any, joining: Any) -> None:
    """Add what was heard [rows, width], by the layer ``joining``, to ``states``."""
    rows, width = states.shape
    groups = joining[GROUPS]
    size = width // groups
    parts, scales = np.empty((groups, rows, size), np.uint8), np.empty((groups, rows), np.float32)
    for group in range(groups):
        for row in range(rows):
            place = heard.ctypes.data + (row * groups + group) * size * 4
            to = parts.ctypes.data + (group * rows + row) * size
            scales[group, row] = quantise(place, size, to)
    for panel in prange(width // PANEL):
        to = states.ctypes.data + panel * 256
        for group in range(groups):
            linear(parts[group], scales[group], joining, panel, group, to, 4 * width, 1)
    keep((parts, scales))


@njit(**PARALLEL)
def to_itself(
    states: Any,
    gamma: Any,
    first: Any,
    joining: Any,
    said: Any,
    lengths: Any,
    masks: Any,
    layer: Any,
) -> None:
    """Self-attention of a layer, added to ``states`` [rows filled up, width].

    ``said`` [rows, places] is where a row's keys and values of all layers are, ``lengths`` [rows]
    how many were written before; this step joins them. ``masks`` holds as many zeros as there is
    room for tokens, and then as many numbers far below.
    """
    rows, width = states.shape
    heads, tiles = width // HEAD, rows // TILE
    bytes_, scales = np.empty((rows, width), np.uint8), np.empty(rows, np.float32)
    heard = np.zeros((rows, width), np.float32)
    ready(states, 0, gamma, bytes_, scales)
    for n in prange(heads * tiles):
        head, begin = n // tiles, n % tiles * TILE
        out, room = np.empty((3, TILE, HEAD), np.float32), np.empty(HEAD, np.int8)
        tile, tile_scales = bytes_[begin : begin + TILE], scales[begin : begin + TILE]
        for part in range(3):
            place = out.ctypes.data + part * TILE * HEAD * 4
            linear(tile, tile_scales, first, part * heads + head, 0, place, 4 * HEAD, 0)
        for row in range(begin, min(begin + TILE, lengths.shape[0])):
            place, length = out.ctypes.data + (row - begin) * HEAD * 4, lengths[row]
            pack_key(place + TILE * HEAD * 4, said[row], layer * heads + head, length, room)
            pack_value(place + 2 * TILE * HEAD * 4, said[row], layer * heads + head, length)
            panels = length // PANEL + 1
            scores = np.empty(panels * PANEL, np.float32)
            mask = masks.ctypes.data + 4 * (masks.shape[0] // 2 - length - 1)
            to = heard.ctypes.data + (row * width + head * HEAD) * 4
            attend_once(place, said[row], layer * heads + head, panels, mask, scores, to)
        keep((out, room, tile, tile_scales))
    _join(states, heard, joining)
    keep((bytes_, scales))


@njit(**PARALLEL)
def to_window(
    states: Any, gamma: Any, first: Any, joining: Any, windows: Any, seen: Any, steps: Any,
    watched: Any, layer: Any,
) -> None:  # fmt: skip
    """Attention of a layer to what the encoder made of each row's window, added to ``states``.

    ``windows`` [rows, places]; ``seen`` [rows, 3]; ``steps`` [rows] is where to write there;
    ``watched`` [heads] is a head's place there, or -1.
    """
    rows, width = states.shape
    heads, tiles = width // HEAD, rows // TILE
    bytes_, scales = np.empty((rows, width), np.uint8), np.empty(rows, np.float32)
    heard = np.zeros((rows, width), np.float32)
    ready(states, 0, gamma, bytes_, scales)
    for n in prange(heads * tiles):
        head, begin = n // tiles, n % tiles * TILE
        out = np.empty((TILE, HEAD), np.float32)
        tile, tile_scales = bytes_[begin : begin + TILE], scales[begin : begin + TILE]
        linear(tile, tile_scales, first, head, 0, out.ctypes.data, 4 * HEAD, 0)
        for row in range(begin, min(begin + TILE, windows.shape[0])):
            window = windows[row]
            scores = np.empty(window[PANELS] * PANEL, np.float32)
            place = out.ctypes.data + (row - begin) * HEAD * 4
            to = heard.ctypes.data + (row * width + head * HEAD) * 4
            share = attend_once(
                place, window, layer * heads + head, window[PANELS], window[MASK], scores, to
            )
            if watched[head] >= 0 and seen[row, ROOM] > 0:
                sound = seen[row, SOUND]
                at = (watched[head] * seen[row, ROOM] + steps[row]) * sound * 4
                line = carray(pointer(seen[row, ADDRESS] + at), sound, np.float32)
                for t in range(sound):
                    line[t] = scores[t] * share
        keep((out, tile, tile_scales))
    _join(states, heard, joining)
    keep((bytes_, scales))


@njit(**PARALLEL)
def feed_forward(states: Any, gamma: Any, inner: Any, outer: Any) -> None:
    """The feed-forward layers, added to ``states``."""
    rows, width = states.shape
    groups = inner[OUTPUTS] // GROUP
    bytes_, scales = np.empty((rows, width), np.uint8), np.empty(rows, np.float32)
    between = np.empty((groups, rows, GROUP), np.uint8)
    between_scales = np.empty((groups, rows), np.float32)
    ready(states, 0, gamma, bytes_, scales)
    for group in prange(groups):
        out = np.empty((rows, GROUP), np.float32)
        for n in range(GROUP // PANEL):
            place = out.ctypes.data + n * 256
            linear(bytes_, scales, inner, group * (GROUP // PANEL) + n, 0, place, 4 * GROUP, 0)
        for row in range(rows):
            place = out.ctypes.data + row * GROUP * 4
            gelu(place, GROUP)
            to = between.ctypes.data + (group * rows + row) * GROUP
            between_scales[group, row] = quantise(place, GROUP, to)
        keep((out,))
    for panel in prange(width // PANEL):
        to = states.ctypes.data + panel * 256
        for group in range(groups):
            linear(between[group], between_scales[group], outer, panel, group, to, 4 * width, 1)
    keep((bytes_, scales, between, between_scales))


@njit(**PARALLEL)
def to_logits(states: Any, gamma: Any, layer: Any, logits: Any) -> None:
    """``states`` to ``logits`` [rows filled up, vocabulary filled up]."""
    rows, width = states.shape
    bytes_, scales = np.empty((rows, width), np.uint8), np.empty(rows, np.float32)
    ready(states, 0, gamma, bytes_, scales)
    for panel in prange(layer[OUTPUTS] // PANEL):
        place, step = logits.ctypes.data + panel * 256, 4 * layer[OUTPUTS]
        linear(bytes_, scales, layer, panel, 0, place, step, 0)
    keep((bytes_, scales))


@njit(**PARALLEL)
def choose(logits: Any, masks: Any, mask: Any, tokens: Any, logprobs: Any) -> None:
    """The most probable ``tokens`` [rows, count] after each row of ``logits``, best first, and
    their log probabilities.

    ``masks`` [masks, vocabulary filled up] is added first (0 or a large negative number); ``mask``
    [rows] says which.
    """
    size, (rows, count) = logits.shape[1], tokens.shape
    for row in prange(rows):
        masked = np.empty(size, np.float32)
        place, line = masked.ctypes.data, logits.ctypes.data + row * size * 4
        added = masks.ctypes.data + mask[row] * size * 4
        for i in range(0, 4 * size, 4 * LANES):
            store(place + i, load(line + i) + load(added + i))
        best, chosen = logprobs[row], tokens[row]
        best[:] = np.float32(-np.inf)
        for first in range(0, size, PANEL):
            if top(place + 4 * first, PANEL) > best[count - 1]:
                for token in range(first, first + PANEL):
                    at = count
                    while at > 0 and masked[token] > best[at - 1]:
                        at -= 1
                    if at < count:
                        best[at + 1 :] = best[at : count - 1].copy()
                        chosen[at + 1 :] = chosen[at : count - 1].copy()
                        best[at], chosen[at] = masked[token], token
        summed = splat(f32(0))
        most = best[0]
        for i in range(0, 4 * size, 4 * LANES):
            summed = summed + power_of_two((load(place + i) - most) * LOG2_E)
        log_total = np.log(total(summed))
        for n in range(count):
            best[n] -= most + log_total
        keep((masked,))
