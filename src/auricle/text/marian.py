"""Small translation models of the Firefox Translations project, on processors.

They are Marian transformers (6 encoder layers; 2 decoder layers whose self-attention is a simple
recurrent unit, "SSRU": https://arxiv.org/abs/1909.03198 and Kim et al. 2019), with weights as int8
and a factor each. Here they are used as float32: 17 million weights, most of them in the
vocabulary. The file: counts, then names, shapes and data of all tensors, as marian-dev's
``src/common/binary.cpp`` writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

F32 = NDArray[np.float32]

ENCODER, DECODER = 6, 2
WIDTH, HEADS = 256, 8
END = 0
"""Token that ends a sentence; a translation begins without one."""

LONGER = 2.5
"""Times as many tokens as its source that a translation may have, as the models' settings say."""

_INT8 = 0x4101
_EPSILON = np.float32(1e-6)


def load(file: Path) -> dict[str, F32]:
    """The tensors of a model, as float32: vectors, and matrices as ``[inputs, outputs]``."""
    data = file.read_bytes()
    version, count = struct.unpack_from("<QQ", data)
    if version != 1:
        raise ValueError(f"{file.name} is no Marian model of version 1")
    heads = [struct.unpack_from("<QQQQ", data, 16 + 32 * n) for n in range(count)]
    at = 16 + 32 * count
    names = []
    for length, _, _, _ in heads:
        names.append(data[at : at + length - 1].decode())
        at += length
    shapes = []
    for _, _, rank, _ in heads:
        shapes.append(struct.unpack_from(f"<{rank}i", data, at))
        at += 4 * rank
    at += 8 + int(struct.unpack_from("<Q", data, at)[0])
    found = {}
    for name, (_, kind, _, size), shape in zip(names, heads, shapes, strict=True):
        if not name.endswith("_QuantMultA") and not name.startswith("special:"):
            found[name] = _tensor(data[at : at + size], kind, shape, name == "Wemb")
        at += size
    return found


def _tensor(data: bytes, kind: int, shape: tuple[int, ...], by_row: bool) -> F32:
    size = int(np.prod(shape))
    if kind != _INT8:
        return np.frombuffer(data, "<f4", size).astype(np.float32)
    factor = np.frombuffer(data, "<f4", 1, size)[0]
    numbers: F32 = np.frombuffer(data, np.int8, size).astype(np.float32) / factor
    rows, columns = shape
    if by_row:
        return numbers.reshape(rows, columns)
    return np.ascontiguousarray(numbers.reshape(columns, rows).T)


class Marian:
    """One direction."""

    def __init__(self, model: Path, vocabulary: Path) -> None:
        self._w = load(model)
        self._words = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
        self._output = np.ascontiguousarray(self._w["Wemb"].T)

    def translate(self, sentences: Sequence[str], tick: Callable[[], None]) -> list[str]:
        """Sentences, all at once; the likeliest word at each place. ``tick`` is called with each
        step and may raise to stop."""
        tokens = [[*self._words.encode(text), END] for text in sentences]
        memory, real = self._encode(tokens)
        return [self._words.decode(ids) for ids in self._decode(memory, real, tick)]

    def _encode(self, tokens: list[list[int]]) -> tuple[F32, F32]:
        length = max(map(len, tokens))
        ids = np.zeros((len(tokens), length), np.int64)
        real = np.zeros((len(tokens), length), np.float32)
        for row, each in enumerate(tokens):
            ids[row, : len(each)], real[row, : len(each)] = each, 1
        x = self._w["Wemb"][ids] * np.float32(WIDTH**0.5) + _places(length)
        for layer in range(1, ENCODER + 1):
            name = f"encoder_l{layer}_"
            x = self._attend(x, self._keys(x, name + "self"), real, name + "self")
            x = self._forward(x, name)
        return x, real

    def _decode(self, memory: F32, real: F32, tick: Callable[[], None]) -> list[list[int]]:
        rows = memory.shape[0]
        keys = [self._keys(memory, f"decoder_l{n}_context") for n in (1, 2)]
        cells = [np.zeros((rows, 1, WIDTH), np.float32) for _ in range(DECODER)]
        found: list[list[int]] = [[] for _ in range(rows)]
        most = real.sum(axis=1) * LONGER + 5
        open_ = np.ones(rows, bool)
        word = np.zeros((rows, 1, WIDTH), np.float32)
        places = _places(int(most.max()) + 1)
        for step in range(int(most.max())):
            tick()
            x = word + places[step]
            for layer in range(DECODER):
                x, cells[layer] = self._recur(x, cells[layer], f"decoder_l{layer + 1}_rnn_")
                x = self._attend(x, keys[layer], real, f"decoder_l{layer + 1}_context")
                x = self._forward(x, f"decoder_l{layer + 1}_")
            scores = x[:, 0] @ self._output + self._w["decoder_ff_logit_out_b"]
            best = scores.argmax(axis=1)
            open_ &= (best != END) & (step < most)
            if not open_.any():
                break
            for row in np.flatnonzero(open_):
                found[row].append(int(best[row]))
            word = self._w["Wemb"][best][:, None] * np.float32(WIDTH**0.5)
        return found

    def _recur(self, x: F32, cell: F32, name: str) -> tuple[F32, F32]:
        w = self._w
        forget = 1 / (1 + np.exp(-(x @ w[name + "Wf"] + w[name + "bf"])))
        cell = forget * cell + (1 - forget) * (x @ w[name + "W"])
        return self._normalise(x + np.maximum(cell, 0), name + "ffn_ln"), cell

    def _keys(self, x: F32, name: str) -> tuple[F32, F32]:
        """Keys and values, ``[texts, heads, length, 32]``."""
        w = self._w
        both = (x @ w[f"{name}_W{each}"] + w[f"{name}_b{each}"] for each in "kv")
        keys, values = (_split(each) for each in both)
        return keys, values

    def _attend(self, x: F32, keys: tuple[F32, F32], real: F32, name: str) -> F32:
        w = self._w
        query = _split(x @ w[f"{name}_Wq"] + w[f"{name}_bq"])
        scores = query @ keys[0].transpose(0, 1, 3, 2) * np.float32((WIDTH // HEADS) ** -0.5)
        scores += (real[:, None, None, :] - 1) * np.float32(1e9)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed = (shares @ keys[1]).transpose(0, 2, 1, 3).reshape(x.shape)
        return self._normalise(x + mixed @ w[f"{name}_Wo"] + w[f"{name}_bo"], f"{name}_Wo_ln")

    def _forward(self, x: F32, name: str) -> F32:
        w = self._w
        up = np.maximum(x @ w[name + "ffn_W1"] + w[name + "ffn_b1"], 0)
        return self._normalise(
            x + up @ w[name + "ffn_W2"] + w[name + "ffn_b2"], name + "ffn_ffn_ln"
        )

    def _normalise(self, x: F32, name: str) -> F32:
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + _EPSILON)
        return x * self._w[name + "_scale"] + self._w[name + "_bias"]


def _split(x: F32) -> F32:
    return x.reshape(*x.shape[:2], HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)


def _places(length: int) -> F32:
    """Sines, then cosines, of each place."""
    half = WIDTH // 2
    speeds = np.exp(np.arange(half) * -(np.log(10_000.0) / (half - 1)))
    angles = np.arange(length)[:, None] * speeds
    return np.hstack([np.sin(angles), np.cos(angles)]).astype(np.float32)
