"""The owner of an installation, made when it starts for the first time."""

from __future__ import annotations

import secrets

from django.db import transaction

from auricle.accounts.keys import create_key
from auricle.accounts.models import User
from auricle.accounts.services import OWNER, create_account

OWNER_EMAIL = "owner@localhost.localdomain"


@transaction.atomic
def first_key() -> str | None:
    """The key of the owner's account, when nobody has an account yet; else None."""
    if User.objects.exists():
        return None
    user = create_account(OWNER_EMAIL, OWNER, password=secrets.token_urlsafe(32), staff=True)
    _, raw = create_key(user, "made at the first start")
    return raw
