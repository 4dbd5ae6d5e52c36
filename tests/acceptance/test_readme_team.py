"""The README's way from a clone to a colleague who transcribes, run as it stands there.

Only this differs from what a reader does: `make setup` has been run already, the port is a free
one, and Anna's machine is another folder with none of our settings, whose `scp` copies from the
server's folder and whose curl finds `speech.example.lan` on the loopback network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANNAS_WAY_IN = "127.0.0.2"


def _blocks() -> list[list[str]]:
    """The commands of the section's first two blocks: the server's, Anna's."""
    section = (ROOT / "README.md").read_text().partition("## For your team\n")[2]
    found = re.findall(r"^```sh\n(.*?)^```", section.partition("\n## ")[0], re.M | re.S)
    return [block.splitlines() for block in found[:2]]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _program(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@contextmanager
def _running(commands: list[str], folder: Path, models: Path) -> Iterator[None]:
    """Run the server's commands, of which the last one stays."""
    _program(folder / "bin" / "make", 'test "$*" = setup')
    _program(folder / ".venv/bin/auricle", f'exec {sys.executable} -m auricle.cli "$@"')
    env = _strangers() | {"AURICLE_MODELS": str(models)}
    process = subprocess.Popen(
        ["bash", "-ec", "\n".join([*commands[:-1], f"exec {commands[-1]}"])],
        cwd=folder,
        env=env | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait(process)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "ready at https://" in line:
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return
    raise AssertionError("the server did not start:\n" + "".join(lines))


def _strangers() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AURICLE_")}


def _at_annas(
    commands: list[str], folder: Path, server: Path, port: str
) -> subprocess.CompletedProcess[str]:
    copies = '[ "$1" = . ] || cp "$SERVER/${1##*/}" .'
    _program(folder / "bin" / "scp", f'while [ "$#" -gt 0 ]; do {copies}; shift; done')
    (folder / ".curlrc").write_text(
        f'resolve = "speech.example.lan:{port}:{ANNAS_WAY_IN}"\nsilent\nshow-error\nnoproxy = *\n'
    )
    paths = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "SERVER": str(server)}
    return subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        cwd=folder,
        env=_strangers() | paths | {"CURL_HOME": str(folder), "HOME": str(folder)},
        capture_output=True,
        text=True,
    )


def test_a_colleague_transcribes_over_tls_after_ten_commands_at_most(
    models_dir: Path, recording: Path, tmp_path: Path
) -> None:
    ours, annas = _blocks()
    assert len(ours) + len(annas) <= 10
    port = str(_free_port())
    ours, annas = ([line.replace("8443", port) for line in each] for each in (ours, annas))
    server, anna = tmp_path / "server", tmp_path / "anna"
    for folder in (server, anna):
        folder.mkdir()
    shutil.copy(recording, anna / "meeting.mp3")
    with _running(ours, server, models_dir):
        done = _at_annas(annas, anna, server, port)
        assert "best of times" in json.loads(done.stdout)["text"], done.stderr
        (anna / "anna.key").write_text("auk_wrong")
        assert "error" in json.loads(_at_annas(annas[1:], anna, server, port).stdout)
        unsafe = [line.replace("--cacert tls.crt ", "") for line in annas]
        assert "certificate" in _at_annas(unsafe, anna, server, port).stderr
    assert (server / "tls.key").stat().st_mode & 0o077 == 0
