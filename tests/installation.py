"""An installation of a test's own: its data folder, its commands, its server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

AURICLE = [sys.executable, "-m", "auricle.cli"]


def environment(data: Path, **settings: str) -> dict[str, str]:
    """Of a process on this data folder; settings without AURICLE_ before their names."""
    mine = {"data": str(data), "engine": "fake", **settings}
    other = {name: value for name, value in os.environ.items() if not name.startswith("AURICLE_")}
    return other | {f"AURICLE_{name.upper()}": value for name, value in mine.items()}


@dataclass
class Running:
    """A server, asked with its owner's key or another."""

    url: str
    key: str
    lines: list[str] = field(default_factory=list)

    def client(self, key: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@dataclass
class Installation:
    """A data folder, and whatever else differs from the defaults."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours."""
        env = environment(self.data, **self.settings | settings) | {"COLUMNS": "200"}
        return subprocess.run([*AURICLE, *words], env=env, capture_output=True, text=True)

    @contextmanager
    def serving(self, *words: str, **settings: str) -> Iterator[Running]:
        """Run the server for as long as the block lasts."""
        process = subprocess.Popen(
            [*AURICLE, "serve", "--port", "0", *words],
            env=environment(self.data, **self.settings | settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield _wait(process)
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[str]) -> Running:
    assert process.stdout is not None
    lines: list[str] = []
    key = ""
    for line in process.stdout:
        lines.append(line)
        if shown := re.search(r"shown only now: (\S+)", line):
            key = shown[1]
        if found := re.search(r"ready at (https?://\S+)", line):
            threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True).start()
            return Running(found[1], key, lines)
    raise AssertionError("the server did not start:\n" + "".join(lines))
