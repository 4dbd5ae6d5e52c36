"""Our own diarizer: segmentation, voice prints, clustering, assembly.

Nothing of the sound is kept but the last seconds: of each window what its voices did, 1.8 KB, and
their prints. Twelve hours take about 60 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.speech.diarization.assembly import FRAME_S, Window, turns
from auricle.speech.diarization.clustering import Prints, alike, speakers_in
from auricle.speech.diarization.networks import (
    FRAME_CENTRE,
    FRAME_SAMPLES,
    FRAMES,
    WINDOW_SAMPLES,
    Networks,
)
from auricle.speech.diarization.protocol import Diarization, Session
from auricle.speech.diarization.spectrum import FRAME, HOP, spectra

STEP = 150
"""Frames (2.5 s) from one window to the next."""
BATCH, TOGETHER = 32, 16
"""Windows that are heard at a time, and how many of them go through the network together."""

PIECE = 1_000
"""Spectra (10 s) that go through the voice network at once; an even number."""
_SHORTEST_PIECE = 400

SOLO = 0.5
"""Probability from which a voice is taken to speak when its print is made."""
SHORTEST_PRINT_S = 0.25
SHORTEST_SURE_S = 0.35
"""Seconds of a voice that a print takes, and one that may make a speaker."""

SHORTEST_SAMPLES = 8_000
"""Half a second: nobody is heard in less."""

APART = 12
"""Frames (0.2 s) of silence after which somebody else may speak with what is taken for one voice.
"""
PART_S = 1.0
"""Seconds of speech that say whose it is."""

_LEVEL_SAMPLES = 400
_SILENCE = 1e-12

F32 = NDArray[np.float32]


class SpeakerDiarizer:
    """The loaded networks; see :class:`auricle.speech.diarization.protocol.Diarizer`."""

    def __init__(self, folder: Path) -> None:
        self._networks = Networks(folder)

    def session(self) -> Session:
        """Start on a recording."""
        return _Session(self._networks)

    def glimpse(self, sound: F32) -> tuple[list[Window], F32]:
        """What is heard in a short piece of sound, by itself: windows, and the frames' levels."""
        session = _Session(self._networks)
        session.feed(sound)
        return session.heard()


