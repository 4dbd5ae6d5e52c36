"""Uploads on disk: written once as they arrive, gone unless they are moved on."""

from __future__ import annotations

import errno
import hashlib
import shutil
import time
from pathlib import Path
from typing import BinaryIO

from auricle.core.errors import TooLarge, Unavailable
from auricle.core.ids import new_id


class Upload:
    """One file being received; a context manager that deletes it at its end."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.name = ""
        """The name that the client gave it; for people, never for decisions or paths."""
        self.size = 0
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Append bytes. Raises :class:`TooLarge` as soon as they are too many."""
        self.size += len(data)
        if self.size > self._max_bytes:
            raise too_large(self._max_bytes)
        try:
            if self._file is None:
                self._file = self.path.open("xb", buffering=0)
            if self._file.write(data) < len(data):  # what a full disk does first
                raise OSError(errno.ENOSPC, "the disk is full")
            self._hash.update(data)
        except OSError as error:
            raise Unavailable(
                "The server has no room for the upload. Try again later.", retry_after=60
            ) from error

    def restart(self) -> None:
        """Forget what was written, and begin anew."""
        self.close()
        self.path.unlink(missing_ok=True)
        self.size, self._hash = 0, hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Finish writing."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Uploads:
    """The folder that uploads go to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def new(self, max_bytes: int) -> Upload:
        """Make room for an upload."""
        return Upload(self._folder / new_id(), max_bytes)

    def sweep(self, older_than_s: float = 0.0) -> int:
        """Delete what killed processes have left: all that was last written before so long.

        To be called while nothing that old is being received.
        """
        before = time.time() - older_than_s
        left = [path for path in self._folder.iterdir() if path.stat().st_mtime <= before]
        for path in left:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(left)


def too_large(max_bytes: int) -> TooLarge:
    """The refusal of an upload that is too large."""
    return TooLarge(
        f"The file is larger than {max_bytes / 1e6:g} MB. Send a smaller one: audio alone, or "
        "compressed as MP3, M4A or OPUS."
    )
