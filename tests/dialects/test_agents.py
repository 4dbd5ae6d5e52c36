"""Voice agents: LiveKit's and Pipecat's plugins for Cartesia, unmodified, in an environment of
their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, Server

AGENTS = ROOT / "tests" / "agents"

BEST = "best of times"


@pytest.fixture
def agent(server: Server, pcm: bytes, tmp_path: Path) -> Callable[[str, str], dict[str, Any]]:
    """Run a script of tests/agents against the server; its last line is JSON."""
    python = AGENTS / ".venv" / "bin" / "python"
    assert python.exists(), "run `make setup-dev`: it installs the voice agents"
    samples = tmp_path / "samples"
    samples.write_bytes(pcm)

    def run(script: str, kind: str) -> dict[str, Any]:
        done = subprocess.run(
            [str(python), str(AGENTS / script), server.url, server.key, kind, str(samples)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


def test_livekit(agent: Callable[[str, str], dict[str, Any]]) -> None:
    found = agent("livekit_client.py", "ink-whisper")
    assert BEST in "".join(found["final"])
    assert found["interim"]


def test_livekit_with_turns(agent: Callable[[str, str], dict[str, Any]]) -> None:
    found = agent("livekit_client.py", "ink-2")
    assert BEST in " ".join(found["final"])
    assert found["events"][0] == "start_of_speech"
    assert "end_of_speech" in found["events"]


def test_pipecat(agent: Callable[[str, str], dict[str, Any]]) -> None:
    assert BEST in "".join(agent("pipecat_client.py", "manual")["final"])


def test_pipecat_with_turns(agent: Callable[[str, str], dict[str, Any]]) -> None:
    assert BEST in " ".join(agent("pipecat_client.py", "turns")["final"])
