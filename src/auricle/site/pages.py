"""The pages for people: API keys. Signing up and logging in are django-allauth's."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from auricle.accounts.keys import create_key, revoke_key
from auricle.accounts.models import ApiKey, User
from auricle.core.errors import Forbidden


class KeyForm(forms.Form):
    """A new key's name."""

    name = forms.CharField(max_length=100, label="What is the key for?")


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """List, make and revoke API keys; a new one is shown in the answer to its making only."""
    user = request.user
    assert isinstance(user, User)
    form, shown = KeyForm(request.POST or None), ""
    rows = ApiKey.objects.filter(account=user.account, revoked=None).order_by("id")
    if number := request.POST.get("revoke"):
        revoke_key(get_object_or_404(rows, pk=int(number) if number.isdecimal() else 0))
        messages.success(request, "The key is revoked.")
        return redirect("keys")
    if request.method == "POST" and form.is_valid():
        try:
            _, shown = create_key(user, form.cleaned_data["name"])
        except Forbidden as error:
            form.add_error(None, error.message)
        else:
            form = KeyForm()
    context = {"keys": rows, "form": form, "shown": shown, "account": user.account}
    return render(request, "auricle/keys.html", context)


def admin_login(request: HttpRequest) -> HttpResponse:
    """Operators log in where everybody does, second factor included."""
    if isinstance(request.user, User) and request.user.is_staff:
        return redirect("/admin/")
    if request.user.is_authenticated:
        return render(request, "auricle/not_operator.html", status=403)
    target = request.GET.get("next", "/admin/")
    return redirect(f"/accounts/login/?{urlencode({'next': target})}")
