"""A recording with its noise taken out, in bounded memory, sample for sample in its place.

DeepFilterNet makes speech worse that is clean already: on clips at 20 dB it costs up to 20 dB of
SI-SDR (``python -m bench voice``). So how noisy a recording is gets estimated around every moment,
twice: from what the network takes away, and from how far the quietest moments lie below the mean.
The more favourable estimate decides how much of the network's output is used, and above
:data:`CLEAN_DB` none of it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from auricle.voice.deepfilter import SAMPLE_RATE, DeepFilterNet, Denoiser

F32 = NDArray[np.float32]

FRAME = SAMPLE_RATE // 20
"""Samples whose powers are looked at together."""

STEP = 20
"""Frames from one weight to the next; weights in between are interpolated."""

AROUND_S = 15
"""Seconds before and after a moment that its estimate is made from."""

NOISY_DB, CLEAN_DB = 12.0, 17.0
"""Estimated ratios of speech to noise below which the output is the network's, and above which it
is the recording."""

QUIETEST = 0.1
"""Share of frames that are taken for pauses."""

PAUSES_DB = 3.0
"""How much the ratio of all to pauses overestimates the ratio of speech to noise (measured)."""

_AROUND = AROUND_S * SAMPLE_RATE // FRAME
_NOTHING = 1e-12


def enhance(blocks: Iterable[F32], networks: DeepFilterNet, strength: float) -> Iterator[F32]:
    """Yield the blocks of a recording, ``[samples, channels]`` at 48 kHz, without their noise.

    ``strength`` is 1 for all that can be taken away and 0 for nothing.
    """
    mixer: _Mixer | None = None
    denoisers: list[Denoiser] = []
    for block in blocks:
        if mixer is None:
            mixer = _Mixer(block.shape[1], strength)
            denoisers = [Denoiser(networks) for _ in range(block.shape[1])]
        mixer.add_dry(block)
        yield from mixer.add_wet(_same_pace([list(d.push(c)) for d, c in _pairs(denoisers, block)]))
    if mixer is not None:
        yield from mixer.add_wet(_same_pace([list(d.finish()) for d in denoisers]))
        yield from mixer.finish()


def _pairs(denoisers: list[Denoiser], block: F32) -> Iterator[tuple[Denoiser, F32]]:
    for channel, denoiser in enumerate(denoisers):
        yield denoiser, np.ascontiguousarray(block[:, channel])


def _same_pace(channels: list[list[F32]]) -> Iterator[F32]:
    """Channels are equally long at every moment, so their pieces are too."""
    for pieces in zip(*channels, strict=True):
        yield np.stack(pieces, axis=1)


class _Mixer:
    """Mixes a recording and the network's output, each ``[samples, channels]``, in equal weights
    for all channels, so that nothing moves between left and right."""

    def __init__(self, channels: int, strength: float) -> None:
        self._strength = strength
        self._dry: F32 = np.zeros((0, channels), np.float32)
        self._wet: F32 = np.zeros((0, channels), np.float32)
        self._begun = 0
        self._powers: NDArray[np.float64] = np.zeros((0, 3))
        self._forgotten = 0
        self._gone = 0

    def add_dry(self, block: F32) -> None:
        self._dry = np.concatenate((self._dry, block))

    def add_wet(self, pieces: Iterable[F32]) -> Iterator[F32]:
        for piece in pieces:
            self._wet = np.concatenate((self._wet, piece))
            self._measure()
            ready = self._forgotten + len(self._powers) - _AROUND
            yield from self._mix_to(ready // STEP * STEP * FRAME)

    def finish(self) -> Iterator[F32]:
        if self._gone + len(self._wet) > self._begun * FRAME:
            self._measure(last=True)
        yield from self._mix_to(self._gone + len(self._wet))

    def _measure(self, *, last: bool = False) -> None:
        """Powers of the frames that are new: of the recording, of the output, of what is gone."""
        start = self._begun * FRAME - self._gone
        count = (len(self._wet) - start) // FRAME
        if last and not count:
            count, size = 1, len(self._wet) - start
        else:
            size = FRAME
        if count <= 0:
            return
        dry = self._dry[start : start + count * size].reshape(count, -1)
        wet = self._wet[start : start + count * size].reshape(count, -1)
        new = [np.mean(np.square(part, dtype=np.float64), axis=1) for part in (dry, wet, dry - wet)]
        self._powers = np.concatenate((self._powers, np.stack(new, axis=1)))
        self._begun += count

    def _mix_to(self, end: int) -> Iterator[F32]:
        """Yield what lies before a sample of the recording, and forget it."""
        count = end - self._gone
        if count <= 0:
            return
        weights = self._weights(self._gone, end)[:, None] * np.float32(self._strength)
        dry, wet = self._dry[:count], self._wet[:count]
        yield dry + weights * (wet - dry)
        self._dry, self._wet, self._gone = self._dry[count:], self._wet[count:], end
        old = end // FRAME - 2 * _AROUND - self._forgotten
        if old > 0:
            self._powers, self._forgotten = self._powers[old:], self._forgotten + old

    def _weights(self, begin: int, end: int) -> F32:
        """The output's share in each sample, interpolated between estimates once a second."""
        step = STEP * FRAME
        places = range(begin // step, end // step + 2)
        known = np.array([self._weight(place * STEP) for place in places])
        at = np.arange(begin, end)
        found: F32 = np.interp(at, np.array(places) * step, known).astype(np.float32)
        return found

    def _weight(self, frame: int) -> float:
        centre = frame - self._forgotten
        around = self._powers[max(0, centre - _AROUND) : max(1, centre + _AROUND)]
        ratio = speech_to_noise(around)
        return float(np.clip((CLEAN_DB - ratio) / (CLEAN_DB - NOISY_DB), 0, 1))


def speech_to_noise(powers: NDArray[np.float64]) -> float:
    """Estimate the ratio in dB from ``[frames, 3]``: powers of the recording, of the network's
    output, and of what it has taken away. Silence is clean."""
    dry, wet, gone = powers.T
    sounding = dry > _NOTHING
    if not sounding.any():
        return np.inf
    taken = wet.sum() / (gone.sum() + _NOTHING)
    quiet = np.quantile(dry[sounding], QUIETEST)
    pauses = dry[sounding].mean() / (quiet + _NOTHING)
    return float(max(_db(taken), _db(pauses) - PAUSES_DB))


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio + _NOTHING))
