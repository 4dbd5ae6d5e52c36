"""Whisper through CTranslate2: the engine for GPUs, and the reference that others are held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from auricle.speech.engines.protocol import Aligned, Decoded
from auricle.speech.mel import log_mel
from auricle.speech.tokens import WhisperTokens

F32 = NDArray[np.float32]

CONTEXT = 448
"""Tokens that a Whisper decoder knows positions for."""

FRAME_S = 0.02
"""Seconds of an encoder output frame, the grain of word times."""

SAMPLES_OF_A_RETRY = 5
"""Hypotheses sampled at a temperature above 0; the most probable is kept (Whisper's best_of)."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Encoder outputs ``[windows, 1500, d_model]`` on the model's device."""

    storage: Any
    most: int = CONTEXT
    """Tokens after which a text is stopped: no one says more in so many seconds."""

    def __len__(self) -> int:
        return int(self.storage.shape[0])

    def select(self, rows: Sequence[int]) -> EncodedBatch:
        if list(rows) == list(range(len(self))):
            return self
        on_host = self.storage.to_device(ctranslate2.Device.cpu)
        chosen = np.ascontiguousarray(np.array(on_host)[list(rows)])
        return EncodedBatch(ctranslate2.StorageView.from_array(chosen), self.most)


class CTranslate2Engine:
    """A model folder in CTranslate2's format, loaded on the GPU if there is one."""

    def __init__(self, model: str, folder: Path, threads: int) -> None:
        self.model = model
        self.tokens = WhisperTokens(folder)
        on_gpu = ctranslate2.get_cuda_device_count() > 0
        self._model = ctranslate2.models.Whisper(
            str(folder),
            device="cuda" if on_gpu else "cpu",
            compute_type="float16" if on_gpu else "int8",
            intra_threads=threads,
            inter_threads=1,
        )

    def encode(self, windows: Sequence[F32]) -> EncodedBatch:
        features = np.stack([log_mel(samples, self._model.n_mels) for samples in windows])
        if self._model.device == "cuda":
            return EncodedBatch(self._model.encode(ctranslate2.StorageView.from_array(features)))
        # One at a time on a CPU: as fast, and the 72 MB of attention scores (base, one layer of
        # one window) are not needed eight times over.
        outputs = [
            np.array(self._model.encode(ctranslate2.StorageView.from_array(features[n : n + 1])))
            for n in range(len(features))
        ]
        return EncodedBatch(ctranslate2.StorageView.from_array(np.concatenate(outputs)))

    def detect_languages(self, encoded: EncodedBatch) -> list[dict[str, float]]:
        if not self._model.is_multilingual:
            return [{"en": 1.0} for _ in range(len(encoded))]
        found = self._model.detect_language(encoded.storage)
        return [{token[2:-2]: float(p) for token, p in row} for row in found]

    def decode(
        self, encoded: EncodedBatch, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        sampling: dict[str, Any] = {"beam_size": beam_size}
        if temperature > 0:
            sampling = {
                "beam_size": 1,
                "num_hypotheses": SAMPLES_OF_A_RETRY,
                "sampling_topk": 0,
                "sampling_temperature": temperature,
            }
        results = self._model.generate(
            encoded.storage,
            [list(prompt)] * len(encoded),
            return_scores=True,
            return_no_speech_prob=True,
            max_length=min(CONTEXT, len(prompt) + encoded.most),
            **sampling,
        )
        return [self._decoded(result) for result in results]

    def _decoded(self, result: Any) -> Decoded:
        tokens = tuple(token for token in result.sequences_ids[0] if token < self.tokens.end)
        # The score is a mean over the tokens; Whisper's own mean counts the end token too.
        count = len(result.sequences_ids[0])
        logprob = float(result.scores[0]) * count / (count + 1)
        return Decoded(tokens, logprob, float(result.no_speech_prob))

    def align(
        self,
        encoded: EncodedBatch,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        results = self._model.align(
            encoded.storage,
            list(start),
            [list(row) for row in tokens],
            [min(3000, max(1, round(duration * 100))) for duration in durations],
            median_filter_width=7,
        )
        return [_aligned(r, len(t)) for r, t in zip(results, tokens, strict=True)]


def _aligned(result: Any, count: int) -> Aligned:
    """From the path ``[(token, frame), ...]`` take the frame at which each token begins."""
    path = np.array(result.alignments, np.int64).reshape(-1, 2)
    first = np.searchsorted(path[:, 0], np.arange(count + 1))
    frames = np.append(path[:, 1], path[-1, 1] + 1 if len(path) else 0)[first]
    probabilities = tuple(float(p) for p in result.text_token_probs[:count])
    return Aligned(tuple((frames * FRAME_S).tolist()), probabilities)
