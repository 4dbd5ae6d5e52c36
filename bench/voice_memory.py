"""What enhancing takes of memory, in a process that has loaded nothing else."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.models import ModelStore
from auricle.models.voice import DENOISER
from auricle.voice.deepfilter import SAMPLE_RATE, DeepFilterNet
from auricle.voice.enhance import enhance

F32 = NDArray[np.float32]

DATA = Path(os.environ.get("AURICLE_DATA", Path(__file__).parent.parent / "data"))


def networks() -> DeepFilterNet:
    """The denoiser, as the worker loads it."""
    folder = ModelStore(DATA / "models").path(DENOISER)
    return DeepFilterNet(folder / next(iter(DENOISER.files)), len(os.sched_getaffinity(0)))


def main(minutes: float) -> None:
    """Print the most memory that enhancing so many minutes takes, in MB."""
    loaded = networks()
    noise: F32 = np.random.default_rng(1).standard_normal((SAMPLE_RATE, 1), np.float32)
    count = 0
    for block in enhance((noise for _ in range(round(60 * minutes))), loaded, 1.0):
        count += len(block)
    assert count == round(60 * minutes) * SAMPLE_RATE
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(float(sys.argv[1]))
