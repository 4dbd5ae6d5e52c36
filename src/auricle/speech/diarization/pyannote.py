"""A pipeline of pyannote.audio as the diarizer, for those who have its weights.

Its package is an optional extra, because it brings PyTorch. It wants a recording whole: 230 MB for
an hour, where ours keeps 3.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.core.errors import ModelNotInstalled
from auricle.speech.diarization.protocol import Diarization, Turn
from auricle.speech.windows import SAMPLE_RATE

F32 = NDArray[np.float32]


class PyannoteDiarizer:
    """A pipeline in a folder with its ``config.yaml``; on the GPU, if there is one. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`ModelNotInstalled` without the folder or the package."""
        if not (folder / "config.yaml").is_file():
            raise ModelNotInstalled(f"There is no config.yaml of a pipeline in {folder}.")
        os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # it would tell its makers of each recording
        try:
            import torch  # noqa: PLC0415  (the extra)
            from pyannote.audio import Pipeline  # noqa: PLC0415
        except ImportError as error:
            raise ModelNotInstalled(
                "pyannote.audio is not installed. Run \"pip install 'auricle[pyannote]'\"."
            ) from error
        self._sound = torch.from_numpy
        self._pipeline: Any = Pipeline.from_pretrained(folder)
        if torch.cuda.is_available():
            self._pipeline.to(torch.device("cuda"))
        self._one = threading.Lock()

    def session(self) -> Recording:
        """Start on a recording."""
        return Recording(self)

    def diarize(self, samples: F32, speakers: int) -> Diarization:
        """Who speaks when in a recording: mono, 16 kHz; ``speakers`` of 0 finds out how many.

        There are no prints: those of its network are not comparable with ours.
        """
        sound = {"waveform": self._sound(samples[None]), "sample_rate": SAMPLE_RATE}
        with self._one:
            found = self._pipeline(sound, num_speakers=speakers or None)
        said = getattr(found, "speaker_diarization", found)  # before 4.0 it was that itself
        numbers: dict[str, int] = {}
        turns = [
            Turn(turn.start, turn.end, numbers.setdefault(who, len(numbers)))
            for turn, _, who in said.itertracks(yield_label=True)
        ]
        return Diarization(tuple(sorted(turns, key=lambda turn: turn.start)))


class Recording:
    """What is heard of one recording, until it is whole."""

    def __init__(self, diarizer: PyannoteDiarizer) -> None:
        self._diarizer = diarizer
        self._blocks: list[F32] = []

    def feed(self, block: F32) -> None:
        """Hear the next samples: mono, float32, 16 kHz."""
        self._blocks.append(block)

    def finish(self, speakers: int = 0) -> Diarization:
        """Say who spoke when; ``speakers`` is how many there are, 0 finds it out."""
        if not self._blocks:
            return Diarization()
        return self._diarizer.diarize(np.concatenate(self._blocks), speakers)
