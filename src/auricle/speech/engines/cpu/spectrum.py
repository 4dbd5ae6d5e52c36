"""Whisper's log-Mel spectrogram by products of matrices: half as long as by a fast transform.

A transform of 400 real samples is small enough for a table, and folding it twice leaves a quarter:
cosines are even and sines odd around the middle of a frame, and so they are again around the middle
of each half, for even and for odd frequencies.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from auricle.speech.compiled import INLINE, PARALLEL
from auricle.speech.engines.cpu.arithmetic import F32, aligned
from auricle.speech.engines.cpu.lanes import PANEL, TILE, float_tile, keep
from auricle.speech.mel import (
    FFT,
    FRAMES,
    HOP,
    edges,
    filters,
    let_through,
    logarithm,
    padded,
    window,
)

HALF, QUARTER = FFT // 2, FFT // 4
TERMS = QUARTER + 1
"""What is left of a frame after folding."""
PARTS = 4
"""Cosines of even and of odd frequencies, and sines of both."""
PANELS = 2
"""Of 64 frequencies each, for a hundred and one."""
WIDTH = PANELS * PANEL


def log_mel(samples: F32, n_mels: int) -> F32:
    """The same as :func:`auricle.speech.mel.log_mel`."""
    mel = np.empty((n_mels, FRAMES), np.float32)
    mel_of(padded(samples), window(), _table(), filters(n_mels), edges(n_mels), mel)
    return logarithm(mel)


@njit(**PARALLEL)
def mel_of(samples: Any, window: Any, table: Any, filters: Any, edges: Any, out: Any) -> None:
    """``samples`` to ``out`` [n_mels, frames], by ``table`` [4, 2, 101, 64], ``filters`` [n_mels,
    201] and where these begin and end, ``edges`` [n_mels, 2]; ``frames`` is a multiple of 6."""
    for tile in prange(out.shape[1] // TILE):
        folded = np.empty((PARTS, TILE, TERMS), np.float32)
        found = np.empty((PARTS, TILE, WIDTH), np.float32)
        ones, nothing = np.ones(PANEL, np.float32), np.zeros(PANEL, np.float32)
        power = np.empty(HALF + 1, np.float32)
        for row in range(TILE):
            first = (tile * TILE + row) * HOP
            fold(samples[first : first + FFT], window, folded[:, row])
        for part in range(PARTS):
            for panel in range(PANELS):
                float_tile(
                    folded[part].ctypes.data,
                    4 * TERMS,
                    table[part, panel].ctypes.data,
                    TERMS,
                    0,
                    ones.ctypes.data,
                    ones.ctypes.data,
                    nothing.ctypes.data,
                    found[part].ctypes.data + 4 * panel * PANEL,
                    4 * WIDTH,
                    0,
                )
        for row in range(TILE):
            even, odd, even_sine, odd_sine = found[:, row]
            for n in range(TERMS):
                power[2 * n] = even[n] * even[n] + even_sine[n] * even_sine[n]
            for n in range(QUARTER):
                power[2 * n + 1] = odd[n] * odd[n] + odd_sine[n] * odd_sine[n]
            let_through(power, filters, edges, out[:, tile * TILE + row])
        keep((folded, found, ones, nothing))


@njit(**INLINE)
def fold(frame: Any, window: Any, out: Any) -> None:
    """``frame`` [400] times ``window``, folded twice, to ``out`` [4, 101]."""
    middle, end = frame[HALF] * window[HALF], frame[0] * window[0]
    out[0, 0], out[1, 0] = end + middle, end - middle
    out[2, 0] = out[3, 0] = np.float32(0)
    for n in range(1, QUARTER):
        a, b = frame[n] * window[n], frame[FFT - n] * window[FFT - n]
        c, d = frame[HALF - n] * window[HALF - n], frame[HALF + n] * window[HALF + n]
        out[0, n], out[1, n] = (a + b) + (c + d), (a + b) - (c + d)
        out[2, n], out[3, n] = (a - b) - (c - d), (a - b) + (c - d)
    a, b = frame[QUARTER] * window[QUARTER], frame[FFT - QUARTER] * window[FFT - QUARTER]
    out[0, QUARTER], out[1, QUARTER] = a + b, np.float32(0)
    out[2, QUARTER], out[3, QUARTER] = np.float32(0), a - b


@cache
def _table() -> NDArray[np.float32]:
    """Cosines and sines ``[4, 2, 101, 64]`` for what :func:`fold` leaves."""
    terms, numbers = np.arange(TERMS)[:, None], np.arange(WIDTH)
    even, odd = (2 * np.pi / FFT * terms * (2 * numbers + n) for n in (0, 1))
    waves = np.stack([np.cos(even), np.cos(odd), np.sin(even), np.sin(odd)])
    made = aligned((PARTS, PANELS, TERMS, PANEL), np.float32)
    made[...] = waves.reshape(PARTS, TERMS, PANELS, PANEL).swapaxes(1, 2)
    return made
