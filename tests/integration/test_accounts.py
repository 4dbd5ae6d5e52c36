"""Keys, plans and limits, on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from auricle.accounts import keys
from auricle.accounts.keys import check_key, create_key, network_of, revoke_key
from auricle.accounts.models import Account, ApiKey, Plan, PlanLimit, Use, User, WrongKey
from auricle.accounts.operations import create_key as create_key_for
from auricle.accounts.operations import create_operator
from auricle.accounts.services import create_account, terms, usage
from auricle.core.errors import BadRequest, Forbidden, TooLarge, TooMany, Unauthorized
from auricle.core.settings import Settings
from auricle.desk import Customer, Peer
from auricle.desk import admission as rules
from auricle.library.services import Owner

pytestmark = pytest.mark.usefixtures("database")
_numbers = itertools.count(1)


def member(plan: str = "free") -> User:
    return create_account(f"member{next(_numbers)}@example.com", plan)


def an_address() -> str:
    """One that nobody has guessed from yet."""
    number = next(_numbers)
    return f"198.51.{number // 256}.{number % 256}"


def test_a_key_opens_its_account_and_only_its_hash_is_kept() -> None:
    user = member()
    key, raw = create_key(user, "laptop")
    caller = check_key(raw, an_address())
    assert (caller.account, caller.user, caller.operator) == (user.account, user, False)
    stored = str(ApiKey.objects.filter(pk=key.pk).values().get())
    assert raw not in stored
    assert raw.removeprefix(key.prefix) not in stored
    key.refresh_from_db()
    assert key.last_used


DAMAGES: list[Callable[[str], str]] = [
    lambda raw: raw[:-1],
    lambda raw: raw + "x",
    lambda raw: raw[:12],
    lambda raw: "nonsense",
    lambda raw: "ü\0" * 500,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_key_that_is_not_quite_one_opens_nothing(damage: Callable[[str], str]) -> None:
    _, raw = create_key(member(), "laptop")
    with pytest.raises(Unauthorized):
        check_key(damage(raw), an_address())


def test_a_revoked_key_opens_nothing() -> None:
    key, raw = create_key(member(), "laptop")
    revoke_key(key)
    with pytest.raises(Unauthorized):
        check_key(raw, an_address())


def test_whoever_left_and_whoever_is_disabled_are_refused() -> None:
    user, other = member(), member()
    _, raw = create_key(user, "laptop")
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(Unauthorized):
        check_key(raw, an_address())
    _, raw = create_key(other, "laptop")
    Account.objects.filter(members=other).update(disabled=True)
    with pytest.raises(Forbidden):
        check_key(raw, an_address())


def test_whoever_is_taken_out_of_an_account_takes_no_key_along() -> None:
    user = member()
    _, raw = create_key(user, "laptop")
    User.objects.filter(pk=user.pk).update(account=None)
    with pytest.raises(Unauthorized):
        check_key(raw, an_address())


def test_guessing_one_key_locks_the_guesser_out_and_nobody_else() -> None:
    key, raw = create_key(member(), "laptop")
    guesser = an_address()
    for _ in range(keys.WRONG_KEYS_ONE):
        with pytest.raises(Unauthorized):
            check_key(key.prefix + "_guess", guesser)
    with pytest.raises(TooMany) as caught:
        check_key(raw, guesser)
    assert caught.value.retry_after == 900
    assert check_key(raw, an_address()).account == key.account
    WrongKey.objects.filter(address=guesser).update(at=timezone.now() - timedelta(minutes=16))
    assert check_key(raw, guesser).account == key.account, "a quarter of an hour later"


def test_guessing_many_keys_locks_the_address_out() -> None:
    _, raw = create_key(member(), "laptop")
    guesser = an_address()
    for number in range(keys.WRONG_KEYS_ALL):
        with pytest.raises(Unauthorized):
            check_key(f"auk_{number:08}_guess", guesser)
    with pytest.raises(TooMany):
        check_key(raw, guesser)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_a_customer_without_an_account_is_an_address_or_an_ipv6_network(
    address: str, network: str
) -> None:
    assert network_of(address) == network


def test_the_first_plans_are_those_that_are_documented() -> None:
    free, paid, none = (
        terms(Plan.objects.get(id=p), "sttai") for p in ("free", "paid", "anonymous")
    )
    assert (none.daily, none.max_bytes, none.concurrent) == (3, 100_000_000, 1)
    assert (free.daily, free.max_bytes, free.concurrent) == (None, 500_000_000, 2)
    assert (paid.max_bytes, paid.concurrent) == (2_000_000_000, 5)
    assert Plan.objects.get(id="free").monthly_credits == 600
    sttcn = terms(Plan.objects.get(id="paid"), "sttcn")
    assert (sttcn.max_bytes, sttcn.max_seconds) == (12_000_000_000, 12 * 3600)


def test_plans_are_data() -> None:
    plan = Plan.objects.create(id=f"team{next(_numbers)}", name="Team", concurrent=7)
    PlanLimit.objects.create(plan=plan, max_bytes=5, max_seconds=6)
    assert terms(plan, "openai").concurrent == 7
    user = create_account(f"team{next(_numbers)}@example.com", plan.id)
    assert user.account
    assert user.account.plan == plan


HOME = Peer("127.0.0.1")


@pytest.mark.parametrize(
    ("peer", "welcome"),
    [(HOME, True), (Peer("::1"), True), (Peer("::ffff:127.0.0.1"), True),
     (Peer("127.0.0.1", host="localhost:8000"), True),
     (Peer("127.0.0.1", host="evil.example"), False),
     (Peer("127.0.0.1", proxied=True), False), (Peer("192.168.1.5"), False), (Peer(""), False)],
)  # fmt: skip
def test_only_this_machine_itself_may_be_trusted(tmp_path: Path, peer: Peer, welcome: bool) -> None:
    trusting = Settings(data=tmp_path, trust_loopback=True)
    if welcome:
        assert rules.identify(trusting, "", peer, "sttai", anonymous=False).terms.metered is False
    else:
        with pytest.raises(Unauthorized):
            rules.identify(trusting, "", peer, "sttai", anonymous=False)
    with pytest.raises(Unauthorized):
        rules.identify(Settings(data=tmp_path), "", peer, "sttai", anonymous=False)


def test_a_wrong_key_is_not_taken_for_no_key(tmp_path: Path) -> None:
    trusting = Settings(data=tmp_path, trust_loopback=True)
    with pytest.raises(Unauthorized):
        rules.identify(trusting, "auk_wrongone_x", Peer(an_address()), "sttai", anonymous=True)


def test_recordings_that_are_longer_than_the_plan_are_refused() -> None:
    plan = terms(Plan.objects.get(id="free"), "sttai")
    customer = Customer(Owner(1, ""), plan, 0, operator=False)
    rules.refuse_longer(customer, 3600, hours=12)
    with pytest.raises(TooLarge, match="longer than 2 hours"):
        rules.refuse_longer(customer, 2 * 3600 + 1, hours=2)


def test_operators_are_made_and_made_of_members() -> None:
    email = f"boss{next(_numbers)}@example.com"
    create_operator(email, "correct horse battery")
    boss = User.objects.get(email=email)
    assert boss.is_staff
    assert boss.account
    assert boss.account.plan_id == "owner"
    user = member()
    create_operator(user.email, "another password")
    user.refresh_from_db()
    assert user.is_staff
    assert user.account
    assert user.account.plan_id == "free"


def test_mistakes_of_operators_are_told() -> None:
    with pytest.raises(BadRequest, match="not an e-mail address"):
        create_key_for("nobody", "free", 0, "x")
    with pytest.raises(BadRequest, match=r"Choose one of: .*free, owner, paid"):
        create_key_for(f"x{next(_numbers)}@example.com", "gold", 0, "x")


def test_use_is_counted_by_day() -> None:
    user = member()
    assert user.account
    for seconds in (30, 90):
        Use.objects.create(account=user.account, transcript=next(_numbers) + 10**7, seconds=seconds)
    days = usage(user.account.pk, 30)
    assert len(days) == 30
    assert (days[-1].minutes, days[-1].requests) == (2.0, 2)
    assert sum(day.requests for day in days[:-1]) == 0
