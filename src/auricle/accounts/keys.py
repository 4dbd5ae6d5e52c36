"""API keys: made, checked, revoked; and the lock-out of those who guess."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import islice
from types import MappingProxyType
from typing import Any

from django.db import connection
from django.utils import timezone

from auricle.accounts.models import Account, ApiKey, Plan, User, WrongKey
from auricle.core.errors import Forbidden, TooMany, Unauthorized

_LETTERS = string.ascii_letters + string.digits
_ALPHABET = frozenset(_LETTERS + "_")
_PREFIX_LENGTH = len("auk_") + 8

LOCKED_FOR = timedelta(minutes=15)
WRONG_KEYS_ONE = 10
"""Wrong keys with one prefix from one address, after which it has to wait."""
WRONG_KEYS_ALL = 50
"""Wrong keys of any kind from one address."""

USED_EVERY = timedelta(minutes=1)
"""How exactly ``last_used`` is kept."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key or a session belongs to."""

    account: Account
    user: User

    @property
    def operator(self) -> bool:
        """Whether they run this installation."""
        return self.user.is_staff


def key_in(headers: Mapping[str, str], query: Mapping[str, str] = MappingProxyType({})) -> str:
    """The key that a request carries, or nothing: ``Authorization: Bearer KEY``,
    ``X-API-Key: KEY``, or ``api_key``, ``token``, ``access_token`` in its query.

    ``headers`` must not mind the case of names.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    asked = (query.get(name, "") for name in ("api_key", "token", "access_token"))
    return headers.get("x-api-key", "").strip() or next(filter(None, asked), "")


def create_key(user: User, name: str) -> tuple[ApiKey, str]:
    """Make a key for a member of an account; the second value is the key, which nobody sees again.

    Raises :class:`Forbidden` for a user without an account.
    """
    if user.account is None:
        raise Forbidden("This user belongs to no account. An operator can add them to one.")
    prefix = "auk_" + "".join(secrets.choice(_LETTERS) for _ in range(8))
    raw = f"{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        account=user.account, user=user, name=name, prefix=prefix, hashed=_hash(raw)
    )
    return key, raw


def revoke_key(key: ApiKey) -> None:
    """Make a key worthless from now on."""
    ApiKey.objects.filter(pk=key.pk, revoked=None).update(revoked=timezone.now())


def check_key(raw: str, address: str) -> Caller:
    """Find out whose key this is.

    Raises :class:`Unauthorized` for a key that does not hold, :class:`TooMany` for an address that
    has tried too many, :class:`Forbidden` for a disabled account.
    """
    prefix = prefix_of(raw)
    key = _look_up(prefix, network_of(address))
    # Compared also when there is no such prefix, so that the time does not tell.
    if not secrets.compare_digest(_hash(raw), key.hashed if key else _hash("")) or key is None:
        note_wrong(prefix, address)
        raise Unauthorized("Invalid API key. Make one in the settings, under API keys.")
    return _caller(key)


def find(prefix: str, address: str) -> Caller:
    """Whose key begins like this, said by somebody who has proved to know. Raises as
    :func:`check_key` does."""
    key = _look_up(prefix, network_of(address))
    if key is None:
        raise Unauthorized("The API key that this access token was made with is revoked.")
    return _caller(key)


def _caller(key: ApiKey) -> Caller:
    now = timezone.now()
    if key.last_used is None or now - key.last_used > USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used=now)
    refuse_disabled(key.account)
    return Caller(key.account, key.user)


def prefix_of(raw: str) -> str:
    """The part of a key that is kept, of whatever somebody sent for one."""
    return "".join(c if c in _ALPHABET else "?" for c in raw[:_PREFIX_LENGTH])


def note_wrong(prefix: str, address: str) -> None:
    """Count a wrong key against the address that sent it."""
    WrongKey.objects.create(address=network_of(address), prefix=prefix)


def refuse_disabled(account: Account) -> None:
    """Raise :class:`Forbidden` for an account that an operator has disabled."""
    if account.disabled:
        raise Forbidden("This account is disabled. Ask the operator of this server.")


def forget_wrong_keys() -> None:
    """Delete what no longer counts."""
    WrongKey.objects.filter(at__lt=timezone.now() - LOCKED_FOR).delete()


def network_of(address: str) -> str:
    """What one customer without an account is taken for: an IPv4 address, or an IPv6 /64."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket, a test client
        return address or "unknown"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ip_network((found, 64), strict=False))
    return str(found)


def _hash(raw: str) -> str:
    # Keys hold 256 random bits, so nobody can try them all: a slow hash would add nothing.
    return hashlib.sha256(raw.encode()).hexdigest()


def _look_up(prefix: str, address: str) -> ApiKey | None:
    """The key of a prefix, with its account, plan and user. Raises :class:`TooMany` for guessers.

    One statement of our own, because every request asks this: the ORM takes four times as long to
    write its two as the database to answer them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_look_up_sql(), [prefix, address, timezone.now() - LOCKED_FOR, prefix])
        one, every, *row = cursor.fetchone()
    if one >= WRONG_KEYS_ONE or every >= WRONG_KEYS_ALL:
        raise TooMany(
            "Too many invalid API keys from your address. Wait 15 minutes.",
            retry_after=round(LOCKED_FOR.total_seconds()),
        )
    values = iter(row)
    key: ApiKey
    key, account, plan, user = (_instance(model, values) for model in _LOOKED_UP)
    if key.pk is None:
        return None
    account.plan, key.account, key.user = plan, account, user
    return key


_LOOKED_UP: tuple[Any, ...] = (ApiKey, Account, Plan, User)


@cache
def _look_up_sql() -> str:
    columns = ", ".join(
        f"{model._meta.db_table}.{field.column}"
        for model in _LOOKED_UP
        for field in model._meta.concrete_fields
    )
    return f"""
        SELECT wrong.one, wrong.every, {columns} FROM (
            SELECT count(*) FILTER (WHERE prefix = %s) AS one, count(*) AS every
            FROM accounts_wrongkey WHERE address = %s AND at > %s
        ) wrong LEFT JOIN (
            accounts_apikey
            JOIN accounts_account ON accounts_account.id = accounts_apikey.account_id
            JOIN accounts_plan ON accounts_plan.id = accounts_account.plan_id
            JOIN accounts_user ON accounts_user.id = accounts_apikey.user_id
        ) ON accounts_apikey.prefix = %s AND accounts_apikey.revoked IS NULL
            AND accounts_user.is_active AND accounts_user.account_id = accounts_apikey.account_id
    """  # noqa: S608


def _instance(model: Any, values: Iterator[Any]) -> Any:
    """A row of a model out of the next values."""
    names = [field.attname for field in model._meta.concrete_fields]
    return model.from_db(connection.alias, names, list(islice(values, len(names))))
