"""An installation into an archive, while it may be running."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec
import psycopg

import auricle
from auricle import db
from auricle.backups import dump
from auricle.backups.archive import BLOBS, DUMP, MANIFEST, SECRET, Manifest, Writer, writing
from auricle.core.errors import NotFound, Unavailable
from auricle.core.settings import Settings
from auricle.storage import Blobs


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup holds."""

    size: int
    """Bytes of the archive."""
    blobs: int
    vanished: int
    """Recordings that were deleted while the backup was made."""
    secret: bool


def backup(settings: Settings, target: Path) -> Saved:
    """Save database, recordings and secret as they are at one moment.

    Raises :class:`BadRequest` for a target that exists, :class:`Unavailable` when the database
    does not answer, there is nothing to save, or the target cannot be written.
    """
    with writing(target) as archive, db.running(settings):
        keys = _save_database(settings, archive, target.parent)
        vanished = _save_blobs(Blobs(settings), archive, keys)
        secret = _save_secret(settings, archive)
    return Saved(target.stat().st_size, len(keys) - vanished, vanished, secret)


def _save_database(settings: Settings, archive: Writer, spool: Path) -> list[str]:
    """Add manifest and dump; returns the keys of the recordings that the dump names."""
    with dump.connected(settings) as connection, TemporaryFile(dir=spool) as file:
        with _snapshot(connection) as snapshot:
            keys = _keys(connection)
            archive.add_bytes(MANIFEST, msgspec.json.encode(_describe(connection)))
            dump.save(settings, snapshot, dump.major(connection), file)
        file.seek(0)
        archive.add(DUMP, file, os.fstat(file.fileno()).st_size)
    return keys


@contextmanager
def _snapshot(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """One moment that queries here and pg_dump both see."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        yield _column(connection, "SELECT pg_export_snapshot()")[0]


def _keys(connection: psycopg.Connection[Any]) -> list[str]:
    try:
        return _column(connection, "SELECT blob FROM library_transcript WHERE blob <> ''")
    except psycopg.errors.UndefinedTable as error:
        raise Unavailable(
            "There is nothing to save: the database has no tables. Look whether AURICLE_DATA or "
            "AURICLE_DATABASE_URL is that of the server."
        ) from error


def _describe(connection: psycopg.Connection[Any]) -> Manifest:
    applied = "SELECT app || '.' || name FROM django_migrations ORDER BY 1"
    return Manifest(
        format=1,
        auricle=auricle.__version__,
        postgresql=dump.major(connection),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        migrations=_column(connection, applied),
    )


def _column(connection: psycopg.Connection[Any], query: str) -> list[str]:
    return [row[0] for row in connection.execute(query.encode())]


def _save_blobs(blobs: Blobs, archive: Writer, keys: list[str]) -> int:
    """Add the recordings; returns how many have been deleted since the dump."""
    vanished = 0
    for key in keys:
        try:
            with blobs.open(key) as file:
                archive.add(BLOBS + key, file, os.fstat(file.fileno()).st_size)
        except NotFound:
            vanished += 1
    return vanished


def _save_secret(settings: Settings, archive: Writer) -> bool:
    """Add the signing secret, unless the operator keeps it elsewhere."""
    if settings.secret_key is not None or not settings.secret_file.exists():
        return False
    archive.add_bytes(SECRET, settings.secret_file.read_bytes())
    return True
