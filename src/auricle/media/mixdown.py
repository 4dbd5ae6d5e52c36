"""Several channels to one, so that no channel can silence another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MEMORY = 0.6
"""How much of the running correlations stays from one piece, a quarter of a second, to the next."""

OPPOSED = -0.5
"""Channels correlated below this are taken for phase-inverted, above minus this for in phase."""

SILENT = 1e-7
"""Power (-70 dBFS) that a channel must have reached once to be counted."""


class Mixer:
    """Averages the channels that sound, turning over those that are phase-inverted.

    Plain averaging loses a recording whose two channels are each other's opposite, and makes one
    with a silent channel 6 dB quieter.
    """

    def __init__(self) -> None:
        self._cross: NDArray[np.float64] = np.zeros((0, 0))
        self._sounding: NDArray[np.bool_] = np.zeros(0, bool)
        self._signs: NDArray[np.float32] = np.zeros(0, np.float32)

    def mix(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix ``[channels, samples]`` down to ``[samples]``; the result is finite and in -1..1."""
        planes = planes.clip(-1, 1)
        if np.isnan(planes).any():  # rare, and slow to replace
            planes = np.nan_to_num(planes)
        if len(planes) == 1:
            only: NDArray[np.float32] = planes[0]
            return only
        weights = self._weights(planes)
        mixed: NDArray[np.float32] = (weights @ planes).clip(-1, 1)
        return mixed

    def _weights(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        cross = planes.astype(np.float64) @ planes.T.astype(np.float64)
        if cross.shape != self._cross.shape:
            self._cross = np.zeros_like(cross)
            self._sounding = np.zeros(len(planes), bool)
            self._signs = np.ones(len(planes), np.float32)
        self._cross = MEMORY * self._cross + cross
        self._sounding |= np.diag(cross) > SILENT * planes.shape[1]
        power = np.diag(self._cross)
        lead = int(power.argmax())
        if not self._sounding.any():
            return np.full(len(planes), 1 / len(planes), np.float32)
        scale = np.sqrt(np.maximum(power * power[lead], 1e-20))
        correlation = self._cross[lead] / scale * self._signs[lead]
        self._signs[correlation < OPPOSED] = -1
        self._signs[correlation > -OPPOSED] = 1
        share = self._sounding / self._sounding.sum()
        weights: NDArray[np.float32] = (self._signs * share).astype(np.float32)
        return weights
