"""Who calls the REST API: a key, or somebody who is logged in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from auricle.accounts.keys import Caller, check_key, key_in, refuse_disabled
from auricle.accounts.models import Account, User
from auricle.core.errors import Forbidden


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer KEY`` or ``X-API-Key: KEY``."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        raw = key_in(request.headers)
        if not raw:
            return None
        caller = check_key(raw, request.META.get("REMOTE_ADDR", ""))
        caller.user.account = caller.account
        return caller.user, caller

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class CookieAuthentication(SessionAuthentication):
    """The session of somebody who has logged in."""

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasAccount(BasePermission):
    """Only members of an account that is not disabled."""

    message = "This needs an API key: send 'Authorization: Bearer KEY', or log in."

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or isinstance(request.user, AnonymousUser):
            return False
        account_of(request)
        return True


def account_of(request: Request) -> Account:
    """The account that a request is for. Raises :class:`Forbidden`."""
    account = request.user.account if isinstance(request.user, User) else None
    if account is None:
        raise Forbidden("This user belongs to no account. An operator can add them to one.")
    refuse_disabled(account)
    return account


class _KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class _CookieScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = CookieAuthentication
    name = "cookie"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
