"""Where the database is and how to get in: a file that its owner writes and its clients read."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec

from auricle.core.errors import Unavailable

FILE = "database.json"


@dataclass(frozen=True, slots=True)
class Address:
    """All that a client needs. ``host`` is a folder with a socket in it, or an IP address."""

    host: str
    port: int
    name: str
    user: str
    password: str

    @property
    def url(self) -> str:
        """The address as libpq, psycopg and Django's URL parsers read it."""
        user, password, name, host = (
            quote(part, safe="") for part in (self.user, self.password, self.name, self.host)
        )
        return f"postgresql://{user}:{password}@{host}:{self.port}/{name}"

    def __repr__(self) -> str:
        # Without the password: addresses end up in logs and tracebacks.
        return f"Address({self.user}@{self.host}:{self.port}/{self.name})"


def address(run_dir: Path) -> Address | None:
    """The address that the owner has announced; None while there is no owner.

    An owner that was killed leaves its address behind: a refused connection means that nobody is
    there either. The next owner replaces it, with a new password. Raises :class:`Unavailable` for a
    user who may not know it.
    """
    try:
        return msgspec.json.decode((run_dir / FILE).read_bytes(), type=Address)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None  # a power failure can leave an empty file
    except OSError as error:
        raise Unavailable(
            f"The address of the database cannot be read: {error.strerror}: {error.filename}. "
            "Run this as the user that runs Auricle."
        ) from error


def announce(run_dir: Path, address: Address) -> None:
    """Write the address, for this user only, all at once."""
    handle, name = tempfile.mkstemp(dir=run_dir, prefix=FILE)  # mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(address))
    Path(name).replace(run_dir / FILE)


def withdraw(run_dir: Path) -> None:
    """Remove the address: there is nothing behind it."""
    (run_dir / FILE).unlink(missing_ok=True)
