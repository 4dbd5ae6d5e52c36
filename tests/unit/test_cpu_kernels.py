"""The kernels of the engine for processors against the same formulas in plain numpy."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from auricle.speech import compiled, mel
from auricle.speech.engines.cpu import arithmetic, lanes, stepping
from auricle.speech.engines.cpu.arithmetic import HEAD, aligned, packed
from auricle.speech.engines.cpu.attention import MATRICES, attend, nothing_heard
from auricle.speech.engines.cpu.encoding import convolve, halve, rest, to_heads
from auricle.speech.engines.cpu.spectrum import log_mel
from auricle.speech.engines.cpu.times import first_frames, sharpened
from auricle.speech.engines.cpu.weights import GROUP

F32 = NDArray[np.float32]
HEADS = 4
WIDTH = HEADS * HEAD

pytestmark = pytest.mark.skipif(not lanes.SUPPORTED, reason="this processor has no VNNI")


def softmax(scores: F32) -> F32:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: F32 = powers / powers.sum(-1, keepdims=True)
    return shares


def normal(*shape: int, seed: int = 0) -> F32:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def normalised(states: F32) -> F32:
    spread = np.sqrt(states.var(-1, keepdims=True) + 1e-5)
    found: F32 = (states - states.mean(-1, keepdims=True)) / spread
    return found


def gelu(x: F32) -> F32:
    erf = np.vectorize(math.erf)(x / math.sqrt(2))
    found: F32 = (0.5 * x * (1 + erf)).astype(np.float32)
    return found


def layer(outputs: int, inputs: int, seed: int) -> tuple[F32, F32]:
    return normal(outputs, inputs, seed=seed) / np.float32(16), normal(outputs, seed=seed + 1)


def assert_alike(found: F32, expected: F32, cosine: float = 0.9997) -> None:
    """Within what bytes can hold."""
    product = float((found * expected).sum())
    assert product / float(np.linalg.norm(found) * np.linalg.norm(expected)) > cosine
    assert np.quantile(np.abs(found - expected), 0.99) < 0.05 * np.abs(expected).max()


ONES = np.ones(WIDTH, np.float32)


@pytest.mark.parametrize("outputs", [64, 1000])
def test_a_linear_layer_after_a_normalisation(outputs: int) -> None:
    weight, bias = layer(outputs, WIDTH, seed=1)
    states = normal(12, WIDTH)
    made = packed(weight, bias)
    out = np.empty((12, len(made.scales)), np.float32)
    stepping.to_logits(states, ONES, made.places, out)
    assert_alike(out[:, :outputs], normalised(states) @ weight.T + bias)
    assert (out[:, outputs:] == 0).all()


def test_weights_are_packed_as_their_inputs_are_multiplied() -> None:
    weight, bias = layer(100, WIDTH, seed=6)
    factors = np.abs(normal(WIDTH, seed=7)) + np.float32(0.1)
    made, expected = packed(weight, bias, GROUP, factors), packed(weight * factors, bias, GROUP)
    for part in ("weights", "starts", "scales", "bias"):
        np.testing.assert_array_equal(getattr(made, part), getattr(expected, part))
    scales = np.abs(weight * factors).max(axis=1) / np.float32(127)
    np.testing.assert_allclose(made.scales[:100], scales, rtol=1e-6)
    unpacked = made.weights.transpose(0, 2, 1, 3).reshape(-1, WIDTH)[:100]
    assert (unpacked == np.rint(weight * factors / scales[:, None])).all()
    sums = unpacked.reshape(100, -1, GROUP).sum(axis=2, dtype=np.int32)
    assert (made.starts[:, :100] == -128 * sums.T).all()


def test_rows_do_not_depend_on_who_else_is_there() -> None:
    weight, bias = layer(320, WIDTH, seed=2)
    made, states = packed(weight, bias), normal(24, WIDTH)
    together, alone = np.empty((24, 320), np.float32), np.empty((6, 320), np.float32)
    stepping.to_logits(states, ONES, made.places, together)
    mixed = np.concatenate([states[[17]], 100 * normal(5, WIDTH, seed=3)])
    stepping.to_logits(mixed, ONES, made.places, alone)
    assert (alone[0] == together[17]).all()


def test_the_feed_forward_layers_are_added() -> None:
    inner, outer = layer(4 * WIDTH, WIDTH, seed=4), layer(WIDTH, 4 * WIDTH, seed=5)
    first, second = packed(*inner), packed(*outer, GROUP)
    states = normal(6, WIDTH)
    expected = states + gelu(normalised(states) @ inner[0].T + inner[1]) @ outer[0].T + outer[1]
    stepping.feed_forward(states, ONES, first.places, second.places)
    assert_alike(states, expected)


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("seconds", [0.0, 0.01, 4.2, 30.0])
def test_spectra_are_those_of_a_fast_transform(seconds: float, n_mels: int) -> None:
    noise = normal(round(seconds * 16_000)) / np.float32(10)
    tone = np.sin(np.arange(len(noise)) * 0.3).astype(np.float32)
    for samples in (noise, tone):
        np.testing.assert_allclose(
            log_mel(samples, n_mels), mel.log_mel(samples, n_mels), atol=1e-3
        )


def test_the_two_convolutions() -> None:
    first, first_bias = normal(WIDTH, 3, 80) / np.float32(8), normal(WIDTH, seed=1)
    second, second_bias = normal(WIDTH, 3, WIDTH, seed=4) / np.float32(16), normal(WIDTH, seed=5)
    frames, positions = normal(26, 80, seed=2), normal(12, WIDTH, seed=3)
    frames[0] = frames[-1] = 0
    panels = aligned((WIDTH // 64, 240, 64), np.float32)
    panels[...] = first.reshape(WIDTH // 64, 64, 240).transpose(0, 2, 1)
    bytes_, scales = np.full((2, 13, WIDTH), 128, np.uint8), np.zeros((4, 2, 13), np.float32)
    convolve(frames, panels, first_bias, bytes_, scales)
    seen = np.stack([frames[n : n + 3].reshape(-1) for n in range(24)])
    heard = np.pad(gelu(seen @ first.reshape(WIDTH, -1).T + first_bias), ((1, 1), (0, 0)))
    found = (bytes_.astype(np.float32) - 128) * np.repeat(scales.transpose(1, 2, 0), 64, axis=2)
    assert_alike(found.swapaxes(0, 1).reshape(26, WIDTH), heard)
    taps = [
        [
            packed(part, second_bias * (n == m == 0))
            for m, part in enumerate(np.split(tap, 4, axis=1))
        ]
        for n, tap in enumerate(second.transpose(1, 0, 2))
    ]
    out, places = np.empty((12, WIDTH), np.float32), [[each.places for each in tap] for tap in taps]
    halve(bytes_, scales, 6, np.array(places), positions, out)
    seen = np.stack([heard[2 * n : 2 * n + 3].reshape(-1) for n in range(12)])
    assert_alike(out, gelu(seen @ second.reshape(WIDTH, -1).T + second_bias) + positions)


@pytest.mark.parametrize("frames", [6, 66, 300])
def test_a_layer_of_the_encoder(frames: int) -> None:
    attending, joining = layer(3 * WIDTH, WIDTH, seed=6), layer(WIDTH, WIDTH, seed=7)
    inner, outer = layer(4 * WIDTH, WIDTH, seed=8), layer(WIDTH, 4 * WIDTH, seed=9)
    states = normal(frames, WIDTH)
    start = states.copy()
    queries = np.empty((HEADS, frames, HEAD), np.uint8)
    scales, found = np.empty((HEADS, frames), np.float32), np.empty((frames, WIDTH), np.float32)
    heard, first = nothing_heard(HEADS, frames), packed(*attending)
    to_heads(states, 48, ONES, first.places, queries, scales, heard.places)
    attend(queries, scales, heard.places, 3, found)
    q, k, v = np.split(normalised(start) @ attending[0].T + attending[1], 3, axis=1)
    expected = np.concatenate(
        [softmax(a @ b.T) @ c for a, b, c in zip(*(heads(x) for x in (q, k, v)), strict=True)],
        axis=1,
    )
    assert_alike(found, expected, 0.999)
    second = packed(*joining, GROUP), packed(*inner), packed(*outer, GROUP)
    rest(states, 48, found, second[0].places, ONES, second[1].places, second[2].places)
    between = (start + expected @ joining[0].T + joining[1]).astype(np.float32)
    hidden = gelu(normalised(between) @ inner[0].T + inner[1])
    assert_alike(states, between + hidden @ outer[0].T + outer[1], 0.999)


@pytest.mark.skipif(not lanes.USES_MATRICES, reason="this processor has no AMX")
@pytest.mark.parametrize("frames", [6, 18, 66, 300])
def test_matrices_calculate_what_tiles_do(frames: int) -> None:
    """To the last bit, so that a window has the same text on processors of either kind."""
    first, joining = (
        packed(*layer(3 * WIDTH, WIDTH, seed=6)),
        packed(*layer(WIDTH, WIDTH, seed=7), GROUP),
    )
    inner, outer = packed(*layer(512, WIDTH, seed=8)), packed(*layer(WIDTH, 512, seed=9), GROUP)

    def heard(*, matrices: bool) -> F32:
        places = [each.places.copy() for each in (first, joining, inner, outer)]
        memory = nothing_heard(HEADS, frames)
        memory.places[MATRICES] = matrices
        for each in places:
            each[arithmetic.MATRICES] = matrices
        states, found = normal(frames, WIDTH), np.empty((frames, WIDTH), np.float32)
        queries = np.empty((HEADS, frames, HEAD), np.uint8)
        scales = np.empty((HEADS, frames), np.float32)
        to_heads(states, 48, ONES, places[0], queries, scales, memory.places)
        attend(queries, scales, memory.places, 3, found)
        rest(states, 48, found, places[1], ONES, *places[2:])
        return states

    assert (heard(matrices=True) == heard(matrices=False)).all()


def heads(states: F32) -> list[F32]:
    return np.split(states, HEADS, axis=1)


def test_self_attention_sees_what_the_row_has_said() -> None:
    attending, joining = layer(3 * WIDTH, WIDTH, seed=10), layer(WIDTH, WIDTH, seed=11)
    first, second = packed(*attending), packed(*joining, GROUP)
    said = [nothing_heard(2 * HEADS, 128) for _ in range(2)]  # of two layers: the second is used
    places = np.array([each.places for each in said])
    masks = np.repeat(np.array([0, -1e30], np.float32), 128)
    past: list[F32] = []
    for step in range(70):
        states = np.zeros((6, WIDTH), np.float32)
        states[:2] = normal(2, WIDTH, seed=100 + step)
        past.append(states[:2].copy())
        lengths = np.array([step, step])
        stepping.to_itself(states, ONES, first.places, second.places, places, lengths, masks, 1)
        if step not in {0, 5, 63, 64, 69}:
            continue
        for row in range(2):
            before = np.stack([each[row] for each in past])
            q, k, v = np.split(normalised(before) @ attending[0].T + attending[1], 3, axis=1)
            parts = zip(heads(q), heads(k), heads(v), strict=True)
            heard = np.concatenate([softmax(a[-1:] @ b.T) @ c for a, b, c in parts], axis=1)[0]
            assert_alike(states[row], past[-1][row] + heard @ joining[0].T + joining[1], 0.998)


def test_a_token_attends_to_its_own_window_and_some_heads_are_watched() -> None:
    query, joining = layer(WIDTH, WIDTH, seed=12), layer(WIDTH, WIDTH, seed=13)
    first, second = packed(*query), packed(*joining, GROUP)
    keys_values = layer(3 * WIDTH, WIDTH, seed=14)
    sounds = [normal(n, WIDTH, seed=n) for n in (60, 306)]
    windows = [heard_of(sound, keys_values) for sound in sounds]
    seen = [np.full((1, 4, len(sound)), -1, np.float32) for sound in sounds]
    states = np.zeros((6, WIDTH), np.float32)
    states[:2] = normal(2, WIDTH)
    before = states[:2].copy()
    stepping.to_window(
        states,
        ONES,
        first.places,
        second.places,
        np.array([window.places for window in windows]),
        np.array([[each.ctypes.data, 4, each.shape[2]] for each in seen]),
        np.array([1, 3]),
        np.array([-1, 0, -1, -1]),
        0,
    )
    for row, sound in enumerate(sounds):
        q = normalised(before[[row]]) @ query[0].T + query[1]
        _, k, v = np.split(normalised(sound) @ keys_values[0].T + keys_values[1], 3, axis=1)
        shares = [softmax(a @ b.T) for a, b in zip(heads(q), heads(k), strict=True)]
        parts = zip(shares, heads(v), strict=True)
        heard = np.concatenate([share @ c for share, c in parts], axis=1)[0]
        assert_alike(states[row], before[row] + heard @ joining[0].T + joining[1], 0.998)
        step = (1, 3)[row]
        assert np.abs(seen[row][0, step] - shares[1][0]).max() < 0.1 * shares[1].max()
        assert (np.delete(seen[row][0], step, axis=0) == -1).all()


def heard_of(sound: F32, attending: tuple[F32, F32]):  # type: ignore[no-untyped-def]
    """Keys and values of a window, packed."""
    frames, made = len(sound), packed(*attending)
    heard = nothing_heard(HEADS, frames)
    queries = np.empty((HEADS, frames, HEAD), np.uint8)
    scales = np.empty((HEADS, frames), np.float32)
    to_heads(sound, 60, ONES, made.places, queries, scales, heard.places)
    return heard


@pytest.mark.parametrize("count", [1, 10])
def test_the_most_probable_tokens_that_may_come_are_chosen(count: int) -> None:
    logits = normal(3, 1024) * 5
    masks = np.zeros((2, 1024), np.float32)
    masks[1, logits[1].argmax()] = -1e9
    tokens, logprobs = np.zeros((3, count), np.int64), np.zeros((3, count), np.float32)
    stepping.choose(logits, masks, np.array([0, 1, 0]), tokens, logprobs)
    for row, mask in enumerate((0, 1, 0)):
        masked = logits[row] + masks[mask]
        order = np.argsort(-masked)[:count]
        assert tokens[row].tolist() == order.tolist()
        np.testing.assert_allclose(logprobs[row], np.log(softmax(masked)[order]), atol=1e-4)


@pytest.mark.skipif(not os.environ.get("CI"), reason="compiles for half a minute; CI runs it")
def test_processors_with_vectors_of_half_the_width() -> None:
    """Intel's laptops have VNNI without AVX-512; any processor with AVX-512 can play one."""
    features = "+avx2,+fma,+avxvnni,+bmi,+bmi2,+lzcnt,+popcnt,+f16c,-avx512f"
    narrow = {"NUMBA_CPU_NAME": "alderlake", "NUMBA_CPU_FEATURES": features}
    program = "from auricle.speech.engines.cpu import lanes; print(lanes.SUPPORTED, lanes.LANES)"
    environment = os.environ | narrow
    said = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    assert said.split() == ["True", "8"]
    names = "linear or encoder or window or chosen or convolutions or spectra"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        names,
        __file__,
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_processors_without_the_instructions_are_known() -> None:
    program = "from auricle.speech.engines.cpu import SUPPORTED; print(SUPPORTED)"
    for features in ("+avx2,+fma", "+avx512f,+avx512bw,+avx512dq,+avx512vl"):
        environment = os.environ | {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
        said = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
        assert said.strip() == "False"


def test_attention_is_sharpened_as_whisper_does() -> None:
    seen = np.random.default_rng(4).random((2, 5, 40)).astype(np.float32)
    out = np.empty((5, 40), np.float32)
    sharpened(seen, out)
    normal = (seen - seen.mean(1, keepdims=True)) / seen.std(1, keepdims=True)
    line = np.pad(normal, ((0, 0), (0, 0), (3, 3)), mode="reflect")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(line, 7, axis=2), axis=-1)
    np.testing.assert_allclose(out, medians.mean(0), atol=2e-4)


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_short_attention_is_sharpened_too(frames: int) -> None:
    seen = np.random.default_rng(5).random((2, 3, frames)).astype(np.float32)
    out = np.empty((3, frames), np.float32)
    sharpened(seen, out)
    assert np.isfinite(out).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 1000))
def test_tokens_begin_in_order_along_the_best_path(tokens: int, frames: int, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(tokens, frames)).astype(np.float32)
    firsts = first_frames(weights)
    assert (np.diff(firsts) >= 0).all()
    assert firsts[0] == 0 or tokens > 1
    assert 0 <= firsts.min() <= firsts.max() < frames


def test_a_clear_diagonal_is_found() -> None:
    weights = np.full((4, 40), -0.1, np.float32)
    for token in range(4):
        weights[token, token * 10 : token * 10 + 10] = 1
    assert first_frames(weights).tolist() == [0, 10, 20, 30]


def test_kept_kernels_are_stale_when_another_kernel_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They contain each other, and numba looks at each one's own file only."""
    locator = to_heads._cache._impl.locator  # numba has no public way to ask
    before = locator.get_source_stamp()
    monkeypatch.setattr(compiled, "_sources", lambda: b"another")
    assert locator.get_source_stamp() != before
