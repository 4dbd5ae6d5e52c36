"""Transcripts: asked for, found, changed, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Greatest, Now
from django.utils import timezone

from auricle.core.errors import AuricleError, BadRequest, Internal, from_code
from auricle.library.models import UNFINISHED, Batch, Segment, Status, Transcript
from auricle.library.words import to_word
from auricle.transcript import Word
from auricle.transcript.search import tsquery

WINDOW_S = 29.0
"""Seconds that a window holds at most (see speech.windows)."""

RESENT_WITHIN = timedelta(hours=1)
"""How long the same upload joins the transcript that it has led to."""

FAILED_WITHIN = timedelta(minutes=10)
"""How long a client that sends the same again by itself is told why it failed."""

MOST_WORDS = 10
"""Words of a search; each is a look through the library."""

UNCLAIMED_FOR = timedelta(hours=1)
"""How long a transcript without an account waits to be fetched."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom transcripts belong to: an account, or an address without one."""

    account: int | None
    network: str

    def rows(self) -> QuerySet[Transcript]:
        """Their transcripts."""
        if self.account is not None:
            return Transcript.objects.filter(account_id=self.account)
        return Transcript.objects.filter(account=None, network=self.network)

    def lock(self) -> None:
        """Let nobody else admit a transcription for them until this transaction ends."""
        name = f"account:{self.account}" if self.account is not None else f"net:{self.network}"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


@dataclass(frozen=True, slots=True)
class State:
    """Where a transcript stands."""

    id: int
    status: str
    windows_done: int
    windows_all: int
    """An estimate that becomes exact as the work goes on: silence needs no windows."""
    seconds_done: float
    duration: float
    bytes_done: int
    """Of a download; 0 for what was uploaded."""
    bytes_all: int
    """0 while that is not known."""
    error: AuricleError | None

    @property
    def finished(self) -> bool:
        return self.status in (Status.SUCCEEDED, Status.FAILED)

    def to_json(self) -> dict[str, Any]:
        """As the REST API shows it."""
        found: dict[str, Any] = {
            "windows_done": self.windows_done,
            "windows_all": self.windows_all,
            "seconds_done": round(self.seconds_done, 3),
            "duration": round(self.duration, 3),
        }
        if self.bytes_done:
            found |= {"bytes_done": self.bytes_done, "bytes_all": self.bytes_all}
        return found


def state_of(row: Transcript) -> State:
    """Where a row stands."""
    left = max(0.0, row.duration - row.seconds_done)
    more = 0 if row.status == Status.SUCCEEDED else -int(-left // WINDOW_S)
    error = from_code(row.reason, row.message) if row.status == Status.FAILED else None
    return State(
        row.pk,
        row.status,
        row.windows_done,
        row.windows_done + more,
        row.seconds_done,
        row.duration,
        row.bytes_done,
        row.size,
        error,
    )


def unfinished(owner: Owner) -> int:
    """How many transcriptions are under way."""
    return owner.rows().filter(status__in=UNFINISHED).count()


def resent(owner: Owner, fingerprint: str, *, failed: bool = False) -> Transcript | None:
    """What the same upload has led to within the last hour. Not what failed; but with ``failed``,
    what failed just now and would again."""
    rows = _recent(owner).filter(fingerprint=fingerprint)
    tried_again = Q(finished__lt=Now() - FAILED_WITHIN) | Q(reason=Internal.code)
    return rows.exclude(Q(status=Status.FAILED) & (tried_again if failed else Q())).first()


def may_be_resent(owner: Owner, body_bytes: int | None, form_bytes: int) -> bool:
    """Whether a body of this size could be an upload that has come before."""
    rows = _recent(owner).exclude(status=Status.FAILED)
    if body_bytes is not None:
        rows = rows.filter(size__lte=body_bytes, size__gte=body_bytes - form_bytes)
    return rows.exists()


def _recent(owner: Owner) -> QuerySet[Transcript]:
    return owner.rows().filter(Q(created__gt=Now() - RESENT_WITHIN) | Q(status__in=UNFINISHED))


def queue() -> dict[str, float]:
    """Everybody's work: how many transcripts wait and run, how many seconds of audio are left,
    and for how many seconds the oldest has been waiting."""
    found = Transcript.objects.filter(status__in=UNFINISHED).aggregate(
        waiting=Count("id", filter=~Q(status=Status.RUNNING)),
        running=Count("id", filter=Q(status=Status.RUNNING)),
        seconds=Sum(Greatest(F("duration") - F("seconds_done"), 0.0)),
        oldest=Min("created", filter=~Q(status=Status.RUNNING)),
    )
    oldest = found.pop("oldest")
    age = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    return {name: value or 0 for name, value in found.items()} | {"age_seconds": age}


def search(rows: QuerySet[Transcript], asked: str) -> QuerySet[Transcript]:
    """The transcripts in which every word of a question was said (or stands in the title)."""
    words = asked.split()
    if len(words) > MOST_WORDS:
        raise BadRequest(f"Search for at most {MOST_WORDS} words at a time.")
    for word in words:
        if phrase := tsquery(word):
            matches = RawSQL("search @@ %s::tsquery", [phrase], BooleanField())
            said = Segment.objects.filter(matches, transcript=OuterRef("pk"))
            rows = rows.filter(Q(Exists(said)) | Q(title__icontains=word))
    return rows


def words_after(transcript: int, batches: int) -> list[list[Word]]:
    """The words that an unfinished transcript has so far, batch by batch, after the first ones."""
    rows = Batch.objects.filter(transcript=transcript)[batches:]
    return [[to_word(word) for word in row.words] for row in rows]


def delivered(transcript: int) -> str:
    """The client has its answer: what has no account is forgotten. Returns its blob."""
    row = Transcript.objects.filter(pk=transcript, account=None).first()
    if row is None:
        return ""
    row.delete()
    return row.blob


def succeeded_within(age: timedelta) -> QuerySet[Transcript]:
    """Members' transcripts that came so lately."""
    members = Transcript.objects.filter(account__isnull=False, status=Status.SUCCEEDED)
    return members.filter(finished__gt=Now() - age)


def expired() -> QuerySet[Transcript]:
    """Transcripts whose time is over."""
    kept = F("account__keep_transcripts_days") * timedelta(days=1)
    return Transcript.objects.filter(
        Q(account=None, finished__lt=Now() - UNCLAIMED_FOR)
        | Q(
            account__keep_transcripts_days__isnull=False,
            finished__lt=ExpressionWrapper(Now() - kept, DateTimeField()),
        )
    )


def audio_expired() -> QuerySet[Transcript]:
    """Finished transcripts whose recording was kept long enough; that of a failed one stays a day
    for the operator."""
    days = Coalesce("account__keep_audio_days", 0)
    shortest = Case(When(status=Status.FAILED, then=Greatest(days, 1)), default=days)
    kept = ExpressionWrapper(Now() - shortest * timedelta(days=1), DateTimeField())
    return Transcript.objects.filter(finished__lt=kept).exclude(blob="")
