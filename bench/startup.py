"""From starting the process to being ready to answer."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from bench.corpus import MODEL, report

ROUNDS = 5


def run() -> None:
    """Start the server several times."""
    times = [_start() for _ in range(ROUNDS)]
    print("seconds to ready: " + ", ".join(f"{t:.2f}" for t in times))
    report("startup", seconds=round(statistics.median(times), 2))


def _start() -> float:
    with tempfile.TemporaryDirectory() as data:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "auricle.cli", "serve", "--port", "0"],
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
