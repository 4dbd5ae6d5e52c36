"""A file to a transcript: composes media, models and speech."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from tempfile import TemporaryFile
from typing import BinaryIO, Literal

import numpy as np

from auricle.core.errors import BadMedia, TooLong
from auricle.core.settings import Settings
from auricle.media import MediaPool, RawAudio
from auricle.models import CATALOG, Model, ModelStore, find
from auricle.models.residency import Residency
from auricle.speech import SpeechOptions
from auricle.speech.engines import Align, Decode, Encode, Engine
from auricle.speech.engines.batched import Batched
from auricle.speech.engines.fake import FakeEngine
from auricle.speech.options import DEFAULT_DECODING, GREEDY_FIRST, DecodeOptions
from auricle.speech.pipeline import EngineAccess, transcribe
from auricle.speech.progress import NOBODY, NOTHING_DONE, Checkpoint, Watcher
from auricle.speech.scheduler import ANYTIME, Claim, Scheduler
from auricle.speech.selftest import times_real_time
from auricle.speech.vad import FRAME_SAMPLES, VoiceActivity
from auricle.transcript import Transcript
from auricle.work.cores import threads
from auricle.work.device import gpu
from auricle.work.meter import Meter
from auricle.work.quieter import quieter
from auricle.work.speakers import NOBODY_ASKED, Asked, Speakers

log = logging.getLogger(__name__)

PADDING_S = 0.5
"""What encoders add at the ends of a clip that is cut to the limit."""

BATCH, GPU_BATCH = 8, 16
"""Windows that CTranslate2 decodes together."""


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
    claim: Claim = ANYTIME
    speakers: Asked = NOBODY_ASKED
    enhance: bool = False
    """Whether noise is taken out first, of a file with a header."""


class Transcriber:
    """Loads models as they are asked for and transcribes files with them. Thread-safe."""

    def __init__(self, settings: Settings, store: ModelStore, media: MediaPool) -> None:
        self._settings = settings
        self._store = store
        self._media = media
        self._models: Residency[Engine] = Residency(self._load)
        self.speakers = Speakers(store, settings.diarizer)
        self._engine = engine_for(settings)
        self.fell_back = settings.engine == "auto" and self._engine != "cpu" and not gpu()[0]
        if self.fell_back:
            log.warning(
                "this processor has neither AVX-512 VNNI nor AVX-VNNI, and there is no GPU: "
                "CTranslate2 does the work, at about a quarter of the speed"
            )
        self.meter = Meter()
        self._scheduler = Scheduler(self.meter.worked)

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
        if job.enhance and job.raw is None:
            blocks = quieter(self._media, file, job.name, job.max_seconds, self._store)
        else:
            blocks = self._media.decode(file, job.name, max_seconds=job.max_seconds, raw=job.raw)
        with (
            self._models.hold(job.model) as engine,
            self.meter.transcribing(),
            self.speakers.beside(blocks, job.speakers) as listening,
        ):
            found = transcribe(
                listening.blocks,
                EngineAccess(engine, self._scheduler, decoding_for(engine), job.claim),
                job.options,
                voice=self._voice,
                watcher=watcher,
                resume=resume,
            )
            found = listening.told(found)
        self.meter.heard(found.duration - resume.done)
        return found

    def print_of(self, clip: bytes, longest_s: float) -> list[float]:
        """The print of the voice that speaks longest in a clip: 192 numbers of unit length.

        Raises :class:`BadMedia`, :class:`TooLong` and :class:`ModelNotInstalled`.
        """
        session = self.speakers.ours().session()
        with TemporaryFile() as file:
            file.write(clip)
            file.seek(0)
            try:
                for block in self._media.decode(file, max_seconds=longest_s + PADDING_S):
                    session.feed(block)
            except TooLong as error:
                raise TooLong(
                    f"The clip is longer than {longest_s:g} seconds. Send a shorter one."
                ) from error
        found = session.finish(1)
        if found.prints is None or not len(found.prints):
            raise BadMedia("Nobody is heard speaking. Send some seconds of that voice alone.")
        return [float(number) for number in found.prints[0]]

    @contextmanager
    def live(self, model: str, claim: Claim) -> Iterator[tuple[EngineAccess, VoiceActivity]]:
        """Have a model at hand for a live session; it may take a while to load."""
        with self._models.hold(model) as engine, self.meter.listening():
            access = EngineAccess(engine, self._scheduler, decoding_for(engine), claim)
            yield access, self._voice

    def warm_up(self, model_id: str) -> None:
        """Load a model, so that the first request does not wait for it."""
        with self._models.hold(model_id) as engine:
            self._scheduler.submit(engine, _warm_up(engine)).result()
        self._voice.stream().feed(np.zeros(16_000, np.float32))
        # Beside what follows: it imports for a second, and words can be written down without.
        threading.Thread(target=self.speakers.warm_up, name="diarizer", daemon=True).start()

    @cached_property
    def _voice(self) -> VoiceActivity:
        return VoiceActivity()

    @property
    def _fake(self) -> bool:
        return self._engine == "fake"

    def _load(self, model_id: str) -> Engine:
        if self._fake:
            seconds = self._settings.engine.partition(":")[2]
            return Batched(FakeEngine(seconds=float(seconds or 0)), 1)
        return load(self._settings, self._store, model_id)


def engine_for(settings: Settings) -> Literal["fake", "cpu", "ctranslate2"]:
    """The engine that a worker with these settings uses on this machine."""
    if settings.engine.startswith("fake"):
        return "fake"
    if settings.engine == "ctranslate2" or gpu()[0]:
        return "ctranslate2"
    from auricle.speech.engines.cpu import SUPPORTED  # noqa: PLC0415  (takes seconds)

    return "cpu" if SUPPORTED else "ctranslate2"


def decoding_for(engine: Engine) -> DecodeOptions:
    """How an engine's windows are decoded: by CTranslate2 in whole batches, or by our kernels."""
    return DEFAULT_DECODING if isinstance(engine, Batched) else GREEDY_FIRST


def warm_up(engine: Engine) -> None:
    """Have an engine do all that it does for a recording, so that no request waits for it."""
    Scheduler().submit(engine, _warm_up(engine)).result()


async def _warm_up(engine: Engine) -> None:
    encoded = await Encode(np.zeros(16_000, np.float32))
    found = await Decode(encoded, engine.tokens.prompt("en", "transcribe"), 1, 0.0)
    await Align(encoded, engine.tokens.start_sequence("en", "transcribe"), found.tokens, 1.0)


def load(settings: Settings, store: ModelStore, model_id: str) -> Engine:
    """Load a model into the engine that is used for it on this machine."""
    folder, count = store.path(find(model_id)), threads(settings)
    # Imported here: each takes a second or two, and a process needs one or neither.
    if engine_for(settings) == "cpu":
        from auricle.speech.engines.cpu import CPUEngine  # noqa: PLC0415

        return CPUEngine(model_id, folder, count)
    from auricle.speech.engines.ctranslate2 import CTranslate2Engine  # noqa: PLC0415

    return Batched(CTranslate2Engine(model_id, folder, count), GPU_BATCH if gpu()[0] else BATCH)


def prepare(settings: Settings, store: ModelStore, model: Model) -> None:
    """Compile the kernels that a model needs, and note its speed, once for a processor."""
    if model.kind == "speakers":
        Speakers(store).warm_up()
    elif model.kind == "speech" and store.speeds.measured(model) is None:
        engine = load(settings, store, model.id)
        warm_up(engine)
        VoiceActivity().stream().feed(np.zeros(FRAME_SAMPLES, np.float32))
        store.speeds.note(model, times_real_time(engine))
