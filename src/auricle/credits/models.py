"""The ledger. 1 credit is 1 started minute of audio.

Entries are only ever added: triggers refuse changes and keep each wallet's balance equal to the sum
of its entries, and a CHECK keeps it from falling below nothing. So of many simultaneous
reservations only those pass that the balance can bear, whatever the code around them does.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Wallet(models.Model):
    """An account's balance; written by the trigger alone."""

    account = models.OneToOneField("accounts.Account", models.CASCADE, primary_key=True)
    balance = models.IntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="balance_not_negative")
        ]


class Kind(models.TextChoices):
    """What an entry is for."""

    GRANT = "grant", "granted"
    EXPIRE = "expire", "expired"
    RESERVE = "reserve", "reserved for a transcription"
    SETTLE = "settle", "given back when a transcription cost less"
    REFUND = "refund", "given back because a transcription failed"
    SPEND = "spend", "spent on work on text"


class Entry(models.Model):
    """One line of the ledger."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.IntegerField()
    job = models.BigIntegerField(null=True, help_text="Number of the transcript it is for.")
    month = models.DateField(null=True, help_text="First day of the month of a monthly grant.")
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "ledger"
        indexes: ClassVar = [
            models.Index(fields=["account", "at"]),
            models.Index(fields=["job"]),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=[Kind.EXPIRE, Kind.RESERVE, Kind.SPEND], amount__lte=0)
                | Q(kind__in=[Kind.SETTLE, Kind.REFUND], amount__gte=0)
                | Q(kind=Kind.GRANT),
                name="sign_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[Kind.RESERVE, Kind.SETTLE, Kind.REFUND], job__isnull=False)
                | Q(kind__in=[Kind.GRANT, Kind.EXPIRE, Kind.SPEND], job__isnull=True),
                name="job_where_there_is_one",
            ),
            models.UniqueConstraint(
                fields=["job"],
                condition=Q(kind__in=[Kind.SETTLE, Kind.REFUND]),
                name="a_job_ends_once",
            ),
            models.UniqueConstraint(
                fields=["account", "kind", "month"],
                condition=Q(month__isnull=False),
                name="a_month_is_granted_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+}"
