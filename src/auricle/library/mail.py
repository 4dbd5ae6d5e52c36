"""E-mail about transcripts."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import send_mail

from auricle.library.models import Status, Transcript


def send_finished(transcript: int) -> None:
    """Tell the members of an account that a transcript has ended; nothing without a mail server."""
    row = Transcript.objects.select_related("account").filter(pk=transcript).first()
    if row is None or row.account is None or not settings.EMAIL_HOST:
        return
    done = row.status == Status.SUCCEEDED
    send_mail(
        f"{'Transcribed' if done else 'Not transcribed'}: {row}",
        f"{row} is transcribed." if done else f"{row} could not be transcribed. {row.message}",
        None,
        list(row.account.members.filter(is_active=True).values_list("email", flat=True)),
    )
