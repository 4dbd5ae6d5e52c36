"""How transcriptions go on and end: the row, its credits and its messages, in one transaction.

Called by workers, and by whoever cancels. Runs in database threads.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from auricle.accounts.services import note_end
from auricle.core.errors import (
    AuricleError,
    BadRequest,
    Cancelled,
    Internal,
    ModelNotInstalled,
    NoCredits,
)
from auricle.credits import services as credits
from auricle.jobs import services as jobs
from auricle.jobs import webhooks
from auricle.library import runs
from auricle.library.models import Status
from auricle.library.models import Transcript as Row
from auricle.library.runs import Fetched, Run
from auricle.transcript import Transcript


@transaction.atomic
def extend(run: Run, minutes: int) -> None:
    """Reserve what is missing for a recording that is longer than it said.

    Raises :class:`NoCredits`, and :class:`Superseded` when the work is not wanted any more.
    """
    runs.still_held(run)
    had = credits.reserved(run.id)
    if run.account is None or not had or had >= minutes:
        return
    try:
        credits.reserve(run.account, run.id, minutes - had)
    except NoCredits as error:
        raise NoCredits(f"The recording is longer than your credits reach. {error}") from error


@transaction.atomic
def fetched(run: Run, recording: Fetched) -> str:
    """Queue a recording that was downloaded. Raises :class:`Superseded`."""
    queue(runs.fetched(run, recording))
    return ""


@transaction.atomic
def succeed(run: Run, heard: Transcript) -> str:
    """Store what was heard, settle its price, tell who wants to know.

    Returns the blob that nobody needs any more, to be deleted after the transaction. Raises
    :class:`Superseded`.
    """
    row, blob = runs.succeed(run, heard)
    note_end(row.pk, row.duration)
    if row.account is not None:
        credits.settle(row.account.pk, row.pk, credits.minutes(row.duration))
        webhooks.announce(row)
    return blob


@transaction.atomic
def fail(transcript: int, error: AuricleError, run: Run | None = None) -> str:
    """Record why a transcript will not come, and give its credits back; nothing if it has ended.

    Returns the blob to be deleted after the transaction. With ``run``, raises
    :class:`Superseded` for an old attempt.
    """
    row = runs.fail(transcript, error, run)
    if row is None:
        return ""
    note_end(row.pk, None)
    if row.account is not None:
        credits.refund(row.account.pk, row.pk)
        webhooks.announce(row)
        if isinstance(error, Internal | ModelNotInstalled):
            return ""  # our fault: an operator may want to try again
    return _release(row)


@transaction.atomic
def hang_up(run: Run, heard: Transcript) -> None:
    """Store what was said in a live session; one in which no sound came leaves nothing behind.

    Raises :class:`Superseded`.
    """
    if heard.duration:
        succeed(run, heard)
    else:
        row = runs.fail(run.id, Cancelled("No sound came."), run)
        note_end(run.id, None)
        if row is not None and row.account is not None:
            credits.refund(row.account.pk, row.pk)
    if not heard.duration or run.account is None:
        Row.objects.filter(pk=run.id).delete()


def _hang_up_for(row: Row) -> None:
    """End a live session whose worker is dead, with what that has kept."""
    run = runs.claim(row.pk, "")
    if run is not None:
        kept = run.resume
        said = kept.words, kept.language, kept.language_probability
        hang_up(run, Transcript(*said, duration=kept.done, model=row.model))


def cancel(transcript: int) -> str:
    """End a transcription that is not wanted any more; returns the blob to be deleted."""
    return fail(transcript, Cancelled("The transcription was cancelled."))


@transaction.atomic
def delete(row: Row) -> str:
    """Delete a transcript, cancelling it first; returns the blob to be deleted afterwards."""
    blob = cancel(row.pk) or row.blob
    row.delete()
    return blob


@transaction.atomic
def rescue(silence: timedelta) -> int:
    """Queue again what nobody works on any more; returns how much that was."""
    found = runs.abandoned(silence)
    for transcript, job in found:
        if job is not None:
            jobs.abandon(job)
        row = Row.objects.get(pk=transcript)
        if row.live:
            _hang_up_for(row)
        else:
            queue(row)
    return len(found)


@transaction.atomic
def retry(row: Row) -> None:
    """Try a failed transcription again, which costs nothing. Raises :class:`BadRequest` when its
    recording is gone."""
    row = Row.objects.select_for_update().get(pk=row.pk)
    if row.status != Status.FAILED or not (row.blob or row.source):
        raise BadRequest(f"{row} has not failed, or its recording is gone: it must be sent again.")
    runs.reopen(row)
    row.refresh_from_db()
    queue(row)


def queue(row: Row) -> None:
    """Queue the next step of a transcript, in the caller's transaction."""
    if row.status == Status.DOWNLOADING:
        row.job = jobs.defer_download(row.pk)
    else:
        row.job = jobs.defer_transcription(row.pk, row.model, row.duration)
    row.save(update_fields=["job"])


def _release(row: Row) -> str:
    blob, row.blob = row.blob, ""
    row.options.pop("known", None)  # voices that came with the request
    row.save(update_fields=["blob", "options"])
    return blob
