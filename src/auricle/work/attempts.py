"""One attempt at a step of a transcript, brought to an end that is recorded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from auricle import db
from auricle.core.errors import AuricleError, Internal, ModelNotInstalled, Unavailable
from auricle.desk import endings
from auricle.library import runs
from auricle.library.runs import Run, Superseded
from auricle.storage import Blobs

log = logging.getLogger(__name__)

Claim = Callable[[int, str], Run | None]
Ending = Callable[[], str]
"""Records how an attempt has ended; returns the blob that nobody needs any more."""
Step = Callable[[Run], Ending]

_OURS = Internal("Something went wrong here; it has been logged. Send the recording again.")


class Attempts:
    """All that a worker has in hand. Thread-safe."""

    def __init__(self, worker: str, blobs: Blobs) -> None:
        self._worker = worker
        self._blobs = blobs
        self._lock = threading.Lock()
        self._running: set[tuple[int, int]] = set()

    @property
    def running(self) -> list[int]:
        """The transcripts that this process works on."""
        with self._lock:
            return [transcript for transcript, _ in self._running]

    def make(self, transcript: int, claim: Claim, step: Step) -> None:
        """Take a step, or do nothing if it is done, deleted, or somebody else's.

        While database or store are away, nothing can be recorded: the transcript is left as it is,
        gives no sign of life, and is taken up again like a dead worker's.
        """
        try:
            self._settle(transcript, claim, step)
        except Superseded:
            log.info("transcript %d is not ours any more", transcript)
        except Unavailable as error:
            log.warning("transcript %d is left for later: %s", transcript, error.message)

    def _settle(self, transcript: int, claim: Claim, step: Step) -> None:
        """Bring one attempt to an end that is recorded."""
        try:
            run = db.patiently(claim, transcript, self._worker)
        except Internal as error:
            self._clean_up(db.patiently(endings.fail, transcript, error))
            return
        if run is None:
            return
        with self.listed(run):
            ending = self._attempt(run, step)
        self._clean_up(db.patiently(ending))

    def _attempt(self, run: Run, step: Step) -> Ending:
        try:
            return step(run)
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
    def listed(self, run: Run) -> Iterator[None]:
        """Count an attempt among what is running."""
        with self._lock:
            self._running.add((run.id, run.attempt))
        try:
            yield
        finally:
            with self._lock:
                self._running.discard((run.id, run.attempt))

    def _clean_up(self, blob: str) -> None:
        if blob:
            self._blobs.delete(blob)
