"""What operators do on the command line."""

from __future__ import annotations

from django.db import transaction

from auricle.accounts import keys, resets
from auricle.accounts.models import User
from auricle.accounts.services import OWNER, create_account
from auricle.core.errors import BadRequest
from auricle.credits import services as credits


@transaction.atomic
def create_key(email: str, plan: str, amount: int, name: str) -> str:
    """Make a key, its account if there is none, and grant credits. Raises :class:`BadRequest`."""
    user = User.objects.filter(email__iexact=email).first() or create_account(email, plan)
    if amount and user.account:
        credits.grant(user.account.pk, amount, note="with a key")
    _, raw = keys.create_key(user, name)
    return raw


def create_operator(email: str, password: str) -> None:
    """Make an operator, or make one of somebody. Raises :class:`BadRequest`."""
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        create_account(email, OWNER, password=password, staff=True)
        return
    user.is_staff = user.is_superuser = True
    user.set_password(password)
    user.save()


def reset_link(email: str, base: str) -> str:
    """Where somebody sets a new password. Raises :class:`BadRequest`."""
    return resets.reset_link(find_user(email), base)


def grant(email: str, amount: int, note: str) -> int:
    """Give credits; returns the new balance. Raises :class:`BadRequest`."""
    account = find_user(email).account
    if account is None:
        raise BadRequest(f"{email} belongs to no account.")
    credits.grant(account.pk, amount, note)
    return credits.balance(account.pk, account.plan.monthly_credits)


def find_user(email: str) -> User:
    """A user by their address. Raises :class:`BadRequest`."""
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        raise BadRequest(f"There is no user {email}.")
    return user
