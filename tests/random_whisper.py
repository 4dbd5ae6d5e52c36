"""Whisper models of any size with random weights, in CTranslate2's format: what cannot be fetched
here has at least its shapes tried."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec

HEAD = 64


def write(
    folder: Path, like: Path, *, width: int, mels: int, layers: int, decoder_layers: int = 0
) -> None:
    """Write a model with the vocabulary of another; as many layers of both kinds unless said."""
    made = _Writer(width)
    last = (decoder_layers or layers) - 1
    spec = WhisperSpec(layers, width // HEAD, last + 1, width // HEAD)
    encoder, decoder = spec.encoder, spec.decoder
    for convolution, inputs in ((encoder.conv1, mels), (encoder.conv2, width)):
        convolution.weight = made.numbers(width, inputs, 3, spread=(3 * inputs) ** -0.5)
        convolution.bias = made.numbers(width, spread=0.02)
    encoder.position_encodings.encodings = made.numbers(1500, width, spread=0.1)
    decoder.position_encodings.encodings = made.numbers(448, width, spread=0.02)
    vocabulary = (like / "vocabulary.txt").read_text().removesuffix("\n").split("\n")
    decoder.embeddings.weight = made.numbers(len(vocabulary), width, spread=0.02)
    decoder.projection.weight = decoder.embeddings.weight
    decoder.scale_embeddings = False
    for part in (encoder, decoder):
        made.norm(part.layer_norm)
        for layer in part.layer:
            made.layer(layer, attends=part is decoder)
    spec.register_vocabulary(vocabulary)
    spec.validate()
    spec.optimize(quantization="float16")
    folder.mkdir(parents=True)
    spec.save(str(folder))
    config = json.loads((like / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"alignment_heads": [[last, 0], [last, 1]]})
    )
    shutil.copy(like / "tokenizer.json", folder)


class _Writer:
    """Fills the parts of a specification."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._dice = np.random.default_rng(0)

    def numbers(self, *shape: int, spread: float) -> Any:
        return (self._dice.normal(size=shape) * spread).astype(np.float16)

    def norm(self, norm: Any) -> None:
        norm.gamma = self.numbers(self._width, spread=0.1) + np.float16(1)
        norm.beta = self.numbers(self._width, spread=0.1)

    def linear(self, layer: Any, outputs: int, inputs: int) -> None:
        layer.weight = self.numbers(outputs, inputs, spread=inputs**-0.5)
        layer.bias = self.numbers(outputs, spread=0.02)

    def layer(self, layer: Any, *, attends: bool) -> None:
        width = self._width
        self.norm(layer.self_attention.layer_norm)
        self.linear(layer.self_attention.linear[0], 3 * width, width)
        self.linear(layer.self_attention.linear[1], width, width)
        if attends:
            self.norm(layer.attention.layer_norm)
            for linear, outputs in zip(
                layer.attention.linear, (width, 2 * width, width), strict=True
            ):
                self.linear(linear, outputs, width)
        self.norm(layer.ffn.layer_norm)
        self.linear(layer.ffn.linear_0, 4 * width, width)
        self.linear(layer.ffn.linear_1, width, 4 * width)
