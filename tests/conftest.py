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

import httpx
import pytest
from django.db import connections

# Django wants its settings before any test module imports a model; where the database is, it
# learns when a test asks for one (see `database`).
os.environ["AURICLE_DATABASE_URL"] = "postgresql://nobody@localhost/nothing"
os.environ["AURICLE_SECRET_KEY"] = "for the tests' own process"
from auricle import db

db.setup()
del os.environ["AURICLE_DATABASE_URL"], os.environ["AURICLE_SECRET_KEY"]

from auricle.media import MediaPool
from auricle.models import ModelStore, find
from auricle.postgres import Cluster
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.vad import VoiceActivity

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from recordings import two_cities

from processes import eventually

DATA = Path(os.environ.setdefault("AURICLE_DATA", str(ROOT / "data")))
SHARED = ROOT.parent / "shared" / "speech"


# A machine that is busy with other things is no failure: nothing here is about five seconds.
_patience = httpx._config.DEFAULT_TIMEOUT_CONFIG
_patience.connect = _patience.read = _patience.write = _patience.pool = 60.0


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


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real PostgreSQL for the ORM in the tests' own process."""
    folder = tmp_path_factory.mktemp("database")
    with Cluster(folder / "cluster", folder / "run").own() as mine:
        assert mine is not None
        where = {"HOST": mine.host, "PORT": mine.port, "NAME": mine.name}
        connections.settings["default"].update(where, USER=mine.user, PASSWORD=mine.password)
        db.migrate()
        yield
        db.close_pools()


@dataclass
class Server:
    """A running `auricle serve`."""

    url: str
    process: subprocess.Popen[str]
    data: Path
    key: str
    """Of the owner, who has no limits; "" when an earlier run has shown it."""
    lines: list[str] = field(default_factory=list)

    @property
    def auth(self) -> dict[str, str]:
        """The owner's headers."""
        return {"Authorization": f"Bearer {self.key}"}

    def worker_pid(self) -> int:
        """Process id of the worker that is registered now."""
        health = f"{self.url}/health"
        workers = eventually(
            lambda: httpx.get(health, headers=self.auth).json()["workers"], "a worker"
        )
        return int(workers[-1]["pid"])

    def cast(self, name: str, plan: str = "free", minutes: int = 0) -> dict[str, str]:
        """The headers of somebody with an account of their own."""
        made = subprocess.run(
            [
                *(sys.executable, "-m", "auricle.cli", "keys", "create"),
                *("--email", f"{name}@example.com", "--plan", plan, "--credits", str(minutes)),
            ],
            env=os.environ | {"AURICLE_DATA": str(self.data)},
            capture_output=True,
            text=True,
            check=True,
        )
        return {"Authorization": f"Bearer {made.stdout.strip()}"}


def start_server(data: Path, models: Path, **settings: str) -> Server:
    """Start a server on a free port and wait until it is ready."""
    names = {f"AURICLE_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "auricle.cli", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"AURICLE_DATA": str(data), "AURICLE_MODELS": str(models)} | names,
    )
    assert process.stdout is not None
    lines: list[str] = []
    key = ""
    for line in process.stdout:
        lines.append(line)
        if shown := re.search(r"shown only now: (\S+)", line):
            key = shown[1]
        if found := re.search(r"ready at (http://\S+)", line):
            server = Server(found[1], process, data, key, lines)
            threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True).start()
            return server
    raise AssertionError("the server did not start:\n" + "".join(lines))


def stop_server(server: Server) -> None:
    """Stop a server as an operator would."""
    server.process.terminate()
    server.process.wait(90)


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


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    """A server whose engine is the fake: it answers each window with its number."""
    running = start_server(
        tmp_path_factory.mktemp("quick"),
        models_dir,
        engine="fake",
        url_allow_hosts="127.0.0.0/8",
    )
    yield running
    stop_server(running)
