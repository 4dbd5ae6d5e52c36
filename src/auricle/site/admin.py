"""The operators' pages: accounts, plans, ledger, jobs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from auricle.accounts.models import Account, ApiKey, Plan, PlanLimit, PrivateInstance, User
from auricle.accounts.resets import reset_link
from auricle.accounts.services import NAMED_PLANS
from auricle.core.errors import AuricleError
from auricle.credits.models import Entry, Wallet
from auricle.credits.services import grant
from auricle.desk import endings
from auricle.jobs.models import Delivery, Endpoint, Worker
from auricle.library.models import Transcript
from auricle.site.api.lookup import desk_of

admin.site.site_header = admin.site.site_title = "Auricle"
admin.site.index_title = "Operation"


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows that nobody writes by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LimitInline(admin.TabularInline[PlanLimit, Plan]):
    """A plan's limits."""

    model = PlanLimit
    extra = 0


@admin.register(Plan)
class PlanAdmin(admin.ModelAdmin[Plan]):
    """Plans."""

    list_display = (
        "id", "name", "metered", "monthly_credits", "daily_transcriptions", "concurrent",
    )  # fmt: skip
    inlines = (LimitInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        """Those that the code names stay."""
        return obj is not None and obj.pk not in NAMED_PLANS


class KeyInline(admin.TabularInline[ApiKey, Account]):
    """An account's keys, without their secrets."""

    model = ApiKey
    extra = 0
    fields = readonly_fields = ("name", "prefix", "user", "created", "last_used", "revoked")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AccountForm(forms.ModelForm[Account]):
    """An account, with credits to give."""

    grant = forms.IntegerField(
        required=False, help_text="Credits to give; negative ones are taken away."
    )

    class Meta:
        model = Account
        fields = "__all__"


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin[Account]):
    """Accounts."""

    form = AccountForm
    list_display = ("name", "plan", "balance", "disabled", "created")
    list_filter = ("plan", "disabled")
    search_fields = ("name", "members__email")
    inlines = (KeyInline,)

    def balance(self, account: Account) -> int:
        """What the wallet holds."""
        found = Wallet.objects.filter(account=account).first()
        return found.balance if found else 0

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if amount := form.cleaned_data.get("grant"):
            try:
                grant(obj.pk, amount, note=f"by {request.user}")
            except AuricleError as error:
                messages.error(request, error.message)


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    """People."""

    ordering = ("email",)
    list_display = ("email", "account", "is_staff", "is_active", "last_login")
    search_fields = ("email", "account__name")
    fieldsets = (
        (None, {"fields": ("email", "password", "account")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "account", "password1", "password2")}),)
    actions = ("show_reset_link",)

    @admin.action(description="Show a link to set a new password", permissions=["change"])
    def show_reset_link(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        """For people who have lost theirs, where no mail is sent."""
        for user in rows:
            link = reset_link(user, request.build_absolute_uri("/"))
            messages.info(request, f"{user.email}: {link}")


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """The ledger."""

    list_display = ("at", "account", "kind", "amount", "job", "month", "note")
    list_filter = ("kind",)
    search_fields = ("account__name", "job")
    date_hierarchy = "at"


@admin.register(Transcript)
class JobAdmin(ReadOnly):
    """Jobs: how far they are, and what went wrong."""

    list_display = (
        "id", "account", "status", "reason", "model", "duration", "seconds_done", "attempt",
        "created", "finished",
    )  # fmt: skip
    list_filter = ("status", "reason", "dialect", "model")
    search_fields = ("slug", "account__name")
    exclude = ("title", "file_name", "fingerprint", "speaker_names")
    actions = ("cancel", "retry")

    @admin.action(description="Cancel")
    def cancel(self, request: HttpRequest, rows: QuerySet[Transcript]) -> None:
        """End transcriptions that have not ended, and delete their recordings."""
        ended = [blob for row in rows if (blob := endings.cancel(row.pk))]
        for blob in ended:
            desk_of(request).forget(blob)
        messages.success(request, f"Cancelled: {len(ended)}.")

    @admin.action(description="Try again")
    def retry(self, request: HttpRequest, rows: QuerySet[Transcript]) -> None:
        """Try failed transcriptions again."""
        for row in rows:
            try:
                endings.retry(row)
            except AuricleError as error:
                messages.error(request, error.message)


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    """Workers."""

    list_display = ("host", "pid", "models_", "gpu_name", "version", "started", "beat")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    """Webhook messages."""

    list_display = ("created", "endpoint", "event", "attempts", "status", "delivered", "error")


admin.site.register(Endpoint)
admin.site.register(PrivateInstance, list_display=("name", "account", "url", "status", "version"))
