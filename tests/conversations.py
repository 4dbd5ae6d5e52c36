"""Conversations built from packaged clips, each in the voice of one speaker."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from pytest_audioeval.samples import registry

from auricle.speech.diarization.protocol import Diarization, Diarizer
from sounds import RATE

CLIPS = Path(registry.__file__).parent / "audio"
ENGLISH, FRENCH, JAPANESE = "en/quick_brown_fox", "fr/pangrama", "ja/pangrama"

F32 = NDArray[np.float32]


def clip(name: str) -> F32:
    """One clip at 16 kHz."""
    resampler = av.AudioResampler("fltp", "mono", RATE)
    with av.open(str(CLIPS / f"{name}.wav")) as file:
        frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
    sound: F32 = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)
    return sound


def at_rate(samples: F32, rate: int) -> F32:
    """The same at 16 kHz."""
    times = np.arange(0, len(samples) / rate, 1 / RATE)
    return np.asarray(np.interp(times, np.arange(len(samples)) / rate, samples), np.float32)


def conversation(*parts: F32, pause: float = 0.4) -> tuple[F32, list[tuple[float, float]]]:
    """The parts one after the other, and when each begins and ends, in seconds."""
    silence = np.random.default_rng(0).normal(0, 1e-4, round(pause * RATE)).astype(np.float32)
    sound, times = [silence], []
    at = len(silence)
    for part in parts:
        times.append((at / RATE, (at + len(part)) / RATE))
        sound += [part, silence]
        at += len(part) + len(silence)
    return np.concatenate(sound), times


def heard(diarizer: Diarizer, sound: F32, speakers: int = 0, block: int = 4000) -> Diarization:
    session = diarizer.session()
    for first in range(0, len(sound), block):
        session.feed(sound[first : first + block])
    return session.finish(speakers)


def whose(found: Diarization, start: float, end: float) -> int:
    """Who speaks most between two times."""
    shares: dict[int, float] = {}
    for turn in found.turns:
        share = min(turn.end, end) - max(turn.start, start)
        shares[turn.speaker] = shares.get(turn.speaker, 0) + max(0, share)
    return max(shares, key=lambda speaker: shares[speaker])
