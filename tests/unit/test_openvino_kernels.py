"""The kernels of the OpenVINO engine against the same formulas in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from auricle.speech.engines.openvino import kernels

F32 = NDArray[np.float32]
HEADS, LAYERS = 2, 3
WIDTH = HEADS * kernels.HEAD


def softmax(scores: F32) -> F32:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: F32 = powers / powers.sum(-1, keepdims=True)
    return shares


def packed(states: F32) -> tuple[NDArray[np.int8], NDArray[np.int8], F32, F32]:
    """All layers have the same states."""
    frames, size = len(states), kernels.HEAD
    keys = np.empty((LAYERS, HEADS, size, frames), np.int8)
    values = np.empty((LAYERS, HEADS, frames, size), np.int8)
    scales = np.empty((2, LAYERS, HEADS, size), np.float32)
    for layer in range(LAYERS):
        kernels.pack(states, keys[layer], values[layer], scales[0, layer], scales[1, layer])
    return keys, values, scales[0], scales[1]


def by_head(states: F32) -> F32:
    """``[heads, frames, 64]``"""
    split: F32 = states.reshape(len(states), HEADS, kernels.HEAD).transpose(1, 0, 2)
    return split


def test_packing_keeps_each_number_to_half_a_step() -> None:
    states = np.random.default_rng(0).normal(size=(70, 2 * WIDTH)).astype(np.float32)
    keys, values, key_scales, value_scales = packed(states)
    back = keys[1].transpose(0, 2, 1) * key_scales[1][:, None, :]
    assert np.abs(back - by_head(states[:, :WIDTH])).max() <= key_scales.max() / 2 + 1e-6
    back = values[2] * value_scales[2][:, None, :]
    assert np.abs(back - by_head(states[:, WIDTH:])).max() <= value_scales.max() / 2 + 1e-6


@pytest.mark.parametrize("frames", [(1, 3), (64, 250), (1500, 2)])
def test_cross_attention_reads_windows_of_different_lengths(frames: tuple[int, int]) -> None:
    dice = np.random.default_rng(1)
    query = dice.normal(size=(2, WIDTH)).astype(np.float32)
    windows = [dice.normal(size=(n, 2 * WIDTH)).astype(np.float32) for n in frames]
    parts = [packed(states) for states in windows]
    watched = np.array([-1, 0])
    seen = [np.full((1, 5, n), -1, np.float32) for n in frames]
    places = np.array(
        [
            [*(a.ctypes.data for a in part), s.ctypes.data]
            for part, s in zip(parts, seen, strict=True)
        ]
    )
    steps, out = np.array([[2, 5], [4, 5]]), np.empty_like(query)
    kernels.cross_attention(query, places, np.array(frames), 1, watched, steps, out)
    for row, states in enumerate(windows):
        keys, values = by_head(states[:, :WIDTH]), by_head(states[:, WIDTH:])
        scores = np.einsum("hd,htd->ht", query[row].reshape(HEADS, -1), keys)
        shares = softmax(scores)
        expected = np.einsum("ht,htd->hd", shares, values).reshape(-1)
        assert np.abs(out[row] - expected).max() < 0.15
        step = int(steps[row, 0])
        assert np.abs(seen[row][0, step] - shares[1]).max() < 0.05
        assert (np.delete(seen[row][0], step, axis=0) == -1).all()


def test_self_attention_sees_what_came_before_in_its_own_slot() -> None:
    dice = np.random.default_rng(2)
    shape = (4, HEADS, 10, kernels.HEAD)
    keys, values = np.empty(shape, np.float32), np.empty(shape, np.float32)
    slots, out = np.array([3, 0]), np.empty((2, WIDTH), np.float32)
    past: list[F32] = []
    for step in range(5):
        states = dice.normal(size=(2, 3 * WIDTH)).astype(np.float32)
        past.append(states)
        kernels.self_attention(states, keys, values, slots, np.array([step, step]), out)
    all_of_them = np.stack(past)  # [steps, rows, 3 * width]
    for row in range(2):
        query, key, value = np.split(all_of_them[:, row], 3, axis=1)
        scores = np.einsum("hd,htd->ht", query[-1].reshape(HEADS, -1), by_head(key))
        expected = np.einsum("ht,htd->hd", softmax(scores), by_head(value)).reshape(-1)
        np.testing.assert_allclose(out[row], expected, atol=2e-5)


def test_the_most_probable_token_that_may_come_is_chosen() -> None:
    logits = np.random.default_rng(3).normal(size=(3, 1000)).astype(np.float32) * 5
    masks = np.zeros((2, 1000), np.float32)
    masks[1, logits[1].argmax()] = -1e9
    tokens, logprobs = np.empty(3, np.int64), np.empty(3, np.float32)
    kernels.choose(logits, masks, np.array([0, 1, 0]), tokens, logprobs)
    for row, mask in enumerate((0, 1, 0)):
        masked = logits[row] + masks[mask]
        assert tokens[row] == masked.argmax()
        np.testing.assert_allclose(logprobs[row], np.log(softmax(masked).max()), atol=1e-4)


def test_attention_is_sharpened_as_whisper_does() -> None:
    seen = np.random.default_rng(4).random((2, 5, 40)).astype(np.float32)
    out = np.empty((5, 40), np.float32)
    kernels.sharpened(seen, out)
    normal = (seen - seen.mean(1, keepdims=True)) / seen.std(1, keepdims=True)
    line = np.pad(normal, ((0, 0), (0, 0), (3, 3)), mode="reflect")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(line, 7, axis=2), axis=-1)
    np.testing.assert_allclose(out, medians.mean(0), atol=2e-4)


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_short_attention_is_sharpened_too(frames: int) -> None:
    seen = np.random.default_rng(5).random((2, 3, frames)).astype(np.float32)
    out = np.empty((3, frames), np.float32)
    kernels.sharpened(seen, out)
    assert np.isfinite(out).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 1000))
def test_tokens_begin_in_order_along_the_best_path(tokens: int, frames: int, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(tokens, frames)).astype(np.float32)
    firsts = kernels.first_frames(weights)
    assert (np.diff(firsts) >= 0).all()
    assert firsts[0] == 0 or tokens > 1
    assert 0 <= firsts.min() <= firsts.max() < frames


def test_a_clear_diagonal_is_found() -> None:
    weights = np.full((4, 40), -0.1, np.float32)
    for token in range(4):
        weights[token, token * 10 : token * 10 + 10] = 1
    assert kernels.first_frames(weights).tolist() == [0, 10, 20, 30]
