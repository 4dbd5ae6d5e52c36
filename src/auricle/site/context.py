"""What every template knows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, bool]:
    """Whether this server can send mail."""
    return {"can_mail": bool(settings.EMAIL_HOST)}
