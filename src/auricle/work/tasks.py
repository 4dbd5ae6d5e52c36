"""What the job engine runs in a worker: transcriptions.

Tasks are deferred by name, from processes that never import this module.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from typing import Any

from procrastinate import App

from auricle import db
from auricle.core.errors import AuricleError, Internal, ModelNotInstalled, NotFound, Unavailable
from auricle.credits.services import minutes
from auricle.desk import endings
from auricle.jobs.services import TRANSCRIBE
from auricle.library import runs
from auricle.library.runs import Run, Superseded
from auricle.speech import SpeechOptions
from auricle.speech.progress import Checkpoint, Progress, Watcher
from auricle.storage import Blobs
from auricle.transcript import Transcript
from auricle.work.transcriber import FileJob, Transcriber

log = logging.getLogger(__name__)

_OURS = Internal("Something went wrong here; it has been logged. Send the recording again.")
_LOST = Internal("The recording was lost before it was transcribed. Send it again.")


class Transcriptions:
    """Transcribes recordings of the library."""

    def __init__(self, worker: str, transcriber: Transcriber, blobs: Blobs) -> None:
        self._worker = worker
        self._transcriber = transcriber
        self._blobs = blobs
        self._lock = threading.Lock()
        self._running: set[tuple[int, int]] = set()

    def register(self, app: App) -> None:
        """Make the job engine call us."""
        app.task(name=TRANSCRIBE)(self.run)

    @property
    def running(self) -> list[int]:
        """The transcripts that this process works on."""
        with self._lock:
            return [transcript for transcript, _ in self._running]

    def run(self, transcript: int) -> None:
        """Transcribe, or do nothing if it is done, deleted, or somebody else's.

        While database or store are away, nothing can be recorded: the transcript is left as it is,
        gives no sign of life, and is taken up again like a dead worker's.
        """
        try:
            self._settle(transcript)
        except Superseded:
            log.info("transcript %d is not ours any more", transcript)
        except Unavailable as error:
            log.warning("transcript %d is left for later: %s", transcript, error.message)

    def _settle(self, transcript: int) -> None:
        """Bring one attempt to an end that is recorded."""
        try:
            run = db.patiently(runs.claim, transcript, self._worker)
        except Internal as error:
            self._clean_up(db.patiently(endings.fail, transcript, error))
            return
        if run is None:
            return
        with self._listed(run):
            end = self._attempt(run)
        self._clean_up(db.patiently(end))

    def _attempt(self, run: Run) -> Callable[[], str]:
        """Transcribe; returns how to record the end."""
        try:
            return partial(endings.succeed, run, self._transcribe(run))
        except Superseded:
            raise
        except AuricleError as error:
            if isinstance(error, Unavailable) and not isinstance(error, ModelNotInstalled):
                db.patiently(runs.let_go, [run.id], self._worker)
                raise
            log.info("transcript %d failed: %s", run.id, error.message)
            return partial(endings.fail, run.id, error, run)
        except Exception:
            log.exception("transcript %d failed", run.id)
            return partial(endings.fail, run.id, _OURS, run)

    @contextmanager
    def _listed(self, run: Run) -> Iterator[None]:
        with self._lock:
            self._running.add((run.id, run.attempt))
        try:
            yield
        finally:
            with self._lock:
                self._running.discard((run.id, run.attempt))

    def _transcribe(self, run: Run) -> Transcript:
        options = _speech(run.options)
        job = FileJob(run.file_name, run.model, options, run.options["max_seconds"])
        try:
            with self._blobs.open(run.blob) as file:
                return self._transcriber.transcribe(
                    file,
                    job,
                    watcher=_Recorder(run),
                    resume=run.resume,
                )
        except NotFound as error:
            raise _LOST from error

    def _clean_up(self, blob: str) -> None:
        if blob:
            self._blobs.delete(blob)


class _Recorder(Watcher):
    """Keeps what is done; extends the reservation of a recording longer than it said."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._minutes = 0

    def progress(self, progress: Progress) -> None:
        if (now := minutes(progress.decoded)) > self._minutes:
            db.patiently(endings.extend, self._run, now)
            self._minutes = now

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        db.patiently(runs.keep, self._run, checkpoint)


def _speech(options: dict[str, Any]) -> SpeechOptions:
    return SpeechOptions(**{field.name: options[field.name] for field in fields(SpeechOptions)})
