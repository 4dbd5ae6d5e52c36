"""From starting the process to being ready to answer."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from bench.corpus import MODEL, report

ROUNDS = 3


def run() -> None:
    """Start a new installation several times, and each once more."""
    first, later = zip(*(_twice() for _ in range(ROUNDS)), strict=True)
    print("seconds to ready, new: " + ", ".join(f"{t:.2f}" for t in first))
    print("seconds to ready, later: " + ", ".join(f"{t:.2f}" for t in later))
    report(
        "startup",
        new_seconds=round(statistics.median(first), 2),
        seconds=round(statistics.median(later), 2),
    )


def _twice() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as data:
        return _start(data), _start(data)


def _start(data: str) -> float:
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "auricle.cli", "serve", "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"AURICLE_DATA": data, "AURICLE_MODELS": str(MODEL.parent)},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "ready at http" in line:
            break
    took = time.monotonic() - started
    process.terminate()
    process.wait(20)
    return took
