"""Runs every kernel over arrays of many sizes, each in memory pages of its own (see guard.c).

``kernels.py MODELS front|back``: at whose end of the pages the arrays lie. Memory that is not the
kernel's ends the process.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np

from auricle.models import SPEAKERS, ModelStore
from auricle.speech.diarization.networks import FRAME_SAMPLES, WINDOW_SAMPLES, Networks
from auricle.speech.engines import Align, Decode, Detect, Encode, Engine
from auricle.speech.engines.cpu import CPUEngine
from auricle.speech.scheduler import Scheduler
from auricle.speech.vad import by_kernels

SMALLEST = 256
"""Bytes: below that, everything else that Python does would take a page for each of its objects."""

RATE = 16_000


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(len(shape)).normal(0, 0.05, shape).astype(np.float32)


def silences(counts: range) -> None:
    network = by_kernels()
    for count in counts:
        network(noise(count, 576), np.zeros(128, np.float32), np.zeros(128, np.float32))


def speakers(folder: Path, windows: range, frames: range) -> None:
    networks = Networks(folder)
    for count in windows:
        sound = noise(WINDOW_SAMPLES + count * 100 * FRAME_SAMPLES)
        networks.segment(sound, [100 * n for n in range(count)])
    for count in frames:
        networks.voice_frames(noise(count, 80))


def whisper(engine: Engine, *seconds: float) -> None:
    """Windows of many lengths, several of them at a time."""

    async def hear(length: float) -> None:
        encoded = await Encode(noise(round(length * RATE)))
        await Detect(encoded)
        found = await Decode(encoded, engine.tokens.prompt("en", "transcribe"), 1, 0.0)
        start = engine.tokens.start_sequence("en", "transcribe")
        await Align(encoded, start, found.tokens[:40] or tuple(range(1000, 1010)), length)

    scheduler = Scheduler()
    for future in [scheduler.submit(engine, hear(each)) for each in seconds]:
        future.result()


def main(models: Path, front: bool) -> None:
    # Once as usual: what is loaded on the way is not meant, and takes long under guard.
    silences(range(1, 2))
    speakers(ModelStore(models).path(SPEAKERS), range(1, 2), range(20, 22, 2))
    whisper(CPUEngine("base", models / "base", 2), 1.0)
    error = ctypes.CDLL(None).guard(ctypes.c_size_t(SMALLEST), front)
    assert not error, f"no room for guarded memory: error {error}"
    silences(range(1, 15))
    speakers(ModelStore(models).path(SPEAKERS), range(1, 8), range(20, 62, 6))
    whisper(CPUEngine("base", models / "base", 2), 0.1, 0.5, 3.3, 7.7, 29.0)
    print("all kernels stay within their arrays")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "front")
