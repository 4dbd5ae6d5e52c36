"""The two networks as ONNX graphs, built from their weights.

Segmentation is pyannote's segmentation-3.0 (PyanNet: SincNet, four bidirectional LSTMs, two linear
layers), the voice prints are those of 3D-Speaker's CAM++. Batch normalisations are folded into the
convolutions before them where there is one. Sources: Bredin 2023 (powerset segmentation), Ravanelli
and Bengio 2018 (SincNet), Wang et al. 2023 (CAM++).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
_SAMPLE_RATE = 16_000
_EPSILON = 1e-5

F32 = NDArray[np.float32]
Weights = Mapping[str, NDArray[Any]]


class Graph:
    """An ONNX graph in the making: each operation returns the name of its output."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[Any] | Sequence[int]) -> str:
        """Weights, or a shape."""
        array = np.asarray(value, np.float32 if isinstance(value, np.ndarray) else np.int64)
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operation: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """One operation; with several outputs, the name of the first."""
        names = [f"n{len(self._nodes)}" + ("" if i == 0 else f"_{i}") for i in range(outputs)]
        self._nodes.append(helper.make_node(operation, list(inputs), names, **attributes))
        return names[0]

    def model(self, given: tuple[str, Sequence[str | int]], result: str, *, name: str) -> bytes:
        """The whole as a file's bytes."""
        graph = helper.make_graph(
            [*self._nodes, helper.make_node("Identity", [result], ["output"])],
            name,
            [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
            self._weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8  # of that opset; onnxruntime refuses versions newer than itself
        return bytes(model.SerializeToString())


def filter_bank(weights: Weights) -> bytes:
    """``samples [1, 1, samples]`` to ``[1, 80, samples / 10]``: SincNet's filters, which windows
    that overlap share; see :func:`auricle.speech.diarization.kernels.sincnet.rectify`."""
    g = Graph()
    x = g.add("Conv", "samples", g.constant(sinc_filters(weights)), strides=[10])
    return g.model(("samples", [1, 1, "samples"]), x, name="filter_bank")


def segmentation(weights: Weights) -> bytes:
    """``sound [windows, 80, 5325]`` to ``[windows, 589, 7]``: log probabilities of the sets of at
    most two of three voices (nobody, 1, 2, 3, 1+2, 1+3, 2+3)."""
    g = Graph()

    def normal(x: str, layer: int) -> str:
        scale, shift = (
            g.constant(weights[f"sincnet.norm1d.{layer}.{part}"]) for part in ("weight", "bias")
        )
        x = g.add("InstanceNormalization", x, scale, shift, epsilon=_EPSILON)
        return g.add("LeakyRelu", x, alpha=0.01)

    x = normal("sound", 0)
    for layer in (1, 2):
        kernel, shift = (
            g.constant(weights[f"sincnet.conv1d.{layer}.{part}"]) for part in ("weight", "bias")
        )
        x = g.add("MaxPool", g.add("Conv", x, kernel, shift), kernel_shape=[3], strides=[3])
        x = normal(x, layer)
    x = g.add("Transpose", x, perm=[2, 0, 1])  # LSTMs take [frames, windows, features]
    for layer in range(4):
        x = _lstm(g, x, weights, layer)
    x = _sets(g, g.add("Transpose", x, perm=[1, 0, 2]), weights)
    return g.model(("sound", ["windows", 80, "steps"]), x, name="segmentation")


def ending(weights: Weights) -> bytes:
    """``states [frames, windows, 256]`` of the last LSTM to ``[frames, windows, 7]``."""
    g = Graph()
    x = _sets(g, "states", weights)
    return g.model(("states", ["frames", "windows", 256]), x, name="ending")


def _sets(g: Graph, x: str, weights: Weights) -> str:
    """Log probabilities of the sets of voices."""
    for name in ("linear.0", "linear.1"):
        x = g.add("LeakyRelu", _linear(g, x, weights, name), alpha=0.01)
    return g.add("LogSoftmax", _linear(g, x, weights, "classifier"), axis=-1)


def sinc_filters(weights: Weights) -> F32:
    """``[80, 1, 251]``: 40 band-pass filters as cosines and 40 as sines, from their cut-offs."""
    prefix = "sincnet.conv1d.0.filterbank."
    low_hz, band_hz, window, n = (
        np.asarray(weights[prefix + name], np.float64)
        for name in ("low_hz_", "band_hz_", "window_", "n_")
    )
    low = 50 + np.abs(low_hz)
    high = np.clip(low + 50 + np.abs(band_hz), 50, _SAMPLE_RATE / 2)
    even = (np.sin(high * n) - np.sin(low * n)) / (n / 2) * window
    odd = (np.cos(low * n) - np.cos(high * n)) / (n / 2) * window
    band = high - low
    cosines = np.concatenate([even, 2 * band, even[:, ::-1]], axis=1)
    sines = np.concatenate([odd, 0 * band, -odd[:, ::-1]], axis=1)
    filters = np.concatenate([cosines / (2 * band), sines / (2 * band)])
    return filters[:, None].astype(np.float32)


def _lstm(g: Graph, x: str, weights: Weights, layer: int) -> str:
    """One bidirectional LSTM; ONNX has its gates in the order input, output, forget, cell."""

    def both(name: str) -> NDArray[Any]:
        return np.stack([_gates(weights[f"lstm.{name}_l{layer}{way}"]) for way in ("", "_reverse")])

    hidden = weights[f"lstm.weight_hh_l{layer}"].shape[1]
    shifts = np.concatenate([both("bias_ih"), both("bias_hh")], axis=1)
    parts = (g.constant(part) for part in (both("weight_ih"), both("weight_hh"), shifts))
    y = g.add("LSTM", x, *parts, hidden_size=hidden, direction="bidirectional")
    y = g.add("Transpose", y, perm=[0, 2, 1, 3])  # [frames, windows, directions, hidden]
    return g.add("Reshape", y, g.constant([0, 0, -1]))


def _gates(values: NDArray[Any]) -> NDArray[Any]:
    """PyTorch's order of gates (input, forget, cell, output) as ONNX's."""
    i, f, c, o = np.split(values, 4)
    return np.concatenate([i, o, f, c])


def _linear(g: Graph, x: str, weights: Weights, name: str) -> str:
    product = g.add("MatMul", x, g.constant(weights[f"{name}.weight"].T))
    return g.add("Add", product, g.constant(weights[f"{name}.bias"]))


BLOCKS = ((12, 1), (24, 2), (16, 2))
"""CAM++'s blocks: densely connected layers, and their dilation."""


def voice_frames(weights: Weights) -> bytes:
    """``spectra [clips, frames, 80]`` to ``[clips, frames / 2, 512]``: CAM++ up to its pooling."""
    g, net = Graph(), CamPlusPlus(weights)
    x = net.beginning(g)
    for number, (layers, dilation) in enumerate(BLOCKS, start=1):
        for layer in range(1, layers + 1):
            new = net.dense(g, x, f"xvector.block{number}.tdnnd{layer}", dilation)
            x = g.add("Concat", x, new, axis=1)
        transit = f"xvector.transit{number}"
        x = net.normal(g, x, f"{transit}.nonlinear.batchnorm")
        x = g.add("Conv", x, g.constant(weights[f"{transit}.linear.weight"]))
    x = net.normal(g, x, "xvector.out_nonlinear.batchnorm")
    x = g.add("Transpose", x, perm=[0, 2, 1])
    return g.model(("spectra", ["clips", "frames", 80]), x, name="voice_frames")


def last_layer(weights: Weights) -> tuple[F32, F32]:
    """CAM++ after its pooling: weights ``[192, 1024]`` and bias."""
    kernel, shift = CamPlusPlus(weights).folded(
        "xvector.dense.linear", "xvector.dense.nonlinear.batchnorm"
    )
    return kernel[:, :, 0], shift


class CamPlusPlus:
    """The parts of CAM++, by the names of their weights."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def weights(self, name: str) -> F32:
        """Weights as they are."""
        return np.asarray(self._weights[name], np.float32)

    def beginning(self, g: Graph) -> str:
        """The spectra's convolutions: ``[clips, 128, frames / 2]``."""
        x = g.add("Transpose", "spectra", perm=[0, 2, 1])
        x = self.head(g, g.add("Unsqueeze", x, g.constant([1])))
        return self.unit(g, x, "xvector.tdnn", strides=[2], pads=[2, 2])

    def head(self, g: Graph, x: str) -> str:
        """Two-dimensional convolutions: ``[clips, 1, 80, frames]`` to ``[clips, 320, frames]``."""
        x = g.add("Relu", self._conv2d(g, x, "head.conv1", "head.bn1", 1))
        for layer in ("head.layer1", "head.layer2"):
            x = self._residual(g, x, f"{layer}.0", 2)
            x = self._residual(g, x, f"{layer}.1", 1)
        x = g.add("Relu", self._conv2d(g, x, "head.conv2", "head.bn2", 2))
        return g.add("Reshape", x, g.constant([0, 320, -1]))

    def _residual(self, g: Graph, x: str, name: str, stride: int) -> str:
        y = g.add("Relu", self._conv2d(g, x, f"{name}.conv1", f"{name}.bn1", stride))
        y = self._conv2d(g, y, f"{name}.conv2", f"{name}.bn2", 1)
        if stride > 1:
            kernel, shift = self.folded(f"{name}.shortcut.0", f"{name}.shortcut.1")
            x = g.add("Conv", x, g.constant(kernel), g.constant(shift), strides=[stride, 1])
        return g.add("Relu", g.add("Add", y, x))

    def _conv2d(self, g: Graph, x: str, conv: str, batchnorm: str, stride: int) -> str:
        kernel, shift = self.folded(conv, batchnorm)
        return g.add(
            *("Conv", x, g.constant(kernel), g.constant(shift)),
            strides=[stride, 1],
            pads=[1, 1, 1, 1],
        )

    def unit(self, g: Graph, x: str, name: str, **attributes: Any) -> str:
        """A convolution, its normalisation and a rectifier."""
        kernel, shift = self.folded(f"{name}.linear", f"{name}.nonlinear.batchnorm")
        return g.add("Relu", g.add("Conv", x, g.constant(kernel), g.constant(shift), **attributes))

    def dense(self, g: Graph, x: str, name: str, dilation: int) -> str:
        """One densely connected layer with its context-aware mask: 32 new channels."""
        x = self.normal(g, x, f"{name}.nonlinear1.batchnorm")
        kernel, shift = self.folded(f"{name}.linear1", f"{name}.nonlinear2.batchnorm")
        x = g.add("Relu", g.add("Conv", x, g.constant(kernel), g.constant(shift)))
        local = g.constant(self._weights[f"{name}.cam_layer.linear_local.weight"])
        y = g.add("Conv", x, local, dilations=[dilation], pads=[dilation, dilation])
        mask = g.add("Add", g.add("ReduceMean", x, axes=[2]), _hundreds(g, x))
        for part, activation in (("linear1", "Relu"), ("linear2", "Sigmoid")):
            kernel, shift = (
                self._weights[f"{name}.cam_layer.{part}.{kind}"] for kind in ("weight", "bias")
            )
            mask = g.add("Conv", mask, g.constant(kernel), g.constant(shift))
            mask = g.add(activation, mask)
        return g.add("Mul", y, _spread(g, mask, y))

    def normal(self, g: Graph, x: str, name: str) -> str:
        """A batch normalisation that has no convolution before it, and a rectifier."""
        scale, shift = self.factors(name)
        x = g.add("Mul", x, g.constant(scale[None, :, None]))
        return g.add("Relu", g.add("Add", x, g.constant(shift[None, :, None])))

    def folded(self, conv: str, batchnorm: str) -> tuple[F32, F32]:
        """A convolution's weights with the normalisation after it, as weights and bias."""
        kernel = np.asarray(self._weights[f"{conv}.weight"], np.float32)
        scale, shift = self.factors(batchnorm)
        return kernel * scale.reshape(-1, *([1] * (kernel.ndim - 1))), shift

    def factors(self, name: str) -> tuple[F32, F32]:
        """A batch normalisation as a factor and what is added."""
        w = self._weights
        mean, variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
        scale = w.get(f"{name}.weight", np.ones_like(mean)) / np.sqrt(variance + _EPSILON)
        shift = w.get(f"{name}.bias", np.zeros_like(mean)) - mean * scale
        return np.asarray(scale, np.float32), np.asarray(shift, np.float32)


def _hundreds(g: Graph, x: str) -> str:
    """``[clips, channels, frames]`` to the means of each hundred frames."""
    return g.add("AveragePool", x, kernel_shape=[100], strides=[100], ceil_mode=1)


def _spread(g: Graph, x: str, over: str) -> str:
    """The values of hundreds of frames, each for its frames."""
    y = g.add("Expand", g.add("Unsqueeze", x, g.constant([3])), g.constant([1, 1, 1, 100]))
    y = g.add("Reshape", y, g.constant([0, 0, -1]))
    frames = g.add("Shape", over, start=2)
    return g.add("Slice", y, g.constant([0]), frames, g.constant([2]))
