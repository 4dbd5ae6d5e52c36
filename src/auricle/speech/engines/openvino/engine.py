"""Whisper through OpenVINO: the engine for CPUs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from auricle.speech.engines.ctranslate2 import FRAME_S, CTranslate2Engine
from auricle.speech.engines.openvino import graphs, kernels
from auricle.speech.engines.openvino.checkpoint import Checkpoint
from auricle.speech.engines.openvino.decoding import CONTEXT, Decoder, Packed, Row
from auricle.speech.engines.protocol import Aligned, Decoded
from auricle.speech.mel import FRAMES, SAMPLE_RATE, log_mel
from auricle.speech.tokens import WhisperTokens

F32 = NDArray[np.float32]

SLOTS = 16
"""Windows decoded together."""

_PRECISION = {"INFERENCE_PRECISION_HINT": "bf16", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "64"}
"""Products of matrices in int8, quantised as they come, and the rest in bfloat16. Processors
without bfloat16 do that in float32."""

MARGIN_S = 5.0
"""Silence after a short window's sound. With little, Whisper repeats itself or leaves words out."""

SHORT_S = 12.0
"""Longer windows are padded to the 30 s that Whisper was trained with: with less, it leaves words
out (docs/experiments.md)."""

BUCKET_FRAMES = 200
"""Spectra are padded to a multiple of this many frames of 10 ms: each length has to be prepared."""


@dataclass(slots=True, eq=False)
class Heard:
    """A window that was encoded, with what decoding it has shown."""

    samples: F32
    packed: Packed
    row: Row | None = None
    """What decoded it last."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch of windows."""

    windows: tuple[Heard, ...]

    def __len__(self) -> int:
        return len(self.windows)

    def select(self, rows: Sequence[int]) -> Encoded:
        return Encoded(tuple(self.windows[row] for row in rows))


class OpenVINOEngine:
    """A model folder in CTranslate2's format, on the processor."""

    def __init__(self, model: str, folder: Path, threads: int) -> None:
        self.model = model
        self._folder, self._threads = folder, threads
        self._reference: CTranslate2Engine | None = None
        self.tokens = WhisperTokens(folder)
        checkpoint = Checkpoint.read(folder)
        core = ov.Core()
        numba.set_num_threads(min(threads, os.cpu_count() or 1))
        options = {"INFERENCE_NUM_THREADS": threads, **_PRECISION}
        compiled = core.compile_model(graphs.encoder(checkpoint), "CPU", options)
        self._encoder = compiled.create_infer_request()
        pieces = [core.compile_model(p, "CPU", options) for p in graphs.decoder(checkpoint)]
        self._decoder = Decoder(checkpoint, self.tokens, pieces, SLOTS)
        self._n_mels = checkpoint.n_mels
        self._shape = (checkpoint.layers("decoder"), checkpoint.heads)

    def encode(self, windows: Sequence[F32]) -> Encoded:
        return Encoded(tuple(Heard(samples, self._packed(samples)) for samples in windows))

    def _packed(self, samples: F32) -> Packed:
        frames = _padded(len(samples))
        mel = log_mel(samples, self._n_mels)[None, :, :frames]
        outputs = self._encoder.infer([np.ascontiguousarray(mel)], share_outputs=True)
        layers, heads = self._shape
        length, size = frames // 2, kernels.HEAD
        packed = Packed(
            np.empty((layers, heads, size, length), np.int8),
            np.empty((layers, heads, length, size), np.int8),
            np.empty((layers, heads, size), np.float32),
            np.empty((layers, heads, size), np.float32),
        )
        for layer in range(layers):
            kernels.pack(
                outputs[layer][0],
                packed.keys[layer],
                packed.values[layer],
                packed.key_scales[layer],
                packed.value_scales[layer],
            )
        return packed

    def detect_languages(self, encoded: Encoded) -> list[dict[str, float]]:
        start = self.tokens.control("startoftranscript")
        rows = [Row(window.packed, [start], 0, most=1, forced=()) for window in encoded.windows]
        self._decoder.run(rows)
        codes = self.tokens.languages
        ids = [self.tokens.control(code) for code in codes]
        return [dict(zip(codes, _softmax(_first(r)[ids]).tolist(), strict=True)) for r in rows]

    def decode(
        self, encoded: Encoded, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        if beam_size > 1 or temperature > 0:
            return self._reference_decode(encoded, prompt, beam_size, temperature)
        start = list(prompt).index(self.tokens.control("startoftranscript"))
        for window in encoded.windows:
            window.row = Row(window.packed, prompt, start, most=_most(window.packed, prompt))
        rows = [window.row for window in encoded.windows if window.row]
        self._decoder.run(rows)
        return [self._decoded(row) for row in rows]

    def _decoded(self, row: Row) -> Decoded:
        no_speech = _softmax(_first(row))[self.tokens.no_speech]
        logprob = sum(row.logprobs) / max(1, len(row.logprobs))
        return Decoded(tuple(row.tokens), logprob, float(no_speech))

    def _reference_decode(
        self, encoded: Encoded, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        """Several hypotheses, or chance: that is CTranslate2's."""
        if self._reference is None:
            self._reference = CTranslate2Engine(self.model, self._folder, self._threads)
        again = self._reference.encode([window.samples for window in encoded.windows])
        return self._reference.decode(again, prompt, beam_size, temperature)

    def align(
        self,
        encoded: Encoded,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        self._say_again(encoded, start, tokens)
        return [
            _aligned(window.row, duration)
            for window, duration in zip(encoded.windows, durations, strict=True)
            if window.row
        ]

    def _say_again(
        self, encoded: Encoded, start: Sequence[int], tokens: Sequence[Sequence[int]]
    ) -> None:
        """Decode what is to be aligned, where it is not what was decoded last."""
        prompt = [*start, self.tokens.control("notimestamps")]
        again = []
        for window, said in zip(encoded.windows, tokens, strict=True):
            if window.row is None or tuple(window.row.tokens) != tuple(said):
                most = len(said) + 1
                window.row = Row(window.packed, prompt, 0, most=most, forced=tuple(said))
                again.append(window.row)
        self._decoder.run(again)


def _first(row: Row) -> F32:
    assert row.first is not None
    return row.first


def _padded(samples: int) -> int:
    """Frames of the spectrum of a window with so many samples."""
    if samples > SHORT_S * SAMPLE_RATE:
        return FRAMES
    wanted = samples // 160 + round(MARGIN_S * 100)
    return -(-wanted // BUCKET_FRAMES) * BUCKET_FRAMES


def _most(window: Packed, prompt: Sequence[int]) -> int:
    return min(CONTEXT - len(prompt), 40 + round(25 * window.frames * FRAME_S))


def _aligned(row: Row, duration: float) -> Aligned:
    assert row.seen is not None
    frames = min(row.window.frames, max(1, round(duration / FRAME_S)))
    seen = np.ascontiguousarray(row.seen[:, : row.steps, :frames])
    weights = np.empty(seen.shape[1:], np.float32)
    kernels.sharpened(seen, weights)
    text = weights[len(row.prompt) - row.start - 1 :]
    firsts = kernels.first_frames(np.ascontiguousarray(text))
    probabilities = tuple(np.exp(row.logprobs[: len(row.tokens)]).tolist())
    return Aligned(tuple((firsts[: len(row.tokens) + 1] * FRAME_S).tolist()), probabilities)


def _softmax(logits: F32) -> F32:
    powers = np.exp(logits - logits.max())
    shares: F32 = powers / powers.sum()
    return shares
