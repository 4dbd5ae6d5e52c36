"""The two networks of the diarization as whole ONNX files, as other packages want them.

Ours are cut where kernels of our own go on, and CAM++ ends before its pooling. Beside PyTorch's,
the segmentation's probabilities were equal to 6e-5 and voice prints of 0.2 to 10 s to 2e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper

from auricle.speech.diarization import graphs
from auricle.speech.diarization.checkpoint import read_weights
from auricle.speech.diarization.graphs import OPSET, Graph, Weights
from auricle.speech.diarization.networks import PRINT, SEGMENTATION_FILE, VOICES_FILE

SEGMENTATION = {
    "num_speakers": 3,
    "powerset_max_classes": 2,
    "num_classes": 7,
    "sample_rate": 16_000,
    "window_size": 160_000,
    "receptive_field_size": 991,
    "receptive_field_shift": 270,
}
VOICES = {
    "framework": "3d-speaker",
    "language": "Chinese, English",
    "sample_rate": 16_000,
    "output_dim": PRINT,
    "normalize_samples": 1,
    "feature_normalize_type": "global-mean",
}
"""What sherpa-onnx reads in each file about it."""


def write_networks(weights: Path, folder: Path) -> None:
    """Write ``segmentation.onnx`` and ``wespeaker-voices.onnx`` (pyannote.audio chooses by the name
    how it loads a file)."""
    segmentation = read_weights(weights / SEGMENTATION_FILE)
    whole = _joined(_sincnet(segmentation), graphs.segmentation(segmentation), ("x", "y"))
    _write(whole, SEGMENTATION, folder / "segmentation.onnx")
    voices = read_weights(weights / VOICES_FILE)
    whole = _joined(graphs.voice_frames(voices), _pooling(voices), ("feats", "embs"))
    _write(whole, VOICES, folder / "wespeaker-voices.onnx")


def _sincnet(weights: Weights) -> bytes:
    """``sound [windows, 1, samples]`` to what :func:`graphs.segmentation` takes."""
    g = Graph()
    normal = [g.constant(weights[f"sincnet.wav_norm1d.{part}"]) for part in ("weight", "bias")]
    x = g.add("InstanceNormalization", "sound", *normal, epsilon=1e-5)
    x = g.add("Conv", x, g.constant(graphs.sinc_filters(weights)), strides=[10])
    x = g.add("MaxPool", g.add("Abs", x), kernel_shape=[3], strides=[3])
    return g.model(("sound", ["windows", 1, "samples"]), x, name="sincnet")


def _pooling(weights: Weights) -> bytes:
    """``frames [clips, frames, 512]`` to voice prints: means, deviations, the last layer."""
    g = Graph()
    mean = g.add("ReduceMean", "frames", axes=[1])
    away = g.add("Sub", "frames", mean)
    count = g.add("Cast", g.add("Shape", "frames", start=1, end=2), to=TensorProto.FLOAT)
    others = g.add("Sub", count, g.constant(np.ones(1, np.float32)))
    squares = g.add("ReduceSum", g.add("Mul", away, away), g.constant([1]))
    deviation = g.add("Sqrt", g.add("Div", squares, others))
    x = g.add("Squeeze", g.add("Concat", mean, deviation, axis=2), g.constant([1]))
    layer, bias = graphs.last_layer(weights)
    x = g.add("Add", g.add("MatMul", x, g.constant(layer.T)), g.constant(bias))
    return g.model(("frames", ["clips", "frames", 512]), x, name="pooling")


def _joined(first: bytes, second: bytes, names: tuple[str, str]) -> onnx.ModelProto:
    """One graph after the other, with the names that its input and output are to have."""
    one = onnx.load_from_string(first).graph
    two = compose.add_prefix(onnx.load_from_string(second), "then_").graph
    joints = [
        (names[0], one.input[0].name),
        (one.output[0].name, two.input[0].name),
        (two.output[0].name, names[1]),
    ]
    start, middle, end = (helper.make_node("Identity", [a], [b]) for a, b in joints)
    given = [size.dim_param or size.dim_value for size in one.input[0].type.tensor_type.shape.dim]
    graph = helper.make_graph(
        [start, *one.node, middle, *two.node, end],
        "whole",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, None)],
        [*one.initializer, *two.initializer],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8  # of that opset, as in graphs
    return model


def _write(model: onnx.ModelProto, described: Mapping[str, object], path: Path) -> None:
    helper.set_model_props(model, {name: str(value) for name, value in described.items()})
    path.write_bytes(model.SerializeToString())
