"""Private instances: servers of an account's own, asked now and then how they are."""

from __future__ import annotations

import json

import httpx
from django.utils import timezone

from auricle import db
from auricle.accounts.models import PrivateInstance
from auricle.core.errors import AuricleError
from auricle.egress import fetch_small

MOST_BYTES = 10_000
DEADLINE_S = 10.0


def check_all(client: httpx.Client) -> None:
    """Ask each instance's ``/health``."""
    for instance in db.patiently(lambda: list(PrivateInstance.objects.all())):
        status, version = _ask(client, instance.url)
        db.patiently(_note, instance.pk, status, version)


def _ask(client: httpx.Client, url: str) -> tuple[str, str]:
    request = client.build_request("GET", url.rstrip("/") + "/health")
    try:
        answer = fetch_small(client, request, max_bytes=MOST_BYTES, deadline_s=DEADLINE_S)
        body = json.loads(answer.body)
        healthy = answer.status == httpx.codes.OK and isinstance(body, dict)
    except (AuricleError, ValueError):
        return "unreachable", ""
    return ("running", str(body.get("version", ""))[:50]) if healthy else ("unhealthy", "")


def _note(instance: int, status: str, version: str) -> None:
    rows = PrivateInstance.objects.filter(pk=instance)
    rows.update(status=status, checked=timezone.now())
    if version:
        rows.update(version=version)
