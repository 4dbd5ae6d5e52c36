"""Times real time, in turns with faster-whisper, word times on both sides."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import psutil

from bench.corpus import Auricle, FasterWhisper, Item, manifest, report

ROUNDS = 5

OTHERS = {"one after the other": (0, 5), "batches of 8, beam 1": (8, 1), "of 16, beam 5": (16, 5)}
"""Other ways to run the peer (batch and beam size), measured once."""


def run() -> None:
    """Alternate the two over the long recordings."""
    items = manifest("longform")
    ours, theirs = Auricle(), FasterWhisper(word_times=True)
    for transcribe in (ours.text, ours.told_apart, theirs.text):
        transcribe(items[0])
    rounds = [
        [_measured(each, items) for each in (ours.text, theirs.text, ours.told_apart)]
        for _ in range(ROUNDS)
    ]
    for (a, _), (b, _), (c, _) in rounds:
        print(f"auricle {a:6.1f} x   faster-whisper {b:6.1f} x   ratio {a / b:5.2f}   ", end="")
        print(f"with speakers {c:6.1f} x")
    ratios = [a / b for (a, _), (b, _), _ in rounds]
    columns = list(zip(*rounds, strict=True))
    speeds = [round(statistics.median(speed for speed, _ in column), 1) for column in columns]
    spent = [round(statistics.median(spent for _, spent in column), 1) for column in columns]
    names = "auricle", "faster_whisper", "with_speakers"
    report(
        "speed",
        times_real_time=dict(zip(names, speeds, strict=True)),
        processor_seconds_an_hour=dict(zip(names, spent, strict=True)),
        ratio=round(statistics.median(ratios), 2),
        ratios=[round(min(ratios), 2), round(max(ratios), 2)],
        other_ways={name: _measured(_peer(*sizes), items)[0] for name, sizes in OTHERS.items()},
    )


def _peer(batch_size: int, beam_size: int) -> Callable[[Item], str]:
    return FasterWhisper(word_times=True, batch_size=batch_size, beam_size=beam_size).text


def _measured(transcribe: Callable[[Item], object], items: list[Item]) -> tuple[float, float]:
    """Times real time, and seconds of processor time for an hour of sound."""
    seconds = sum(item["seconds"] for item in items)
    before, began = _spent(), time.monotonic()
    for item in items:
        transcribe(item)
    took = time.monotonic() - began
    return round(seconds / took, 1), round((_spent() - before) / seconds * 3600, 1)


def _spent() -> float:
    """Processor seconds of this process and of those it has started."""
    here = psutil.Process()
    return sum(sum(each.cpu_times()[:4]) for each in (here, *here.children(recursive=True)))