class _Session:
    """One recording. Two threads: one for each network."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._sound = _Sound()
        self._voice_frames = _VoiceFrames(networks)
        self._levels: list[F32] = []
        self._levelled = 0
        self._windows: list[Window] = []

    def feed(self, block: F32) -> None:
        self._sound.add(block)
        # The piece in which the last window ends has to be there as a whole.
        needed = (BATCH - 1) * STEP * FRAME_SAMPLES + WINDOW_SAMPLES + PIECE * HOP + FRAME
        while self._sound.end - self._next * FRAME_SAMPLES >= needed:
            self._hear([self._next + n * STEP for n in range(BATCH)], last=False)

    def finish(self, speakers: int = 0) -> Diarization:
        windows, levels = self.heard()
        voices = speakers_in(self._prints(), speakers)
        return Diarization(turns(windows, levels, voices), voices)

    def heard(self) -> tuple[list[Window], F32]:
        """All windows and the frames' levels; no more sound is taken."""
        if self._sound.end < SHORTEST_SAMPLES:
            return [], np.zeros(0, np.float32)
        self._hear(self._rest(), last=True)
        return self._windows, np.concatenate(self._levels)

    @property
    def _next(self) -> int:
        """The first frame of the next window."""
        return len(self._windows) * STEP

    def _rest(self) -> list[int]:
        """First frames of the last windows; the very last one ends with the recording."""
        final = max(0, (self._sound.end - WINDOW_SAMPLES) // FRAME_SAMPLES)
        firsts = list(range(self._next, final + 1, STEP))
        return firsts if firsts and firsts[-1] == final else [*firsts, final]

    def _hear(self, firsts: list[int], *, last: bool) -> None:
        """Hear windows that are there; ``last`` says that no more sound comes."""
        groups = [firsts[n : n + TOGETHER] for n in range(0, len(firsts), TOGETHER)]
        sounds = [self._heard_by(group) for group in groups]
        with ThreadPoolExecutor(1) as pool:
            calls = [
                pool.submit(self._segmented, *each) for each in zip(groups, sounds, strict=True)
            ]
            until = self._sound.end if last else firsts[-1] * FRAME_SAMPLES + WINDOW_SAMPLES
            self._voice_frames.hear(self._sound, until, last=last)
            # What the other thread has not begun by now, this one does, from the end.
            mine = {
                n: self._segmented(groups[n], sounds[n])
                for n in reversed(range(len(calls)))
                if calls[n].cancel()
            }
            found = [mine[n] if n in mine else call.result() for n, call in enumerate(calls)]
        for first, voices in zip(firsts, np.concatenate(found), strict=True):
            heard = min(FRAMES, max(1, self._frames - first))
            self._windows.append(self._window(first, voices[:heard]))
        self._note_levels(last=last)
        keep = self._sound.end if last else self._next * FRAME_SAMPLES
        self._voice_frames.forget(keep)
        self._sound.forget(min(keep, self._voice_frames.needs) - WINDOW_SAMPLES)

    def _heard_by(self, firsts: list[int]) -> F32:
        """The sound of windows that follow each other."""
        begin, end = firsts[0] * FRAME_SAMPLES, firsts[-1] * FRAME_SAMPLES + WINDOW_SAMPLES
        return self._sound.part(begin, end)

    def _segmented(self, firsts: list[int], sound: F32) -> F32:
        return self._networks.segment(sound, [first - firsts[0] for first in firsts])

    @property
    def _frames(self) -> int:
        """Frames of what has come so far."""
        return int(self._sound.end // FRAME_SAMPLES)

    def _window(self, first: int, heard: F32) -> Window:
        voices = np.concatenate(list(self._voices(first, heard)), axis=1)
        alone = _alone(voices)
        prints, seconds = {}, {}
        for voice in range(voices.shape[1]):
            # Who is never alone is known by what is heard of them among others.
            enough = alone[:, voice].sum() * FRAME_S >= SHORTEST_PRINT_S
            speaks = alone[:, voice] if enough else voices[:, voice] > SOLO
            length = float(speaks.sum()) * FRAME_S
            frames = self._voice_frames.chosen(first, speaks)
            if length >= SHORTEST_PRINT_S and len(frames) >= 10:
                prints[voice] = self._networks.voice_print(frames)
                seconds[voice] = length
        return Window(first, np.rint(voices * 255).astype(np.uint8), prints, seconds)

    def _voices(self, first: int, heard: F32) -> Iterator[F32]:
        """The voices of a window ``[frames, 3]``, one by one; one that is several people's, as
        its prints say, as several columns."""
        alone = _alone(heard)
        for voice in range(heard.shape[1]):
            column = heard[:, voice : voice + 1]
            places = np.flatnonzero(column[:, 0] > SOLO)
            parts = np.split(places, np.flatnonzero(np.diff(places) > APART) + 1)
            long = [part for part in parts if alone[part, voice].sum() * FRAME_S >= PART_S]
            prints = [self._print(first, alone[:, voice], part) for part in long]
            groups = alike(np.stack(prints)) if len(long) > 1 else np.ones(1, np.int64)
            if groups.max() == 1:
                yield column
                continue
            middles = np.array([part.mean() for part in long])
            times = np.arange(len(column))
            nearest = np.abs(times[:, None] - middles).argmin(axis=1)
            for part, number in zip(long, range(len(long)), strict=True):
                nearest[part] = number
            for group in range(1, groups.max() + 1):
                yield column * (groups[nearest] == group)[:, None]

    def _print(self, first: int, alone: NDArray[np.bool_], part: NDArray[np.int64]) -> F32:
        """The print of some of a window's frames in which a voice is alone."""
        chosen = np.zeros(len(alone), bool)
        chosen[part] = alone[part]
        return self._networks.voice_print(self._voice_frames.chosen(first, chosen))

    def _prints(self) -> Prints:
        """Those that rest on enough speech; the longest, if none does."""
        found = [
            (seconds, window.prints[voice])
            for window in self._windows
            for voice, seconds in window.seconds.items()
        ]
        sure = [each for each in found if each[0] >= SHORTEST_SURE_S]
        found = sure or sorted(found, key=lambda each: -each[0])[:1]
        if not found:
            return Prints(np.zeros((0, 192), np.float32), np.zeros(0, np.float32))
        seconds_, vectors = zip(*found, strict=True)
        return Prints(np.stack(vectors), np.array(seconds_, np.float32))

    def _note_levels(self, *, last: bool) -> None:
        """Decibels of the frames whose sound is there."""
        done = self._frames if last else self._next
        self._levels.append(self._sound.levels(self._levelled, done))
        self._levelled = done


def _alone(voices: F32) -> NDArray[np.bool_]:
    """Where each voice ``[frames, voices]`` speaks, and no other."""
    speaks = voices > SOLO
    alone: NDArray[np.bool_] = speaks & (speaks.sum(axis=1, keepdims=True) == 1)
    return alone


class _Sound:
    """The last samples of a recording, by their numbers in it."""

    def __init__(self) -> None:
        self._blocks: list[F32] = []
        self._start = 0
        self.end = 0

    def add(self, block: F32) -> None:
        self._blocks.append(block)
        self.end += len(block)

    def part(self, first: int, last: int) -> F32:
        """Samples from ``first`` up to ``last``; zeros where the recording has none."""
        self._blocks = [np.concatenate([np.zeros(0, np.float32), *self._blocks])]
        begin, end = max(first, self._start), min(last, self.end)
        found = self._blocks[0][begin - self._start : max(begin, end) - self._start]
        padded: F32 = np.pad(found, (begin - first, last - max(begin, end)))
        return padded

    def levels(self, first: int, last: int) -> F32:
        """Decibels of the frames from ``first`` up to ``last``."""
        begin = first * FRAME_SAMPLES + FRAME_CENTRE - _LEVEL_SAMPLES // 2
        samples = self.part(begin, begin + (last - first) * FRAME_SAMPLES + _LEVEL_SAMPLES)
        power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
        starts = np.arange(last - first) * FRAME_SAMPLES
        mean = (power[starts + _LEVEL_SAMPLES] - power[starts]) / _LEVEL_SAMPLES
        return np.asarray(10 * np.log10(np.maximum(mean, _SILENCE)), np.float32)

    def forget(self, before: int) -> None:
        """Let go of the samples before a number."""
        drop = min(before, self.end) - self._start
        if drop > 0:
            self._blocks = [self.part(self._start + drop, self.end)]
            self._start += drop


class _VoiceFrames:
    """What the voice network made of the last seconds: one frame for 20 ms."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._frames: F32 = np.zeros((0, 512), np.float32)
        self._start = 0
        self._spectra_done = 0

    @property
    def needs(self) -> int:
        """The first sample that is not heard yet."""
        return self._spectra_done * HOP

    def hear(self, sound: _Sound, until: int, *, last: bool) -> None:
        """Hear ``sound`` up to a sample, in whole pieces; ``last`` hears what is left as well.

        A piece goes further than that if it must, but never beyond the sound.
        """
        while self._spectra_done * HOP < until:
            most = (sound.end - FRAME) // HOP + 1 - self._spectra_done
            if most < PIECE and not last:
                return
            count = min(PIECE, most)
            if count < 2:
                return
            # The network's context wants some length: a short rest is heard with what was before.
            more = min(self._spectra_done, max(0, _SHORTEST_PIECE - count)) // 2 * 2
            begin = (self._spectra_done - more) * HOP
            heard = spectra(sound.part(begin, begin + (more + count - 1) * HOP + FRAME))
            self._frames = np.concatenate(
                [self._frames, self._networks.voice_frames(heard)[more // 2 :]]
            )
            self._spectra_done += count

    def chosen(self, first: int, speaks: NDArray[np.bool_]) -> F32:
        """Frames of a window in which ``speaks``, by the window's frames, is true."""
        begin = first * FRAME_SAMPLES // (2 * HOP) + 1
        end = (first + len(speaks)) * FRAME_SAMPLES // (2 * HOP)
        numbers = np.arange(begin, min(end, self._start + len(self._frames)))
        centres = numbers * (2 * HOP) + FRAME // 2
        places = np.rint((centres - FRAME_CENTRE) / FRAME_SAMPLES).astype(int) - first
        wanted = numbers[speaks[places.clip(0, len(speaks) - 1)]]
        found: F32 = self._frames[wanted - self._start]
        return found

    def forget(self, before: int) -> None:
        """Let go of the frames before a sample."""
        drop = before // (2 * HOP) - self._start
        if drop > 0:
            self._frames = self._frames[drop:]
            self._start += drop
