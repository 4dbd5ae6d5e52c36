"""DeepFilterNet 3 (Schröter et al., 2023): takes noise out of speech at 48 kHz.

The three networks run in ONNX Runtime over hundreds of frames at a time, which is several times as
fast as frame by frame. What stands around them (bands, features, their running normalisation, the
filter that the second decoder gives the coefficients of) follows the description in the paper and
the numbers in the checkpoint's ``config.ini``.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.signal import lfilter

F32 = NDArray[np.float32]
C64 = NDArray[np.complex64]

SAMPLE_RATE = 48_000
HOP = 480
FFT = 960
BINS = FFT // 2 + 1

BANDS, NARROWEST = 32, 2
"""Bands on the ERB scale, and the bins that each has at least."""

FILTERED, ORDER, LOOKAHEAD = 96, 5, 2
"""Lowest bins, which are filtered over time; the filter's length; frames that it looks ahead, as do
the networks."""

FORGET = 0.99
"""Per frame, of the running means that features are normalised by: a time constant of 1 s."""

WARM_UP, BODY = 100, 600
"""Frames that the networks' memories are given before each stretch, and frames of a stretch: with
1,000, a process took 460 MB instead of 340."""

_WINDOW: F32 = np.sin(
    np.pi / 2 * np.sin(np.pi * (np.arange(FFT) + 0.5) / FFT) ** 2, dtype=np.float64
).astype(np.float32)
_NETWORKS = ("enc", "erb_dec", "df_dec")


class DeepFilterNet:
    """The networks. Any number of threads may use them."""

    def __init__(self, archive: Path, threads: int) -> None:
        """``archive`` is the published ``DeepFilterNet3_onnx.tar.gz``."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # it would keep the memory of the longest stretch
        found: dict[str, Any] = {}
        with tarfile.open(archive) as files:
            for name in _NETWORKS:
                file = files.extractfile(f"tmp/export/{name}.onnx")
                assert file is not None
                graph = io.BytesIO(file.read()).getvalue()
                found[name] = onnxruntime.InferenceSession(
                    graph, options, providers=["CPUExecutionProvider"]
                )
        self._encoder, self._gains, self._filters = (found[name] for name in _NETWORKS)

    def run(self, bands: F32, low: F32) -> tuple[F32, C64]:
        """Gains ``[frames, 32]`` and filters ``[frames, 96, 5]`` from the features of frames.

        ``bands`` is ``[frames, 32]``, ``low`` ``[frames, 96]`` as ``[2, frames, 96]`` real and
        imaginary.
        """
        e0, e1, e2, e3, emb, c0 = self._encoder.run(
            ["e0", "e1", "e2", "e3", "emb", "c0"],
            {"feat_erb": bands[None, None], "feat_spec": low[None]},
        )
        inner = {"emb": emb, "e3": e3, "e2": e2, "e1": e1, "e0": e0}
        gains: F32 = self._gains.run(["m"], inner)[0][0, 0]
        coefs = self._filters.run(["coefs"], {"emb": emb, "c0": c0})[0]
        pairs = np.ascontiguousarray(coefs.reshape(len(gains), FILTERED, ORDER, 2))
        filters: C64 = pairs.view(np.complex64)[..., 0]
        return gains, filters


