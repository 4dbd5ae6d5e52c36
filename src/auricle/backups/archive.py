"""The file: written member by member with bounded memory, and checked before it is believed."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Literal, cast

import msgspec

from auricle.core.errors import BadRequest, Unavailable

MANIFEST, DUMP, SECRET, SUMS = "manifest.json", "database.dump", "secret", "SHA256SUMS"
BLOBS = "blobs/"

_NAME = re.compile(rf"{MANIFEST}|{DUMP}|{SECRET}|{BLOBS}[0-9A-Za-z][\w.-]*", re.ASCII)
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
_DAMAGED = "Take an earlier backup, or fetch this one again from where it was kept."


class Manifest(msgspec.Struct, frozen=True):
    """What an archive says of itself."""

    format: Literal[1]
    auricle: str
    """Version that wrote it."""
    postgresql: int
    """Major version of the database."""
    created: str
    """When, in ISO 8601."""
    migrations: list[str]
    """``app.name`` of all that had been applied to the tables."""


class Writer:
    """An archive that is being written. Members stay as they are once added."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._sums: list[str] = []

    def add(self, name: str, file: IO[bytes], size: int) -> None:
        """Copy ``size`` bytes of a file into the archive."""
        hashed = _Hashed(file)
        self._add(name, hashed, size)
        self._sums.append(f"{hashed.hash.hexdigest()}  {name}\n")

    def add_bytes(self, name: str, content: bytes) -> None:
        """Write a small member."""
        self.add(name, BytesIO(content), len(content))

    def finish(self) -> None:
        """Write the sums. Nothing can be added after them."""
        content = "".join(self._sums).encode()
        self._add(SUMS, BytesIO(content), len(content))

    def _add(self, name: str, file: _Hashed | IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(time.time())
        self._tar.addfile(member, file)


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        return data


@contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """Write an archive: it appears under its name when all of it is on the disk, or not at all.

    Raises :class:`BadRequest` for a target that exists, :class:`Unavailable` when it cannot be
    written.
    """
    _refuse_existing(target)
    with _written(target), _draft(target) as (file, draft):
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            writer = Writer(tar)
            yield writer
            writer.finish()
        file.flush()
        os.fsync(file.fileno())
        _refuse_existing(target)
        draft.rename(target)
        _sync(target.parent)


@contextmanager
def _draft(target: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A private file beside the target that is gone at the end, unless it was renamed."""
    handle, name = mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600
    with os.fdopen(handle, "wb") as file:
        try:
            yield file, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)


class Reader:
    """An archive whose every byte has been found as it was written."""

    def __init__(self, tar: tarfile.TarFile, sums: dict[str, str]) -> None:
        self._tar = tar
        self.manifest = _manifest(self.read(MANIFEST))
        self.blobs = [name.removeprefix(BLOBS) for name in sums if name.startswith(BLOBS)]
        self.has_secret = SECRET in sums

    def open(self, name: str) -> IO[bytes]:
        """Open a member for reading."""
        file = self._tar.extractfile(name)
        assert file is not None, name
        return file

    def read(self, name: str) -> bytes:
        """The whole of a small member."""
        with self.open(name) as file:
            return file.read()


@contextmanager
def reading(file: Path) -> Generator[Reader]:
    """Open an archive, after all of it has been checked.

    Raises :class:`BadRequest` for a file that is none, or is cut off or damaged.
    """
    with _open(file) as tar:
        yield Reader(tar, _check(tar, file))


def _open(file: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(file, "r:")
    except tarfile.TarError as error:
        raise _not_ours(file) from error
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.") from error


def _not_ours(file: Path) -> BadRequest:
    return BadRequest(f"{file} is not a backup of Auricle.")


def _check(tar: tarfile.TarFile, file: Path) -> dict[str, str]:
    """The sum of each member, all of which hold."""
    found = {member.name: member for member in _members(tar, file)}
    sums = _sums(tar, found.pop(SUMS, None), file)
    if sums.keys() != found.keys() or not {MANIFEST, DUMP} <= sums.keys():
        raise BadRequest(f"{file} is damaged: parts of it are missing. {_DAMAGED}")
    for name, member in found.items():
        if _sum(tar, member) != sums[name]:
            raise BadRequest(f"{file} is damaged, in {name}. {_DAMAGED}")
    return sums


def _members(tar: tarfile.TarFile, file: Path) -> list[tarfile.TarInfo]:
    """All members: plain files, each once, with names that cannot lead elsewhere."""
    try:
        members = tar.getmembers()
    except (tarfile.TarError, ValueError) as error:
        raise BadRequest(f"{file} is damaged or incomplete. {_DAMAGED}") from error
    names = [member.name for member in members]
    if names[:1] != [MANIFEST]:
        raise _not_ours(file)
    fit = all(name == SUMS or _NAME.fullmatch(name) for name in names)
    if not fit or len(set(names)) < len(names) or not all(member.isreg() for member in members):
        raise BadRequest(f"{file} is damaged: it holds what no backup holds. {_DAMAGED}")
    return members


def _sums(tar: tarfile.TarFile, member: tarfile.TarInfo | None, file: Path) -> dict[str, str]:
    content = tar.extractfile(member) if member else None
    if content is None:
        raise BadRequest(f"{file} is incomplete: its end is missing. {_DAMAGED}")
    with content:
        lines = content.read().decode(errors="replace").splitlines()
    return {found[2]: found[1] for line in lines if (found := _SUM.fullmatch(line))}


def _sum(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = tar.extractfile(member)
    assert content is not None  # it is a plain file
    with content:
        return hashlib.file_digest(cast("BufferedReader", content), "sha256").hexdigest()


def _manifest(content: bytes) -> Manifest:
    try:
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BadRequest(
            "The backup was made by another version of Auricle, in a form that this one does not "
            "know. Install the newest version to restore it."
        ) from error


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise BadRequest(f"{target} exists already and was left as it is. Choose another name.")


@contextmanager
def _written(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{target} cannot be written: {error.strerror or error}. Make room there, let this "
            "user write, or choose another place."
        ) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
