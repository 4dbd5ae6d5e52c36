"""What is known of a recording before it is decoded, and the form it is decoded to."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000
"""Samples a second of everything that leaves this package."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a recording says of itself. Headers lie: trust only what was decoded."""

    duration: float | None
    """Seconds, if the container says so."""
    container: str
    codec: str
    sample_rate: int
    channels: int
