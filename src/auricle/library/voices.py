"""Voices that an account has enrolled. No other account ever sees them."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from auricle.core.errors import BadRequest
from auricle.jobs.services import ENROL, defer
from auricle.library.models import Voice
from auricle.speech.diarization.protocol import KnownVoice

MOST_VOICES = 100

LONGEST_CLIP_S = 30.0

MOST_CLIP_BYTES = 4_500_000


@transaction.atomic
def add(account: int, name: str, clip: bytes) -> Voice:
    """Enrol a voice; a worker makes its print. Raises :class:`BadRequest`."""
    if Voice.objects.filter(account=account).count() >= MOST_VOICES:
        raise BadRequest(f"There are {MOST_VOICES} voices already. Delete one first.")
    try:
        with transaction.atomic():
            row = Voice.objects.create(account_id=account, name=name, clip=clip)
    except IntegrityError as error:
        raise BadRequest(f"There is a voice {name!r} already. Delete it first.") from error
    defer(ENROL, voice=row.pk)
    return row


def clip_of(voice: int) -> bytes | None:
    """The recording of a voice that has no print yet; None when there is nothing to do."""
    row = Voice.objects.filter(pk=voice, vector=[], message="").first()
    return bytes(row.clip) if row else None


def enrolled(voice: int, vector: list[float]) -> None:
    """Keep a voice's print, and its recording no longer."""
    Voice.objects.filter(pk=voice).update(vector=vector, clip=b"")


def refused(voice: int, message: str) -> None:
    """Note why a voice cannot be known."""
    Voice.objects.filter(pk=voice).update(message=message, clip=b"")


def of(account: int | None) -> tuple[KnownVoice, ...]:
    """The voices of an account that have their prints."""
    if account is None:
        return ()
    known = Voice.objects.filter(account=account).exclude(vector=[]).order_by("id")
    return tuple(KnownVoice(*row) for row in known.values_list("name", "vector"))
