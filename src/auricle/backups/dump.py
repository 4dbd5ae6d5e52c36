"""pg_dump and pg_restore, against whichever database this is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import psycopg
from psycopg.conninfo import make_conninfo

from auricle import db
from auricle.core.errors import Unavailable
from auricle.core.settings import Settings
from auricle.postgres import binaries

_FIRST_LINES = 3


@contextmanager
def connected(settings: Settings) -> Generator[psycopg.Connection[Any]]:
    """A connection of its own. Raises :class:`Unavailable` with what the database says."""
    try:
        with psycopg.connect(**db.conninfo(settings)) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise Unavailable(f"The database does not answer: {str(error).strip()}") from error


def major(connection: psycopg.Connection[Any]) -> int:
    """Version of the server: 18 of 18.4."""
    return connection.info.server_version // 10000


def save(settings: Settings, snapshot: str, server: int, output: IO[bytes]) -> None:
    """Write a dump of what the snapshot shows. Raises :class:`Unavailable`."""
    program = _program(settings, "pg_dump", server)
    words = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
    _run([program, *words], settings, "The database could not be saved", stdout=output)


def load(settings: Settings, server: int, content: IO[bytes]) -> None:
    """Restore a dump into an empty database, all or nothing. Raises :class:`Unavailable`."""
    program = _program(settings, "pg_restore", server)
    words = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    failed = "The database could not be restored, and stays empty"
    _run([program, *words], settings, failed, content=content)


def _program(settings: Settings, name: str, server: int) -> Path:
    """The program, new enough for the server.

    For a database of the operator's own the system's comes first, because it knows TLS, which the
    package's does not.
    """
    folders: list[Path | None] = [None]
    if settings.database_url and (own := shutil.which(name)):
        folders.insert(0, Path(own).parent)
    for folder in folders:
        found = binaries.find(folder, (name,))
        if found.major >= server:
            return found.folder / name
    raise Unavailable(
        f"The database is PostgreSQL {server}, and {name} here is {found.major}, which cannot "
        f"work with it. Install the client programs of PostgreSQL {server}."
    )


def _run(
    command: list[str | Path],
    settings: Settings,
    failed: str,
    *,
    content: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> None:
    params = db.conninfo(settings)
    words = [*command, f"--dbname={make_conninfo(**params | {'password': None})}"]
    with TemporaryFile() as said:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE if content else subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=said,
            env=_environment(params.get("password")),
        )
        if content and process.stdin:
            with suppress(BrokenPipeError), process.stdin as pipe:
                shutil.copyfileobj(content, pipe)
        if process.wait() != 0:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            reason = " ".join(lines[:_FIRST_LINES]) or f"it ended with {process.returncode}"
            raise Unavailable(f"{failed}: {reason}")


def _environment(password: str | None) -> dict[str, str]:
    """Ours, as psycopg takes it too; the password is here because everybody sees command lines."""
    return os.environ | {"LC_ALL": "C"} | ({"PGPASSWORD": password} if password else {})
