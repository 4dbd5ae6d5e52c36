"""Webhooks: messages about transcripts, signed, retried, logged."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
from django.db import transaction
from django.utils import timezone

from auricle import db
from auricle.egress import webhooks as wire
from auricle.jobs.models import Delivery, Endpoint
from auricle.jobs.services import DELIVER, MAIL, defer

if TYPE_CHECKING:
    from auricle.library.models import Transcript

BACKOFF_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)
"""Seconds until the next attempt; after the last one, about 16 hours on, we give up."""


KEPT = timedelta(days=30)
"""How long the log of deliveries goes back."""


def announce(transcript: Transcript) -> None:
    """Queue the messages about a transcript that has ended, in the caller's transaction."""
    kind = "transcript.completed" if transcript.status == "SUCCEEDED" else "transcript.failed"
    for endpoint in Endpoint.objects.filter(account=transcript.account_id, disabled=False):
        send(endpoint, kind, _about(transcript))
    if transcript.account is not None and transcript.account.email_finished:
        defer(MAIL, transcript=transcript.pk)


def send(endpoint: Endpoint, event: str, data: Mapping[str, Any]) -> Delivery:
    """Queue a message to one endpoint, in the caller's transaction."""
    delivery = Delivery.objects.create(
        endpoint=endpoint,
        event=event,
        payload={"type": event, "timestamp": timezone.now().isoformat(), "data": dict(data)},
    )
    defer(DELIVER, delivery=str(delivery.pk))
    return delivery


def deliver(client: httpx.Client, delivery: str) -> None:
    """Make one attempt; a failed one queues the next."""
    row = db.patiently(_open, delivery)
    if row is None:
        return
    payload = json.dumps(row.payload).encode()
    endpoint = row.endpoint
    found = wire.deliver(client, endpoint.url, endpoint.secret, delivery, payload, time.time())
    db.patiently(_note, delivery, found)


def _open(delivery: str) -> Delivery | None:
    rows = Delivery.objects.select_related("endpoint").filter(delivered=None, gave_up=None)
    return rows.filter(pk=delivery, endpoint__disabled=False).first()


@transaction.atomic
def _note(delivery: str, found: wire.Delivery) -> None:
    """Log an attempt, and queue the next one if it has failed."""
    row = Delivery.objects.select_for_update().filter(pk=delivery).first()
    if row is None or row.delivered:
        return
    row.attempts += 1
    row.status, row.error = found.status, found.error[:500]
    if not found.error:
        row.delivered = timezone.now()
    elif row.attempts > len(BACKOFF_S):
        row.gave_up = timezone.now()
    else:
        defer(DELIVER, seconds=BACKOFF_S[row.attempts - 1], delivery=delivery)
    row.save()


def forget_deliveries() -> None:
    """Delete what nobody looks up any more."""
    Delivery.objects.filter(created__lt=timezone.now() - KEPT).delete()


def _about(row: Transcript) -> dict[str, Any]:
    about: dict[str, Any] = {
        "id": row.pk,
        "slug": row.slug,
        "title": row.title,
        "status": "completed" if row.status == "SUCCEEDED" else "failed",
        "duration": row.duration,
        "language": row.language,
    }
    return about | ({"reason": row.reason, "error": row.message} if row.reason else {})
