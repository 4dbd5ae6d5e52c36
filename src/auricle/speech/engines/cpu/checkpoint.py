"""The weights of a model in CTranslate2's format, read without CTranslate2.

``model.bin`` is, in little endian: a version, the name of a specification with its revision, and
the variables, each as name, shape, type, length and bytes (CTranslate2's ``model_spec.py``, format
version 6). Strings are preceded by their length, the closing zero included.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.core.errors import Unavailable

Weights = NDArray[Any]

SPECIFICATION = "WhisperSpec"
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


@dataclass(frozen=True)
class Checkpoint:
    """A model's weights and what its configuration says of decoding."""

    weights: dict[str, Weights]
    """By CTranslate2's names, as they are stored; mapped from the file."""
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Checkpoint:
        """Read a model's folder. Raises :class:`Unavailable` for what is no Whisper model."""
        config = json.loads((folder / "config.json").read_text())
        return cls(_Reader(folder / "model.bin").weights(), config)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """A variable as float32; integer weights are multiplied by their scales."""
        found = self.weights[name]
        if found.dtype == np.int8:
            scale = self.weights[f"{name}_scale"].astype(np.float32)[:, None]
            return np.divide(found, scale, dtype=np.float32)
        return found.astype(np.float32)

    def __contains__(self, name: str) -> bool:
        return name in self.weights

    @cached_property
    def width(self) -> int:
        """Numbers of a hidden state."""
        return int(self.weights["decoder/embeddings/weight"].shape[1])

    @cached_property
    def vocabulary(self) -> int:
        """Tokens that the decoder knows."""
        return int(self.weights["decoder/embeddings/weight"].shape[0])

    @cached_property
    def heads(self) -> int:
        """Attention heads of a layer; all Whisper models have 64 numbers for each."""
        return self.width // 64

    @cached_property
    def n_mels(self) -> int:
        """Bands of the spectrogram."""
        return int(self.weights["encoder/conv1/weight"].shape[1])

    def layers(self, part: str) -> int:
        """How many layers the ``encoder`` or the ``decoder`` has."""
        count = 0
        while f"{part}/layer_{count}/ffn/layer_norm/gamma" in self.weights:
            count += 1
        return count


class _Reader:
    """Walks through a ``model.bin``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = np.memmap(path, np.uint8, "r")
        self._at = 0

    def weights(self) -> dict[str, Weights]:
        try:
            return self._weights()
        except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
            raise self._damaged() from error

    def _weights(self) -> dict[str, Weights]:
        self._number("I")  # version of the container
        if self._string() != SPECIFICATION:
            raise self._damaged()
        self._number("I")  # revision of the specification
        return dict(self._variable() for _ in range(self._number("I")))

    def _variable(self) -> tuple[str, Weights]:
        name = self._string()
        shape = [self._number("I") for _ in range(self._number("B"))]
        kind = _TYPES[self._number("B")]
        content = self._take(self._number("I")).view(kind).reshape(shape)
        return name, content

    def _string(self) -> str:
        return bytes(self._take(self._number("H"))).rstrip(b"\0").decode()

    def _number(self, kind: str) -> int:
        return int(struct.unpack(f"<{kind}", self._take(struct.calcsize(kind)).tobytes())[0])

    def _take(self, count: int) -> NDArray[np.uint8]:
        taken = self._bytes[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError("the file ends early")
        self._at += count
        return taken

    def _damaged(self) -> Unavailable:
        return Unavailable(
            f"{self._path} is not a Whisper model in CTranslate2's format, or is damaged. Its "
            "operator installs it again with 'auricle models pull'."
        )
