"""A checkpoint's layers, packed for the kernels."""

from __future__ import annotations

import numpy as np

from auricle.speech.engines.cpu.arithmetic import F32, HEAD, Linear, packed
from auricle.speech.engines.cpu.checkpoint import Checkpoint

GROUP = 256
"""Numbers of a feed-forward layer that are calculated, quantised and used together."""


def balance(gamma: F32) -> F32:
    """By what the inputs of a layer after a normalisation are divided, and its weights multiplied.

    A few numbers of a state are much greater than the others, and the scale of a row is theirs:
    half of what the normalisation's ``gamma`` does to them is left to the weights. It halves the
    error of the encoder (docs/experiments.md).
    """
    return np.maximum(np.sqrt(np.abs(gamma)), 0.05)


def after_norm(checkpoint: Checkpoint, norm: str, weight: F32, bias: F32) -> tuple[F32, Linear]:
    """A layer after a normalisation, and by what that multiplies; it adds nothing any more."""
    gamma, beta = checkpoint[f"{norm}/gamma"], checkpoint[f"{norm}/beta"]
    divisor = balance(gamma)
    return gamma / divisor, packed(weight, bias + weight @ beta, factors=divisor)


def attending(checkpoint: Checkpoint, name: str) -> tuple[F32, Linear]:
    """What makes queries (ready for the product with keys), keys and values of states."""
    weight = checkpoint[f"{name}/linear_0/weight"]
    bias = checkpoint[f"{name}/linear_0/bias"]
    width = weight.shape[1]
    scale = np.where(np.arange(len(bias)) < width, HEAD**-0.5, 1).astype(np.float32)
    return after_norm(checkpoint, f"{name}/layer_norm", weight * scale[:, None], bias * scale)


def joining(checkpoint: Checkpoint, name: str) -> Linear:
    """What takes what was heard back to states."""
    weight = checkpoint[f"{name}/weight"]
    group = GROUP if len(weight) % GROUP == 0 else GROUP // 2
    return packed(weight, checkpoint[f"{name}/bias"], group)


def feed_forward(checkpoint: Checkpoint, name: str) -> tuple[F32, Linear, Linear]:
    """The two layers, and by what the normalisation before them multiplies."""
    weight, bias = checkpoint[f"{name}/linear_0/weight"], checkpoint[f"{name}/linear_0/bias"]
    gamma, inner = after_norm(checkpoint, f"{name}/layer_norm", weight, bias)
    weight, bias = checkpoint[f"{name}/linear_1/weight"], checkpoint[f"{name}/linear_1/bias"]
    return gamma, inner, packed(weight, bias, GROUP)
