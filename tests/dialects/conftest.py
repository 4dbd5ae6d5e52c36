"""What the dialects' tests share: a short clip of a recording, and a way to run Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, Server
from sounds import read_wav, wav

NODE = ROOT / "tests" / "node"

Script = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def clip(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first five seconds; the name has a blank and nothing that says what it is."""
    samples, rate = read_wav(recording)
    path = tmp_path_factory.mktemp("clip") / "beste Zeiten.wav"
    path.write_bytes(wav(samples[: 5 * rate], rate=rate))
    return path


@pytest.fixture(scope="module")
def pcm(recording: Path) -> bytes:
    """The same, as 16-bit samples of 16 kHz without a header."""
    samples, rate = read_wav(recording)
    third = samples[: 5 * rate].reshape(-1, rate // 16_000).mean(axis=1)
    return bytes((third * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="session")
def node(server: Server) -> Script:
    """Run a script of tests/node against the server; its last line is JSON."""
    assert (NODE / "node_modules").exists(), "run `make setup-dev`: it installs the Node clients"

    def run(script: str, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            ["node", str(NODE / script), server.url, server.key, *words],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run
