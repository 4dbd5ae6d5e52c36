"""Who may use this server, and how much of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.validators import MaxValueValidator
from django.db import models

MOST_DAYS = 36_500


class Plan(models.Model):
    """What an account may do. Data, not code: operators change the rows in the admin."""

    id = models.SlugField(primary_key=True)
    name = models.CharField(max_length=100)
    metered = models.BooleanField(default=True, help_text="Whether minutes cost credits.")
    monthly_credits = models.PositiveIntegerField(
        default=0, help_text="Credits granted for each calendar month (UTC); they expire with it."
    )
    welcome_credits = models.PositiveIntegerField(
        default=0, help_text="Credits granted once, to each new account."
    )
    signup = models.BooleanField(default=False, help_text="Whether people may sign up for it.")
    daily_transcriptions = models.PositiveIntegerField(
        null=True, blank=True, help_text="Most transcriptions in a day (UTC); empty: no limit."
    )
    concurrent = models.PositiveIntegerField(help_text="Most transcriptions at a time.")

    def __str__(self) -> str:
        return self.name


class PlanLimit(models.Model):
    """The largest recording that a plan takes, through one API or all of them."""

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="limits")
    dialect = models.CharField(
        max_length=20, blank=True, help_text="sttai, cartesia, sttcn, openai; empty: every API."
    )
    max_bytes = models.PositiveBigIntegerField()
    max_seconds = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["plan", "dialect"], name="one_limit_for_a_dialect")
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.dialect or 'every API'}"


class Account(models.Model):
    """A customer: a person, or a team whose members share transcripts and credits."""

    name = models.CharField(max_length=200)
    plan = models.ForeignKey(Plan, models.PROTECT)
    disabled = models.BooleanField(default=False, help_text="Refuse all its requests.")
    keep_audio_days = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(MOST_DAYS)],
        help_text="Days that recordings are kept for playback; 0: deleted at once.",
    )
    keep_transcripts_days = models.PositiveIntegerField(
        validators=[MaxValueValidator(MOST_DAYS)],
        null=True,
        blank=True,
        help_text="Days that transcripts are kept; empty: for ever.",
    )
    email_finished = models.BooleanField(
        default=False, help_text="Mail the members when a transcript is finished."
    )
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Users are known by their address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a user; without a password they cannot log in until one is set."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save()
        return user


class User(AbstractUser):
    """A person who can log in; a member of one account."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    account = models.ForeignKey(
        Account, models.CASCADE, null=True, blank=True, related_name="members"
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.email


class ApiKey(models.Model):
    """A secret that stands for its account; only its hash is kept."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="keys")
    user = models.ForeignKey(User, models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20, unique=True, editable=False)
    hashed = models.CharField(max_length=64, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True, editable=False)
    revoked = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class WrongKey(models.Model):
    """A key that did not hold; enough of them lock an address out for a while."""

    address = models.CharField(max_length=50)
    prefix = models.CharField(max_length=20)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["address", "at"])]


class Use(models.Model):
    """A transcription that was accepted, or work on text that was done; stays when the transcript
    is deleted."""

    account = models.ForeignKey(Account, models.CASCADE, null=True, related_name="uses")
    network = models.CharField(max_length=50, blank=True)
    at = models.DateTimeField(auto_now_add=True)
    transcript = models.BigIntegerField(unique=True, null=True, help_text="Empty for text.")
    seconds = models.FloatField(default=0)
    failed = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["account", "at"]),
            models.Index(fields=["network", "at"]),
        ]


class PrivateInstance(models.Model):
    """A server of the account's own, which an operator has registered for it."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="instances")
    name = models.CharField(max_length=100)
    url = models.URLField()
    region = models.CharField(max_length=50, blank=True)
    status = models.CharField(max_length=20, default="unknown", editable=False)
    version = models.CharField(max_length=50, blank=True, editable=False)
    checked = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.name
