"""Times real time, in turns with faster-whisper, word times on both sides."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from bench.corpus import Auricle, FasterWhisper, Item, manifest, report

ROUNDS = 5

OTHERS = {"one after the other": (0, 5), "batches of 8, beam 1": (8, 1), "of 16, beam 5": (16, 5)}
"""Other ways to run the peer (batch and beam size), measured once."""


def run() -> None:
    """Alternate the two over the long recordings."""
    items = manifest("longform")
    seconds = sum(item["seconds"] for item in items)
    ours, theirs = Auricle(), FasterWhisper(word_times=True)
    for transcribe in (ours.text, ours.told_apart, theirs.text):
        transcribe(items[0])
    rounds = [
        tuple(seconds / _took(each, items) for each in (ours.text, theirs.text, ours.told_apart))
        for _ in range(ROUNDS)
    ]
    for a, b, c in rounds:
        print(f"auricle {a:6.1f} x   faster-whisper {b:6.1f} x   ratio {a / b:5.2f}   ", end="")
        print(f"with speakers {c:6.1f} x")
    ratios = [a / b for a, b, _ in rounds]
    report(
        "speed",
        times_real_time=round(statistics.median(a for a, _, _ in rounds), 1),
        faster_whisper=round(statistics.median(b for _, b, _ in rounds), 1),
        with_speakers=round(statistics.median(c for _, _, c in rounds), 1),
        ratio=round(statistics.median(ratios), 2),
        ratios=[round(min(ratios), 2), round(max(ratios), 2)],
        other_ways={
            name: round(seconds / _took(_peer(*sizes), items), 1) for name, sizes in OTHERS.items()
        },
    )


def _peer(batch_size: int, beam_size: int) -> Callable[[Item], str]:
    return FasterWhisper(word_times=True, batch_size=batch_size, beam_size=beam_size).text


def _took(transcribe: Callable[[Item], object], items: list[Item]) -> float:
    started = time.monotonic()
    for item in items:
        transcribe(item)
    return time.monotonic() - started
