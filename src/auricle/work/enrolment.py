"""Prints of the voices that accounts enrol."""

from __future__ import annotations

from procrastinate import App

from auricle import db
from auricle.core.errors import BadMedia, ModelNotInstalled, TooLong
from auricle.jobs.services import ENROL
from auricle.library import voices
from auricle.library.voices import LONGEST_CLIP_S
from auricle.work.chores import AGAIN
from auricle.work.transcriber import Transcriber


class Enrolment:
    """The task, with what it needs."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber

    def register(self, app: App) -> None:
        """Make the job engine call us."""
        app.task(name=ENROL, retry=AGAIN)(self.enrol)

    def enrol(self, voice: int) -> None:
        """Make the print of a voice; what is wrong with its clip is noted for its account."""
        clip = db.patiently(voices.clip_of, voice)
        if clip is None:
            return
        try:
            vector = self._transcriber.print_of(clip, LONGEST_CLIP_S)
        except (BadMedia, TooLong, ModelNotInstalled) as error:
            db.patiently(voices.refused, voice, error.message)
        else:
            db.patiently(voices.enrolled, voice, vector)
