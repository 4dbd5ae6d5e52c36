"""What can be asked of the speech engine, and the numbers it decodes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["transcribe", "translate"]


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """One recording's options."""

    language: str | None = None
    """Whisper's code of the language that is spoken; None finds it out."""
    task: Task = "transcribe"
    """``translate`` writes English whatever is spoken."""
    prompt: str = ""
    """Text that could have come before: spelling and style to follow."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How windows are decoded. The thresholds are those of Whisper's own transcribe.py."""

    batch_size: int = 8
    """Windows decoded together."""
    beam_size: int = 5
    temperatures: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    """Tried one after the other for the windows whose first decoding fails the guards."""
    max_compression_ratio: float = 2.4
    """Text that zlib makes smaller than this repeats itself."""
    min_logprob: float = -1.0
    """Mean log probability of a token under which a decoding has failed."""
    no_speech: float = 0.6
    """Probability of Whisper's no-speech token above which it hears nobody."""
    weak_voice: float = 0.85
    """Windows whose voice activity never gets above this may be dropped if Whisper agrees."""


DEFAULT_DECODING = DecodeOptions()
