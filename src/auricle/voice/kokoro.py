"""Kokoro (hexgrad, 2025): 82 million weights that turn phonemes into speech at 24 kHz."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from auricle.voice.phonemes import English, Romance

F32 = NDArray[np.float32]

SAMPLE_RATE = 24_000

MOST_TOKENS = 508
"""Phonemes at a time: each number of them up to there has a vector of its own in a voice."""


class Kokoro:
    """The network, its voices, and what turns words into phonemes. Any number of threads may use
    it."""

    def __init__(self, folder: Path, threads: int) -> None:
        """``folder`` is that of the installed model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin while they wait take the processor from whoever works beside.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        self._network = onnxruntime.InferenceSession(
            folder / "kokoro.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._folder = folder
        self._tokens: dict[str, int] = json.loads((folder / "vocab.json").read_text())["vocab"]
        self._readers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def phonemes(self, text: str, language: str) -> str:
        """What a text sounds like, as far as the network knows the sounds."""
        with self._lock:
            if language not in self._readers:
                self._readers[language] = self._reader(language)
            found: str = self._readers[language].phonemes(text)
        return "".join(sound for sound in found if sound in self._tokens)

    def speak(self, phonemes: str, voice: str, speed: float) -> F32:
        """Samples of at most :data:`MOST_TOKENS` phonemes; none of what has no sound."""
        if not any(map(str.isalpha, phonemes)):
            return np.zeros(0, np.float32)
        tokens = [self._tokens[sound] for sound in phonemes][:MOST_TOKENS]
        style = np.fromfile(self._folder / f"voices/{voice}.bin", "<f4").reshape(-1, 256)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]]),
            "style": style[max(0, len(tokens) - 1)][None],
            "speed": np.array([speed], np.float32),
        }
        samples: F32 = self._network.run(None, inputs)[0].reshape(-1)
        return samples

    def _reader(self, language: str) -> English | Romance:
        if language.startswith("en"):
            words = self._folder / "words/en.g2p.xz"
            return English(self._folder / "english", words, british=language == "en-gb")
        short = language.partition("-")[0]
        return Romance(self._folder / f"words/{short}.g2p.xz", short)
