"""Credits: granted, reserved, settled. The only code that writes to the ledger.

Call them inside the transaction that writes the row they pay for.
"""

from __future__ import annotations

import math
from datetime import date, datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from auricle.core.errors import BadRequest, NoCredits
from auricle.credits.models import Entry, Kind, Wallet

MOST = 1_000_000_000
"""Credits in one entry."""

USED_UP = "No credits remaining. Upgrade your plan."


def minutes(seconds: float) -> int:
    """What a recording costs: 1 credit for each minute that was started."""
    return max(1, math.ceil(round(seconds, 3) / 60))


def balance(account: int, monthly: int) -> int:
    """What an account has, after this month's grant (``monthly`` credits) has come in."""
    month = _month(timezone.now())
    found, granted, expired = _look(account)
    if granted != month and (monthly or granted != expired):
        _begin_month(account, monthly, month)
        found, _, _ = _look(account)
    return found


def _look(account: int) -> tuple[int, date | None, date | None]:
    """The balance, and the newest months that were granted and have expired; asked with every
    request, so in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT balance FROM credits_wallet WHERE account_id = %(account)s),"
            " max(month) FILTER (WHERE kind = 'grant'), max(month) FILTER (WHERE kind = 'expire')"
            " FROM credits_entry WHERE account_id = %(account)s AND month IS NOT NULL",
            {"account": account},
        )
        found, granted, expired = cursor.fetchone()
    return found or 0, granted, expired


def grant(account: int, amount: int, note: str) -> None:
    """Give credits, or take them (negative). Raises :class:`BadRequest` below nothing.

    This is where a payment gateway would come in: it calls this once for each payment.
    """
    if not 0 < abs(amount) <= MOST:
        raise BadRequest(f"Grant from 1 to {MOST} credits (or take as many, negative).")
    try:
        _add(account, Kind.GRANT, amount, note=note)
    except NoCredits as error:
        raise BadRequest(f"The account has fewer than {-amount} credits.") from error


def reserve(account: int, job: int, amount: int) -> None:
    """Put credits aside for a job; again, for a job that turns out longer.

    Raises :class:`NoCredits`.
    """
    _add(account, Kind.RESERVE, -amount, job=job)


def reserved(job: int) -> int | None:
    """What is put aside for a job that has not ended; None for one that costs nothing."""
    total = Entry.objects.filter(job=job).aggregate(total=Sum("amount"))["total"]
    return None if total is None else -int(total)


def settle(account: int, job: int, cost: int) -> None:
    """Take what a job has cost and give the rest back; the second time, nothing happens."""
    _end(account, job, Kind.SETTLE, cost)


def refund(account: int, job: int) -> None:
    """Give everything back for a job that failed; the second time, nothing happens."""
    _end(account, job, Kind.REFUND, 0)


def spend(account: int, amount: int) -> None:
    """Take what work on text costs. Raises :class:`NoCredits`."""
    _add(account, Kind.SPEND, -amount)


def by_day(account: int, since: date) -> dict[date, int]:
    """Credits that jobs and work on text have cost, by day (UTC)."""
    rows = (
        Entry.objects.filter(account_id=account, at__date__gte=since)
        .exclude(kind__in=[Kind.GRANT, Kind.EXPIRE])
        .values("at__date")
        .annotate(total=Sum("amount"))
    )
    return {row["at__date"]: -row["total"] for row in rows}


def unbalanced() -> int:
    """How many accounts have a balance that is not the sum of their entries: always none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM credits_wallet w WHERE balance <> "
            "(SELECT coalesce(sum(amount), 0) FROM credits_entry e"
            " WHERE e.account_id = w.account_id)"
        )
        return int(cursor.fetchone()[0])


def _end(account: int, job: int, kind: Kind, cost: int) -> None:
    if (aside := reserved(job)) is not None:
        entry = Entry(account_id=account, kind=kind, amount=max(0, aside - cost), job=job)
        Entry.objects.bulk_create([entry], ignore_conflicts=True)


def _add(account: int, kind: Kind, amount: int, *, job: int | None = None, note: str = "") -> None:
    try:
        with transaction.atomic():
            Entry.objects.create(account_id=account, kind=kind, amount=amount, job=job, note=note)
    except IntegrityError as error:
        if "balance_not_negative" in str(error):
            raise NoCredits(USED_UP) from error
        raise


def _begin_month(account: int, monthly: int, month: date) -> None:
    """Grant this month's credits and let those of the last one expire, once."""
    with transaction.atomic():
        Wallet.objects.get_or_create(account_id=account)
        Wallet.objects.select_for_update().get(account_id=account)
        granted = Entry.objects.filter(account_id=account, kind=Kind.GRANT, month__isnull=False)
        newest = granted.order_by("-month").first()
        if newest is not None and newest.month != month:
            _expire(newest)
        if monthly:
            _once(Entry(account_id=account, kind=Kind.GRANT, amount=monthly, month=month))


def _expire(granted: Entry) -> None:
    """Take back what is left of monthly grants, whenever a job has given it back.

    A month's credits are spent before any others, by the jobs that began in it. So what belongs to
    the account for good is what was granted besides, less what jobs have cost beyond their month's.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOR_GOOD, {"account": granted.account_id})
        for_good = int(cursor.fetchone()[0])
    had = Wallet.objects.get(account_id=granted.account_id).balance
    _once(
        Entry(
            account_id=granted.account_id,
            kind=Kind.EXPIRE,
            amount=-max(0, had - for_good),
            month=granted.month,
        )
    )


_FOR_GOOD = """
WITH jobs AS (
    SELECT date_trunc('month', min(at) AT TIME ZONE 'UTC')::date AS month, -sum(amount) AS cost
    FROM credits_entry WHERE account_id = %(account)s AND (job IS NOT NULL OR kind = 'spend')
    GROUP BY coalesce(job, -id)
), spent AS (
    SELECT month, sum(cost) AS cost FROM jobs GROUP BY month
), granted AS (
    SELECT month, amount FROM credits_entry
    WHERE account_id = %(account)s AND kind = 'grant' AND month IS NOT NULL
)
SELECT (SELECT coalesce(sum(amount), 0) FROM credits_entry
        WHERE account_id = %(account)s AND kind = 'grant' AND month IS NULL)
     - (SELECT coalesce(sum(greatest(cost - coalesce(amount, 0), 0)), 0)
        FROM spent LEFT JOIN granted USING (month))
"""


def _once(entry: Entry) -> None:
    Entry.objects.bulk_create([entry], ignore_conflicts=True)


def _month(moment: datetime) -> date:
    return moment.date().replace(day=1)
