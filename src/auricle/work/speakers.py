"""Who speaks in a recording, found beside its transcription from the same sound.

A diarizer never makes a recording fail: where it cannot tell, everybody is one speaker.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from auricle.core.errors import ModelNotInstalled
from auricle.models import SPEAKERS, ModelStore
from auricle.speech.diarization.protocol import Diarization, Diarizer, KnownVoice
from auricle.speech.diarization.words import told_apart
from auricle.transcript import Transcript, Word

if TYPE_CHECKING:
    from auricle.speech.diarization.diarizer import SpeakerDiarizer
    from auricle.speech.diarization.live import LiveSpeakers

log = logging.getLogger(__name__)

WAITING = 64
"""Blocks of sound that may wait for the diarizer; then the transcription waits for it."""

LOOK_S = 0.5

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be told of a recording's speakers."""

    diarize: bool = False
    speakers: int = 0
    """How many speak; 0 finds it out."""
    known: tuple[KnownVoice, ...] = ()


NOBODY_ASKED = Asked()


class Speakers:
    """The diarizers, loaded when they are first needed. Thread-safe."""

    def __init__(self, store: ModelStore, pipeline: Path | None = None) -> None:
        """``pipeline`` is the folder of a pyannote.audio pipeline, which then hears recordings in
        place of ours; live speech and enrolled voices are heard by ours all the same."""
        self._store = store
        self._pipeline = pipeline
        self._lock = threading.Lock()
        self._ours: SpeakerDiarizer | None = None
        self._other: Diarizer | None = None

    # Imported where they are loaded: it takes a second, for which the start of a worker need not
    # wait.

    def diarizer(self) -> Diarizer:
        """What hears recordings. Raises :class:`ModelNotInstalled`."""
        if self._pipeline is None:
            return self.ours()
        from auricle.speech.diarization.pyannote import PyannoteDiarizer  # noqa: PLC0415

        with self._lock:
            if self._other is None:
                self._other = PyannoteDiarizer(self._pipeline)
            return self._other

    def ours(self) -> SpeakerDiarizer:
        """Our own. Raises :class:`ModelNotInstalled`."""
        from auricle.speech.diarization.diarizer import SpeakerDiarizer  # noqa: PLC0415

        with self._lock:
            if self._ours is None:
                self._ours = SpeakerDiarizer(self._store.path(SPEAKERS))
            return self._ours

    def live(self, known: Sequence[KnownVoice]) -> LiveSpeakers:
        """The speakers of a live session, some of whom may be known.

        Raises :class:`ModelNotInstalled`.
        """
        from auricle.speech.diarization.live import LiveSpeakers  # noqa: PLC0415

        prints = {voice.name: np.array(voice.vector, np.float32) for voice in known}
        return LiveSpeakers(self.ours(), prints)

    def warm_up(self) -> None:
        """Load ours and have it do all that it does, if it is installed."""
        if self._store.has(SPEAKERS):
            session = self.ours().session()
            session.feed(np.sin(np.arange(32_000, dtype=np.float32)))
            session.finish()

    @contextmanager
    def beside(self, blocks: Iterable[F32], asked: Asked) -> Iterator[Listening]:
        """Listen to the sound that the block draws from :attr:`Listening.blocks`."""
        listening = Listening(blocks, asked, self if asked.diarize else None)
        try:
            yield listening
        finally:
            listening.stop()


class Listening:
    """One recording, heard by the diarizer in a thread of its own."""

    def __init__(self, blocks: Iterable[F32], asked: Asked, speakers: Speakers | None) -> None:
        self._drawn = blocks
        self._asked = asked
        self._waiting: Queue[F32 | None] = Queue(WAITING)
        self._stopped = threading.Event()
        self._found = Diarization()
        self._thread = None
        if speakers is not None:
            self._thread = threading.Thread(
                target=self._hear, args=(speakers,), name="diarizer", daemon=True
            )
            self._thread.start()

    @property
    def blocks(self) -> Iterator[F32]:
        """The blocks, which the diarizer hears as they are drawn."""
        for block in self._drawn:
            self._pass_on(block)
            yield block
        self._pass_on(None)

    def told(self, transcript: Transcript) -> Transcript:
        """The transcript with the speakers of its words; waits for the diarizer."""
        if self._thread is None:
            return transcript
        self._thread.join()
        names = recognised(self._found, self._asked.known)
        words = told_apart(transcript.words, self._found.turns, names)
        return replace(transcript, words=words)

    def stop(self) -> None:
        """Let the diarizer go, whatever it has heard."""
        self._stopped.set()

    def _pass_on(self, block: F32 | None) -> None:
        while self._thread is not None and self._thread.is_alive():
            try:
                self._waiting.put(block, timeout=LOOK_S)
                return
            except Full:
                continue

    def _hear(self, speakers: Speakers) -> None:
        try:
            session = speakers.diarizer().session()
            while (block := self._next()) is not None:
                session.feed(block)
            if not self._stopped.is_set():
                self._found = session.finish(self._asked.speakers)
        except ModelNotInstalled as error:
            log.warning("speakers cannot be told apart; all are one: %s", error.message)
        except Exception:  # whatever it is: the words are worth more than who said them
            log.exception("speakers cannot be told apart; all are one")

    def _next(self) -> F32 | None:
        """The next block; None when there are no more, or nobody wants to know any more."""
        while not self._stopped.is_set():
            try:
                return self._waiting.get(timeout=LOOK_S)
            except Empty:
                continue
        return None


class Labels:
    """Who speaks in a live session."""

    def __init__(self, speakers: Speakers, known: Sequence[KnownVoice]) -> None:
        self._speakers = speakers
        self._known = known
        self._waiting: list[F32] = []
        self._live: LiveSpeakers | None = None
        self._failed = False

    def feed(self, samples: F32) -> None:
        """Hear the next samples: mono, float32, 16 kHz."""
        if not self._failed:
            self._waiting.append(samples)

    def of(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """Words that were just said, with their speakers. Blocks."""
        try:
            if not self._failed:
                return self._label(words)
        except ModelNotInstalled as error:
            log.warning("speakers cannot be told apart; all are one: %s", error.message)
        except Exception:  # as above
            log.exception("speakers cannot be told apart; all are one")
        self._failed, self._waiting = True, []
        return told_apart(words, (), {})

    def _label(self, words: Sequence[Word]) -> tuple[Word, ...]:
        if self._live is None:
            self._live = self._speakers.live(self._known)
        waiting, self._waiting = self._waiting, []
        for samples in waiting:
            self._live.feed(samples)
        return self._live.label(words)


def recognised(found: Diarization, known: Sequence[KnownVoice]) -> dict[int, str]:
    """Names of the speakers whose voices are known; no two are the same person."""
    if found.prints is None or not len(found.prints) or not known:
        return {}
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  (as above)

    from auricle.speech.diarization.clustering import KNOWN  # noqa: PLC0415

    likeness = found.prints @ np.array([voice.vector for voice in known], np.float32).T
    pairs = zip(*linear_sum_assignment(-likeness), strict=True)
    return {int(n): known[m].name for n, m in pairs if likeness[n, m] >= KNOWN}
