"""What the job engine runs in a worker: downloads and transcriptions.

Tasks are deferred by name, from processes that never import this module.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from functools import partial

import msgspec
from procrastinate import App

from auricle import db
from auricle.core.errors import BadMedia, Internal, ModelNotInstalled, NotFound, TooLong
from auricle.credits.services import minutes
from auricle.desk import Reference, endings
from auricle.jobs.services import DOWNLOAD, TRANSCRIBE, is_short
from auricle.library import runs, voices
from auricle.library.runs import Run
from auricle.media import RawAudio
from auricle.speech import SpeechOptions
from auricle.speech.diarization.protocol import KnownVoice
from auricle.speech.progress import Checkpoint, Progress, Watcher
from auricle.speech.scheduler import Claim, Priority
from auricle.storage import Blobs
from auricle.transcript import Transcript
from auricle.work.attempts import Attempts, Ending
from auricle.work.downloader import Downloader
from auricle.work.speakers import NOBODY_ASKED, Asked
from auricle.work.transcriber import FileJob, Transcriber

LONGEST_REFERENCE_S = 10.0
"""Seconds of a voice that comes with a request, as in OpenAI's API."""

_LOST = Internal("The recording was lost before it was transcribed. Send it again.")


class Tasks:
    """The steps of a recording of the library."""

    def __init__(
        self, attempts: Attempts, transcriber: Transcriber, downloader: Downloader, blobs: Blobs
    ) -> None:
        self._attempts = attempts
        self._transcriber = transcriber
        self._downloader = downloader
        self._blobs = blobs

    def register(self, app: App) -> None:
        """Make the job engine call us."""
        app.task(name=TRANSCRIBE)(self.transcribe)
        app.task(name=DOWNLOAD)(self.download)

    def transcribe(self, transcript: int) -> None:
        """Transcribe a recording."""
        self._attempts.make(transcript, runs.claim, self._transcribe)

    def download(self, transcript: int) -> None:
        """Download a recording; its transcription is queued when it is here."""
        self._attempts.make(transcript, runs.claim_download, self._downloader.download)

    def _transcribe(self, run: Run) -> Ending:
        return partial(endings.succeed, run, self._heard(run))

    def _heard(self, run: Run) -> Transcript:
        job = FileJob(
            name=run.file_name,
            model=run.model,
            options=msgspec.convert(run.options, SpeechOptions),
            max_seconds=run.options["max_seconds"],
            raw=msgspec.convert(run.options["raw"], RawAudio | None),
            claim=_claim(run),
            speakers=self._asked(run),
            enhance=run.options.get("enhance", False),
        )
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

    def _asked(self, run: Run) -> Asked:
        if not run.options["diarize"]:
            return NOBODY_ASKED
        known = (*self._brought(run), *db.patiently(voices.of, run.account))
        return Asked(diarize=True, speakers=run.options["speakers"], known=known)

    def _brought(self, run: Run) -> Iterator[KnownVoice]:
        """The voices that came with a request. Raises :class:`BadMedia` for one that is none."""
        for given in msgspec.convert(run.options.get("known", ()), tuple[Reference, ...]):
            try:
                vector = self._transcriber.print_of(b64decode(given.clip), LONGEST_REFERENCE_S)
            except ModelNotInstalled:  # nobody will be told apart, which is logged there
                return
            except (BadMedia, TooLong) as error:
                raise BadMedia(f"The voice of {given.name!r}: {error.message}") from error
            yield KnownVoice(given.name, vector)


class _Recorder(Watcher):
    """Keeps what is done; extends the reservation of a recording longer than it said."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._minutes = 1  # as much is reserved for the shortest

    def progress(self, progress: Progress) -> None:
        if (now := minutes(progress.decoded)) > self._minutes:
            db.patiently(endings.extend, self._run, now)
            self._minutes = now

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        db.patiently(runs.keep, self._run, checkpoint)


def _claim(run: Run) -> Claim:
    priority = Priority.SHORT if is_short(run.duration) else Priority.LONG
    return Claim(priority, run.network if run.account is None else str(run.account))
