"""Whisper's input: the log-Mel spectrogram of a window padded to 30 s.

Formulas: Radford et al. 2022, section 2.2; filters after Slaney's Auditory Toolbox as librosa
builds them (``htk=False, norm="slaney"``), which is what Whisper was trained with.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
WINDOW_SAMPLES = 30 * SAMPLE_RATE
FRAMES = 3000
"""Frames of a window: one every 10 ms."""
_FFT = 400
_HOP = 160

F32 = NDArray[np.float32]


def log_mel(samples: F32, n_mels: int) -> F32:
    """Return ``[n_mels, 3000]`` float32 for at most 30 s of samples at 16 kHz."""
    padded = np.zeros(WINDOW_SAMPLES + _FFT, np.float32)
    half = _FFT // 2
    padded[half : half + len(samples)] = samples
    padded[:half] = padded[half + 1 : _FFT + 1][::-1]  # reflected, as torch.stft centres frames
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[: FRAMES * _HOP : _HOP]
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mel = _filters(n_mels) @ power.T
    logged = np.log10(np.maximum(mel, 1e-10))
    result: F32 = (np.maximum(logged, logged.max() - 8.0) + 4.0) / 4.0
    return result


@cache
def _hann() -> F32:
    return np.hanning(_FFT + 1)[:-1].astype(np.float32)


@cache
def _filters(n_mels: int) -> F32:
    """Triangular filters ``[n_mels, 201]``, equal in area, on Slaney's mel scale."""
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(SAMPLE_RATE / 2), n_mels + 2))
    bins = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)
    widths = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    filters: F32 = (np.maximum(0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)
    return filters


_LINEAR_HZ = 200.0 / 3
_LOG_FROM_HZ = 1000.0
_LOG_FROM_MEL = _LOG_FROM_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return float(_LOG_FROM_MEL + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)  # only asked above 1 kHz


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - _LOG_FROM_MEL))
    return np.where(mels >= _LOG_FROM_MEL, logarithmic, mels * _LINEAR_HZ)
