"""What is known of a recording before it is decoded, and the form it is decoded to."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000
"""Samples a second of everything that leaves this package."""


ENCODINGS = ("pcm_s16le", "pcm_s32le", "pcm_f16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw")
"""Samples without a header that can be read, by the names that FFmpeg has for their codecs."""


@dataclass(frozen=True, slots=True)
class RawAudio:
    """How samples without a header are written; there is one channel."""

    encoding: str
    """One of :data:`ENCODINGS`."""
    sample_rate: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a recording says of itself. Headers lie: trust only what was decoded."""

    duration: float | None
    """Seconds, if the container says so."""
    container: str
    codec: str
    sample_rate: int
    channels: int
