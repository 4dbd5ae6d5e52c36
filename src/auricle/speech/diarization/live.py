"""Who speaks in a live session: labels that, once given, stay.

There is no looking back at a whole recording: each look hears the last ten seconds, knows again the
speakers that it has met, and meets new ones. A speaker's print is the mean of all that was heard of
them. Whose voice is known before has their name, if it is recognised by their first words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from auricle.speech.diarization.assembly import Window, turns
from auricle.speech.diarization.clustering import KNOWN, SAME
from auricle.speech.diarization.diarizer import SpeakerDiarizer
from auricle.speech.diarization.networks import WINDOW_SAMPLES, unit
from auricle.speech.diarization.protocol import MOST_SPEAKERS, Turn
from auricle.speech.diarization.words import told_apart
from auricle.speech.windows import SAMPLE_RATE
from auricle.transcript import Word

MEET_S = 1.0
"""Seconds of somebody alone that it takes to meet them."""

F32 = NDArray[np.float32]


class LiveSpeakers:
    """The speakers of one session."""

    def __init__(self, diarizer: SpeakerDiarizer, known: Mapping[str, F32]) -> None:
        """``known`` are prints of unit length by name."""
        self._diarizer = diarizer
        self._known = dict(known)
        self._sound: F32 = np.zeros(0, np.float32)
        self._end = 0
        self._sums: list[F32] = []
        self._labels: dict[int, str] = {}

    def feed(self, block: F32) -> None:
        """Hear the next samples: mono, float32, 16 kHz."""
        self._sound = np.concatenate([self._sound, block])[-WINDOW_SAMPLES:]
        self._end += len(block)

    def label(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """Words of the last seconds, on the session's clock, with their speakers."""
        if not words:
            return ()
        start = (self._end - len(self._sound)) / SAMPLE_RATE
        windows, levels = self._diarizer.glimpse(self._sound)
        for window in windows:
            self._meet(window)
        known = unit(np.stack(self._sums)) if self._sums else np.zeros((0, 192), np.float32)
        found = turns(windows, levels, known)
        moved = [Turn(turn.start + start, turn.end + start, turn.speaker) for turn in found]
        for speaker in _in_order(told_apart(words, moved, _NUMBERS)):
            if speaker not in self._labels:
                name = self._recognised(known[speaker]) if speaker < len(known) else None
                self._labels[speaker] = name or f"Speaker {len(self._labels) + 1}"
        return told_apart(words, moved, self._labels)

    def _recognised(self, vector: F32) -> str | None:
        """The name of a voice; from now on it is nobody else's."""
        likeness = {name: float(other @ vector) for name, other in self._known.items()}
        name = max(likeness, key=likeness.__getitem__, default=None)
        if name is None or likeness[name] < KNOWN:
            return None
        del self._known[name]
        return name

    def _meet(self, window: Window) -> None:
        """Know again those who speak, and remember who is new."""
        for voice, vector in window.prints.items():
            likeness = [float(unit(each) @ vector) for each in self._sums]
            if likeness and max(likeness) >= 1 - SAME:
                self._sums[int(np.argmax(likeness))] += vector * window.seconds[voice]
            elif window.seconds[voice] >= MEET_S and len(self._sums) < MOST_SPEAKERS:
                self._sums.append(vector * window.seconds[voice])


_NUMBERS = {speaker: str(speaker) for speaker in range(MOST_SPEAKERS)}


def _in_order(words: Sequence[Word]) -> list[int]:
    """Numbers of the speakers, by their first word; 0 for words that nobody is heard to say."""
    labels = dict.fromkeys(word.speaker or "0" for word in words)
    return [int(label) if label.isdecimal() else 0 for label in labels]
