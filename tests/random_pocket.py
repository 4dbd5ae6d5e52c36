"""Pocket TTS's architecture at random weights: real shapes, no meaning."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

CONFIG = "english_2m_2026-10"
"""The smallest that its package describes."""


def make_random_pocket(folder: Path) -> None:
    """Write the files that ``auricle models pull pocket-tts`` would."""
    import yaml
    from pocket_tts import TTSModel
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    said: Any = yaml.safe_load((files("pocket_tts") / f"config/{CONFIG}.yaml").read_text())
    _make_tokenizer(folder / "tokenizer.json", said["flow_lm"]["lookup_table"]["n_bins"])
    said.pop("weights_path")
    said.pop("weights_path_without_voice_cloning")
    said["flow_lm"]["lookup_table"]["tokenizer_path"] = str(folder / "tokenizer.json")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(said, file)
        file.flush()
        model = TTSModel.load_model(config=file.name)
    save_file(model.state_dict(), folder / "model.safetensors")


def _make_tokenizer(file: Path, size: int) -> None:
    """One token a character; the rest of the vocabulary is never used."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {chr(code): code - 32 for code in range(32, 127)}
    words |= {f"<{number}>": number for number in range(len(words), size)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<95>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.save(str(file))
