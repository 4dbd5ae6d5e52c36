"""The life of a transcript that is being made. Every change is one transaction.

Whoever runs a transcript holds its newest attempt number; a worker that was taken for dead and
comes back holds an older one and is told so at its next word (:class:`Superseded`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now
from django.utils import timezone

from auricle.core.errors import AuricleError, Internal
from auricle.library.models import IN_HAND, UNFINISHED, Batch, Segment, Status, Transcript
from auricle.library.words import new_segment, to_row, to_word
from auricle.speech.progress import NOTHING_DONE, Checkpoint
from auricle.transcript import Transcript as Heard

CHANNEL = "auricle_transcripts"
"""Where changes are announced (LISTEN); the payload is a :func:`notice`."""

MOST_TRIES = 10
"""Attempts without getting on after which a recording is taken for the cause."""


class Superseded(Exception):
    """Somebody else runs this transcript now, or nobody shall."""


_TOO_OFTEN = {
    Status.DOWNLOADING: "The download has broken off {} times. Try again, or upload the recording.",
    Status.RUNNING: "The transcription has broken off {} times at the same place. The recording "
    "may be damaged: convert it to WAV, FLAC or MP3 and send that.",
}


@dataclass(frozen=True, slots=True)
class Run:
    """Leave to download or transcribe a recording, and all that it takes."""

    id: int
    attempt: int
    account: int | None
    network: str
    """Where it comes from when it belongs to no account."""
    duration: float
    """Seconds that it is said to have; 0 where that is not known."""
    source: str
    blob: str
    file_name: str
    model: str
    options: dict[str, Any]
    resume: Checkpoint


def claim(transcript: int, worker: str) -> Run | None:
    """Take a transcription on, as a registered worker; None when there is nothing left to do.

    Raises :class:`Internal` for one that has been tried too often without getting on.
    """
    return _claim(transcript, worker, (Status.PENDING, Status.RUNNING), Status.RUNNING)


def claim_download(transcript: int, worker: str) -> Run | None:
    """Take a download on, like :func:`claim`."""
    return _claim(transcript, worker, (Status.DOWNLOADING,), Status.DOWNLOADING)


@transaction.atomic
def _claim(transcript: int, worker: str, found: Sequence[Status], becomes: Status) -> Run | None:
    row = _locked(transcript).first()
    if row is None or row.status not in found:
        return None
    if row.tries >= MOST_TRIES:
        raise Internal(_TOO_OFTEN[becomes].format(MOST_TRIES))
    row.status = becomes
    row.attempt += 1
    row.tries += 1
    row.started = row.started or timezone.now()
    row.worker = worker
    row.beat = Now()
    row.save(update_fields=["status", "attempt", "tries", "started", "worker", "beat"])
    _announce(row.pk)
    return Run(
        row.pk,
        row.attempt,
        row.account_id,
        row.network,
        row.duration,
        row.source,
        row.blob,
        row.file_name,
        row.model,
        row.options,
        _checkpoint(row) if row.attempt > 1 else NOTHING_DONE,
    )


@transaction.atomic
def keep(run: Run, checkpoint: Checkpoint) -> None:
    """Keep the words of a batch of windows. Raises :class:`Superseded`.

    Keeping the same batch twice keeps it once.
    """
    row = _held(run)
    if (checkpoint.done, checkpoint.windows) <= (row.seconds_done, row.windows_done):
        return
    Batch.objects.create(
        transcript=row,
        done=checkpoint.done,
        windows=checkpoint.windows,
        words=[to_row(word) for word in checkpoint.words],
        language=checkpoint.language,
        language_probability=checkpoint.language_probability,
    )
    row.seconds_done, row.windows_done = checkpoint.done, checkpoint.windows
    row.tries = 0
    row.beat = Now()
    row.save(update_fields=["seconds_done", "windows_done", "tries", "beat"])
    _announce(row.pk)


def download(run: Run, done: int, size: int) -> None:
    """Note how many bytes of a recording have arrived. Raises :class:`Superseded`."""
    if not _in_hand(run).update(bytes_done=done, size=size):
        raise Superseded
    _announce(run.id)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A recording that has been downloaded."""

    blob: str
    name: str
    size: int
    duration: float
    """Seconds, as it says."""


def fetched(run: Run, recording: Fetched) -> Transcript:
    """Make a recording that has arrived wait for its transcription, in the caller's transaction.

    Raises :class:`Superseded`.
    """
    row = _held(run)
    row.status, row.worker, row.tries, row.beat = Status.PENDING, "", 0, None
    row.blob, row.file_name = recording.blob, recording.name[-300:]
    row.size = row.bytes_done = recording.size
    row.title, row.duration = stem(recording.name), recording.duration
    row.save()
    _announce(row.pk)
    return row


def stem(file_name: str) -> str:
    """A file's name without folders and ending, as a title."""
    return PurePath(file_name.replace("\\", "/")).stem[:300]


