"""How fast an engine is on this machine, without a recording."""

from __future__ import annotations

import time

import numpy as np

from auricle.speech.engines import Align, Encode, Engine
from auricle.speech.scheduler import Scheduler
from auricle.speech.windows import SAMPLE_RATE

WINDOWS = 8
WINDOW_S = 29.0
TOKENS = 75
"""Tokens of a window of speech: people say two and a half a second."""


def times_real_time(engine: Engine) -> float:
    """Seconds of speech that an engine transcribes in a second, with the times of the words.

    It hears noise and is told what to write, so the answer does not depend on what a model makes of
    noise; reading files and finding the speech in them come on top.
    """
    scheduler = Scheduler()
    began = time.monotonic()
    for future in [scheduler.submit(engine, _hear(engine)) for _ in range(WINDOWS)]:
        future.result()
    return WINDOWS * WINDOW_S / (time.monotonic() - began)


async def _hear(engine: Engine) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, round(WINDOW_S * SAMPLE_RATE))
    encoded = await Encode(noise.astype(np.float32))
    start = engine.tokens.start_sequence("en", "transcribe")
    await Align(encoded, start, tuple(range(1000, 1000 + TOKENS)), WINDOW_S)
