"""A lower sample rate, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, lfilter

F32 = NDArray[np.float32]

TAPS = 193
"""Of the filter before the sample rate goes down: symmetrical, so it delays by whole samples."""


class Slower:
    """Takes every n-th sample, after a filter, with each in its place."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._taps: Any = firwin(TAPS, 0.94 / factor)
        self._state: Any = np.zeros(TAPS - 1)
        self._next = TAPS // 2  # what the filter delays is left out
        self._came = 0

    def push(self, samples: F32) -> F32:
        """What is known so far of the slower signal, after ``samples`` more of the fast one."""
        filtered, self._state = lfilter(self._taps, 1, samples, zi=self._state)
        first = self._next - self._came
        self._came += len(samples)
        found: F32 = filtered[first :: self._factor].astype(np.float32)
        self._next += len(found) * self._factor
        return found

    def finish(self) -> F32:
        """The rest."""
        return self.push(np.zeros(TAPS // 2, np.float32))
