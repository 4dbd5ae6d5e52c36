"""Recordings behind URLs, into the store."""

from __future__ import annotations

from functools import partial

from auricle import db
from auricle.core.errors import TooLong
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.credits.services import minutes
from auricle.desk import endings
from auricle.fetch import EXTRACTORS, Fetcher
from auricle.library import runs
from auricle.library.runs import Fetched, Run
from auricle.media import MediaPool
from auricle.storage import Blobs, Upload, Uploads
from auricle.work.attempts import Ending


class Downloader:
    """Downloads what users name, as far as their plans reach. Thread-safe."""

    def __init__(self, settings: Settings, media: MediaPool, blobs: Blobs) -> None:
        platforms = EXTRACTORS if settings.url_extractors is None else settings.url_extractors
        self._fetcher = Fetcher(settings.url_allow_hosts, platforms)
        self._drafts = Uploads(settings.downloads_dir)
        self._folder = settings.downloads_dir
        self._media = media
        self._blobs = blobs

    def download(self, run: Run) -> Ending:
        """Download a recording; returns how to record that it is here."""
        with self._drafts.new(run.options["max_bytes"]) as draft:
            draft.name = self._fetcher.fetch(
                run.source,
                draft,
                max_bytes=run.options["max_bytes"],
                folder=self._folder,
                told=partial(_note, run),
            )
            draft.close()
            found = Fetched(new_id(), draft.name, draft.size, self._duration(run, draft))
            db.patiently(endings.extend, run, minutes(found.duration))
            self._blobs.put(draft.path, found.blob)
        return partial(endings.fetched, run, found)

    def _duration(self, run: Run, draft: Upload) -> float:
        """Seconds that it says it has. Raises :class:`BadMedia` and :class:`TooLong`."""
        with draft.path.open("rb") as file:
            seconds = max(0.0, self._media.probe(file, draft.name).duration or 0.0)
        if seconds > run.options["max_seconds"]:
            raise TooLong(
                f"The recording is longer than {run.options['max_seconds'] / 3600:g} hours."
            )
        return seconds


def _note(run: Run, done: int, size: int | None) -> None:
    db.patiently(runs.download, run, done, size or 0)
