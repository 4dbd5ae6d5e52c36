"""The two networks, loaded: who speaks when within ten seconds, and whose voice that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from auricle.speech.diarization import graphs
from auricle.speech.diarization.checkpoint import read_weights
from auricle.speech.diarization.kernels.dense import DenseLayers
from auricle.speech.diarization.kernels.head import Head
from auricle.speech.diarization.kernels.lstm import UNIT, ZERO, Recurrent
from auricle.speech.diarization.kernels.sincnet import POOLED, Convolutions, rectify
from auricle.speech.engines.cpu.lanes import PANEL, SUPPORTED

SEGMENTATION_FILE = "segmentation.pt"
VOICES_FILE = "voices.pt"

WINDOW_SAMPLES = 160_000
"""Ten seconds: what the segmentation was trained on."""
FRAME_SAMPLES = 270
"""From one of its frames to the next."""
FRAME_CENTRE = 495
"""From its first sample to the middle of what its first frame hears."""
FRAMES = 589
VOICES = 3
"""Voices that it tells apart in a window."""

PRINT = 192
"""Numbers of a voice print."""

_SETS = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32
)
"""Which voices each of the segmentation's classes means."""

FILTER_STEP = 10
"""Samples from one of the filter bank's to the next."""

_QUIETEST = 1e-5

F32 = NDArray[np.float32]

Weights = Mapping[str, NDArray[Any]]

_Segment = Callable[[Sequence[F32]], F32]
"""Windows ``[5325, 80]`` that went through the filters to log probabilities of the sets
``[windows, 589, 7]``."""

_Voices = Callable[[F32], F32]
"""Spectra ``[frames, 80]`` to ``[frames / 2, 512]``."""


class Networks:
    """Each call takes one thread. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        voices = read_weights(folder / VOICES_FILE)
        segmentation = read_weights(folder / SEGMENTATION_FILE)
        self._filter_bank = _session(graphs.filter_bank(segmentation))
        self._segment: _Segment = (_SegmentKernels if SUPPORTED else _SegmentGraph)(segmentation)
        self._scale, self._shift = (
            float(segmentation[f"sincnet.wav_norm1d.{part}"][0]) for part in ("weight", "bias")
        )
        self._sums = graphs.sinc_filters(segmentation).sum(axis=(1, 2))
        self._voices: _Voices = (_VoiceKernels if SUPPORTED else _VoiceGraph)(voices)
        self._last, self._bias = graphs.last_layer(voices)

    def segment(self, sound: F32, firsts: Sequence[int]) -> F32:
        """Probability that each of three voices speaks, ``[windows, 589, 3]``.

        The windows begin at frames ``firsts`` of ``sound``. They are brought to the same level: the
        network's own normalisation does not reach very quiet recordings.
        """
        (filtered,) = self._filter_bank.run(None, {"samples": sound[None, None]})
        windows = []
        for first in firsts:
            window = np.empty((POOLED, len(self._sums)), np.float32)
            samples = sound[first * FRAME_SAMPLES :][:WINDOW_SAMPLES]
            scale = np.float32(self._scale / max(float(samples.std()), _QUIETEST))
            shifts = self._sums * np.float32(self._shift - scale * float(samples.mean()))
            rectify(filtered[0], first * FRAME_SAMPLES // FILTER_STEP, scale, shifts, window)
            windows.append(window)
        probabilities: F32 = np.einsum("wfc,cv->wfv", np.exp(self._segment(windows)), _SETS)
        return probabilities

    def voice_frames(self, spectra: F32) -> F32:
        """What voice prints are made of, ``[frames / 2, 512]``, for spectra ``[frames, 80]``.

        One pass serves every voice in it: frames are chosen afterwards.
        """
        return self._voices(spectra - spectra.mean(axis=0))

    def voice_print(self, frames: F32) -> F32:
        """``[192]``, of unit length, of a voice's frames ``[frames, 512]``; at least two."""
        mean = frames.mean(axis=0)
        deviation = np.sqrt(np.square(frames - mean).sum(axis=0) / (len(frames) - 1))
        found = np.einsum("oi,i->o", self._last, np.concatenate([mean, deviation])) + self._bias
        return unit(found)


class _SegmentKernels:
    """The segmentation after its filters, by kernels of our own."""

    def __init__(self, weights: Weights) -> None:
        self._convolutions = Convolutions(weights)
        self._recurrent = Recurrent(weights, PANEL)
        self._ending = _session(graphs.ending(weights))

    def __call__(self, windows: Sequence[F32]) -> F32:
        given = np.empty((FRAMES, len(windows), PANEL), np.uint8)
        scales = np.empty((FRAMES, len(windows)), np.float32)
        for number, window in enumerate(windows):
            given[:, number], scales[:, number] = self._convolutions(window)
        heard = self._recurrent(given, scales)
        states = (heard.astype(np.float32) - np.float32(ZERO)) * UNIT
        (logs,) = self._ending.run(None, {"states": states})
        return np.asarray(logs, np.float32).swapaxes(0, 1)


class _SegmentGraph:
    """The same by ONNX Runtime."""

    def __init__(self, weights: Weights) -> None:
        self._session = _session(graphs.segmentation(weights))

    def __call__(self, windows: Sequence[F32]) -> F32:
        (logs,) = self._session.run(None, {"sound": np.stack(windows).swapaxes(1, 2)})
        return np.asarray(logs, np.float32)


class _VoiceKernels:
    """CAM++ up to its pooling, by kernels of our own."""

    def __init__(self, weights: Weights) -> None:
        self._head, self._dense = Head(weights), DenseLayers(weights)

    def __call__(self, spectra: F32) -> F32:
        return self._dense(self._head(spectra))


class _VoiceGraph:
    """The same by ONNX Runtime."""

    def __init__(self, weights: Weights) -> None:
        self._session = _session(graphs.voice_frames(weights))

    def __call__(self, spectra: F32) -> F32:
        (frames,) = self._session.run(None, {"spectra": spectra[None]})
        return np.asarray(frames[0], np.float32)


def unit(vectors: F32) -> F32:
    """The same directions with length 1, along the last axis."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
