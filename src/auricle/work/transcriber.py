"""A file to a transcript: composes media, models and speech."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from auricle.core.settings import Settings
from auricle.media import MediaPool, RawAudio
from auricle.models import CATALOG, ModelStore, find
from auricle.models.residency import Residency
from auricle.speech import SpeechOptions
from auricle.speech.engines import Aligned, Decoded, Encoded, Engine
from auricle.speech.engines.cpu import SUPPORTED, CPUEngine
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.engines.fake import FakeEngine
from auricle.speech.options import DEFAULT_DECODING, GREEDY_FIRST, DecodeOptions
from auricle.speech.pipeline import transcribe
from auricle.speech.progress import NOBODY, NOTHING_DONE, Checkpoint, Watcher
from auricle.speech.vad import VoiceActivity
from auricle.transcript import Transcript
from auricle.work.device import gpu
from auricle.work.meter import Meter

log = logging.getLogger(__name__)

F32 = NDArray[np.float32]

DECODING = {
    "fake": DecodeOptions(batch_size=1),
    "cpu": GREEDY_FIRST,
    "ctranslate2": DEFAULT_DECODING,
}
"""By engine."""


@dataclass(frozen=True, slots=True)
class FileJob:
    """What to do with a file."""

    name: str
    """As its sender called it."""
    model: str
    options: SpeechOptions
    max_seconds: float
    """Decoded seconds above which it is refused."""
    raw: RawAudio | None = None


class Transcriber:
    """Loads models as they are asked for and transcribes files with them. Thread-safe."""

    def __init__(self, settings: Settings, store: ModelStore, media: MediaPool) -> None:
        self._settings = settings
        self._store = store
        self._media = media
        self._models: Residency[Engine] = Residency(self._load)
        self._engine = engine_for(settings)
        self.fell_back = settings.engine == "auto" and not SUPPORTED and not gpu()[0]
        if self.fell_back:
            log.warning(
                "this processor has neither AVX-512 VNNI nor AVX-VNNI, and there is no GPU: "
                "CTranslate2 does the work, at about a quarter of the speed"
            )
        self._decoding = DECODING[self._engine]
        self.meter = Meter(self._decoding.batch_size)

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models that can be loaded."""
        known = CATALOG if self._fake else self._store.installed()
        return tuple(model.id for model in known)

    def transcribe(
        self,
        file: BinaryIO,
        job: FileJob,
        *,
        watcher: Watcher = NOBODY,
        resume: Checkpoint = NOTHING_DONE,
    ) -> Transcript:
        """Transcribe a file with an installed model; ``watcher`` may raise to stop it."""
        with self._models.hold(job.model) as engine, self.meter.transcribing():
            found = transcribe(
                self._media.decode(file, job.name, max_seconds=job.max_seconds, raw=job.raw),
                engine,
                job.options,
                voice=self._voice,
                decoding=self._decoding,
                watcher=watcher,
                resume=resume,
            )
        self.meter.heard(found.duration - resume.done)
        return found

    def warm_up(self, model_id: str) -> None:
        """Load a model, so that the first request does not wait for it."""
        with self._models.hold(model_id) as engine:
            warm_up(engine)
        self._voice.stream().feed(np.zeros(16_000, np.float32))

    @cached_property
    def _voice(self) -> VoiceActivity:
        return VoiceActivity()

    @property
    def _fake(self) -> bool:
        return self._engine == "fake"

    def _load(self, model_id: str) -> Engine:
        if self._fake:
            seconds = self._settings.engine.partition(":")[2]
            return FakeEngine(seconds=float(seconds or 0))
        folder, count = self._store.path(find(model_id)), threads(self._settings)
        kind = CPUEngine if self._engine == "cpu" else CTranslate2Engine
        return OwnedEngine(kind(model_id, folder, count), self.meter)


def engine_for(settings: Settings) -> Literal["fake", "cpu", "ctranslate2"]:
    """The engine that a worker with these settings uses on this machine."""
    if settings.engine.startswith("fake"):
        return "fake"
    if settings.engine == "ctranslate2" or gpu()[0] or not SUPPORTED:
        return "ctranslate2"
    return "cpu"


def warm_up(engine: Engine) -> None:
    """Have an engine do all that it does for a recording, so that no request waits for it."""
    silence = np.zeros(16_000, np.float32)
    encoded = engine.encode([silence])
    prompt = engine.tokens.prompt("en", "transcribe")
    (found,) = engine.decode(encoded, prompt, 1, 0.0)
    engine.align(encoded, engine.tokens.start_sequence("en", "transcribe"), [found.tokens], [1.0])


def prepare(settings: Settings, store: ModelStore, model_id: str) -> None:
    """Compile the kernels that a model needs, once for a processor."""
    if engine_for(settings) == "cpu":
        warm_up(CPUEngine(model_id, store.path(find(model_id)), threads(settings)))


def threads(settings: Settings) -> int:
    """Processor threads of an engine."""
    return settings.threads or available_cores()


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


class OwnedEngine:
    """An engine whose device belongs to one thread; callers wait their turn, batch by batch."""

    def __init__(self, engine: Engine, meter: Meter) -> None:
        self._meter = meter
        self.model = engine.model
        self.tokens = engine.tokens
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"engine-{engine.model}")

    def encode(self, windows: Sequence[F32]) -> Encoded:
        self._meter.batch(len(windows))
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
