"""Links with which somebody sets a new password, handed over by an operator."""

from __future__ import annotations

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse

from auricle.accounts.models import User


def reset_link(user: User, base: str) -> str:
    """An address that works once and for three days; ``base`` is the server's own."""
    where = {
        "uidb36": user_pk_to_url_str(user),
        "key": default_token_generator.make_token(user),
    }
    return base.rstrip("/") + reverse("account_reset_password_from_key", kwargs=where)
