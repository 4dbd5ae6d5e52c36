"""The ledger, on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle import db
from auricle.accounts.models import Account
from auricle.accounts.services import create_account
from auricle.core.errors import BadRequest, NoCredits
from auricle.credits import services as credits
from auricle.credits.models import Entry, Kind, Wallet

pytestmark = pytest.mark.usefixtures("database")
_numbers = itertools.count(1)


def account(minutes: int = 0) -> int:
    """A new account, with so many credits that somebody bought."""
    user = create_account(f"credits{next(_numbers)}@example.com", "paid")
    assert user.account
    if minutes:
        credits.grant(user.account.pk, minutes, "bought")
    return user.account.pk


def job() -> int:
    return 10_000_000 + next(_numbers)


def sum_of(number: int) -> int:
    return sum(Entry.objects.filter(account_id=number).values_list("amount", flat=True))


@pytest.mark.parametrize(
    ("seconds", "cost"), [(0, 1), (0.5, 1), (60, 1), (60.0001, 1), (60.01, 2), (3600, 60)]
)
def test_each_started_minute_costs_a_credit(seconds: float, cost: int) -> None:
    assert credits.minutes(seconds) == cost


def test_a_job_costs_what_it_turned_out_to_be() -> None:
    mine, work = account(10), job()
    credits.reserve(mine, work, 6)
    assert credits.balance(mine, 0) == 4
    credits.settle(mine, work, 2)
    assert credits.balance(mine, 0) == 8


def test_ending_twice_is_ending_once() -> None:
    mine, work = account(10), job()
    credits.reserve(mine, work, 6)
    credits.settle(mine, work, 2)
    credits.settle(mine, work, 2)
    credits.refund(mine, work)
    assert credits.balance(mine, 0) == 8


def test_a_failed_job_costs_nothing() -> None:
    mine, work = account(10), job()
    credits.reserve(mine, work, 3)
    credits.reserve(mine, work, 4)
    credits.refund(mine, work)
    assert credits.balance(mine, 0) == 10


def test_a_job_without_a_reservation_writes_no_entry() -> None:
    mine = account(5)
    credits.settle(mine, job(), 2)
    credits.refund(mine, job())
    assert Entry.objects.filter(account_id=mine).count() == 1


def test_nobody_spends_what_they_do_not_have() -> None:
    mine = account(1)
    with pytest.raises(NoCredits, match=r"^No credits remaining\. Upgrade your plan\.$"):
        credits.reserve(mine, job(), 2)
    assert credits.balance(mine, 0) == 1
    with pytest.raises(BadRequest):
        credits.grant(mine, -2, "taken")


def test_of_many_at_once_one_gets_the_last_credit() -> None:
    mine = account(1)

    def try_it(number: int) -> bool:
        with db.calling():
            try:
                credits.reserve(mine, job(), 1)
            except NoCredits:
                return False
            return True

    with ThreadPoolExecutor(10) as pool:
        passed = list(pool.map(try_it, range(50)))
    assert sum(passed) == 1
    assert credits.balance(mine, 0) == 0


def test_the_ledger_cannot_be_rewritten() -> None:
    mine = account(5)
    for sql in (
        "UPDATE credits_entry SET amount = 500 WHERE account_id = %s",
        "DELETE FROM credits_entry WHERE account_id = %s",
        "UPDATE credits_wallet SET balance = 500 WHERE account_id = %s",
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(sql, [mine])
    with pytest.raises(DatabaseError), transaction.atomic():
        Account.objects.get(pk=mine).delete()
    assert credits.balance(mine, 0) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": Kind.RESERVE, "amount": 5, "job": 1},
        {"kind": Kind.REFUND, "amount": -5, "job": 1},
        {"kind": Kind.RESERVE, "amount": -1},
        {"kind": Kind.GRANT, "amount": 5, "job": 1},
    ],
)
def test_entries_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry.objects.create(account_id=account(9), **wrong)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the time of the ledger."""

    def set_to(text: str) -> None:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)

    return set_to


def test_a_month_brings_its_credits_once_and_takes_them_along(
    clock: Callable[[str], None],
) -> None:
    mine = account()
    clock("2026-01-31 23:59:59")
    assert credits.balance(mine, 600) == 600
    assert credits.balance(mine, 600) == 600
    credits.reserve(mine, job(), 100)
    clock("2026-02-01 00:00:00")
    assert credits.balance(mine, 600) == 600
    kinds = list(Entry.objects.filter(account_id=mine).order_by("id").values_list("kind", "amount"))
    assert kinds == [("grant", 600), ("reserve", -100), ("expire", -500), ("grant", 600)]
    clock("2026-05-10 12:00:00")
    assert credits.balance(mine, 0) == 0, "on a plan without monthly credits"


def test_the_months_credits_are_spent_before_bought_ones(clock: Callable[[str], None]) -> None:
    clock("2026-03-02 00:00:00")
    mine = account(50)
    assert credits.balance(mine, 600) == 650
    credits.reserve(mine, job(), 620)
    clock("2026-04-02 00:00:00")
    assert credits.balance(mine, 600) == 630, "30 of the bought ones are left"


def test_what_a_failed_job_gives_back_late_belongs_to_its_month(
    clock: Callable[[str], None],
) -> None:
    clock("2026-01-30 00:00:00")
    mine, long = account(100), job()
    assert credits.balance(mine, 600) == 700
    credits.reserve(mine, long, 650)
    clock("2026-02-02 00:00:00")
    assert credits.balance(mine, 600) == 650
    credits.refund(mine, long)
    clock("2026-03-02 00:00:00")
    assert credits.balance(mine, 600) == 700, "what was bought is all there, and this month's"


def test_many_at_once_begin_a_month_once() -> None:
    mine = account()

    def look(_: int) -> int:
        with db.calling():
            return credits.balance(mine, 600)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(look, range(24))) == {600}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from("rxsfg"), st.integers(0, 3), st.integers(1, 9)), max_size=25)
)
def test_the_balance_is_always_the_sum_and_never_below_nothing(
    steps: list[tuple[str, int, int]],
) -> None:
    mine, jobs = account(20), [job() for _ in range(4)]
    for what, which, amount in steps:
        try:
            match what:
                case "r" | "x":
                    credits.reserve(mine, jobs[which], amount)
                case "s":
                    credits.settle(mine, jobs[which], amount)
                case "f":
                    credits.refund(mine, jobs[which])
                case _:
                    credits.grant(mine, amount - 5, "either way")
        except (NoCredits, BadRequest):
            pass
        balance = Wallet.objects.get(account_id=mine).balance
        assert balance == sum_of(mine)
        assert balance >= 0
    assert credits.unbalanced() == 0
