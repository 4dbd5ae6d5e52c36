"""Times real time and errors beside whisper.cpp, with the same weights, in turns.

It lives in an environment of its own: ``python -m bench.speed_peers PATH/TO/python``, where that
has ``pywhispercpp``.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from auricle.media import SAMPLE_RATE
from bench.corpus import (
    MODEL,
    NONE,
    THREADS,
    Auricle,
    Errors,
    Item,
    compare,
    decoded,
    language,
    manifest,
    report,
    write_wav,
)
from bench.ggml import write_ggml
from bench.outside import outside

ROUNDS = 3

LONGEST_S = 300.0
"""Seconds of the recordings: the peer takes its time."""


def main(python: str) -> None:
    """Alternate the two over long recordings, whose sound the peer gets decoded."""
    items = [item for item in manifest("longform") if item["seconds"] < LONGEST_S]
    with tempfile.TemporaryDirectory() as name, _peer(python, Path(name), items) as theirs:
        ours = Auricle().text
        for transcribe in (ours, theirs):
            transcribe(items[0])
        rounds = []
        for _ in range(ROUNDS):
            (mine, _), (other, _) = pair = [_measured(each, items) for each in (ours, theirs)]
            ratio = mine / other
            print(
                f"auricle {mine:6.1f} x   whisper.cpp {other:6.1f} x   ratio {ratio:5.2f}",
                flush=True,
            )
            rounds.append(pair)
    ratios = [mine / other for (mine, _), (other, _) in rounds]
    report(
        "speed_peers",
        times_real_time=[
            round(statistics.median(each[who][0] for each in rounds), 1) for who in (0, 1)
        ],
        ratio=round(statistics.median(ratios), 2),
        ratios=[round(min(ratios), 2), round(max(ratios), 2)],
        wer=[round(rounds[0][who][1].wer, 2) for who in (0, 1)],
    )


def _measured(transcribe: Callable[[Item], str], items: list[Item]) -> tuple[float, Errors]:
    began = time.monotonic()
    texts = [transcribe(item) for item in items]
    speed = sum(item["seconds"] for item in items) / (time.monotonic() - began)
    pairs = zip(items, texts, strict=True)
    return speed, sum((compare(item, text) for item, text in pairs), NONE)


@contextmanager
def _peer(python: str, folder: Path, items: list[Item]) -> Iterator[Callable[[Item], str]]:
    paths = {item["path"]: write_wav(decoded(item["path"]), SAMPLE_RATE, folder) for item in items}
    model = folder / "model.bin"
    write_ggml(MODEL, model)
    with outside(python, "whisper.cpp", model, THREADS) as ask:
        yield lambda item: str(ask(f"{language(item)} {paths[item['path']]}"))


if __name__ == "__main__":
    main(sys.argv[1])
