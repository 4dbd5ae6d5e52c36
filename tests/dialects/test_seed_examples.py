"""The examples of the published API pages, as they are printed, with the host replaced.

The pages lie beside the checkout. Their Python has lost its indentation on the way, so it is put
back. Summaries are by the smallest real model.
"""

from __future__ import annotations

import http.server
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from conftest import ROOT, Server
from dialects.conftest import NODE

SEEDS = ROOT.parent / "shared" / "seeds"
PAGES = ("000_852c1e6dd9a0fba3.txt", "001_94ea1ae03cd87813.txt", "002_78d26ef1c801f780.txt")
HOST, KEY = "https://api.stt.ai", "YOUR_API_KEY"


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> list[str]:
    if not SEEDS.is_dir():
        pytest.skip("the API pages of ../shared/seeds are not here")
    name: str = request.param
    return (SEEDS / name).read_text().splitlines()


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    """Where the examples find their files, whatever is in them."""
    for name in ("meeting.mp3", "video.mp4"):
        (tmp_path / name).write_bytes(clip.read_bytes())
    return tmp_path


def between(page: list[str], first: str, end: str) -> list[str]:
    """The lines from one that begins like ``first`` to the next that begins like ``end``."""
    start = next(n for n, line in enumerate(page) if line.startswith(first))
    length = next(n for n, line in enumerate(page[start:]) if line.startswith(end))
    return page[start : start + length]


def here(lines: list[str], server: Server) -> str:
    return "\n".join(lines).replace(HOST, server.url).replace(KEY, server.key)


def curls(page: list[str]) -> list[list[str]]:
    """The curl examples, each as the lines of one command."""
    found: list[list[str]] = []
    for line in page:
        if line.startswith("curl"):
            found.append([line])
        elif found and found[-1][-1].endswith("\\"):
            found[-1].append(line)
    return found


def test_curl(page: list[str], server: Server, folder: Path) -> None:
    said = []
    for command in curls(page):
        words = shlex.split(here(command, server).replace("\\\n", " "))
        done = subprocess.run(
            [*words, "--silent", "--show-error", "--fail"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "best of times" in said[0]
    assert '"style":"brief","model":"qwen2.5-coder-0.5b-instruct"' in said[2]
    assert "-->" in (folder / "subtitles.srt").read_text()
    assert '"models"' in said[-2]
    assert '"status":"ok"' in said[-1]


def indented(lines: list[str]) -> str:
    """Python whose blocks hold one statement each, with their indentation."""
    result, depth, block = [], 0, False
    for line in lines:
        result.append(("    " if block else "") + line)
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
        if line.endswith(":") and depth == 0:
            block = True
        elif depth == 0:
            block = False
    return "\n".join(result)


def test_python(page: list[str], server: Server, folder: Path) -> None:
    printed = between(page, "import requests", "Node.js")
    program = indented(here(printed, server).splitlines())
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Language: en, Duration: 5.0s\n[")
    assert "Speaker 1: It was the best of times" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("- ")


def run_node(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "node_modules").symlink_to(NODE / "node_modules")
    (folder / "example.js").write_text(program)
    return subprocess.run(["node", "example.js"], cwd=folder, capture_output=True, text=True)


def node_example(page: list[str], server: Server) -> str:
    printed = between(page, 'const fs = require("fs");', "WebSocket (")
    return here(printed, server)


def test_node_with_node_fetch(page: list[str], server: Server, folder: Path) -> None:
    call = 'transcribe("meeting.mp3");'
    program = node_example(page, server).replace(
        call,
        'import("node-fetch").then((found) => { globalThis.fetch = found.default; '
        + call.removesuffix(";")
        + " });",
    )
    done = run_node(program, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Duration: 5.0s\n[")
    assert "Speaker 1: It was the best of times" in done.stdout


def test_node_as_printed_is_told_that_it_sends_no_file(
    page: list[str], server: Server, folder: Path
) -> None:
    program = node_example(page, server).replace(
        "const result = await resp.json();",
        "const result = await resp.json(); console.log(resp.status, result.error); return;",
    )
    done = run_node(program, folder)
    assert done.stdout.startswith("400 ")
    assert "[object FormData]" in done.stdout
    assert "node-fetch" in done.stdout


def test_the_example_of_our_readme(server: Server, folder: Path) -> None:
    """Ten lines without any package, for the Node of today."""
    readme = (ROOT / "README.md").read_text()
    program = readme.partition("```js\n")[2].partition("```")[0]
    assert 0 < len(program.splitlines()) <= 10
    program = program.replace("http://127.0.0.1:8000", server.url).replace(KEY, server.key)
    (folder / "example.mjs").write_text(program)
    done = subprocess.run(["node", "example.mjs"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "best of times" in done.stdout


@pytest.fixture
def microphone(recording: Path, tmp_path: Path) -> list[str]:
    """Options with which Chromium takes a recording for its microphone, over and over."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}",
    ]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and where a browser finds it."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_the_browser_example_hears_a_microphone(
    page: list[str], server: Server, microphone: list[str], web: tuple[Path, str]
) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    folder, url = web
    lines = between(page, "// Real-time transcription from microphone", "// Stop:")
    script = "\n".join(lines).replace("wss://api.stt.ai", server.url.replace("http", "ws", 1))
    (folder / "page.html").write_text(f"<!doctype html><script>{script}</script>")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", *microphone]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        tab = browser.new_page()
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(f"error: {error}"))
        tab.goto(f"{url}/page.html")
        for _ in range(360):
            tab.wait_for_timeout(500)
            if any("times" in line for line in said if line.startswith("Final:")):
                break
        browser.close()
    assert any("times" in line for line in said if line.startswith("Final:")), said
    assert any(line.startswith("Partial:") for line in said)
    assert not any(line.startswith("error") for line in said)
