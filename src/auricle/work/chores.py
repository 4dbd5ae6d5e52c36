"""Small tasks of the job engine: webhooks, private instances, and what is swept up every hour."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from django.core.management import call_command
from procrastinate import App, RetryStrategy

from auricle import db
from auricle.accounts import instances
from auricle.accounts.keys import forget_wrong_keys
from auricle.accounts.services import forget_uses
from auricle.core.errors import Unavailable
from auricle.core.settings import Settings
from auricle.desk import endings
from auricle.desk.texts import Texts
from auricle.egress import Guard, client
from auricle.jobs import webhooks
from auricle.jobs.services import CHORES, DELIVER, MAIL, forget_ended_jobs
from auricle.library import mail
from auricle.library import services as library
from auricle.library.models import Transcript
from auricle.storage import Blobs, Uploads

log = logging.getLogger(__name__)

ORPHANED_AFTER = timedelta(hours=2)
"""Age of a blob that no transcript knows, after which no request can still be about to name it."""

LEFT_AFTER_S = 3600.0
"""Age of what a killed worker has left of a download; one that goes on is written to all the time.
"""

KEEP_JOBS_HOURS = 7 * 24

NEW = timedelta(hours=1)
"""Age of transcripts whose vectors are made before anybody asks for them."""

AGAIN = RetryStrategy(max_attempts=8, exponential_wait=4)
"""For what fails here: the database or the mail server is away."""


class Chores:
    """The tasks, with what they need."""

    def __init__(self, settings: Settings, blobs: Blobs) -> None:
        self._blobs = blobs
        self._drafts = Uploads(settings.downloads_dir)
        self._client = client(Guard(settings.url_allow_hosts))
        self._texts = Texts(settings)

    def register(self, app: App) -> None:
        """Make the job engine call us."""
        app.task(name=DELIVER, retry=AGAIN)(self.deliver)
        app.task(name=MAIL, retry=AGAIN)(self.send_mail)
        for cron, name, task in (
            ("23 * * * *", "auricle.sweep", self.sweep),
            ("*/5 * * * *", "auricle.check_instances", self.check_instances),
            ("* * * * *", "auricle.make_vectors", self.make_vectors),
        ):
            app.periodic(cron=cron)(app.task(name=name, queue=CHORES)(task))

    def deliver(self, delivery: str) -> None:
        """Send a message to a webhook's endpoint."""
        webhooks.deliver(self._client, delivery)

    def send_mail(self, transcript: int) -> None:
        """Tell the members of an account that a transcript has ended."""
        with db.calling():
            mail.send_finished(transcript)

    def make_vectors(self, timestamp: int) -> None:
        """Make the segments that are new ready to be found by their meaning.

        All together: each recording's own would cost short ones as much as hearing them.
        """
        try:
            asyncio.run(self._texts.make_vectors(library.succeeded_within(NEW)))
        except Unavailable as error:  # whoever searches first makes them
            log.info("new transcripts have no vectors yet: %s", error.message)

    def check_instances(self, timestamp: int) -> None:
        """Ask the private instances how they are."""
        instances.check_all(self._client)

    def sweep(self, timestamp: int) -> None:
        """Delete what nobody may see, needs, or knows of any more."""
        db.patiently(self._forget)
        self._drafts.sweep(older_than_s=LEFT_AFTER_S)
        orphans = list(self._blobs.older_than(ORPHANED_AFTER))
        for key in db.patiently(_unknown, orphans):
            log.warning("deleting a recording that no transcript knows: %s", key)
            self._blobs.delete(key)

    def _forget(self) -> None:
        forget_ended_jobs(KEEP_JOBS_HOURS)
        call_command("clearsessions")
        forget_wrong_keys()
        webhooks.forget_deliveries()
        forget_uses()
        for row in library.expired():
            if blob := endings.delete(row):
                self._blobs.delete(blob)
        for row in library.audio_expired():
            self._blobs.delete(row.blob)
            Transcript.objects.filter(pk=row.pk).update(blob="")


def _unknown(keys: list[str]) -> list[str]:
    known = set(Transcript.objects.filter(blob__in=keys).values_list("blob", flat=True))
    return [key for key in keys if key not in known]