def succeed(run: Run, heard: Heard) -> tuple[Transcript, str]:
    """Store what was heard; inside the caller's transaction. Returns the row with its account, and
    the blob that nobody needs any more. Raises :class:`Superseded`."""
    row = _held(run)
    Segment.objects.bulk_create(
        [new_segment(row.pk, order, segment) for order, segment in enumerate(heard.segments)],
        batch_size=500,
    )
    row.language, row.language_probability = heard.language, heard.language_probability
    row.duration, row.seconds_done = heard.duration, heard.duration
    row.speakers = list(heard.speakers)
    blob = ""
    if row.account is None or not row.account.keep_audio_days:
        blob, row.blob = row.blob, ""
    _end(row, Status.SUCCEEDED)
    if row.options.pop("known", None):  # voices that came with the request
        row.save(update_fields=["options"])
    return row, blob


def fail(transcript: int, error: AuricleError, run: Run | None = None) -> Transcript | None:
    """Record why a transcript will not come, inside the caller's transaction.

    None when it has ended already. With ``run``, raises :class:`Superseded` for an old attempt.
    """
    row = _held(run) if run else _locked(transcript).filter(status__in=UNFINISHED).first()
    if row is None:
        return None
    row.reason, row.message = error.code, error.message
    _end(row, Status.FAILED)
    return row


def _end(row: Transcript, status: Status) -> None:
    row.status, row.finished = status, timezone.now()
    row.save(update_fields=_OF_ENDS)
    row.batches.all().delete()
    _announce(row.pk, ended=True)


_OF_ENDS = (
    *("status", "finished", "reason", "message", "blob"),
    *("language", "language_probability", "duration", "seconds_done", "speakers"),
)


def reopen(row: Transcript) -> None:
    """Make a failed transcript wait again, from its beginning, in the caller's transaction."""
    Transcript.objects.filter(pk=row.pk).update(
        status=Status.PENDING if row.blob else Status.DOWNLOADING,
        worker="",
        finished=None,
        reason="",
        message="",
        tries=0,
        windows_done=0,
        seconds_done=0,
    )
    _announce(row.pk)


def let_go(transcripts: Sequence[int], worker: str) -> None:
    """Leave what a worker has in hand to whoever takes it up next; no recording is to blame."""
    held = Transcript.objects.filter(pk__in=transcripts, worker=worker, status__in=IN_HAND)
    held.update(tries=Greatest(F("tries") - 1, 0))


def beat(running: list[int]) -> None:
    """Say which transcripts this process has in hand."""
    Transcript.objects.filter(pk__in=running, status__in=IN_HAND).update(beat=Now())


def still_held(run: Run) -> None:
    """Raise :class:`Superseded` unless this attempt is the newest one and wanted."""
    if not _in_hand(run).exists():
        raise Superseded


def abandoned(silence: timedelta) -> list[tuple[int, int | None]]:
    """Unfinished transcripts that nobody works on, each with its number in the job engine.

    That is so when its worker has gone or been silent for so long, when its worker has let go of
    it, when its job was fetched by a worker that died before it began, or has ended without it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ABANDONED, {"silence": silence.total_seconds()})
        return [(int(row[0]), row[1]) for row in cursor.fetchall()]


# The database's clock alone: those of several machines differ.
_ABANDONED = """
SELECT t.id, t.job FROM library_transcript t
LEFT JOIN procrastinate_jobs j ON j.id = t.job
LEFT JOIN procrastinate_workers e ON e.id = j.worker_id
LEFT JOIN jobs_worker w ON w.id = t.worker
WHERE j.status IS DISTINCT FROM 'todo' AND CASE
    WHEN t.status = 'RUNNING' OR t.status = 'DOWNLOADING' AND t.worker <> '' THEN
        least(t.beat, coalesce(w.beat, '-infinity')) < now() - %(silence)s * interval '1 second'
    WHEN t.status IN ('PENDING', 'DOWNLOADING') AND j.status = 'doing' THEN
        coalesce(e.last_heartbeat, '-infinity') < now() - %(silence)s * interval '1 second'
    ELSE t.status IN ('PENDING', 'DOWNLOADING') END
ORDER BY t.id FOR UPDATE OF t SKIP LOCKED
"""


def _locked(transcript: int) -> models.QuerySet[Transcript]:
    return Transcript.objects.select_for_update().filter(pk=transcript)


def _in_hand(run: Run) -> models.QuerySet[Transcript]:
    return Transcript.objects.filter(pk=run.id, attempt=run.attempt, status__in=IN_HAND)


def _held(run: Run) -> Transcript:
    rows = _in_hand(run).select_for_update(of=("self",)).select_related("account")
    row = rows.first()
    if row is None:
        raise Superseded
    return row


def _checkpoint(row: Transcript) -> Checkpoint:
    batches = list(row.batches.all())
    if not batches:
        return NOTHING_DONE
    last = batches[-1]
    words = tuple(to_word(word) for batch in batches for word in batch.words)
    return Checkpoint(last.done, last.windows, words, last.language, last.language_probability)


def notice(transcript: int, *, ended: bool = False) -> str:
    """What is announced of a transcript that has changed, or ended."""
    return f"{transcript} ended" if ended else str(transcript)


def _announce(transcript: int, *, ended: bool = False) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, notice(transcript, ended=ended)])
