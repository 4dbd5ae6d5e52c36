"""What the voice prints are made of: Kaldi's log-Mel spectra.

80 filters from 20 Hz to 8 kHz over frames of 25 ms every 10 ms (``compute-fbank-feats`` without
dither), as CAM++ was trained with.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.speech.mel import SAMPLE_RATE, bands, filtered

FRAME = 400
HOP = 160
"""Samples of a frame, and from one to the next."""
BANDS = 80
_FFT = 512
_SMALLEST = np.float32(1.1920929e-07)
_SCALE = 32768.0  # Kaldi reads 16-bit integers

F32 = NDArray[np.float32]


def spectra(samples: F32) -> F32:
    """``[frames, 80]`` for samples at 16 kHz; a frame for each 10 ms that 25 ms fit into."""
    count = 1 + (len(samples) - FRAME) // HOP
    if count < 1:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples * np.float32(_SCALE), FRAME)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    emphasised = (frames - np.float32(0.97) * before) * _window()
    spectrum = np.fft.rfft(emphasised, _FFT, axis=1)
    mel = np.empty((BANDS, count), np.float32)
    filtered(spectrum.view(np.float32).reshape(count, -1, 2), _filters(), _edges(), mel)
    return np.log(np.maximum(mel.T, _SMALLEST))


@cache
def _window() -> F32:
    """Povey's window: Hann's, to the power of 0.85."""
    return (np.hanning(FRAME) ** 0.85).astype(np.float32)


@cache
def _filters() -> F32:
    """Triangles ``[80, 257]``, evenly wide on the mel scale 1127 ln(1 + f / 700)."""
    points = np.linspace(_mel(20.0), _mel(SAMPLE_RATE / 2), BANDS + 2)
    bins = _mel(np.arange(_FFT // 2 + 1) * (SAMPLE_RATE / _FFT))
    left, middle, right = points[:-2, None], points[1:-1, None], points[2:, None]
    triangles = np.minimum((bins - left) / (middle - left), (right - bins) / (right - middle))
    triangles[:, -1] = 0  # Kaldi leaves the highest frequency out
    return np.maximum(0, triangles).astype(np.float32)


@cache
def _edges() -> NDArray[np.int64]:
    return bands(_filters())


def _mel(hertz: float | NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0))
