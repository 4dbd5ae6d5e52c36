"""A recording with less noise, for the transcription."""

from __future__ import annotations

from collections.abc import Generator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from auricle.media import SAMPLE_RATE, MediaPool
from auricle.media.mixdown import Mixer
from auricle.models import ModelStore, work_not_installed
from auricle.models.voice import DENOISER

F32 = NDArray[np.float32]

STRENGTH = 0.5
"""How much is taken away of what can be: all of it makes more words wrong than the noise does, half
of it fewer (docs/experiments.md)."""

THREADS = 1


def quieter(
    media: MediaPool, file: BinaryIO, name: str, max_seconds: float, store: ModelStore
) -> Generator[F32]:
    """Yield blocks as :meth:`MediaPool.decode` does, with part of the noise taken out.

    Raises as that does, and :class:`ModelNotInstalled`.
    """
    # Imported here: most recordings do without.
    from auricle.voice.deepfilter import SAMPLE_RATE as CLEANED  # noqa: PLC0415
    from auricle.voice.deepfilter import DeepFilterNet  # noqa: PLC0415
    from auricle.voice.enhance import enhance  # noqa: PLC0415
    from auricle.voice.slower import Slower  # noqa: PLC0415

    if not store.has(DENOISER):
        raise work_not_installed(DENOISER, "Taking noise out")
    networks = DeepFilterNet(store.path(DENOISER) / next(iter(DENOISER.files)), THREADS)
    sound = media.sound(file, name, rate=CLEANED, max_seconds=max_seconds)
    mixer, slower = Mixer(), Slower(CLEANED // SAMPLE_RATE)
    for block in enhance(sound, networks, STRENGTH):
        yield slower.push(mixer.mix(np.ascontiguousarray(block.T)))
    yield slower.finish()
