"""Prints of the voices that accounts enrol."""

from __future__ import annotations

from tempfile import TemporaryFile

from procrastinate import App

from auricle import db
from auricle.core.errors import AuricleError, BadMedia, ModelNotInstalled, TooLong
from auricle.jobs.services import ENROL
from auricle.library import voices
from auricle.library.voices import LONGEST_CLIP_S
from auricle.media import MediaPool
from auricle.work.chores import AGAIN
from auricle.work.speakers import Speakers

PADDING_S = 0.5
"""What encoders add at the ends of a clip that is cut to the limit."""


class Enrolment:
    """The task, with what it needs."""

    def __init__(self, speakers: Speakers, media: MediaPool) -> None:
        self._speakers = speakers
        self._media = media

    def register(self, app: App) -> None:
        """Make the job engine call us."""
        app.task(name=ENROL, retry=AGAIN)(self.enrol)

    def enrol(self, voice: int) -> None:
        """Make the print of a voice; what is wrong with its clip is noted for its account."""
        clip = db.patiently(voices.clip_of, voice)
        if clip is None:
            return
        try:
            vector = self._print(clip)
        except (BadMedia, TooLong, ModelNotInstalled) as error:
            db.patiently(voices.refused, voice, _told(error))
        else:
            db.patiently(voices.enrolled, voice, vector)

    def _print(self, clip: bytes) -> list[float]:
        """The print of whoever speaks longest. Raises :class:`AuricleError`."""
        session = self._speakers.ours().session()
        with TemporaryFile() as file:
            file.write(clip)
            file.seek(0)
            for block in self._media.decode(file, max_seconds=LONGEST_CLIP_S + PADDING_S):
                session.feed(block)
        found = session.finish(1)
        if found.prints is None or not len(found.prints):
            raise BadMedia("Nobody is heard speaking. Send some seconds of that voice alone.")
        return [float(number) for number in found.prints[0]]


def _told(error: AuricleError) -> str:
    if isinstance(error, TooLong):
        return f"The clip is longer than {LONGEST_CLIP_S:g} seconds. Send a shorter one."
    return error.message
