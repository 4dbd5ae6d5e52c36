"""What the sign-up page asks besides address and password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest

from auricle.accounts.models import Plan, User
from auricle.accounts.services import FREE


class SignupForm(forms.Form):
    """The plan, out of those that are open to everybody."""

    plan = forms.ModelChoiceField(
        Plan.objects.filter(signup=True).order_by("id"),
        initial=FREE,
        required=False,
        empty_label=None,
        label="Plan",
    )

    def signup(self, request: HttpRequest, user: User) -> None:
        """Asked for by allauth; the adapter has made the account already."""

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        self.fields["plan"].label_from_instance = _described  # type: ignore[attr-defined]


def _described(plan: Plan) -> str:
    minutes = [
        f"{plan.monthly_credits} minutes a month" if plan.monthly_credits else "",
        f"{plan.welcome_credits} minutes to begin with" if plan.welcome_credits else "",
    ]
    return f"{plan.name}: {', '.join(filter(None, minutes)) or 'by credits'}"
