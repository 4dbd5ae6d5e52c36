"""Recordings at rest: files on disk by default, an S3-compatible store by URL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from auricle.core.errors import NotFound, Unavailable
from auricle.core.settings import Settings

COPY_BYTES = 8 << 20


class Blobs:
    """A flat space of keys. Blocking and thread-safe.

    Raises :class:`Unavailable` when the store does not answer or has no room.
    """

    def __init__(self, settings: Settings) -> None:
        self._spool = settings.uploads_dir
        self._folder: Path | None = None
        if settings.storage_url:
            self._store: ObjectStore = from_url(settings.storage_url)
        else:
            self._folder = settings.blobs_dir
            with _told():
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = LocalStore(self._folder)

    def put(self, file: Path, key: str) -> None:
        """Move a file into the store; it is safe on disk when this returns."""
        with _told():
            if self._folder is None:
                obstore.put(self._store, key, file)
                file.unlink()
            else:
                self._move(file, self._folder, key)

    @staticmethod
    def _move(file: Path, folder: Path, key: str) -> None:
        """Rename, or copy where the folder is a file system of its own."""
        if file.stat().st_dev != folder.stat().st_dev:
            copy = folder / f"{key}.part"
            shutil.copyfile(file, copy)
            file.unlink()
            file = copy
        _sync(file)
        file.replace(folder / key)
        _sync(folder)

    @contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        """Open a blob for reading, as a real file. Raises :class:`NotFound`."""
        if self._folder is not None:
            with _told():
                file = (self._folder / key).open("rb")
            with file:
                yield file
            return
        with _told():
            spool = TemporaryFile(dir=self._spooled())  # noqa: SIM115  (the next line closes it)
        with spool as copy:
            with _told():
                for chunk in obstore.get(self._store, key).stream(COPY_BYTES):
                    copy.write(chunk)
                copy.seek(0)
            yield cast("BinaryIO", copy)

    def delete(self, key: str) -> None:
        """Delete a blob, if it is there."""
        with _told(), suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    def older_than(self, age: timedelta) -> Iterator[str]:
        """The keys of all blobs that were written before so long."""
        with _told():
            for page in obstore.list(self._store):
                for meta in page:
                    if meta["last_modified"] < datetime.now(UTC) - age:
                        yield meta["path"]

    def _spooled(self) -> Path:
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._spool


@contextmanager
def _told() -> Generator[None]:
    """Errors of the store, as ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("The recording is not in the store any more.") from error
    except (OSError, BaseError) as error:
        raise Unavailable(
            "The store of recordings does not answer or has no room. Try again later.",
            retry_after=60,
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
