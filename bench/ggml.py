"""A checkpoint of CTranslate2's as the file that whisper.cpp reads: the same weights, float16.

The format is that of whisper.cpp's ``convert-pt-to-ggml.py``: a magic number, sizes, mel filters,
the bytes of the tokens, then tensors, each with its name as OpenAI's code has it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from auricle.speech.engines.cpu.checkpoint import Checkpoint
from auricle.speech.engines.ctranslate2 import CONTEXT
from auricle.speech.mel import filters

F32 = NDArray[np.float32]

MAGIC = 0x67676D6C
AUDIO_CONTEXT = 1500
FLOAT16 = 1
WHOLE = {
    *("encoder.conv1.bias", "encoder.conv2.bias"),
    *("encoder.positional_embedding", "decoder.positional_embedding"),
}
"""What it wants in float32, beside all that has one dimension."""


def write_ggml(model: Path, path: Path) -> None:
    """Write a model's folder as one file."""
    checkpoint = Checkpoint.read(model)
    bank = filters(checkpoint.n_mels).astype("<f4")
    tokens = list(_tokens(model))
    with path.open("wb") as file:
        sizes = [checkpoint.vocabulary]
        for part, context in (("encoder", AUDIO_CONTEXT), ("decoder", CONTEXT)):
            sizes += [context, checkpoint.width, checkpoint.heads, checkpoint.layers(part)]
        sizes += [checkpoint.n_mels, FLOAT16]
        file.write(struct.pack("<12i", MAGIC, *sizes))
        file.write(struct.pack("<2i", *bank.shape) + bank.tobytes())
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, values in _tensors(checkpoint):
            _write(file, name, values)


def _tokens(model: Path) -> Iterator[bytes]:
    """The bytes of each token that is text, by the letters that stand for them in GPT-2's list."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain}
    letters |= {chr(256 + number): byte for number, byte in enumerate(others)}
    vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    for token, number in sorted(vocabulary.items(), key=lambda each: each[1]):
        if not token.startswith("<|"):
            assert number < 50257
            yield bytes(letters[letter] for letter in token)


def _tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, F32]]:
    for convolution in ("conv1", "conv2"):
        yield f"encoder.{convolution}.weight", checkpoint[f"encoder/{convolution}/weight"]
        bias = checkpoint[f"encoder/{convolution}/bias"]
        yield f"encoder.{convolution}.bias", bias[:, None]
    for side, norm in (("encoder", "ln_post"), ("decoder", "ln")):
        places = checkpoint[f"{side}/position_encodings/encodings"]
        yield f"{side}.positional_embedding", places
        yield from _norm(checkpoint, f"{side}/layer_norm", f"{side}.{norm}")
        for number in range(checkpoint.layers(side)):
            yield from _layer(checkpoint, f"{side}/layer_{number}", f"{side}.blocks.{number}")
    yield "decoder.token_embedding.weight", checkpoint["decoder/embeddings/weight"]


def _layer(checkpoint: Checkpoint, here: str, there: str) -> Iterator[tuple[str, F32]]:
    fused = ("query", "key", "value")
    yield from _attention(checkpoint, f"{here}/self_attention", f"{there}.attn", [fused, ("out",)])
    if f"{here}/attention/linear_0/weight" in checkpoint:
        apart = [("query",), ("key", "value"), ("out",)]
        yield from _attention(checkpoint, f"{here}/attention", f"{there}.cross_attn", apart)
    yield from _norm(checkpoint, f"{here}/ffn/layer_norm", f"{there}.mlp_ln")
    for number, name in enumerate(("mlp.0", "mlp.2")):
        for kind in ("weight", "bias"):
            yield f"{there}.{name}.{kind}", checkpoint[f"{here}/ffn/linear_{number}/{kind}"]


def _attention(
    checkpoint: Checkpoint, here: str, there: str, parts: list[tuple[str, ...]]
) -> Iterator[tuple[str, F32]]:
    yield from _norm(checkpoint, f"{here}/layer_norm", f"{there}_ln")
    for number, names in enumerate(parts):
        for kind in ("weight", "bias"):
            values = checkpoint[f"{here}/linear_{number}/{kind}"]
            for name, part in zip(names, np.split(values, len(names)), strict=True):
                if (name, kind) != ("key", "bias"):  # which it has not, and which is zero here
                    yield f"{there}.{name}.{kind}", part


def _norm(checkpoint: Checkpoint, here: str, there: str) -> Iterator[tuple[str, F32]]:
    yield f"{there}.weight", checkpoint[f"{here}/gamma"]
    yield f"{there}.bias", checkpoint[f"{here}/beta"]


def _write(file: BinaryIO, name: str, values: F32) -> None:
    half = values.ndim > 1 and name not in WHOLE
    kept = values.astype("<f2" if half else "<f4")
    file.write(struct.pack("<3i", kept.ndim, len(name), int(half)))
    file.write(struct.pack(f"<{kept.ndim}i", *reversed(kept.shape)) + name.encode())
    file.write(kept.tobytes())
