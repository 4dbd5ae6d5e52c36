"""Sound into files of the formats of :mod:`auricle.voice.formats`, as a stream or whole."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import IO, Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from auricle.voice.formats import FORMATS, Format

F32 = NDArray[np.float32]

_LAYOUTS = {1: "mono", 2: "stereo"}


def write(
    file: IO[bytes],
    name: str,
    blocks: Iterable[F32],
    rate: int,
    tags: Mapping[str, str] | None = None,
) -> int:
    """Write blocks of ``[samples, channels]`` in -1..1 into a file; returns how many samples.

    The file must be seekable for headers to say how long it is.
    """
    encoder: _Encoder | None = None
    for block in blocks:
        if encoder is None:
            encoder = _Encoder(file, FORMATS[name], rate, block.shape[1], tags or {})
        encoder.add(block)
    if encoder is None:
        encoder = _Encoder(file, FORMATS[name], rate, 1, tags or {})
    encoder.close()
    return encoder.samples


def stream(
    name: str, blocks: Iterable[F32], rate: int, tags: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """Yield a file in pieces, as soon as they are there. Raises what reading the blocks does."""
    sink = _Sink()
    encoder: _Encoder | None = None
    for block in blocks:
        if encoder is None:
            encoder = _Encoder(sink, FORMATS[name], rate, block.shape[1], tags or {})
        encoder.add(block)
        if piece := sink.take():
            yield piece
    if encoder is not None:
        encoder.close()
    if piece := sink.take():
        yield piece


class _Sink(io.RawIOBase):
    """A file that can only be written on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


class _Encoder:
    """One file."""

    def __init__(
        self,
        file: Any,
        shape: Format,
        rate: int,
        channels: int,
        tags: Mapping[str, str],
    ) -> None:
        self.samples = 0
        self._rate, self._layout = rate, _LAYOUTS[channels]
        self._file = file
        self._container: Any = None
        if not shape.container:
            return
        self._container = av.open(file, "w", format=shape.container)
        self._container.metadata.update(tags)
        out = rate if not shape.rates or rate in shape.rates else max(shape.rates)
        self._stream = self._container.add_stream(shape.codec, rate=out)
        self._stream.layout = self._layout
        self._stream.format = shape.sample_format
        self._stream.time_base = Fraction(1, out)
        if shape.bit_rate:
            self._stream.bit_rate = shape.bit_rate * channels
        self._resampler = AudioResampler(shape.sample_format, self._layout, out)

    def add(self, block: F32) -> None:
        if not len(block):
            return
        clipped = np.clip(block, -1, 1)
        if self._container is None:
            self._file.write((clipped * 32767).astype("<i2").tobytes())
        else:
            packed = np.ascontiguousarray(clipped, np.float32).reshape(1, -1)
            frame = AudioFrame.from_ndarray(packed, "flt", self._layout)
            frame.sample_rate, frame.pts = self._rate, self.samples
            frame.time_base = Fraction(1, self._rate)
            self._put(self._resampler.resample(frame))
        self.samples += len(block)

    def close(self) -> None:
        """Write what is still in the encoder, and the file's end."""
        if self._container is None:
            return
        if self.samples:
            self._put(self._resampler.resample(None))
        self._put([None])
        self._container.close()

    def _put(self, frames: list[Any]) -> None:
        for frame in frames:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
