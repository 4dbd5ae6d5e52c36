"""Loudness after EBU R 128: measured over a whole recording, and its peaks held down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyebur128
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import resample_poly

F32 = NDArray[np.float32]

TARGET_LUFS = -23.0
"""EBU R 128's loudness of a programme."""

PEAK_DB = -1.0
"""EBU R 128's highest true peak of a programme."""

MOST_GAIN_DB = 30.0
"""What a very quiet recording is raised by at most; beyond, only its noise would be heard."""

OVERSAMPLED = 4
HOLD_S = 0.005
"""How long before and after a peak the level is down."""


class Meter:
    """Measures a recording as it goes by."""

    def __init__(self, channels: int, rate: int) -> None:
        modes = pyebur128.MeasurementMode
        self._channels = channels
        self._state = pyebur128.R128State(channels, rate, modes.MODE_I | modes.MODE_TRUE_PEAK)

    def add(self, block: F32) -> None:
        """Add ``[samples, channels]``."""
        if len(block):
            self._state.add_frames(np.ascontiguousarray(block).reshape(-1), len(block))

    @property
    def lufs(self) -> float:
        """Integrated loudness; minus infinity of silence and of what is shorter than 0.4 s."""
        return float(pyebur128.get_loudness_global(self._state))

    @property
    def peak(self) -> float:
        """Highest true peak of any channel, 1 at full scale."""
        peaks = (pyebur128.get_true_peak(self._state, n) for n in range(self._channels))
        return float(max(peaks))

    @property
    def gain(self) -> float:
        """The factor that brings the recording to :data:`TARGET_LUFS`; 1 for silence."""
        if not np.isfinite(self.lufs):
            return 1.0
        gain_db = min(TARGET_LUFS - self.lufs, MOST_GAIN_DB)
        return float(10 ** (gain_db / 20))


def limited(blocks: Iterable[F32], gain: float, rate: int) -> Iterator[F32]:
    """Yield blocks of ``[samples, channels]`` with a gain, and no true peak above
    :data:`PEAK_DB`: the level goes down smoothly around each, for all channels alike."""
    ceiling = 10 ** (PEAK_DB / 20)
    hold = int(HOLD_S * rate)
    context = 4 * hold
    held: F32 | None = None
    lead = 0
    for block in blocks:
        part = block * np.float32(gain)
        held = part if held is None else np.concatenate((held, part))
        ready = len(held) - context - lead
        if ready > 0:
            yield _held_down(held, ceiling, hold)[lead : lead + ready]
            keep = max(0, lead + ready - context)
            held, lead = held[keep:], lead + ready - keep
    if held is not None:
        yield _held_down(held, ceiling, hold)[lead:]


def _held_down(samples: F32, ceiling: float, hold: int) -> F32:
    peaks = np.abs(samples).max(axis=1)
    if peaks.max(initial=0.0) > ceiling / 2:  # peaks between samples: 6 dB at the very most
        between = np.abs(resample_poly(samples, OVERSAMPLED, 1, axis=0)).max(axis=1)
        peaks = np.maximum(peaks, between.reshape(-1, OVERSAMPLED).max(axis=1))
    if peaks.max(initial=0.0) <= ceiling:
        return samples
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    lowest = -maximum_filter1d(-needed, 2 * hold + 1, mode="nearest")
    smooth = uniform_filter1d(lowest, 2 * hold + 1, mode="nearest")
    found: F32 = (samples * smooth[:, None]).astype(np.float32)
    return found
