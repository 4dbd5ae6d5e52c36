"""A file to a transcript: composes media, models and speech."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.core.settings import Settings
from auricle.media import MediaPool
from auricle.models import ModelStore, find
from auricle.models.residency import Residency
from auricle.speech import SpeechOptions
from auricle.speech.engines import Aligned, Decoded, Encoded, Engine
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.pipeline import Progress, transcribe
from auricle.speech.vad import VoiceActivity
from auricle.transcript import Transcript

F32 = NDArray[np.float32]


class Transcriber:
    """Loads models as they are asked for and transcribes files with them. Thread-safe."""

    def __init__(self, settings: Settings, store: ModelStore, media: MediaPool) -> None:
        self._settings = settings
        self._store = store
        self._media = media
        self._models: Residency[Engine] = Residency(self._load)

    def transcribe(
        self,
        path: Path,
        name: str,
        model_id: str,
        options: SpeechOptions,
        on_progress: Callable[[Progress], None],
    ) -> Transcript:
        """Transcribe a file with an installed model; ``on_progress`` may raise to stop it."""
        with self._models.hold(model_id) as engine, path.open("rb") as file:
            limit = self._settings.max_audio_hours * 3600
            blocks = self._media.decode(file, name, max_seconds=limit)
            return transcribe(blocks, engine, options, voice=self._voice, on_progress=on_progress)

    def warm_up(self, model_id: str) -> None:
        """Load a model, so that the first request does not wait for it."""
        with self._models.hold(model_id) as engine:
            engine.encode([np.zeros(16_000, np.float32)])
        self._voice.stream().feed(np.zeros(16_000, np.float32))

    @cached_property
    def _voice(self) -> VoiceActivity:
        return VoiceActivity()

    def _load(self, model_id: str) -> Engine:
        folder = self._store.path(find(model_id))
        return OwnedEngine(CTranslate2Engine(model_id, folder, threads(self._settings)))


def threads(settings: Settings) -> int:
    """Processor threads of an engine."""
    return settings.threads or available_cores()


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


class OwnedEngine:
    """An engine whose device belongs to one thread; callers wait their turn, batch by batch."""

    def __init__(self, engine: Engine) -> None:
        self.model = engine.model
        self.tokens = engine.tokens
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"engine-{engine.model}")

    def encode(self, windows: Sequence[F32]) -> Encoded:
        return self._thread.submit(self._engine.encode, windows).result()

    def detect_languages(self, encoded: Any) -> list[dict[str, float]]:
        return self._thread.submit(self._engine.detect_languages, encoded).result()

    def decode(
        self, encoded: Any, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        call = self._thread.submit(self._engine.decode, encoded, prompt, beam_size, temperature)
        return call.result()

    def align(
        self,
        encoded: Any,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        return self._thread.submit(self._engine.align, encoded, start, tokens, durations).result()