class Denoiser:
    """One channel of one recording, as a stream: what comes out has the place of what went in."""

    def __init__(self, networks: DeepFilterNet) -> None:
        self._networks = networks
        self._widths = band_widths()
        self._samples: F32 = np.zeros(HOP, np.float32)
        self._spectra: C64 = np.zeros((0, BINS), np.complex64)
        self._bands: F32 = np.zeros((0, BANDS), np.float32)
        self._low: C64 = np.zeros((0, FILTERED), np.complex64)
        self._done = 0
        self._overlap: F32 = np.zeros(HOP, np.float32)
        self._first = True
        self._came = self._gone = 0
        self._mean_level = np.linspace(-60, -90, BANDS)
        self._mean_size = np.linspace(0.001, 0.0001, FILTERED)

    def push(self, samples: F32) -> Iterator[F32]:
        """Add samples; yields what is ready, 6 s at a time."""
        self._came += len(samples)
        self._analyse(samples)
        while len(self._spectra) - self._done >= BODY + LOOKAHEAD:
            yield self._stretch(BODY)

    def finish(self) -> Iterator[F32]:
        """Yield the rest: as many samples have come out as went in."""
        missing = -self._came % HOP
        self._analyse(np.zeros(missing + (LOOKAHEAD + 1) * HOP, np.float32))
        while (left := len(self._spectra) - self._done - LOOKAHEAD) > 0:
            yield self._stretch(min(left, BODY))

    def _analyse(self, samples: F32) -> None:
        """Turn samples into frames; the samples of an unfinished one are kept."""
        held = np.concatenate((self._samples, samples))
        count = len(held) // HOP - 1
        self._samples = held[count * HOP :]
        if count <= 0:
            return
        frames = np.lib.stride_tricks.sliding_window_view(held, FFT)[::HOP][:count]
        spectra = (np.fft.rfft(frames * _WINDOW, axis=1) / FFT).astype(np.complex64)
        self._spectra = np.concatenate((self._spectra, spectra))
        self._bands = np.concatenate((self._bands, self._band_levels(spectra)))
        self._low = np.concatenate((self._low, self._normal(spectra[:, :FILTERED])))

    def _band_levels(self, spectra: C64) -> F32:
        """Levels of the bands in dB against their running means."""
        starts = np.concatenate(([0], np.cumsum(self._widths)[:-1]))
        power = np.add.reduceat(np.abs(spectra) ** 2, starts, axis=1) / self._widths
        levels = 10 * np.log10(power + 1e-10)
        means = _running(levels, self._mean_level)
        self._mean_level = means[-1]
        found: F32 = ((levels - means) / 40).astype(np.float32)
        return found

    def _normal(self, low: C64) -> C64:
        """The lowest bins, divided by the roots of their running sizes."""
        sizes = _running(np.abs(low).astype(np.float64), self._mean_size)
        self._mean_size = sizes[-1]
        found: C64 = (low / np.sqrt(sizes)).astype(np.complex64)
        return found

    def _stretch(self, count: int) -> F32:
        """Filter the next ``count`` frames, and forget what no later stretch needs."""
        begin, end = max(0, self._done - WARM_UP), self._done + count
        ahead = slice(begin + LOOKAHEAD, end + LOOKAHEAD)
        low = self._low[ahead]
        gains, filters = self._networks.run(self._bands[ahead], np.stack((low.real, low.imag)))
        lead = self._done - begin
        cleaned = self._spectra[self._done : end] * np.repeat(gains[lead:], self._widths, axis=1)
        cleaned[:, :FILTERED] = self._filtered(filters[lead:], self._done, count)
        keep = max(0, end - WARM_UP)
        self._spectra, self._bands = self._spectra[keep:], self._bands[keep:]
        self._low, self._done = self._low[keep:], end - keep
        return self._synthesise(cleaned)

    def _filtered(self, filters: C64, start: int, count: int) -> C64:
        """Each low bin as a sum over its neighbours in time, two before to two after."""
        past = ORDER - 1 - LOOKAHEAD
        first = start - past
        around = self._spectra[max(0, first) : start + count + LOOKAHEAD, :FILTERED]
        around = np.pad(around, ((max(0, -first), 0), (0, 0)))
        found = np.zeros((count, FILTERED), np.complex64)
        for tap in range(ORDER):
            found += filters[:, :, tap] * around[tap : tap + count]
        return found

    def _synthesise(self, spectra: C64) -> F32:
        """Overlap and add; the very first half frame lies before the recording."""
        frames = np.fft.irfft(spectra, axis=1).astype(np.float32) * (_WINDOW * FFT)
        out = frames[:, :HOP].copy()
        out[0] += self._overlap
        out[1:] += frames[:-1, HOP:]
        self._overlap = frames[-1, HOP:]
        samples = out.reshape(-1)
        if self._first:
            samples, self._first = samples[HOP:], False
        samples = samples[: self._came - self._gone]
        self._gone += len(samples)
        return samples


def band_widths() -> NDArray[np.intp]:
    """Bins of each band: equal steps on the ERB scale (Glasberg and Moore), none too narrow."""
    quality, narrow = 9.265, 24.7
    top = quality * np.log(1 + SAMPLE_RATE / 2 / (narrow * quality))
    edges = narrow * quality * (np.exp(np.arange(1, BANDS + 1) * top / BANDS / quality) - 1)
    widths, previous, borrowed = [], 0, 0
    for edge in np.round(edges / (SAMPLE_RATE / FFT)).astype(int):
        width = int(edge) - previous - borrowed
        borrowed = max(0, NARROWEST - width)
        widths.append(max(width, NARROWEST))
        previous = int(edge)
    widths[-1] += BINS - sum(widths)
    return np.array(widths)


def _running(values: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
    """Exponential running means of ``[frames, n]``, going on from ``before``."""
    found: NDArray[Any]
    found, _ = lfilter([1 - FORGET], [1, -FORGET], values, axis=0, zi=FORGET * before[None])
    return found
