"""An archive into a new installation."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import mkstemp

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from auricle import db
from auricle.backups import dump
from auricle.backups.archive import BLOBS, DUMP, SECRET, Manifest, Reader, reading
from auricle.core.errors import BadRequest, Unavailable
from auricle.core.settings import Settings
from auricle.storage import Blobs


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    manifest: Manifest
    accounts: int
    transcripts: int
    blobs: int
    secret: bool


def restore(settings: Settings, file: Path) -> Restored:
    """Bring back what :func:`backup` has saved, all or nothing.

    The installation has to be new: its database has no tables. Raises :class:`BadRequest` for one
    that is not, and for a file that is no sound backup; :class:`Unavailable` for what prevents it.
    """
    with reading(file) as archive, db.running(settings):
        db.setup()
        server = _refuse_unfit(archive.manifest)
        with _secret(settings, archive) as secret, _blobs(settings, archive):
            with archive.open(DUMP) as content:
                dump.load(settings, server, content)
            if secret:
                secret.rename(settings.secret_file)
        db.migrate()
        _forget_workers()
        accounts, transcripts = _count()
        db.close_pools()
    blobs = len(archive.blobs)
    return Restored(archive.manifest, accounts, transcripts, blobs, secret is not None)


def _refuse_unfit(manifest: Manifest) -> int:
    """Raise :class:`BadRequest` unless the dump fits this database; returns its major version."""
    with db.calling():
        if connection.introspection.table_names():
            raise BadRequest(
                "This installation is in use: its database has tables. Restore into a new one, "
                "before its first start: choose another AURICLE_DATA, or an empty database."
            )
        loader = MigrationLoader(connection)
        known = {f"{app}.{name}" for app, name in loader.disk_migrations or ()}
        server = int(connection.pg_version) // 10000  # type: ignore[attr-defined]
    if not known.issuperset(manifest.migrations):
        raise BadRequest(
            f"The backup was made by a newer Auricle, {manifest.auricle}. Install that version "
            "to restore it."
        )
    if manifest.postgresql > server:
        raise BadRequest(
            f"The backup is of PostgreSQL {manifest.postgresql}, and this database is {server}. "
            "Restore it into one that is at least as new."
        )
    return server


@contextmanager
def _secret(settings: Settings, archive: Reader) -> Iterator[Path | None]:
    """The secret in a file beside its place, to be renamed; None where it is not to be restored."""
    if settings.secret_key is not None or not archive.has_secret:
        yield None
        return
    with _draft(settings.data) as draft:
        with _explained(draft):
            draft.write_bytes(archive.read(SECRET))
            _sync(draft)
        yield draft


@contextmanager
def _blobs(settings: Settings, archive: Reader) -> Iterator[None]:
    """Put the recordings into the store; take them out again if the block fails.

    A store that has survived may hold some of them, which stay as they are.
    """
    store, put = Blobs(settings), list[str]()
    there = set(store.older_than(timedelta(0)))
    try:
        for key in archive.blobs:
            if key not in there:
                with _draft(settings.uploads_dir) as draft:
                    _copy(archive, BLOBS + key, draft)
                    put.append(key)
                    store.put(draft, key)
        yield
    except BaseException:
        for key in put:
            store.delete(key)
        raise


def _copy(archive: Reader, name: str, target: Path) -> None:
    with archive.open(name) as content, _explained(target), target.open("wb") as file:
        shutil.copyfileobj(content, file)


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A private file that is gone at the end, unless it was moved away."""
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = mkstemp(dir=folder)  # mode 0600
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"Nothing was restored: {path} cannot be written: {error.strerror}. Make room there, "
            "and let this user write there."
        ) from error


def _forget_workers() -> None:
    """Those of the installation that was saved, whose last signs of life may be seconds old: a
    server would send them work."""
    from auricle.jobs.models import Worker  # noqa: PLC0415  (needs Django to be ready)

    with db.calling():
        Worker.objects.all().delete()


def _count() -> tuple[int, int]:
    """Accounts and transcripts."""
    from auricle.accounts.models import Account  # noqa: PLC0415  (needs Django to be ready)
    from auricle.library.models import Transcript  # noqa: PLC0415

    with db.calling():
        return Account.objects.count(), Transcript.objects.count()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
