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
    languages: tuple[str, ...] = ()
    """Codes of those that can be spoken, where it is to be found out; none are all."""
    task: Task = "transcribe"
    """``translate`` writes English whatever is spoken."""
    prompt: str = ""
    """Text that could have come before: spelling and style to follow."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When speech begins and when it is over."""

    pause: float = 0.5
    """Seconds of silence that end an utterance."""
    eager: float = 0.25
    """Seconds of silence after which it is looked at as if it had ended; at most ``pause``."""
    onset: float = 0.5
    """Voice activity at which speech begins."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How a live session listens."""

    language: str | None = None
    """Whisper's code; None finds it out."""
    prompt: str = ""
    """Text that goes before the first words: names, how things are spelled."""
    quiet: float = 0.0
    """Level (root mean square, full scale is 1) under which sound counts as silence."""
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How windows are decoded. The thresholds are those of Whisper's own transcribe.py."""

    beam_size: int = 5
    """Hypotheses of the first decoding."""
    retries: tuple[tuple[int, float], ...] = ((1, 0.2), (1, 0.4), (1, 0.6), (1, 0.8), (1, 1.0))
    """Beam sizes and temperatures, tried one after the other for the windows that fail the guards.
    """
    doubtful_logprob: float = -1.0
    """Mean log probability of a token under which the first decoding is not believed."""
    max_compression_ratio: float = 2.4
    """Text that zlib makes smaller than this repeats itself."""
    min_logprob: float = -1.0
    """The same for the retries."""
    no_speech: float = 0.6
    """Probability of Whisper's no-speech token above which it hears nobody."""
    weak_voice: float = 0.85
    """Windows whose voice activity never gets above this may be dropped if Whisper agrees."""


DEFAULT_DECODING = DecodeOptions()

GREEDY_FIRST = DecodeOptions(
    beam_size=1,
    retries=((5, 0.0), *DEFAULT_DECODING.retries),
    doubtful_logprob=-0.3,
)
"""For engines that are fast with one hypothesis: several only where that one is doubtful."""
