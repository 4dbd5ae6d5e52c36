"""Recordings that tests make themselves."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from auricle.speech.vad import FRAME_S, FRAME_SAMPLES

RATE = 16_000


def tone(seconds: float, hertz: float = 440.0, level: float = 0.3) -> NDArray[np.float32]:
    """A sine."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def wav(*channels: NDArray[np.float32], rate: int = RATE) -> bytes:
    """A 16-bit WAV file."""
    frames = np.stack(channels, axis=1)
    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((frames.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return output.getvalue()


def read_wav(path: Path) -> tuple[NDArray[np.float32], int]:
    """The first channel of a 16-bit WAV file, and its rate."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        channels, rate = file.getnchannels(), file.getframerate()
    return (samples[::channels] / 32768).astype(np.float32), rate


def encode(
    samples: NDArray[np.float32], container: str, codec: str, rate: int = RATE, tracks: int = 1
) -> bytes:
    """Write samples with FFmpeg; with several tracks, all but the last are silent."""
    output = io.BytesIO()
    with av.open(output, "w", format=container) as file:
        streams: list[Any] = [file.add_stream(codec, rate=rate) for _ in range(tracks)]
        for stream in streams:
            stream.layout = "mono"
            stream.bit_rate = 64_000
            stream.codec_context.open()
        for number, stream in enumerate(streams):
            sound = samples if number == tracks - 1 else np.zeros_like(samples)
            frame = av.AudioFrame.from_ndarray(
                (sound.clip(-1, 1) * 32767).astype(np.int16)[None], format="s16", layout="mono"
            )
            frame.sample_rate = RATE
            context = stream.codec_context
            resampler = av.AudioResampler(context.format, "mono", rate, context.frame_size or None)
            for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
                for packet in stream.encode(piece):
                    file.mux(packet)
    return output.getvalue()


class ScriptedVoice:
    """Voice activity that takes all loud samples for speech."""

    def stream(self) -> ScriptedVoice:
        self._left = np.zeros(0, np.float32)
        return self

    def feed(self, samples: NDArray[np.float32], *, last: bool = False) -> NDArray[np.float32]:
        pending = np.concatenate([self._left, samples])
        if last:
            pending = np.pad(pending, (0, -len(pending) % FRAME_SAMPLES))
        count = len(pending) // FRAME_SAMPLES
        self._left = pending[count * FRAME_SAMPLES :]
        frames = pending[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES)
        loud: NDArray[np.float32] = (np.abs(frames).max(axis=1, initial=0) > 0.5).astype(np.float32)
        return loud


def speech(seconds: float) -> NDArray[np.float32]:
    """What ScriptedVoice takes for speech."""
    return np.ones(round(seconds / FRAME_S) * FRAME_SAMPLES, np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    """Whole frames of nothing."""
    return np.zeros(round(seconds / FRAME_S) * FRAME_SAMPLES, np.float32)
