"""The two networks, loaded: who speaks when within ten seconds, and whose voice that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from auricle.speech.diarization import graphs
from auricle.speech.diarization.checkpoint import read_weights
from auricle.speech.diarization.kernels import DenseLayers, rectify
from auricle.speech.engines.cpu.lanes import SUPPORTED

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
POOLED = 5325
"""Samples from one of the filter bank's to the next, and a third of how many a window has."""

_QUIETEST = 1e-5

F32 = NDArray[np.float32]


class Networks:
    """Each call takes one thread. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        voices = read_weights(folder / VOICES_FILE)
        segmentation = read_weights(folder / SEGMENTATION_FILE)
        self._filter_bank = _session(graphs.filter_bank(segmentation))
        self._segmentation = _session(graphs.segmentation(segmentation))
        self._scale, self._shift = (
            float(segmentation[f"sincnet.wav_norm1d.{part}"][0]) for part in ("weight", "bias")
        )
        self._sums = graphs.sinc_filters(segmentation).sum(axis=(1, 2))
        self._dense = DenseLayers(voices) if SUPPORTED else None
        voice_graph = graphs.voice_beginning if SUPPORTED else graphs.voice_frames
        self._voices = _session(voice_graph(voices))
        self._last, self._bias = graphs.last_layer(voices)

    def segment(self, sound: F32, firsts: Sequence[int]) -> F32:
        """Probability that each of three voices speaks, ``[windows, 589, 3]``.

        The windows begin at frames ``firsts`` of ``sound``. They are brought to the same level: the
        network's own normalisation does not reach very quiet recordings.
        """
        (filtered,) = self._filter_bank.run(None, {"samples": sound[None, None]})
        windows = np.empty((len(firsts), len(self._sums), POOLED), np.float32)
        for window, first in zip(windows, firsts, strict=True):
            samples = sound[first * FRAME_SAMPLES :][:WINDOW_SAMPLES]
            scale = np.float32(self._scale / max(float(samples.std()), _QUIETEST))
            shifts = self._sums * np.float32(self._shift - scale * float(samples.mean()))
            rectify(filtered[0], first * FRAME_SAMPLES // FILTER_STEP, scale, shifts, window)
        (logs,) = self._segmentation.run(None, {"sound": windows})
        probabilities: F32 = np.einsum("wfc,cv->wfv", np.exp(logs), _SETS)
        return probabilities

    def voice_frames(self, spectra: F32) -> F32:
        """What voice prints are made of, ``[frames / 2, 512]``, for spectra ``[frames, 80]``.

        One pass serves every voice in it: frames are chosen afterwards.
        """
        spectra = spectra - spectra.mean(axis=0)
        (frames,) = self._voices.run(None, {"spectra": spectra[None]})
        found: F32 = frames[0]
        return self._dense(found) if self._dense else found

    def voice_print(self, frames: F32) -> F32:
        """``[192]``, of unit length, of a voice's frames ``[frames, 512]``; at least two."""
        mean = frames.mean(axis=0)
        deviation = np.sqrt(np.square(frames - mean).sum(axis=0) / (len(frames) - 1))
        found = np.einsum("oi,i->o", self._last, np.concatenate([mean, deviation])) + self._bias
        return unit(found)


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
