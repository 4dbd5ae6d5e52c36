"""The audio formats that come out, by the names that requests have for them."""

from __future__ import annotations

from dataclasses import dataclass

from auricle.core.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Format:
    """How sound is written."""

    container: str
    """As FFmpeg names it; empty for samples without a header."""
    codec: str
    sample_format: str
    media_type: str
    rates: tuple[int, ...] = ()
    """The sample rates that it can have; any where there is none."""
    bit_rate: int = 0
    """Bits a second and channel, for those that have one."""


FORMATS = {
    "wav": Format("wav", "pcm_s16le", "s16", "audio/wav"),
    "flac": Format("flac", "flac", "s16", "audio/flac"),
    "mp3": Format(
        "mp3", "libmp3lame", "fltp", "audio/mpeg", (16_000, 22_050, 24_000, 44_100, 48_000), 64_000
    ),
    "opus": Format("ogg", "libopus", "flt", "audio/ogg", (48_000,), 48_000),
    "aac": Format(
        "adts", "aac", "fltp", "audio/aac", (16_000, 22_050, 24_000, 44_100, 48_000), 64_000
    ),
    "pcm": Format("", "pcm_s16le", "s16", "audio/pcm"),
}
ENHANCED = ("wav", "flac", "mp3", "opus")
"""What an enhanced recording comes in."""


def known(name: str, permitted: tuple[str, ...], field: str) -> str:
    """The name of a format. Raises :class:`BadRequest`."""
    asked = name.strip().lower()
    if asked not in permitted:
        raise BadRequest(f"Unknown {field} {name[:50]!r}. Send one of: {', '.join(permitted)}.")
    return asked
