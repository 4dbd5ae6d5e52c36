"""F5-TTS (Chen et al., 2024): clones a voice; made for GPUs. An optional extra, as it brings
PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from f5_tts.infer.utils_infer import infer_process, load_model, load_vocoder
from hydra.utils import get_class
from numpy.typing import NDArray
from omegaconf import OmegaConf

from auricle.voice.cloning import REFERENCE_RATE

F32 = NDArray[np.float32]

CONFIG, WEIGHTS, VOCABULARY = "F5TTS_v1_Base", "model_1250000.safetensors", "vocab.txt"
VOCODER = "vocos"
"""Folder of the vocoder: ``config.yaml`` and ``pytorch_model.bin``."""


class F5TTS:
    """The network and its vocoder, for English and Chinese."""

    needs_words = True
    sample_rate = 24_000

    def __init__(self, folder: Path, threads: int) -> None:
        """``folder`` is that of the installed model."""
        torch.set_num_threads(threads)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        said: Any = OmegaConf.load(str(files("f5_tts") / f"configs/{CONFIG}.yaml")).model
        self._vocoder = load_vocoder("vocos", True, str(folder / VOCODER), self._device)
        self._model = load_model(
            get_class(f"f5_tts.model.{said.backbone}"),
            said.arch,
            str(folder / WEIGHTS),
            "vocos",
            str(folder / VOCABULARY),
            device=self._device,
        )

    def clone(self, reference: F32, words: str, text: str) -> Iterator[F32]:
        """As :class:`auricle.voice.cloning.Cloner` says."""
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            soundfile.write(file.name, reference, REFERENCE_RATE)
            samples, _, _ = infer_process(
                file.name,
                f"{words.rstrip('. ')}. ",
                text,
                self._model,
                self._vocoder,
                "vocos",
                show_info=_quiet,
                progress=None,
                device=self._device,
            )
        yield np.asarray(samples, np.float32)


def _quiet(*_: object) -> None:
    """Where the package would print."""
