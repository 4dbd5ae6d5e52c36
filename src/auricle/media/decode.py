"""Probe and decode one recording with PyAV. Runs inside a jail (see :mod:`auricle.media.jail`).

The content decides what a file is; its name is looked at only for ``.g722``, a format that has no
header at all but only one sample rate (a headerless μ-law file does not even say its rate, so it
needs an ``encoding``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import av
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from auricle.core.errors import BadMedia, TooLong
from auricle.media.info import SAMPLE_RATE, MediaInfo, RawAudio
from auricle.media.mixdown import Mixer

BLOCK_SAMPLES = 10 * SAMPLE_RATE
"""Samples handed out at a time."""

SOUND_PEAK = 5e-4
"""A track whose peak stays under this (-66 dBFS) is silent; another one is taken if there is."""

SHORTEST_GAP_S, LONGEST_GAP_S = 0.2, 600.0
"""Holes in a stream's timestamps within these bounds are filled with silence: recorders that send
nothing while nobody speaks (Opus DTX in WebM) would otherwise shift all that follows."""

JOINED_S = 0.25
"""Seconds of sound that are resampled and mixed down at a time, or a frame where that is longer."""

FORMATS = (
    "aac,ac3,eac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,f4v,flac,flv,g722,gsm,loas,"
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,mpegtsraw,nistsphere,nut,"
    "ogg,oma,rm,sox,swf,tak,tta,voc,w64,wav,wv,xwma"
)
"""Demuxers that may open a file: those that read one file and never name another."""

_RAW_FORMATS = {"g722": "g722"}


@dataclass(frozen=True, slots=True)
class Source:
    """A recording to be read."""

    file: IO[bytes]
    name: str = ""
    """As its sender called it."""
    raw: RawAudio | None = None
    """How to read it if it has no header."""


def probe(source: Source) -> MediaInfo:
    """Identify a recording and make sure that sound comes out of it.

    Raises :class:`BadMedia` if it cannot be read, has no audio track, or gives no samples.
    """
    with _open(source) as container:
        stream = _tracks(container)[0]
        info = MediaInfo(
            duration=_duration(container, stream),
            container=container.format.name,
            codec=stream.codec_context.name,
            sample_rate=stream.codec_context.sample_rate or 0,
            channels=stream.codec_context.channels,
        )
        if next(_frames(container, _tracks(container)), None) is None:
            raise BadMedia(_NOTHING_DECODED)
    return info


def decode(source: Source, max_seconds: float) -> Iterator[NDArray[np.float32]]:
    """Yield the recording's sound in blocks of at most :data:`BLOCK_SAMPLES`, mono, 16 kHz, -1..1.

    Several tracks: the first with sound. Several channels: mixed down.
    Raises :class:`BadMedia` if nothing could be decoded, :class:`TooLong` past ``max_seconds``.
    """
    index = _track_with_sound(source, max_seconds)
    with _open(source) as container:
        stream = _tracks(container)[index]
        left = int(max_seconds * SAMPLE_RATE)
        samples = _Blocks()
        for piece in _mono(container, stream):
            left -= len(piece)
            if left < 0:
                raise TooLong(_too_long(max_seconds))
            yield from samples.add(piece)
        yield from samples.rest()
        if not samples.total:
            raise BadMedia(_NOTHING_DECODED)


def sound(source: Source, rate: int, max_seconds: float) -> Iterator[NDArray[np.float32]]:
    """Yield the recording's sound as it is meant to be heard: blocks of ``[samples, channels]``
    with one channel or two, at ``rate``, about -1..1.

    Raises as :func:`decode` does.
    """
    index = _track_with_sound(source, max_seconds)
    with _open(source) as container:
        stream = _tracks(container)[index]
        clock = _Clock((container.start_time or 0) / av.time_base)
        resampler: AudioResampler | None = None
        left, shape = int(max_seconds * rate), ("", 0, "")
        channels = 0
        for _, frame in _frames(container, (stream,)):
            gap = clock.gap_before(frame)
            pieces = []
            found = (frame.format.name, frame.sample_rate, frame.layout.name)
            if found != shape:
                pieces = resampler.resample(None) if resampler else []
                channels = channels or min(2, frame.layout.nb_channels)
                resampler = AudioResampler("flt", ("mono", "stereo")[channels - 1], rate)
                shape = found
            assert resampler is not None
            silence = np.zeros((int(gap * rate), channels), np.float32)
            frame.pts = None  # the clock deals with time
            pieces += resampler.resample(frame)
            block = np.concatenate((silence, *(_heard(piece) for piece in pieces)))
            left -= len(block)
            if left < 0:
                raise TooLong(_too_long(max_seconds))
            yield block
        if resampler is None:
            raise BadMedia(_NOTHING_DECODED)
        yield from (_heard(piece) for piece in resampler.resample(None))


def _heard(frame: AudioFrame) -> NDArray[np.float32]:
    """A frame as ``[samples, channels]``; floating-point files may hold anything."""
    return np.nan_to_num(_planes(frame).T, nan=0.0, posinf=1.0, neginf=-1.0).clip(-4, 4)


def _too_long(max_seconds: float) -> str:
    return f"The recording is longer than {max_seconds / 3600:g} hours. Split it."


_NOT_MEDIA = (
    "The file is not a recording that can be read. Send audio or video "
    "(MP3, WAV, FLAC, OGG, M4A, OPUS, WebM, MP4, MKV, ...). Raw audio without a header cannot be "
    "told from other data: put it into a WAV file."
)
_NOTHING_DECODED = (
    "The file looks like a recording, but no sound could be decoded from it: it is damaged or cut "
    "off. Export it again and send that."
)
_NO_AUDIO = "The file has no audio track. Send a recording with sound."


def _open(source: Source) -> InputContainer:
    source.file.seek(0)
    if source.raw is not None:
        return _open_raw(source.file, source.raw)
    try:
        container = _open_as(source.file, None)
    except (av.FFmpegError, ValueError) as error:
        raw = _RAW_FORMATS.get(source.name.rpartition(".")[2].lower())
        if raw is None or not source.file.seek(0, 2):
            raise BadMedia(_NOT_MEDIA) from error
        source.file.seek(0)
        container = _open_as(source.file, raw)
    if not _tracks(container):
        container.close()
        raise BadMedia(_NO_AUDIO)
    return container


def _open_raw(file: IO[bytes], raw: RawAudio) -> InputContainer:
    """Open samples without a header, which FFmpeg believes whatever they are."""
    content: IO[bytes] | _Widened = file
    container_format = raw.encoding.removeprefix("pcm_")
    if container_format == "f16le":  # a codec without a demuxer
        content, container_format = _Widened(file), "f32le"
    return _open_as(content, container_format, sample_rate=str(raw.sample_rate), ch_layout="mono")


def _open_as(
    file: IO[bytes] | _Widened, container_format: str | None, **more: str
) -> InputContainer:
    """Open a file as the format that it is in, or as the one that is given."""
    options = {"protocol_whitelist": "", "format_whitelist": FORMATS}
    if container_format is not None:
        options = {"protocol_whitelist": "", **more}
    return av.open(
        _Bytes(file),
        "r",
        format=container_format,
        container_options=options,
        metadata_errors="replace",  # tags come in every encoding there ever was
    )


class _Bytes:
    """A file without its name: PyAV would pass it on to FFmpeg, which would guess from it."""

    def __init__(self, file: IO[bytes] | _Widened) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


class _Widened:
    """Half-precision samples, seen as a file of single-precision ones."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        half = self._file.read(max(2, size // 4 * 2))
        return np.frombuffer(half[: len(half) // 2 * 2], "<f2").astype("<f4").tobytes()

    def seek(self, offset: int, whence: int = 0) -> int:
        return 2 * self._file.seek(offset // 2, whence)

    def tell(self) -> int:
        return 2 * self._file.tell()


def _duration(container: InputContainer, stream: AudioStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _track_with_sound(source: Source, max_seconds: float) -> int:
    """Index of the first audio track in which anything can be heard (0 if none can)."""
    with _open(source) as container:
        tracks = _tracks(container)
        if len(tracks) == 1:
            return 0
        resamplers = [_Resampler() for _ in tracks]
        left = int(max_seconds * SAMPLE_RATE) * len(tracks)
        sounding: set[int] = set()
        for track, frame in _frames(container, tracks):
            for piece in resamplers[track].push(frame):
                left -= len(piece)
                if _sounds(piece):
                    sounding.add(track)
            if 0 in sounding or left < 0:
                return 0
        for track, resampler in enumerate(resamplers):
            if any(_sounds(piece) for piece in resampler.flush()):
                sounding.add(track)
        return min(sounding, default=0)


def _sounds(piece: NDArray[np.float32]) -> bool:
    return bool(np.abs(piece).max(initial=0) >= SOUND_PEAK)


def _tracks(container: InputContainer) -> list[AudioStream]:
    """The audio tracks whose codec is known."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def _frames(container: InputContainer, streams: Any) -> Iterator[tuple[int, AudioFrame]]:
    """Yield ``(track, frame)``, stepping over packets that cannot be decoded."""
    tracks = {stream.index: track for track, stream in enumerate(streams)}
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, OSError):
            return  # cut off or damaged: keep what was read
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples:
                yield tracks[packet.stream.index], frame


def _mono(container: InputContainer, stream: AudioStream) -> Iterator[NDArray[np.float32]]:
    """Yield mono samples at 16 kHz, with holes in the timestamps filled."""
    resampler = _Resampler()
    clock = _Clock((container.start_time or 0) / av.time_base)
    for _, frame in _frames(container, (stream,)):
        gap = clock.gap_before(frame)
        if gap:
            yield from resampler.flush()
            yield np.zeros(int(gap * SAMPLE_RATE), np.float32)
        yield from resampler.push(frame)
    yield from resampler.flush()


class _Clock:
    """Compares the sound delivered with the timestamps that the container gives it.

    Both are counted from the start of the container, so a sound track that begins later than the
    picture starts with silence, and small holes add up until they are worth filling.
    """

    def __init__(self, start: float) -> None:
        self._origin = start
        self._delivered = 0.0

    def gap_before(self, frame: AudioFrame) -> float:
        """Seconds missing before this frame."""
        gap = 0.0
        if frame.time is not None:
            gap = frame.time - self._origin - self._delivered
        if gap > LONGEST_GAP_S:  # not a pause but another clock
            self._origin += gap
        if not SHORTEST_GAP_S <= gap <= LONGEST_GAP_S:
            gap = 0.0
        self._delivered += gap + frame.samples / frame.sample_rate
        return gap


class _Resampler:
    """Resamples and mixes down; starts afresh where the stream changes its format.

    Frames are short (26 ms in an MP3), and joined first: each costs as much as a long one.
    """

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._joined = AudioFifo()
        self._mixer = Mixer()
        self._format: tuple[str, int, str] | None = None

    def push(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        found = (frame.format.name, frame.sample_rate, frame.layout.name)
        if found != self._format:
            yield from self.flush()
            self._format = found
            self._resampler = AudioResampler("flt", frame.layout, SAMPLE_RATE)
            self._joined = AudioFifo()
        frame.pts = None  # the clock above deals with time
        self._joined.write(frame)
        if self._joined.samples >= JOINED_S * frame.sample_rate:
            yield from self._mixed(self._joined.read())

    def flush(self) -> Iterator[NDArray[np.float32]]:
        """What is left; frames may follow."""
        if self._joined.samples:
            yield from self._mixed(self._joined.read())
        if self._resampler is not None:
            yield from self._mixed(None)
        self._resampler, self._format = None, None

    def _mixed(self, frame: AudioFrame | None) -> Iterator[NDArray[np.float32]]:
        assert self._resampler is not None
        for out in self._resampler.resample(frame):
            yield self._mixer.mix(_planes(out))


def _planes(frame: AudioFrame) -> NDArray[np.float32]:
    """A packed frame as ``[channels, samples]``; PyAV 18.1 crashes on planar ones of 8 or more."""
    packed = np.asarray(frame.to_ndarray(), np.float32)
    return np.ascontiguousarray(packed.reshape(-1, frame.layout.nb_channels).T)


class _Blocks:
    """Collects pieces into blocks of one size."""

    def __init__(self) -> None:
        self.total = 0
        self._pieces: list[NDArray[np.float32]] = []
        self._held = 0

    def add(self, piece: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        self.total += len(piece)
        self._held += len(piece)
        self._pieces.append(piece)
        if self._held >= BLOCK_SAMPLES:
            whole = np.concatenate(self._pieces)
            cut = len(whole) - len(whole) % BLOCK_SAMPLES
            for at in range(0, cut, BLOCK_SAMPLES):
                yield whole[at : at + BLOCK_SAMPLES]
            self._pieces, self._held = [whole[cut:]], len(whole) - cut

    def rest(self) -> Iterator[NDArray[np.float32]]:
        if self._held:
            yield np.concatenate(self._pieces)
