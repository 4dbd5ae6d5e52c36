"""Fixtures that every test may use. Real parts: a real server, real model, real recordings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from auricle.media import MediaPool
from auricle.models import ModelStore, find
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.vad import VoiceActivity

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from recordings import two_cities  # noqa: E402

DATA = Path(os.environ.setdefault("AURICLE_DATA", str(ROOT / "data")))
SHARED = ROOT.parent / "shared" / "speech"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The models that `make setup` has installed."""
    folder = DATA / "models"
    assert ModelStore(folder).has(find("base")), "run `make setup` first: it installs the model"
    return folder


@pytest.fixture(scope="session")
def recording() -> Path:
    """44 s of Dickens, read aloud (see scripts/recordings.py)."""
    return two_cities()


@pytest.fixture(scope="session")
def media() -> Iterator[MediaPool]:
    with MediaPool() as pool:
        yield pool


@pytest.fixture(scope="session")
def voice() -> VoiceActivity:
    return VoiceActivity()


@pytest.fixture(scope="session")
def base(models_dir: Path) -> CTranslate2Engine:
    """Whisper base, loaded once."""
    return CTranslate2Engine("base", models_dir / "base", threads=2)


@dataclass
class Server:
    """A running `auricle serve`."""

    url: str
    process: subprocess.Popen[str]
    data: Path
    lines: list[str] = field(default_factory=list)

    def worker_pid(self) -> int:
        """Process id of the worker that is registered now."""
        file = next((self.data / "run" / "workers").glob("*.json"))
        return int(json.loads(file.read_text())["pid"])


def start_server(data: Path, models: Path, **settings: str) -> Server:
    """Start a server on a free port and wait until it is ready."""
    names = {f"AURICLE_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "auricle.cli", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"AURICLE_DATA": str(data), "AURICLE_MODELS": str(models)} | names,
    )
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"ready at (http://\S+)", line):
            server = Server(found[1], process, data, lines)
            threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True).start()
            return server
    raise AssertionError("the server did not start:\n" + "".join(lines))


def stop_server(server: Server) -> None:
    """Stop a server as an operator would."""
    server.process.terminate()
    server.process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    """A server whose `large-v3-turbo` is answered by base, as the STT.ai clients need it here."""
    running = start_server(
        tmp_path_factory.mktemp("data"), models_dir, model_aliases="large-v3-turbo=base"
    )
    yield running
    stop_server(running)


@pytest.fixture(scope="session")
def speech_set() -> Path:
    """The larger set of recordings that lies beside the checkout."""
    if not (SHARED / "manifest.jsonl").exists():
        pytest.skip("the recordings of ../shared/speech are not here")
    return SHARED


@pytest.fixture(scope="session")
def manifest(speech_set: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (speech_set / "manifest.jsonl").open()]
