"""Short-lived access tokens: what a server gives to a browser instead of its API key.

A token is signed, not stored. It names the key that it was made with and dies with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from django.core import signing

from auricle.accounts import keys
from auricle.accounts.keys import Caller
from auricle.core.errors import Forbidden, Unauthorized

PREFIX = "aut_"
LONGEST_S = 3600
_SALT = "auricle.access-token"


def create_token(key: str, seconds: int, grants: Iterable[str]) -> str:
    """A token for whoever holds a (checked) key."""
    claims = {
        "key": keys.prefix_of(key),
        "grants": sorted(grants),
        "until": int(time.time()) + seconds,
    }
    return PREFIX + signing.dumps(claims, salt=_SALT)


def check_token(token: str, address: str, grant: str) -> Caller:
    """Find out whose token this is, if it is good for ``grant``.

    Raises :class:`Unauthorized` for one that does not hold or is over, :class:`Forbidden` for one
    that was made for something else, and what :func:`auricle.accounts.keys.check_key` does.
    """
    try:
        claims = signing.loads(token.removeprefix(PREFIX), salt=_SALT)
    except signing.BadSignature as error:
        keys.note_wrong(PREFIX, address)
        raise Unauthorized("Invalid access token. Make a new one: POST /access-token.") from error
    if claims["until"] <= time.time():
        raise Unauthorized("The access token is over. Make a new one: POST /access-token.")
    if grant not in claims["grants"]:
        raise Forbidden(
            f"The access token was not made for this. Make one with grants {{{grant!r}: true}}."
        )
    return keys.find(claims["key"], address)
