"""Voice activity: Silero's network, run over a stream.

The ONNX file is the one inside the faster-whisper package (Silero VAD v6, MIT). Its inputs are 576
samples (a frame of 512 and the 64 before it) and the two states of its LSTM; many frames may be
given at once. It answers the probability of speech for each frame of 32 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
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

Network = Callable[[F32, F32, F32], F32]
"""Frames ``[count, 576]`` and the LSTM's two states ``[128]``, which it changes, to
probabilities."""


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
        # Imported here: it takes a second, for which the start of a worker need not wait.
        from auricle.speech.engines.cpu import SUPPORTED  # noqa: PLC0415

        self._network = (by_kernels if SUPPORTED else by_graph)()

    def stream(self) -> VoiceStream:
        """Start on a recording."""
        return VoiceStream(self._network)


class VoiceStream:
    """Turns the samples of one recording into speech probabilities, block by block."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._hidden, self._cell = np.zeros(128, np.float32), np.zeros(128, np.float32)
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
        parts = [frames[at : at + AT_ONCE] for at in range(0, count, AT_ONCE)]
        return np.concatenate([self._network(part, self._hidden, self._cell) for part in parts])

    def _raised(self, samples: F32) -> F32:
        """Raise quiet sound: the network misses speech at -50 dB."""
        if not len(samples):
            return samples
        place = len(samples) - 1 - len(samples) // LOUDER
        peak = float(np.partition(np.abs(samples), place)[place])
        self._level = max(peak, MEMORY * self._level)
        gain = min(MOST_GAIN, max(1.0, LOUD / max(self._level, 1e-9)))
        return (samples * np.float32(gain)).clip(-1, 1)


def _path() -> Path:
    package = find_spec("faster_whisper")  # not imported: that takes a fifth of a second
    assert package is not None
    return Path(str(package.origin)).with_name("assets") / "silero_vad_v6.onnx"


def by_kernels() -> Network:
    """The network by kernels of our own."""
    import onnx  # noqa: PLC0415
    from onnx import numpy_helper  # noqa: PLC0415

    from auricle.speech.silero import Silero  # noqa: PLC0415

    tensors = onnx.load(_path()).graph.initializer
    return Silero({tensor.name: numpy_helper.to_array(tensor) for tensor in tensors})


def by_graph() -> Network:
    """The network by ONNX Runtime, for other processors."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(
        str(_path()), options, providers=["CPUExecutionProvider"]
    )

    def hear(frames: F32, hidden: F32, cell: F32) -> F32:
        states = {"h": hidden[None, None], "c": cell[None, None]}
        output, after, kept = session.run(None, {"input": frames, **states})
        hidden[:], cell[:] = after[0, 0], kept[0, 0]
        return np.asarray(output, np.float32).reshape(-1)

    return hear
