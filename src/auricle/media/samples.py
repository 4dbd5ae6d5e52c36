"""Samples without a header that come a few at a time, to mono float32 at 16 kHz."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from auricle.media.info import SAMPLE_RATE, RawAudio

_BYTES = {"pcm_s16le": 2, "pcm_s32le": 4, "pcm_f16le": 2, "pcm_f32le": 4}


class SampleReader:
    """Reads one stream of samples, whichever way it is cut."""

    def __init__(self, raw: RawAudio) -> None:
        self._half = raw.encoding == "pcm_f16le"
        self._width = _BYTES.get(raw.encoding, 1)
        self._rest = b""
        # FFmpeg's own decoder of half-precision samples works inside a container only.
        name = "pcm_f32le" if self._half else raw.encoding
        codec = AudioCodecContext.create(name, "r")
        assert isinstance(codec, AudioCodecContext)
        self._codec = codec
        self._codec.sample_rate = raw.sample_rate
        self._codec.layout = "mono"
        self._resampler = AudioResampler("flt", "mono", SAMPLE_RATE)

    def feed(self, data: bytes) -> NDArray[np.float32]:
        """The samples that are complete, in -1..1; what is no number is silence."""
        data = self._rest + data
        whole = len(data) // self._width * self._width
        self._rest = data[whole:]
        if not whole:
            return np.zeros(0, np.float32)
        content = data[:whole]
        if self._half:
            content = np.frombuffer(content, "<f2").astype("<f4").tobytes()
        return _joined(self._resampled(self._codec.decode(av.Packet(content))))

    def finish(self) -> NDArray[np.float32]:
        """The last samples."""
        return _joined(self._resampler.resample(None))

    def _resampled(self, frames: list[AudioFrame]) -> Iterator[AudioFrame]:
        for frame in frames:
            yield from self._resampler.resample(frame)


def _joined(frames: Iterator[AudioFrame] | list[AudioFrame]) -> NDArray[np.float32]:
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return np.nan_to_num(samples, copy=False, posinf=1.0, neginf=-1.0).clip(-1, 1)
