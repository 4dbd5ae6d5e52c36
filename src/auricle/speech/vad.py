"""Voice activity: Silero's network, run over a stream.

The ONNX file is the one inside the faster-whisper package (Silero VAD v6, MIT). Its inputs are 576
samples (a frame of 512 and the 64 before it) and the two states of its LSTM; many frames may be
given at once. It answers the probability of speech for each frame of 32 ms.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

FRAME_SAMPLES = 512
FRAME_S = FRAME_SAMPLES / 16_000
_CONTEXT = 64

LOUD = 0.1
"""Sound whose peaks reach this is given to the network as it is; quieter sound is raised to it."""

MOST_GAIN = 100.0
MEMORY = 0.5
"""Share of the last block's level that still counts in the next one."""

LOUDER = 1000
"""One sample in so many may be louder than what counts as the peak: clicks do not."""

AT_ONCE = 32
"""Frames that the network is given at once: with more, they leave the processor's caches."""

F32 = NDArray[np.float32]


class Stream(Protocol):
    """Speech probabilities of one recording; see :class:`VoiceStream`."""

    def feed(self, samples: F32, *, last: bool = False) -> F32:
        """Return the probabilities of the frames that are complete."""
        ...


class Voice(Protocol):
    """Anything that tells speech from silence, frame by frame of 32 ms."""

    def stream(self) -> Stream:
        """Start on a recording."""
        ...


class VoiceActivity:
    """The loaded network; :meth:`stream` starts on one recording. Thread-safe."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        path = files("faster_whisper") / "assets" / "silero_vad_v6.onnx"
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def stream(self) -> VoiceStream:
        """Start on a recording."""
        return VoiceStream(self._session)


class VoiceStream:
    """Turns the samples of one recording into speech probabilities, block by block."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._pending: F32 = np.zeros(_CONTEXT, np.float32)
        self._level = 0.0

    def feed(self, samples: F32, *, last: bool = False) -> F32:
        """Return the probabilities of the frames that are complete; ``last`` completes the rest."""
        pending = np.concatenate([self._pending, self._raised(samples)])
        count, rest = divmod(len(pending) - _CONTEXT, FRAME_SAMPLES)
        if last and rest:
            pending = np.pad(pending, (0, FRAME_SAMPLES - rest))
            count += 1
        if not count:
            self._pending = pending
            return np.zeros(0, np.float32)
        view = np.lib.stride_tricks.sliding_window_view(pending, _CONTEXT + FRAME_SAMPLES)
        frames = np.ascontiguousarray(view[: count * FRAME_SAMPLES : FRAME_SAMPLES])
        self._pending = pending[count * FRAME_SAMPLES :]
        return np.concatenate(
            [self._run(frames[at : at + AT_ONCE]) for at in range(0, count, AT_ONCE)]
        )

    def _run(self, frames: F32) -> F32:
        output, self._h, self._c = self._session.run(
            None, {"input": frames, "h": self._h, "c": self._c}
        )
        probabilities: F32 = np.asarray(output, np.float32).reshape(-1)
        return probabilities

    def _raised(self, samples: F32) -> F32:
        """Raise quiet sound: the network misses speech at -50 dB."""
        if not len(samples):
            return samples
        place = len(samples) - 1 - len(samples) // LOUDER
        peak = float(np.partition(np.abs(samples), place)[place])
        self._level = max(peak, MEMORY * self._level)
        gain = min(MOST_GAIN, max(1.0, LOUD / max(self._level, 1e-9)))
        return (samples * np.float32(gain)).clip(-1, 1)
