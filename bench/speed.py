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
    for system in (ours, theirs):
        system.text(items[0])
    pairs = [
        (seconds / _took(ours.text, items), seconds / _took(theirs.text, items))
        for _ in range(ROUNDS)
    ]
    for a, b in pairs:
        print(f"auricle {a:6.1f} x   faster-whisper {b:6.1f} x   ratio {a / b:5.2f}")
    ratios = [a / b for a, b in pairs]
    report(
        "speed",
        times_real_time=round(statistics.median(a for a, _ in pairs), 1),
        faster_whisper=round(statistics.median(b for _, b in pairs), 1),
        ratio=round(statistics.median(ratios), 2),
        ratios=[round(min(ratios), 2), round(max(ratios), 2)],
        other_ways={
            name: round(seconds / _took(_peer(*sizes), items), 1) for name, sizes in OTHERS.items()
        },
    )


def _peer(batch_size: int, beam_size: int) -> Callable[[Item], str]:
    return FasterWhisper(word_times=True, batch_size=batch_size, beam_size=beam_size).text


def _took(transcribe: Callable[[Item], str], items: list[Item]) -> float:
    started = time.monotonic()
    for item in items:
        transcribe(item)
    return time.monotonic() - started
