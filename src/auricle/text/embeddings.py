"""Embeddings of sentences: all-MiniLM-L6-v2 on processors.

Texts of like length are worked on together, so little has to be filled up, and the batches are
small enough for the processor's cache. Equal to the model's reference implementation
(sentence-transformers) to 1e-5; see tests/integration/test_text_models.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

F32 = NDArray[np.float32]

DIMENSIONS = 384
HEADS = 12
HEAD = DIMENSIONS // HEADS
LAYERS = 6
MOST_TOKENS = 256
"""Tokens of a text that the model was made to read; what follows them does not count."""

BATCH_TOKENS = 2048
"""Tokens that are worked on at a time: their activations stay in the processor's cache."""

_OPTIONS: dict[str, Any] = {"fastmath": True, "cache": True, "nogil": True, "parallel": True}

Tick = Callable[[int, int], None]
"""Called with how many texts are done, of how many; may raise to stop."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights as ``[inputs, outputs]``."""

    qkv: F32
    qkv_bias: F32
    out: F32
    out_bias: F32
    norm: tuple[F32, F32]
    up: F32
    up_bias: F32
    down: F32
    down_bias: F32
    down_norm: tuple[F32, F32]


class MiniLM:
    """The model; may be used by several threads at a time."""

    def __init__(self, folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self._tokenizer.no_padding()
        self._words = weights["embeddings.word_embeddings.weight"]
        self._places = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _norm(weights, "embeddings.LayerNorm")
        self._layers = [_layer(weights, number) for number in range(LAYERS)]

    def count(self, texts: Sequence[str]) -> int:
        """How many tokens the texts have, as far as they are read."""
        return sum(len(found.ids) for found in self._tokenizer.encode_batch(list(texts)))

    def embed(self, texts: Sequence[str], tick: Tick = lambda done, total: None) -> F32:
        """``[texts, 384]``, each of length 1; texts beyond 256 tokens by their beginning."""
        tokens = [found.ids for found in self._tokenizer.encode_batch(list(texts))]
        found = np.empty((len(texts), DIMENSIONS), np.float32)
        done = 0
        for batch in _batches([len(ids) for ids in tokens]):
            tick(done, len(texts))
            found[batch] = self._forward([tokens[number] for number in batch])
            done += len(batch)
        return found

    def _forward(self, texts: list[list[int]]) -> F32:
        count, length = len(texts), max(map(len, texts))
        ids = np.zeros((count, length), np.int64)
        real = np.zeros((count, length), np.float32)
        for row, text in enumerate(texts):
            ids[row, : len(text)], real[row, : len(text)] = text, 1
        x = (self._words[ids] + self._places[:length]).reshape(-1, DIMENSIONS)
        _normalise(x, np.zeros_like(x), *self._norm)
        for layer in self._layers:
            mixed = _attend(x @ layer.qkv + layer.qkv_bias, real)
            _normalise(x, mixed @ layer.out + layer.out_bias, *layer.norm)
            up = x @ layer.up
            _gelu(up, layer.up_bias)
            _normalise(x, up @ layer.down + layer.down_bias, *layer.down_norm)
        sums = np.einsum("tld,tl->td", x.reshape(count, length, DIMENSIONS), real)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)


def _attend(qkv: F32, real: F32) -> F32:
    """Attention of each text's tokens to each other.

    ``qkv`` is ``[texts x length, 3 x 384]``, ``real`` is ``[texts, length]``: 1 for tokens and 0
    for what fills up.
    """
    count, length = real.shape
    heads = qkv.reshape(count, length, 3, HEADS, HEAD).transpose(2, 0, 3, 1, 4)
    query, key, value = (np.ascontiguousarray(each) for each in heads)
    scores = query @ key.transpose(0, 1, 3, 2) * np.float32(HEAD**-0.5)
    scores -= scores.max(axis=-1, keepdims=True)
    shares = np.exp(scores, out=scores)
    shares *= real[:, None, None, :]
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed = (shares @ value).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(mixed).reshape(-1, DIMENSIONS)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of the texts that go together, those of like length beside each other."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[number] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _norm(weights: dict[str, F32], name: str) -> tuple[F32, F32]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _layer(weights: dict[str, F32], number: int) -> _Layer:
    place = f"encoder.layer.{number}."

    def matrix(name: str) -> F32:
        return np.ascontiguousarray(weights[f"{place}{name}.weight"].T)

    def bias(name: str) -> F32:
        return weights[f"{place}{name}.bias"]

    three = [f"attention.self.{name}" for name in ("query", "key", "value")]
    return _Layer(
        qkv=np.hstack([matrix(name) for name in three]),
        qkv_bias=np.concatenate([bias(name) for name in three]),
        out=matrix("attention.output.dense"),
        out_bias=bias("attention.output.dense"),
        norm=_norm(weights, f"{place}attention.output.LayerNorm"),
        up=matrix("intermediate.dense"),
        up_bias=bias("intermediate.dense"),
        down=matrix("output.dense"),
        down_bias=bias("output.dense"),
        down_norm=_norm(weights, f"{place}output.LayerNorm"),
    )


@njit(**_OPTIONS)
def _normalise(x: F32, added: F32, weight: F32, bias: F32) -> None:
    """Add to each row of ``x``, and give it mean 0 and variance 1, then weight and bias."""
    width = x.shape[1]
    for row in prange(x.shape[0]):
        mean = np.float32(0)
        for i in range(width):
            x[row, i] += added[row, i]
            mean += x[row, i]
        mean /= np.float32(width)
        spread = np.float32(0)
        for i in range(width):
            spread += (x[row, i] - mean) ** 2
        scale = np.float32(1) / np.sqrt(spread / np.float32(width) + np.float32(1e-12))
        for i in range(width):
            x[row, i] = (x[row, i] - mean) * scale * weight[i] + bias[i]


_ABOVE = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06,
          -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03,
          -1.60960333262415e-02)  # fmt: skip
_BELOW = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03,
          -7.37332916720468e-03, -1.42647390514189e-02)  # fmt: skip
"""The error function on -4..4 as a quotient of polynomials (Eigen's, XLA's): to float32's last
digits, and unlike ``math.erf`` the compiler makes vectors of it."""


@njit(**_OPTIONS)
def _gelu(x: F32, bias: F32) -> None:
    """Gaussian error linear unit, in place."""
    for row in prange(x.shape[0]):
        for i in range(x.shape[1]):
            value = x[row, i] + bias[i]
            u = min(max(value * np.float32(0.7071067811865476), np.float32(-4)), np.float32(4))
            square = u * u
            above = np.float32(0)
            for factor in _ABOVE:
                above = above * square + np.float32(factor)
            below = np.float32(0)
            for factor in _BELOW:
                below = below * square + np.float32(factor)
            x[row, i] = value * np.float32(0.5) * (np.float32(1) + u * above / below)
