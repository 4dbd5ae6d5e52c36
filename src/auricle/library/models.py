"""Transcripts, and the jobs that make them: a job is a transcript that is not finished."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from auricle.core.ids import new_id


class Status(models.TextChoices):
    """Where a transcript stands."""

    DOWNLOADING = "DOWNLOADING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


UNFINISHED = (Status.DOWNLOADING, Status.PENDING, Status.RUNNING)
IN_HAND = (Status.DOWNLOADING, Status.RUNNING)
"""What a worker may have in hand."""


class Transcript(models.Model):
    """One recording: what was asked, how far it is, what was heard."""

    slug = models.CharField(max_length=24, unique=True, default=new_id, editable=False)
    task = models.UUIDField(
        unique=True, default=uuid4, editable=False, help_text="Its name in APIs that want a UUID."
    )
    account = models.ForeignKey(
        "accounts.Account", models.CASCADE, null=True, related_name="transcripts"
    )
    network = models.CharField(
        max_length=50, blank=True, help_text="Where it came from, if without an account."
    )
    title = models.CharField(max_length=300, blank=True)
    dialect = models.CharField(max_length=20)
    options = models.JSONField(help_text="What was asked, as the worker takes it.")
    model = models.CharField(max_length=100, help_text="The model that answers.")
    created = models.DateTimeField(auto_now_add=True)

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=30, blank=True, help_text="Why it failed: an error's code")
    message = models.TextField(blank=True, help_text="Why it failed, in words.")
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)

    live = models.BooleanField(default=False, db_default=False, help_text="Heard as it was said.")
    source = models.TextField(blank=True, help_text="The URL that the recording comes from.")
    bytes_done = models.BigIntegerField(default=0, help_text="Downloaded so far.")
    blob = models.CharField(max_length=100, blank=True, help_text="The recording, while kept.")
    file_name = models.CharField(max_length=300, blank=True)
    size = models.BigIntegerField(default=0, help_text="Bytes, once known.")
    fingerprint = models.CharField(max_length=64, help_text="Of the bytes and what was asked.")

    job = models.BigIntegerField(null=True, help_text="Number in the job engine.")
    attempt = models.PositiveIntegerField(default=0, help_text="Whoever runs it holds the newest.")
    tries = models.PositiveIntegerField(default=0, help_text="Attempts since it last got on.")
    worker = models.CharField(max_length=24, blank=True, help_text="Whoever runs it.")
    beat = models.DateTimeField(null=True, help_text="When its worker last had it in hand.")
    windows_done = models.PositiveIntegerField(default=0)
    seconds_done = models.FloatField(default=0)

    language = models.CharField(max_length=10, blank=True)
    language_probability = models.FloatField(default=0)
    duration = models.FloatField(default=0, help_text="Seconds: as declared, then as decoded.")
    speakers = ArrayField(models.CharField(max_length=100), default=list)
    speaker_names = models.JSONField(default=dict, help_text="Label to name.")

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"]),
            models.Index(fields=["fingerprint", "created"]),
            models.Index(fields=["finished"]),
            models.Index(fields=["id"], condition=Q(status__in=UNFINISHED), name="unfinished"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(account__isnull=False) | ~Q(network=""), name="somebody_asked"
            ),
            models.CheckConstraint(
                condition=Q(status__in=UNFINISHED, finished__isnull=True)
                | Q(status__in=[Status.SUCCEEDED, Status.FAILED], finished__isnull=False),
                name="finished_when_it_ended",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.slug


class Segment(models.Model):
    """A sentence of a transcript, or what was said between two pauses."""

    transcript = models.ForeignKey(Transcript, models.CASCADE, related_name="segments")
    order = models.PositiveIntegerField()
    words = models.JSONField(help_text="[text with its leading blank, start, end, probability]")
    speaker = models.CharField(max_length=100, blank=True)
    search = SearchVectorField(editable=False)

    class Meta:
        ordering: ClassVar = ["order"]
        indexes: ClassVar = [GinIndex(fields=["search"], name="segment_words")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["transcript", "order"], name="one_segment_a_place")
        ]


class Batch(models.Model):
    """Words of an unfinished transcript that are safe: a worker that takes over goes on here."""

    transcript = models.ForeignKey(Transcript, models.CASCADE, related_name="batches")
    done = models.FloatField(help_text="Seconds of the recording that this completes.")
    windows = models.PositiveIntegerField()
    words = models.JSONField(help_text="[text, start, end, probability, speaker]")
    language = models.CharField(max_length=10, blank=True)
    language_probability = models.FloatField(default=0)

    class Meta:
        ordering: ClassVar = ["id"]


class Vector(models.Model):
    """A segment's embedding; apart from it, so that whoever reads segments does not read this."""

    segment = models.OneToOneField(Segment, models.CASCADE, primary_key=True, related_name="vector")
    values = models.BinaryField(help_text="384 float32, little endian; length 1.")


class Summary(models.Model):
    """A summary that was made of a transcript; made anew, it replaces the one before."""

    transcript = models.ForeignKey(Transcript, models.CASCADE, related_name="summaries")
    style = models.CharField(max_length=30)
    text = models.TextField()
    topics = ArrayField(models.CharField(max_length=200), default=list)
    model = models.CharField(max_length=200)
    language = models.CharField(max_length=10)
    segments = models.PositiveIntegerField()
    segments_read = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "summaries"
        ordering: ClassVar = ["-created"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["transcript", "style"], name="one_summary_a_style")
        ]


class Conversation(models.Model):
    """Questions about a transcript that belong together."""

    slug = models.CharField(max_length=24, unique=True, default=new_id, editable=False)
    transcript = models.ForeignKey(Transcript, models.CASCADE, related_name="conversations")
    created = models.DateTimeField(auto_now_add=True)


class Turn(models.Model):
    """A question, its answer, and the segments that it was taken from."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="turns")
    question = models.TextField()
    answer = models.TextField()
    sources = models.JSONField()
    model = models.CharField(max_length=200, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]


class Voice(models.Model):
    """Somebody whose voice an account has enrolled: transcripts carry their name."""

    account = models.ForeignKey("accounts.Account", models.CASCADE, related_name="voices")
    name = models.CharField(max_length=100)
    created = models.DateTimeField(auto_now_add=True)
    clip = models.BinaryField(help_text="The recording, until its print is made.")
    vector = ArrayField(models.FloatField(), default=list, help_text="The voice's print.")
    message = models.TextField(blank=True, help_text="Why there is no print, in words.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "name"], name="one_voice_a_name")
        ]

    def __str__(self) -> str:
        return self.name
