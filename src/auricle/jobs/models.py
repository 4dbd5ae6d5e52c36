"""Workers, and what is told to the outside when a job ends."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Worker(models.Model):
    """A worker process that has given a sign of life."""

    id = models.CharField(primary_key=True, max_length=24)
    host = models.CharField(max_length=200)
    machine = models.CharField(
        max_length=300, help_text="Where the process number means something."
    )
    pid = models.PositiveIntegerField()
    models_ = ArrayField(models.CharField(max_length=100), db_column="models")
    gpu_name = models.CharField(max_length=200, blank=True)
    gpu_memory_mb = models.PositiveIntegerField(default=0)
    version = models.CharField(max_length=50)
    address = models.CharField(
        max_length=200, db_default="", help_text="Where it answers calls at once, on its machine."
    )
    kind = models.CharField(
        max_length=10, db_default="speech", help_text="What it does: speech or text."
    )
    started = models.DateTimeField(auto_now_add=True)
    beat = models.DateTimeField()
    stats = models.JSONField(default=dict, help_text="Figures for the operators.")

    def __str__(self) -> str:
        return f"{self.host} {self.pid}"


class Endpoint(models.Model):
    """An address that wants to hear of an account's transcripts (https://www.standardwebhooks.com)."""

    account = models.ForeignKey("accounts.Account", models.CASCADE, related_name="endpoints")
    url = models.URLField(max_length=500)
    secret = models.CharField(max_length=100)
    disabled = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """A message to an endpoint, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=50)
    payload = models.JSONField()
    created = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveIntegerField(default=0)
    delivered = models.DateTimeField(null=True)
    gave_up = models.DateTimeField(null=True)
    status = models.PositiveIntegerField(null=True, help_text="HTTP status of the last attempt.")
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar = ["-created"]
        verbose_name_plural = "deliveries"
