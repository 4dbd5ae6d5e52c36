"""Whom PostgreSQL runs as: us, or somebody without rights where we are root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from auricle.core.errors import Unavailable

_NOBODY = 65534
_NEEDED = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}


@dataclass(frozen=True, slots=True)
class Account:
    """A user and a group of the system."""

    uid: int
    gid: int


def choose(folder: Path) -> Account:
    """The account for a cluster in ``folder``, which need not exist.

    PostgreSQL refuses to run as root. Where we are root it runs as the folder's owner, or else as
    ``postgres``, or else as ``nobody``. Raises :class:`Unavailable` for a root that may not do so.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    _check_capabilities()
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    return Account(_NOBODY, _NOBODY)


def give(path: Path, account: Account) -> None:
    """Make a file or folder, with all that is in it, the account's, if it is root's."""
    if os.geteuid() != 0 or path.lstat().st_uid != 0:
        return
    for folder, _, files in os.walk(path):
        for name in files:
            os.chown(Path(folder, name), account.uid, account.gid, follow_symlinks=False)
        if Path(folder) != path:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _check_capabilities() -> None:
    status = Path("/proc/self/status").read_text()
    held = int(status.partition("CapEff:")[2].split()[0], 16)
    if missing := [name for name, bit in _NEEDED.items() if not held >> bit & 1]:
        raise Unavailable(
            f"The database cannot run as root, and this root lacks {', '.join(missing)} to start "
            "it as somebody else. Start Auricle as an ordinary user, or give it these capabilities."
        )
