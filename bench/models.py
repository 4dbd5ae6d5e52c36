"""The speed of every model of the catalog, from random weights of its shape.

Most cannot be fetched where this runs; how long arithmetic takes does not depend on the weights.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from auricle.speech.engines.cpu import CPUEngine
from auricle.speech.selftest import times_real_time
from auricle.work.transcriber import warm_up
from bench.corpus import MODEL, ROOT, THREADS, report

sys.path[:0] = [str(ROOT / "tests")]

import random_whisper  # noqa: E402

SHAPES = {
    "base": {"width": 512, "mels": 80, "layers": 6},
    "small": {"width": 768, "mels": 80, "layers": 12},
    "medium": {"width": 1024, "mels": 80, "layers": 24},
    "large-v3-turbo": {"width": 1280, "mels": 128, "layers": 32, "decoder_layers": 4},
    "large-v3": {"width": 1280, "mels": 128, "layers": 32},
}


def run() -> None:
    """Measure each in a process of its own."""
    speeds = {}
    for name in SHAPES:
        command = [sys.executable, "-m", "bench.models", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        speeds[name] = float(done.stdout)
        print(f"{name:15} {speeds[name]:6.1f} x real time", flush=True)
    costs = {name: round(speeds["base"] / speed, 2) for name, speed in speeds.items()}
    report("models", times_real_time=speeds, costs=costs)


def measure(name: str) -> None:
    """Print the speed of a model of that shape."""
    with tempfile.TemporaryDirectory() as folder:
        random_whisper.write(Path(folder) / name, MODEL, **SHAPES[name])
        engine = CPUEngine(name, Path(folder) / name, THREADS)
    warm_up(engine)
    print(round(times_real_time(engine), 2))


if __name__ == "__main__":
    measure(sys.argv[1])
