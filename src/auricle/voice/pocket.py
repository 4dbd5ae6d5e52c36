"""Pocket TTS (Kyutai, 2026): 100 million weights that clone a voice on a processor.

Its package is an optional extra, because it brings PyTorch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from pocket_tts import TTSModel

F32 = NDArray[np.float32]

CONFIG, WEIGHTS, TOKENIZER = "english", "model.safetensors", "tokenizer.json"


class PocketTTS:
    """The network, for English."""

    needs_words = False

    def __init__(self, folder: Path, threads: int, config: str = CONFIG) -> None:
        """``folder`` is that of the installed model; ``config`` one of the package's."""
        torch.set_num_threads(threads)
        self._model: Any = _load(folder, config)
        self.sample_rate = int(self._model.sample_rate)

    def clone(self, reference: F32, words: str, text: str) -> Iterator[F32]:
        """As :class:`auricle.voice.cloning.Cloner` says."""
        voice = self._model.get_state_for_audio_prompt(torch.from_numpy(reference)[None])
        for chunk in self._model.generate_audio_stream(voice, text):
            yield chunk.numpy().astype(np.float32)


def _load(folder: Path, config: str) -> Any:
    """Load the files of a folder, where the package itself would ask a hub for them."""
    said = yaml.safe_load((files("pocket_tts") / f"config/{config}.yaml").read_text())
    said["weights_path"] = str(folder / WEIGHTS)
    said.pop("weights_path_without_voice_cloning", None)
    said["flow_lm"]["lookup_table"]["tokenizer_path"] = str(folder / TOKENIZER)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(said, file)
        file.flush()
        return TTSModel.load_model(config=file.name)
