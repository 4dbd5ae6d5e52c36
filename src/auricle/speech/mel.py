"""Whisper's input: the log-Mel spectrogram of a window padded to 30 s.

Formulas: Radford et al. 2022, section 2.2; filters after Slaney's Auditory Toolbox as librosa
builds them (``htk=False, norm="slaney"``), which is what Whisper was trained with.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from auricle.speech.compiled import OPTIONS

SAMPLE_RATE = 16_000
WINDOW_SAMPLES = 30 * SAMPLE_RATE
FRAMES = 3000
"""Frames of a window: one every 10 ms."""
FFT = 400
HOP = 160
"""Samples of a frame, and from one to the next."""

F32 = NDArray[np.float32]


def log_mel(samples: F32, n_mels: int) -> F32:
    """Return ``[n_mels, 3000]`` float32 for at most 30 s of samples at 16 kHz."""
    frames = np.lib.stride_tricks.sliding_window_view(padded(samples), FFT)[: FRAMES * HOP : HOP]
    spectrum = np.fft.rfft(frames * window(), axis=1)
    mel = np.empty((n_mels, FRAMES), np.float32)
    pairs = spectrum.view(np.float32).reshape(FRAMES, -1, 2)
    filtered(pairs, filters(n_mels), edges(n_mels), mel)
    return logarithm(mel)


def padded(samples: F32) -> F32:
    """Samples with silence up to 30 s; reflected at the beginning, as torch.stft centres frames."""
    found = np.zeros(WINDOW_SAMPLES + FFT, np.float32)
    half = FFT // 2
    found[half : half + len(samples)] = samples
    found[:half] = found[half + 1 : FFT + 1][::-1]
    return found


def logarithm(mel: F32) -> F32:
    """Whisper's scale for what its filters let through."""
    logged = np.log10(np.maximum(mel, 1e-10))
    result: F32 = (np.maximum(logged, logged.max() - 8.0) + 4.0) / 4.0
    return result


@njit(**OPTIONS)
def let_through(power: Any, filters: Any, bands: Any, out: Any) -> None:
    """What ``filters`` [n_mels, frequencies], which are not 0 in their ``bands`` only, let through
    of one frame's ``power``, to ``out`` [n_mels]."""
    for mel in range(filters.shape[0]):
        total = np.float32(0)
        for n in range(bands[mel, 0], bands[mel, 1]):
            total += filters[mel, n] * power[n]
        out[mel] = total


@njit(**OPTIONS)
def filtered(spectrum: Any, filters: Any, bands: Any, out: Any) -> None:
    """Power of ``spectrum`` [frames, 201, 2] by ``filters`` [n_mels, 201], which are not 0 in their
    ``bands`` [n_mels, 2] only.

    Not a product of matrices: numpy's keeps another thread spinning for a tenth of a second, which
    the encoder wants.
    """
    power = np.empty(spectrum.shape[1], np.float32)
    for frame in range(spectrum.shape[0]):
        for n in range(spectrum.shape[1]):
            power[n] = spectrum[frame, n, 0] ** 2 + spectrum[frame, n, 1] ** 2
        let_through(power, filters, bands, out[:, frame])


def bands(filters: F32) -> NDArray[np.int64]:
    """Where each of ``filters`` [n_mels, frequencies] begins and ends, ``[n_mels, 2]``."""
    there = filters > 0
    return np.stack([there.argmax(axis=1), there.shape[1] - there[:, ::-1].argmax(axis=1)], axis=1)


@cache
def edges(n_mels: int) -> NDArray[np.int64]:
    """Where each of Whisper's filters begins and ends."""
    return bands(filters(n_mels))


@cache
def window() -> F32:
    """Hann's ``[400]``, periodic."""
    return np.hanning(FFT + 1)[:-1].astype(np.float32)


@cache
def filters(n_mels: int) -> F32:
    """Triangular filters ``[n_mels, 201]``, equal in area, on Slaney's mel scale."""
    corners = _mel_to_hz(np.linspace(0.0, _hz_to_mel(SAMPLE_RATE / 2), n_mels + 2))
    bins = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE)
    widths = np.diff(corners)
    ramps = corners[:, None] - bins[None, :]
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    area = 2.0 / (corners[2:] - corners[:-2])
    found: F32 = (np.maximum(0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)
    return found


_LINEAR_HZ = 200.0 / 3
_LOG_FROM_HZ = 1000.0
_LOG_FROM_MEL = _LOG_FROM_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return float(_LOG_FROM_MEL + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)  # only asked above 1 kHz


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - _LOG_FROM_MEL))
    return np.where(mels >= _LOG_FROM_MEL, logarithmic, mels * _LINEAR_HZ)
