"""Accounts, and what their plans permit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone

from auricle.accounts.models import Account, Plan, PlanLimit, Use, User
from auricle.core.errors import BadRequest, TooMany, Unavailable
from auricle.credits import services as credits

ANONYMOUS, FREE, OWNER = NAMED_PLANS = "anonymous", "free", "owner"
"""Ids of the plans that the code itself names; everything about them is data."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan permits through one API."""

    plan: str
    metered: bool
    concurrent: int
    daily: int | None
    max_bytes: int
    max_seconds: int


def terms(plan: Plan, dialect: str) -> Terms:
    """A plan's limits for an API: its own ones, else those for every API."""
    limit = PlanLimit.objects.filter(plan=plan, dialect__in=["", dialect]).order_by("-dialect")
    found = limit.first()
    if found is None:
        raise Unavailable(f"The plan {plan.id!r} has no size limit. An operator has to add one.")
    return Terms(
        plan.id,
        plan.metered,
        plan.concurrent,
        plan.daily_transcriptions,
        found.max_bytes,
        found.max_seconds,
    )


def anonymous_terms(dialect: str) -> Terms:
    """The limits of requests without a key."""
    return terms(Plan.objects.get(id=ANONYMOUS), dialect)


def owner_terms(dialect: str) -> Terms:
    """The limits of whoever owns this machine."""
    return terms(Plan.objects.get(id=OWNER), dialect)


def refuse_used_up(account: int | None, network: str, most: int) -> None:
    """Raise :class:`TooMany` for whoever has had their transcriptions for today (UTC): an account,
    or an address without one."""
    now = timezone.now()
    midnight = datetime.combine(now.date(), time(), tzinfo=now.tzinfo)
    whose = Use.objects.filter(account=account, network="" if account else network)
    used = whose.filter(at__gte=midnight, failed=False, transcript__isnull=False)
    if used.count() >= most:
        wait = midnight + timedelta(days=1) - now
        offer = "Come back" if account else "Without an API key, that is all: sign up, or come back"
        raise TooMany(
            f"You have had your {most} transcriptions a day. {offer} tomorrow (UTC).",
            retry_after=int(wait.total_seconds()) + 1,
        )


def note_use(account: int | None, network: str, transcript: int) -> None:
    """Count a transcription."""
    Use.objects.create(account_id=account, network=network, transcript=transcript)


def note_text(account: int | None, network: str) -> None:
    """Count a request for work on text."""
    Use.objects.create(account_id=account, network=network)


def note_end(transcript: int, seconds: float | None) -> None:
    """Note how long a transcription was; None says that it failed and does not count."""
    Use.objects.filter(transcript=transcript).update(seconds=seconds or 0.0, failed=seconds is None)


def forget_uses() -> None:
    """Delete what is too old to count: addresses after a day, the rest after a year."""
    now = timezone.now()
    Use.objects.filter(account=None, at__lt=now - timedelta(days=1)).delete()
    Use.objects.filter(at__lt=now - timedelta(days=366)).delete()


@dataclass(frozen=True, slots=True)
class Day:
    """What an account has used in a day (UTC)."""

    date: date
    minutes: float
    requests: int


def usage(account: int, days: int) -> list[Day]:
    """What an account has used, day by day, today last."""
    today = timezone.now().date()
    first = today - timedelta(days=days - 1)
    rows = (
        Use.objects.filter(account_id=account, at__date__gte=first)
        .values("at__date")
        .annotate(seconds=Sum("seconds"), requests=Count("id"))
    )
    found = {
        row["at__date"]: Day(row["at__date"], row["seconds"] / 60, row["requests"]) for row in rows
    }
    dates = (first + timedelta(days=n) for n in range(days))
    return [found.get(day, Day(day, 0.0, 0)) for day in dates]


@transaction.atomic
def create_account(
    email: str, plan: str = FREE, *, password: str | None = None, staff: bool = False
) -> User:
    """Make an account with its first member.

    Raises :class:`BadRequest` for an address that is none or is taken, and for an unknown plan.
    """
    try:
        validate_email(email)
    except ValidationError as error:
        raise BadRequest(f"{email!r} is not an e-mail address.") from error
    if User.objects.filter(email__iexact=email).exists():
        raise BadRequest(f"There is a user {email} already.")
    account = _open_account(email, find_plan(plan))
    return User.objects.create_user(
        email, password, account=account, is_staff=staff, is_superuser=staff
    )


def _open_account(name: str, plan: Plan) -> Account:
    account = Account.objects.create(name=name, plan=plan)
    if plan.welcome_credits:
        credits.grant(account.pk, plan.welcome_credits, note="welcome")
    return account


def find_plan(plan: str) -> Plan:
    """A plan by its id. Raises :class:`BadRequest` that lists them."""
    try:
        return Plan.objects.get(id=plan)
    except Plan.DoesNotExist as error:
        known = ", ".join(
            Plan.objects.exclude(id=ANONYMOUS).order_by("id").values_list("id", flat=True)
        )
        raise BadRequest(f"There is no plan {plan!r}. Choose one of: {known}.") from error


def give_account(user: User, plan: Plan | None = None) -> None:
    """Make the account of somebody who has signed up, on the free plan if they chose none."""
    if user.account is None:
        user.account = _open_account(user.email, plan or find_plan(FREE))
        user.save(update_fields=["account"])
