"""The voice engine: cleans recordings and speaks texts. Everything here blocks."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from auricle.core.errors import BadRequest, TooLong, Unavailable
from auricle.core.settings import Settings
from auricle.media import MediaPool
from auricle.models import SPEAKERS, Model, ModelStore, not_installed, work_not_installed
from auricle.models.idle import Idle
from auricle.models.voice import CLONING, DENOISER, F5, KOKORO, POCKET
from auricle.speech import SpeechOptions
from auricle.speech.vad import VoiceActivity
from auricle.text.languages import detect
from auricle.voice import requests, voices
from auricle.voice.formats import FORMATS
from auricle.work import reference
from auricle.work.speakers import Speakers

if TYPE_CHECKING:
    from auricle.work.transcriber import Transcriber

F32 = NDArray[np.float32]
Emit = Callable[[Any], None]
Tick = Callable[[], None]

log = logging.getLogger(__name__)

IDLE_S = 600.0
"""Seconds after which a model that nobody uses is unloaded."""

PIECE = 1 << 20
"""Bytes that are sent at a time."""

SYNTHETIC = {
    "comment": "Synthetic speech, made by a computer (Auricle).",
    "encoded_by": "Auricle",
}
"""What files that were never spoken say of themselves."""

_ENGINES = {
    POCKET.id: ("auricle.voice.pocket", "PocketTTS"),
    F5.id: ("auricle.voice.f5", "F5TTS"),
}
"""Modules and classes; their packages are optional."""

ROOM_BYTES = 500_000_000
"""What stays free on the disk."""


@dataclass(frozen=True, slots=True)
class Made:
    """A whole file, to be sent and closed by whoever gets it."""

    file: IO[bytes]
    begun: requests.Begun


class VoiceEngine:
    """Does what :mod:`auricle.voice.requests` asks for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = ModelStore(settings.models_dir)
        self._threads = settings.threads or os.cpu_count() or 1
        self._media: Idle[MediaPool] = Idle(MediaPool, math.inf)
        self._denoiser: Idle[Any] = Idle(self._load_denoiser, IDLE_S)
        self._kokoro: Idle[Any] = Idle(self._load_kokoro, IDLE_S)
        self._cloners: dict[str, Idle[Any]] = {
            model.id: Idle(partial(self._load_cloner, model), IDLE_S) for model in CLONING
        }
        self._speaking = threading.Lock()
        self._speakers = Speakers(self._store)
        self._voice: Idle[VoiceActivity] = Idle(VoiceActivity, IDLE_S)
        self._transcriber: Transcriber | None = None

    def unload_idle(self) -> None:
        """Unload what nobody has used for a while."""
        for model in (self._denoiser, self._kokoro, self._voice, *self._cloners.values()):
            if model.unload_if_idle():
                log.info("a model was unloaded, because nobody used it")

    def run(self, request: requests.Request, emit: Emit, tick: Tick) -> Made | None:
        """Do what is asked; a text that is spoken has been emitted when this returns.

        Raises :class:`ModelNotInstalled`, what is wrong with the request, and what the callbacks
        raise.
        """
        match request:
            case requests.Enhance():
                return self._enhance(request, tick)
            case requests.Clone():
                return self._clone(request, tick)
            case requests.Speak():
                self._speak(request, emit, tick)
        return None

    def _load_denoiser(self) -> Any:
        from auricle.voice.deepfilter import DeepFilterNet  # noqa: PLC0415  (loads the runtime)

        if not self._store.has(DENOISER):
            raise work_not_installed(DENOISER, "Taking noise out")
        archive = self._store.path(DENOISER) / next(iter(DENOISER.files))
        return DeepFilterNet(archive, self._threads)

    def _load_kokoro(self) -> Any:
        if not self._store.has(KOKORO):
            raise work_not_installed(KOKORO, "Speaking")
        from auricle.voice.kokoro import Kokoro  # noqa: PLC0415

        return Kokoro(self._store.path(KOKORO), self._threads)

    def _speak(self, request: requests.Speak, emit: Emit, tick: Tick) -> None:
        """Piece by piece: the first is heard while the next is made."""
        with self._kokoro.hold() as kokoro:
            from auricle.voice import encode  # noqa: PLC0415
            from auricle.voice.kokoro import SAMPLE_RATE  # noqa: PLC0415
            from auricle.voice.prepare import pieces  # noqa: PLC0415
            from auricle.voice.speak import speak  # noqa: PLC0415

            asked = request.language or _heard_in(request.voice, request.text)
            voice, language = voices.choose(request.voice, asked)

            def say(text: str) -> F32:
                sounds = kokoro.phonemes(text, language)
                spoken: F32 = kokoro.speak(sounds, voice, request.speed)
                return spoken

            shape = FORMATS[request.format]
            samples = speak(pieces(request.text, language), say, SAMPLE_RATE, tick)
            blocks = (block[:, None] for block in samples)
            begun = requests.Begun(shape.media_type, KOKORO.id, voice=voice, language=language)
            made = encode.stream(request.format, blocks, SAMPLE_RATE, SYNTHETIC)
            first = next(made, b"")
            if not first:
                raise BadRequest("There is nothing in the text that can be spoken.")
            emit(begun)
            for data in itertools.chain((first,), made):
                emit({"data": data})

    def _clone(self, request: requests.Clone, tick: Tick) -> Made:
        from auricle.voice import encode  # noqa: PLC0415
        from auricle.voice.cloning import REFERENCE_RATE  # noqa: PLC0415
        from auricle.voice.prepare import pieces  # noqa: PLC0415
        from auricle.voice.speak import speak  # noqa: PLC0415

        began = time.monotonic()
        with self._media.hold() as media, Path(request.path).open("rb") as file:
            self._check(media, file, request.name)
            model = self._cloning(request.model)
            heard = media.sound(
                file, request.name, rate=REFERENCE_RATE, max_seconds=reference.MOST_S
            )
            voice = np.concatenate([block.mean(axis=1) for block in heard])
            digest = hashlib.sha256(voice.tobytes()).hexdigest()
            log.info(
                "a voice is cloned for %s: %s, %d characters, reference %s, consent %s",
                *(request.who, model.id, len(request.text), digest[:16], request.consent),
            )
            with self._cloners[model.id].hold() as cloner, self._kept() as done:
                words = self._words(media, file, request.name) if cloner.needs_words else ""

                def say(text: str) -> F32:
                    with self._speaking:
                        return np.concatenate(list(cloner.clone(voice, words, text)))

                samples = speak(pieces(request.text, "en"), say, cloner.sample_rate, tick)
                blocks = (block[:, None] for block in samples)
                count = encode.write(done, request.format, blocks, cloner.sample_rate, SYNTHETIC)
                if not count:
                    raise BadRequest("There is nothing in the text that can be spoken.")
                begun = requests.Begun(
                    media_type=FORMATS[request.format].media_type,
                    model=model.id,
                    seconds=count / cloner.sample_rate,
                    took_s=time.monotonic() - began,
                    bytes=done.seek(0, os.SEEK_END),
                )
                return Made(done, begun)

    def _check(self, media: MediaPool, file: BinaryIO, name: str) -> None:
        """Refuse a reference that no voice can be learned from."""
        try:
            blocks = list(media.decode(file, name, max_seconds=reference.MOST_S))
        except TooLong as error:
            raise reference.too_long() from error
        diarizer = None
        if self._store.has(SPEAKERS):
            diarizer = self._speakers.ours()
        else:
            log.warning("two voices in a reference are not noticed: no model tells speakers apart")
        with self._voice.hold() as voice:
            reference.check(np.concatenate(blocks), voice, diarizer)

    def _cloning(self, asked: str) -> Model:
        """The model that clones. Raises :class:`ModelNotInstalled`."""
        wanted = [model for model in CLONING if asked in ("", model.id)]
        found = [model for model in wanted if self._store.has(model)]
        if not found:
            raise work_not_installed(wanted[0], "Cloning a voice")
        return found[0]

    def _load_cloner(self, model: Model) -> Any:
        try:
            engine: Any = importlib.import_module(_ENGINES[model.id][0])
        except ImportError as error:
            log.warning("%s cannot be loaded: %s", model.id, error)
            raise work_not_installed(model, "Cloning a voice") from error
        return getattr(engine, _ENGINES[model.id][1])(self._store.path(model), self._threads)

    def _words(self, media: MediaPool, file: BinaryIO, name: str) -> str:
        """What is said in a reference."""
        # Imported here: it takes seconds, and few processes that speak have to listen.
        from auricle.work.transcriber import FileJob, Transcriber  # noqa: PLC0415

        speech = self._store.default(self._settings.default_model)
        if speech is None:
            raise not_installed("base", ())
        with self._speaking:
            if self._transcriber is None:
                self._transcriber = Transcriber(self._settings, self._store, media)
        job = FileJob(name, speech, SpeechOptions(), reference.MOST_S)
        return self._transcriber.transcribe(file, job).text

    def _enhance(self, request: requests.Enhance, tick: Tick) -> Made:
        """Twice over the recording: its loudness is known only at its end."""
        from auricle.voice import encode, loudness  # noqa: PLC0415
        from auricle.voice.deepfilter import SAMPLE_RATE  # noqa: PLC0415
        from auricle.voice.enhance import enhance  # noqa: PLC0415

        began = time.monotonic()
        with (
            self._denoiser.hold() as networks,
            self._media.hold() as media,
            Path(request.path).open("rb") as file,
            self._draft() as spool,
            self._kept() as done,
        ):
            heard = media.sound(
                file, request.name, rate=SAMPLE_RATE, max_seconds=request.max_seconds
            )
            channels, meter = 1, None
            for block in enhance(heard, networks, request.strength):
                tick()
                channels = block.shape[1]
                meter = meter or loudness.Meter(channels, SAMPLE_RATE)
                meter.add(block)
                self._spool(spool, block)
            gain = meter.gain if meter else 1.0
            spool.seek(0)
            level = loudness.limited(_blocks(spool, channels, tick), gain, SAMPLE_RATE)
            samples = encode.write(done, request.format, level, SAMPLE_RATE)
            begun = requests.Begun(
                media_type=FORMATS[request.format].media_type,
                model=DENOISER.id,
                seconds=samples / SAMPLE_RATE,
                took_s=time.monotonic() - began,
                bytes=done.seek(0, os.SEEK_END),
                gain_db=20 * math.log10(gain),
            )
            return Made(done, begun)

    @contextmanager
    def _kept(self) -> Iterator[Any]:
        """A draft that stays open when the block ends well."""
        file = self._draft()
        try:
            yield file
        except BaseException:
            file.close()
            raise

    def _draft(self) -> Any:
        return tempfile.TemporaryFile(dir=self._settings.uploads_dir)

    def _spool(self, spool: IO[bytes], block: F32) -> None:
        free = os.statvfs(self._settings.uploads_dir)
        if free.f_bavail * free.f_frsize < ROOM_BYTES:
            raise Unavailable(
                "The server has no room for the recording. Try again later.", retry_after=60
            )
        spool.write(np.ascontiguousarray(block, "<f4").tobytes())


def _heard_in(voice: str, text: str) -> str:
    """The language of a text for a voice that speaks them all, if it is one that can be spoken."""
    if voice not in voices.OPENAI:
        return ""
    found = detect(text)
    return next((c for c in voices.LANGUAGES.values() if c.partition("-")[0] == found), "")


def _blocks(spool: IO[bytes], channels: int, tick: Tick) -> Iterator[F32]:
    """The samples of a spool again, in pieces."""
    while data := spool.read(PIECE):
        tick()
        yield np.frombuffer(data, "<f4").reshape(-1, channels)
