"""Whisper as OpenVINO graphs, built from a checkpoint (Radford et al. 2022, section 2.2).

Weights are kept as int8 with a scale for each output. The encoder also makes the keys and values
that the decoder attends to. The decoder is cut into pieces between its attentions, which our own
kernels compute; what is left are products of matrices, without any state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from auricle.speech.engines.openvino.checkpoint import Checkpoint
from auricle.speech.engines.openvino.kernels import HEAD

Node = Any


def encoder(checkpoint: Checkpoint) -> ov.Model:
    """``[1, mels, frames]`` to the keys and values ``[1, frames / 2, 2 * width]`` of each decoder
    layer."""
    graph = _Graph(checkpoint)
    mel = op.parameter([1, checkpoint.n_mels, -1], np.float32, "mel")
    hidden = graph.convolution(mel, "encoder/conv1", 1)
    hidden = graph.convolution(hidden, "encoder/conv2", 2)
    hidden = op.transpose(hidden, np.array([0, 2, 1]))
    length = op.gather(op.shape_of(hidden), np.array([1]), np.array(0))
    positions = graph.constant("encoder/position_encodings/encodings")
    zero, one = np.array([0]), np.array([1])
    hidden = op.add(hidden, op.slice(positions, zero, length, one, zero))
    for layer in range(checkpoint.layers("encoder")):
        hidden = graph.encoder_layer(hidden, f"encoder/layer_{layer}")
    hidden = graph.norm(hidden, "encoder/layer_norm")
    outputs = [
        graph.linear(hidden, f"decoder/layer_{layer}/attention/linear_1")
        for layer in range(checkpoint.layers("decoder"))
    ]
    return ov.Model([op.result(each) for each in outputs], [mel], "encoder")


def decoder(checkpoint: Checkpoint) -> list[ov.Model]:
    """The pieces of a step, in their order, for rows of hidden states ``[rows, width]``.

    First: states to scaled queries, keys, values ``[rows, 3 * width]`` of the first layer. Then for
    each layer: (states, self-attention) to (states, scaled queries of the cross-attention); and
    (states, cross-attention) to (states, next layer's queries, keys, values), or, after the last
    layer, to the logits ``[rows, vocabulary]``.
    """
    graph = _Graph(checkpoint)
    layers = checkpoint.layers("decoder")
    states = graph.rows("states")
    pieces = [ov.Model([op.result(graph.to_self(states, 0))], [states], "begin")]
    for layer in range(layers):
        name = f"decoder/layer_{layer}"
        states, heard = graph.rows("states"), graph.rows("heard")
        hidden = op.add(states, graph.linear(heard, f"{name}/self_attention/linear_1"))
        query = graph.norm(hidden, f"{name}/attention/layer_norm")
        query = graph.scaled(query, f"{name}/attention/linear_0")
        results = [op.result(hidden), op.result(query)]
        pieces.append(ov.Model(results, [states, heard], f"self{layer}"))

        states, heard = graph.rows("states"), graph.rows("heard")
        hidden = op.add(states, graph.linear(heard, f"{name}/attention/linear_2"))
        hidden = graph.feed_forward(hidden, f"{name}/ffn")
        if layer + 1 < layers:
            results = [op.result(hidden), op.result(graph.to_self(hidden, layer + 1))]
        else:
            results = [op.result(graph.logits(hidden))]
        pieces.append(ov.Model(results, [states, heard], f"cross{layer}"))
    return pieces


class _Graph:
    """Whisper's parts."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._width = checkpoint.width
        self._scale = np.float32(HEAD**-0.5)

    def rows(self, name: str) -> Node:
        """An input of hidden states."""
        return op.parameter([-1, self._width], np.float32, name)

    def constant(self, name: str) -> Node:
        return op.constant(self._checkpoint[name])

    def convolution(self, hidden: Node, name: str, stride: int) -> Node:
        weight = self.constant(f"{name}/weight")
        bias = op.constant(self._checkpoint[f"{name}/bias"].reshape(1, -1, 1))
        found = op.convolution(hidden, weight, [stride], [1], [1], [1])
        return op.gelu(op.add(found, bias), "erf")

    def norm(self, hidden: Node, name: str) -> Node:
        found = op.mvn(hidden, np.array([-1], np.int64), True, 1e-5, "inside_sqrt")
        found = op.multiply(found, self.constant(f"{name}/gamma"))
        return op.add(found, self.constant(f"{name}/beta"))

    def linear(self, hidden: Node, name: str) -> Node:
        weight, bias = self._checkpoint[f"{name}/weight"], self._checkpoint[f"{name}/bias"]
        return _linear(hidden, weight, bias)

    def scaled(self, hidden: Node, name: str) -> Node:
        """A linear layer whose output is made ready for the product with keys."""
        weight, bias = self._checkpoint[f"{name}/weight"], self._checkpoint[f"{name}/bias"]
        return _linear(hidden, weight * self._scale, bias * self._scale)

    def to_self(self, hidden: Node, layer: int) -> Node:
        """Queries (scaled), keys and values of a decoder layer's self-attention."""
        name = f"decoder/layer_{layer}/self_attention"
        weight = self._checkpoint[f"{name}/linear_0/weight"].copy()
        bias = self._checkpoint[f"{name}/linear_0/bias"].copy()
        weight[: self._width] *= self._scale
        bias[: self._width] *= self._scale
        return _linear(self.norm(hidden, f"{name}/layer_norm"), weight, bias)

    def feed_forward(self, hidden: Node, name: str) -> Node:
        inner = self.linear(self.norm(hidden, f"{name}/layer_norm"), f"{name}/linear_0")
        return op.add(hidden, self.linear(op.gelu(inner, "erf"), f"{name}/linear_1"))

    def logits(self, hidden: Node) -> Node:
        embeddings = self._checkpoint["decoder/embeddings/weight"]
        return op.matmul(self.norm(hidden, "decoder/layer_norm"), _int8(embeddings), False, True)

    def encoder_layer(self, hidden: Node, name: str) -> Node:
        states = self.norm(hidden, f"{name}/self_attention/layer_norm")
        weight = self._checkpoint[f"{name}/self_attention/linear_0/weight"]
        bias = self._checkpoint[f"{name}/self_attention/linear_0/bias"]
        parts = [
            self._heads(_linear(states, part, share))
            for part, share in zip(np.split(weight, 3), np.split(bias, 3), strict=True)
        ]
        heard = op.transpose(op.scaled_dot_product_attention(*parts), np.array([0, 2, 1, 3]))
        heard = op.reshape(heard, np.array([0, 0, self._width]), True)
        hidden = op.add(hidden, self.linear(heard, f"{name}/self_attention/linear_1"))
        return self.feed_forward(hidden, f"{name}/ffn")

    def _heads(self, states: Node) -> Node:
        split = op.reshape(states, np.array([0, 0, self._width // HEAD, HEAD]), True)
        return op.transpose(split, np.array([0, 2, 1, 3]))


def _linear(hidden: Node, weight: Any, bias: Any) -> Node:
    return op.add(op.matmul(hidden, _int8(weight), False, True), op.constant(bias))


def _int8(weight: Any) -> Node:
    """``[outputs, inputs]`` as int8 with a scale for each output: the pattern that OpenVINO
    multiplies by without unpacking it first."""
    scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
    packed = op.constant(np.rint(weight / scale).astype(np.int8))
    return op.multiply(op.convert(packed, "f32"), op.constant(scale))
