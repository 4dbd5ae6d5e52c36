"""Diarization beside other packages' in the same run: error rates, speaker counts, speed.

They want PyTorch, so they live in an environment of their own: ``python -m bench.speakers_peers
PATH/TO/python`` (docs/experiments.md says how it was installed). Each recording goes through one
package after the other, and speed is the median of the recordings, for the machine is shared.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from auricle.media import SAMPLE_RATE
from bench.corpus import Item, Samples, report, write_wav
from bench.outside import Ask, outside
from bench.speakers import COLLARS, Ours, SpokenTurn, Table, networks_folder, recordings
from bench.whole_networks import write_networks

Find = Callable[[Path, Samples], list[SpokenTurn]]
"""Who speaks when in a recording, by its WAV file or by its samples."""

PEERS = {
    "senko": ("senko", 0.0),
    "pyannote.audio": ("pyannote", 0.7045654963945799),
    "sherpa-onnx": ("sherpa", 0.5),
    "sherpa-onnx, best": ("sherpa", 0.8),
}
"""Package and clustering threshold: the one of speaker-diarization-3.1, sherpa-onnx's own, and the
best of a few for it on these very recordings. senko has none."""


def main(python: str) -> None:
    """Measure all; the last line is JSON."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_networks(networks_folder(), folder)
        items = [
            (item, sound, write_wav(sound, SAMPLE_RATE, folder)) for item, sound in recordings()
        ]
        finders: dict[str, Find] = {"auricle": _ours()}
        for peer, (package, threshold) in PEERS.items():
            ask = stack.enter_context(outside(python, package, folder, threshold))
            finders[peer] = _theirs(ask)
        tables, speeds = _measure(items, finders)
    columns = " ".join(f"DER {collar:5}" for collar in COLLARS)
    print(f"{'all':22} {columns}  exact  x real time")
    for peer, table in tables.items():
        rates = " ".join(f"{rate:9.2f}" for rate in table.pooled)
        print(f"{peer:22} {rates} {table.exact:3}/{len(items)} {speeds[peer]:10.1f}")
    report(
        "speakers_peers",
        der={peer: [round(rate, 2) for rate in table.pooled] for peer, table in tables.items()},
        count_exact={peer: table.exact for peer, table in tables.items()},
        times_real_time={peer: round(speed, 1) for peer, speed in speeds.items()},
        items=len(items),
    )


def _measure(
    items: list[tuple[Item, Samples, Path]], finders: Mapping[str, Find]
) -> tuple[dict[str, Table], dict[str, float]]:
    tables = {peer: Table() for peer in finders}
    speeds: dict[str, list[float]] = {peer: [] for peer in finders}
    _, shortest, path = min(items, key=lambda each: len(each[1]))
    for find in finders.values():
        find(path, shortest)  # not timed: loads, compiles, warms up
    print(f"{f'DER {COLLARS[0]}':32} " + " ".join(f"{peer:>20}" for peer in finders))
    for item, sound, path in items:
        seconds = len(sound) / SAMPLE_RATE
        for peer, find in finders.items():
            began = time.monotonic()
            found = find(path, sound)
            speeds[peer].append(seconds / (time.monotonic() - began))
            tables[peer].add(item, found, seconds)
        rates = " ".join(f"{table.rates[-1][0]:20.1f}" for table in tables.values())
        print(f"{Path(item['path']).name:32} {rates}", flush=True)
    return tables, {peer: median(each) for peer, each in speeds.items()}


def _ours() -> Find:
    diarize = Ours()

    def find(_: Path, sound: Samples) -> list[SpokenTurn]:
        return [(turn.start, turn.end, str(turn.speaker)) for turn in diarize(sound, 0)]

    return find


def _theirs(ask: Ask) -> Find:
    def find(path: Path, _: Samples) -> list[SpokenTurn]:
        return [(start, end, who) for start, end, who in ask(str(path))]

    return find


if __name__ == "__main__":
    main(sys.argv[1])
