"""Sign-up and log-in (django-allauth), by the operator's settings."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from auricle.accounts.models import User
from auricle.accounts.services import give_account
from auricle.core.settings import load


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Whoever signs up gets an account on the plan that they choose."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return load().signup == "open"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Mail links that lead to our public address, whatever the request called us."""
        public = urlsplit(load().public_url or "")
        links = {
            name: urlunsplit((public.scheme, public.netloc, *urlsplit(value)[2:]))
            for name, value in context.items()
            if name.endswith("_url") and isinstance(value, str)
        }
        site = {"name": "Auricle", "domain": public.netloc}
        super().send_mail(template_prefix, email, context | links | {"current_site": site})

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit)
            if commit:
                give_account(saved, form.cleaned_data.get("plan"))
        return saved
