"""From windows of ten seconds, each with voices of its own, to turns of the whole recording.

Each window's voices are given to different speakers by the likeness of their prints (Hungarian
assignment). What overlapping windows say is averaged; at each frame as many speakers are chosen as
there are voices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.optimize import linear_sum_assignment

from auricle.speech.diarization.networks import FRAME_CENTRE, FRAME_SAMPLES
from auricle.speech.diarization.protocol import Turn

FRAME_S = FRAME_SAMPLES / 16_000

SPEECH = 0.3
"""Probability from which somebody speaks."""
QUIET_SPEECH = 0.9
"""The same where nothing stands out of the background: the network fills pauses."""
SECOND = 1.4
"""Voices, as the sum of their probabilities, from which two speak at once."""

STANDS_OUT = 0.1
"""How far above the background, as a share of the way to the loudest."""
AROUND_S = 3.0
"""Seconds on both sides that tell background and loudest (their 10th and 90th percentile)."""
_LEAST_RANGE_DB = 10.0
_SMOOTHED = 9
_STEP = 30

SHORTEST_PAUSE_S = 0.3
SHORTEST_TURN_S = 0.1
"""Shorter pauses of a speaker are filled, then shorter turns left out."""

BLOCK = 20_000
"""Frames that are assembled at once."""

NOBODY = -1

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """What was heard in ten seconds."""

    first: int
    """The recording's frame that is its first."""
    voices: NDArray[np.uint8]
    """``[frames, voices]``: probabilities, times 255."""
    prints: dict[int, F32]
    """By voice; of those that spoke long enough."""
    seconds: dict[int, float]
    """How long: alone, or among others where they are never alone."""


def turns(windows: Sequence[Window], levels: F32, speakers: F32) -> tuple[Turn, ...]:
    """Who spoke when.

    ``levels`` are decibels by frame, ``speakers`` prints ``[speakers, 192]``. Speech of voices that
    nobody has a print of goes to the first speaker if there is no other.
    """
    given = [_given(window, speakers) for window in windows]
    thresholds = np.where(standing_out(levels) < STANDS_OUT, QUIET_SPEECH, SPEECH)
    count = max(1, len(speakers))
    chosen = np.full((2, len(levels)), NOBODY, np.int8)
    for first in range(0, len(levels), BLOCK):
        part = slice(first, min(first + BLOCK, len(levels)))
        who, how_many = _averaged(windows, given, part.start, part.stop, count)
        voices = (how_many >= thresholds[part]).astype(int) + (how_many >= SECOND)
        order = np.argsort(-who, axis=1)
        for rank in range(min(2, count)):
            best = order[:, rank]
            there = (voices > rank) & (np.take_along_axis(who, best[:, None], 1)[:, 0] > 0)
            chosen[rank, part] = np.where(there, best, NOBODY)
    found = [
        Turn(round(start, 3), round(end, 3), speaker)
        for speaker in range(count)
        for start, end in _spoken((chosen == speaker).any(axis=0))
    ]
    return tuple(sorted(found, key=lambda turn: (turn.start, turn.end)))


def standing_out(levels: F32) -> F32:
    """How far each frame is above its surroundings' background, as a share of their range."""
    if not len(levels):
        return levels
    smooth: F32 = uniform_filter1d(levels, _SMOOTHED, mode="nearest")
    around = round(AROUND_S / FRAME_S)
    result: F32 = np.empty_like(smooth)
    for first in range(0, len(smooth), _STEP):
        near = smooth[max(0, first - around) : first + around]
        low, high = np.quantile(near, (0.1, 0.9))
        part = slice(first, first + _STEP)
        result[part] = (smooth[part] - low) / max(high - low, _LEAST_RANGE_DB)
    return result


def _given(window: Window, speakers: F32) -> dict[int, int]:
    """Speakers by voice: different ones, if there are enough."""
    voices = sorted(window.prints)
    if not len(speakers):
        return dict.fromkeys(range(window.voices.shape[1]), 0)
    if not voices:
        return dict.fromkeys(range(window.voices.shape[1]), 0) if len(speakers) == 1 else {}
    likeness = np.stack([window.prints[voice] for voice in voices]) @ speakers.T
    if len(voices) > len(speakers):
        found = dict(zip(voices, likeness.argmax(axis=1).tolist(), strict=True))
    else:
        rows, columns = linear_sum_assignment(-likeness)
        found = {voices[row]: int(column) for row, column in zip(rows, columns, strict=True)}
    return found


def _averaged(
    windows: Sequence[Window], given: Sequence[dict[int, int]], first: int, last: int, count: int
) -> tuple[F32, F32]:
    """How much of each speaker ``[frames, count]`` and how many voices ``[frames]`` there are."""
    who = np.zeros((last - first, count), np.float32)
    how_many = np.zeros(last - first, np.float32)
    heard = np.zeros(last - first, np.float32)
    for window, speakers in zip(windows, given, strict=True):
        begin, end = max(first, window.first), min(last, window.first + len(window.voices))
        if begin >= end:
            continue
        voices = window.voices[begin - window.first : end - window.first].astype(np.float32) / 255
        place = slice(begin - first, end - first)
        heard[place] += 1
        how_many[place] += voices.sum(axis=1)
        for voice, speaker in speakers.items():
            who[place, speaker] += voices[:, voice]
    heard = np.maximum(heard, 1)
    return who / heard[:, None], how_many / heard


def _spoken(speaks: NDArray[np.bool_]) -> Iterator[tuple[float, float]]:
    """Seconds of the turns of one speaker."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speaks, [False]])))
    offset = FRAME_CENTRE / 16_000 - FRAME_S / 2
    current: tuple[float, float] | None = None
    for first, last in edges.reshape(-1, 2).tolist():
        start, end = first * FRAME_S + offset, last * FRAME_S + offset
        if current and start - current[1] < SHORTEST_PAUSE_S:
            current = current[0], end
            continue
        if current and current[1] - current[0] >= SHORTEST_TURN_S:
            yield current
        current = start, end
    if current and current[1] - current[0] >= SHORTEST_TURN_S:
        yield current
