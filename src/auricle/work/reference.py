"""Whether a recording can lend its voice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auricle.core.errors import BadMedia
from auricle.media import SAMPLE_RATE
from auricle.speech.diarization.protocol import Diarizer
from auricle.speech.vad import Voice

F32 = NDArray[np.float32]

SHORTEST_S, LONGEST_S = 3.0, 10.0

MOST_S = LONGEST_S + 0.1
"""With what encoders add at the ends of a clip that was cut to the limit."""

SILENT = 1e-3
"""Peak (-60 dBFS) under which nothing is heard."""

LEAST_SPEECH = 0.4
"""Share of the recording in which somebody has to speak."""

SPEAKING = 0.5
"""Probability from which a frame is speech."""

SECOND_VOICE_S = 0.8
"""Seconds of another voice that are too many."""


def check(samples: F32, voice: Voice, diarizer: Diarizer | None) -> None:
    """Refuse what no voice can be learned from: ``samples`` are mono at 16 kHz.

    Raises :class:`BadMedia` that says what is wrong.
    """
    seconds = len(samples) / SAMPLE_RATE
    if seconds < SHORTEST_S:
        raise BadMedia(
            f"The reference lasts {seconds:.1f} seconds. Send {SHORTEST_S:g} to {LONGEST_S:g} "
            "seconds of one voice."
        )
    if np.abs(samples).max() < SILENT:
        raise BadMedia("The reference is silent. Send 3 to 10 seconds of one voice.")
    if _speech(samples, voice) < LEAST_SPEECH:
        raise BadMedia(
            "Hardly anybody speaks in the reference: music, noise or pauses. Send 3 to 10 seconds "
            "of one voice alone."
        )
    if diarizer is not None and _second_voice(samples, diarizer) > SECOND_VOICE_S:
        raise BadMedia(
            "Two voices are heard in the reference. Send 3 to 10 seconds of one voice alone."
        )


def too_long() -> BadMedia:
    """What to say of a reference that goes on and on."""
    return BadMedia(
        f"The reference is longer than {LONGEST_S:g} seconds. Send {SHORTEST_S:g} to "
        f"{LONGEST_S:g} seconds of one voice."
    )


def _speech(samples: F32, voice: Voice) -> float:
    found = voice.stream().feed(samples, last=True)
    return float(np.mean(found > SPEAKING))


def _second_voice(samples: F32, diarizer: Diarizer) -> float:
    """Seconds in which others than the main voice speak."""
    session = diarizer.session()
    session.feed(samples)
    spoken: dict[int, float] = {}
    for turn in session.finish().turns:
        spoken[turn.speaker] = spoken.get(turn.speaker, 0.0) + turn.end - turn.start
    return sum(spoken.values()) - max(spoken.values(), default=0.0)
