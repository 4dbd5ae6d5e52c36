"""Peak memory of the worker's process against the length of the recording."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from auricle.media import SAMPLE_RATE, MediaPool
from auricle.speech import SpeechOptions
from auricle.speech.pipeline import transcribe
from auricle.speech.vad import VoiceActivity
from auricle.work.memory import keep_memory
from auricle.work.transcriber import warm_up
from bench.corpus import SPEECH, access, report

MINUTES = (1, 10, 180, 720)
SOURCE = SPEECH / "longform" / "built_dev_12min_many_speakers.mp3"


def run() -> None:
    """Measure each length in a process of its own."""
    grown = {}
    for minutes in MINUTES:
        done = subprocess.run(
            [sys.executable, "-m", "bench.memory", str(minutes)],
            capture_output=True,
            text=True,
            check=True,
        )
        grown[minutes] = float(done.stdout)
        print(f"{minutes:4} min: {grown[minutes]:6.0f} MB above the loaded model", flush=True)
    report("memory", mb_above_model={str(m): round(mb) for m, mb in grown.items()})


def peak_mb() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def repeated(media: MediaPool, seconds: float) -> Iterator[NDArray[np.float32]]:
    """The source over and over."""
    left = int(seconds * SAMPLE_RATE)
    while left > 0:
        with SOURCE.open("rb") as file:
            for block in media.decode(file, max_seconds=1e6):
                yield block[:left]
                left -= len(block)
                if left <= 0:
                    return


def measure(minutes: float) -> None:
    """Print how much the peak grows while a recording of that length is transcribed."""
    keep_memory()
    loaded_access, voice = access(), VoiceActivity()
    warm_up(loaded_access.engine)
    loaded = peak_mb()
    with MediaPool() as media:
        blocks = repeated(media, 60 * minutes)
        options = SpeechOptions("en")
        found = transcribe(blocks, loaded_access, options, voice=voice)
    assert found.duration >= 60 * minutes - 1
    print(peak_mb() - loaded)


if __name__ == "__main__":
    measure(float(sys.argv[1]))
