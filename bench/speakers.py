"""Diarization error rates, beside a plain pipeline over the same networks; speed and memory.

The plain pipeline is what packages offer put together in the usual way: windows every 2.5 s, the
likeliest voices of each frame, a print for each voice from its own frames, average linkage up to a
cosine distance of 0.5.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from scipy.cluster.hierarchy import fcluster, linkage

from auricle.media import SAMPLE_RATE, MediaPool
from auricle.models import SPEAKERS, ModelStore
from auricle.speech.diarization.assembly import FRAME_S, Window, turns
from auricle.speech.diarization.clustering import Prints
from auricle.speech.diarization.diarizer import STEP, SpeakerDiarizer
from auricle.speech.diarization.networks import (
    FRAME_CENTRE,
    FRAME_SAMPLES,
    FRAMES,
    VOICES,
    WINDOW_SAMPLES,
    Networks,
    unit,
)
from auricle.speech.diarization.protocol import Turn
from auricle.speech.diarization.spectrum import FRAME, HOP, spectra
from auricle.speech.diarization.words import told_apart
from bench.corpus import MODEL, SPEECH, Auricle, Item, decoded, report

COLLARS = (0.25, 0.125, 0.0)
"""Seconds on each side of a boundary that are not judged (NIST's md-eval). pyannote.metrics wants
both sides together: its collar of 0.25 is our 0.125."""

HOURS = 3
LONG = "diarization/built_dev_5spk_meeting.flac"
PLAIN_SAME = 0.5
BLOCK = 16_000

F32 = NDArray[np.float32]
Find = Callable[[F32, int], Sequence[Turn]]
SpokenTurn = tuple[float, float, str]
"""Start and end in seconds, and who."""


def run() -> None:
    """Measure all of it."""
    items = list(recordings())
    ours, plain = Ours(), _Plain()
    tables = {
        "found out": _measure(items, ours, told=False),
        "told": _measure(items, ours, told=True),
        "plain": _measure(items, plain, told=False),
    }
    names = [f"{name} {collar}" for name in tables for collar in COLLARS]
    print(f"{'DER by collar':36} {'speakers':>9} " + " ".join(f"{name:>14}" for name in names))
    for row, (item, _) in enumerate(items):
        rates = [rate for table in tables.values() for rate in table.rates[row]]
        count = f"{tables['found out'].counts[row]}/{tables['found out'].wanted[row]}"
        name = Path(item["path"]).name
        print(f"{name:36} {count:>9} " + " ".join(f"{rate:14.1f}" for rate in rates))
    pooled = [rate for table in tables.values() for rate in table.pooled]
    print(f"{'all':46} " + " ".join(f"{rate:14.2f}" for rate in pooled))
    long = subprocess.run(
        [sys.executable, "-m", "bench.speakers"], capture_output=True, text=True, check=True
    )
    speed = json.loads(long.stdout)
    print(f"{HOURS} h: {speed}")
    report(
        "speakers",
        der={name: [round(rate, 2) for rate in table.pooled] for name, table in tables.items()},
        count_exact={name: table.exact for name, table in tables.items()},
        items=len(items),
        word_accuracy=_word_accuracy(items, ours),
        **speed,
    )


def recordings() -> Iterator[tuple[Item, F32]]:
    """The recordings that say who speaks when, with their sound."""
    with MediaPool() as media:
        for line in (SPEECH / "manifest.jsonl").open():
            item = json.loads(line)
            if item["category"] == "diarization" and item.get("rttm"):
                with (SPEECH / item["path"]).open("rb") as file:
                    yield item, np.concatenate(list(media.decode(file, max_seconds=1e6)))


def _reference(item: Item) -> list[SpokenTurn]:
    rows = [line.split() for line in (SPEECH / item["rttm"]).read_text().splitlines() if line]
    return [(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows]


class Table:
    """Error rates in percent by item and collar, and how many speakers were found."""

    def __init__(self) -> None:
        self._metrics = [DiarizationErrorRate(collar=2 * collar) for collar in COLLARS]
        self.rates: list[list[float]] = []
        self.counts: list[int] = []
        self.wanted: list[int] = []

    def add(self, item: Item, turns: Iterable[SpokenTurn], seconds: float) -> None:
        """Judge what was found in one recording."""
        reference, found = _annotation(_reference(item)), _annotation(turns)
        everywhere = Timeline([Segment(0, seconds)])
        self.rates.append(
            [100 * metric(reference, found, uem=everywhere) for metric in self._metrics]
        )
        self.counts.append(len(found.labels()))
        self.wanted.append(len(reference.labels()))

    @property
    def pooled(self) -> list[float]:
        return [100 * abs(metric) for metric in self._metrics]

    @property
    def exact(self) -> int:
        return sum(n == m for n, m in zip(self.counts, self.wanted, strict=True))


def _measure(items: Sequence[tuple[Item, F32]], find: Find, *, told: bool) -> Table:
    table = Table()
    for item, sound in items:
        count = len({who for _, _, who in _reference(item)}) if told else 0
        found = [(turn.start, turn.end, str(turn.speaker)) for turn in find(sound, count)]
        table.add(item, found, len(sound) / SAMPLE_RATE)
    return table


def _annotation(rows: Iterable[SpokenTurn]) -> Annotation:
    annotation = Annotation()
    for number, (start, end, who) in enumerate(rows):
        annotation[Segment(start, end), number] = who
    return annotation


class Ours:
    """This project's diarizer."""

    def __init__(self) -> None:
        self._diarizer = SpeakerDiarizer(networks_folder())

    def __call__(self, sound: F32, speakers: int) -> Sequence[Turn]:
        session = self._diarizer.session()
        for first in range(0, len(sound), BLOCK):
            session.feed(sound[first : first + BLOCK])
        return session.finish(speakers).turns


class _Plain:
    """The usual pipeline."""

    def __init__(self) -> None:
        self._networks = Networks(networks_folder())

    def __call__(self, sound: F32, speakers: int) -> Sequence[Turn]:
        last = max(0, len(sound) - WINDOW_SAMPLES) // FRAME_SAMPLES
        windows = [self._window(sound, first) for first in sorted({*range(0, last, STEP), last})]
        found = [
            (window.seconds[voice], vector)
            for window in windows
            for voice, vector in window.prints.items()
        ]
        # Without differences in level, everywhere is as loud as it gets.
        levels = np.arange(len(sound) // FRAME_SAMPLES, dtype=np.float32)
        return turns(windows, levels, self._speakers([each for each in found if each[0] >= 1]))

    def _window(self, sound: F32, first: int) -> Window:
        part = sound[first * FRAME_SAMPLES :][:WINDOW_SAMPLES]
        heard = len(part) // FRAME_SAMPLES
        part = np.pad(part, (0, WINDOW_SAMPLES - len(part)))
        voices = self._networks.segment(part, [0])[0] > 0.5
        features, prints, seconds = spectra(part), {}, {}
        centres = np.arange(len(features)) * HOP + FRAME // 2 - FRAME_CENTRE
        places = np.rint(centres / FRAME_SAMPLES).astype(int).clip(0, FRAMES - 1)
        for voice in range(VOICES):
            alone = voices[:, voice] & (voices.sum(axis=1) == 1)
            chosen = features[alone[places]]
            if len(chosen) >= 25:
                prints[voice] = self._networks.voice_print(self._networks.voice_frames(chosen))
                seconds[voice] = float(alone.sum()) * FRAME_S
        return Window(first, (voices[:heard] * 255).astype(np.uint8), prints, seconds)

    def _speakers(self, found: list[tuple[float, F32]]) -> F32:
        vectors = np.stack([vector for _, vector in found]) if found else np.zeros((0, 192), "f")
        prints = Prints(vectors, np.array([seconds for seconds, _ in found], np.float32))
        if len(prints) < 2:
            return prints.vectors
        tree = linkage(prints.vectors, "average", metric="cosine")
        labels = fcluster(tree, PLAIN_SAME, "distance")
        return np.stack([unit(vectors[labels == n].sum(axis=0)) for n in np.unique(labels)])


def _word_accuracy(items: Sequence[tuple[Item, F32]], find: Find) -> float:
    """Share of the words, in percent, that are given to whoever speaks in their middle."""
    auricle, right, words = Auricle(), 0, 0
    for item, sound in items:
        if not item["text"]:
            continue
        found = auricle.transcribe(item).words
        names = {n: str(n) for n in range(20)}
        said = told_apart(found, find(sound, 0), names)
        pairs = []
        for word in said:
            middle = (word.start + word.end) / 2
            true = {who for start, end, who in _reference(item) if start <= middle <= end}
            pairs += [(str(word.speaker), who) for who in sorted(true)[:1]]
        right += _best(pairs)
        words += len(pairs)
    return round(100 * right / max(1, words), 1)


def _best(pairs: Sequence[tuple[str, str]]) -> int:
    """Most pairs that agree, whatever the speakers are called."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    table = np.array([[pairs.count((row, column)) for column in columns] for row in rows])
    return int(table[linear_sum_assignment(-table)].sum()) if pairs else 0


def networks_folder() -> Path:
    """Where the two networks' weights are."""
    return ModelStore(MODEL.parent).path(SPEAKERS)


def long_recording() -> None:
    """Print how fast a long recording is diarized, alone, and how much memory that takes."""
    sound = decoded(LONG)
    diarizer = SpeakerDiarizer(networks_folder())
    session = diarizer.session()
    session.feed(sound[: 60 * SAMPLE_RATE])
    session.finish()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, session = time.monotonic(), diarizer.session()
    seconds = 0.0
    while seconds < HOURS * 3600:
        for first in range(0, len(sound), BLOCK):
            session.feed(sound[first : first + BLOCK])
        seconds += len(sound) / SAMPLE_RATE
    heard = time.monotonic()
    found = session.finish()
    done = time.monotonic()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "times_real_time": round(seconds / (done - began), 1),
        "end_s": round(done - heard, 2),
        "mb_above_model": round((after - before) / 1024),
        "speakers_of_5": len({turn.speaker for turn in found.turns}),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    long_recording()
