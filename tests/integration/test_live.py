"""What becomes of live sessions: paid, stored, ended when they must end, and never lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
import websockets.sync.client as sockets
from websockets.exceptions import ConnectionClosedError

from auricle.postgres import address
from conftest import Server, start_server, stop_server
from sounds import read_wav

PATH = "/v1/stream?language=en"


@pytest.fixture(scope="module")
def speech(recording: Path) -> bytes:
    """Half a minute of speech as a session takes it."""
    samples, rate = read_wav(recording)
    third = samples[: len(samples) // 3 * 3].reshape(-1, rate // 16_000).mean(axis=1)
    return bytes((third[: 30 * 16_000] * 32767).astype("<i2").tobytes())


@pytest.fixture
def own(tmp_path: Path, models_dir: Path) -> Iterator[Callable[..., Server]]:
    """Servers that a test may break."""
    started: list[Server] = []

    def start(**settings: str) -> Server:
        settings = {"engine": "fake"} | settings
        started.append(start_server(tmp_path / "own", models_dir, **settings))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            stop_server(server)


@contextmanager
def session(server: Server, headers: dict[str, str] | None = None) -> Iterator[Any]:
    url = server.url.replace("http", "ws", 1) + PATH
    with sockets.connect(url, additional_headers=headers or server.auth) as socket:
        yield socket


def finish(socket: Any) -> dict[str, Any]:
    socket.send(b"")
    while not (message := json.loads(socket.recv(timeout=90))).get("is_final"):
        continue
    found: dict[str, Any] = message
    return found


def until_closed(socket: Any) -> dict[str, Any]:
    """The last message before the server hangs up in failure."""
    message: dict[str, Any] = {}
    try:
        while True:
            message = json.loads(socket.recv(timeout=90))
    except ConnectionClosedError:
        return message


def until_words(socket: Any) -> str:
    """Wait for words that are said for good; returns them."""
    while not (words := json.loads(socket.recv(timeout=90)).get("words")):
        continue
    return " ".join(word["word"] for word in words)


def ask(server: Server, path: str, headers: dict[str, str] | None = None) -> Any:
    return httpx.get(f"{server.url}/api/v1/{path}", headers=headers or server.auth).json()


def eventually(question: Callable[[], Any], seconds: float = 60) -> Any:
    """The first answer that is true."""
    deadline = time.monotonic() + seconds
    while not (found := question()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


def ledger(server: Server) -> list[tuple[str, int]]:
    found = address(server.data / "run")
    assert found is not None
    with psycopg.connect(found.url) as connection:
        rows = connection.execute("SELECT kind, amount FROM credits_entry ORDER BY id").fetchall()
    return [(str(kind), int(amount)) for kind, amount in rows]


def test_each_minute_that_begins_is_paid(quick: Server, speech: bytes) -> None:
    headers = quick.cast("live-pays", minutes=10)
    before = ask(quick, "account/", headers)["credits"]
    with session(quick, headers) as socket:
        eventually(lambda: ask(quick, "account/", headers)["credits"] == before - 1)
        for _ in range(3):
            socket.send(speech)
        finish(socket)
        eventually(lambda: ask(quick, "account/", headers)["credits"] == before - 2)
    [kept] = ask(quick, "transcripts/", headers)["results"]
    assert kept["duration"] == pytest.approx(90, abs=0.1)


def test_no_sound_costs_nothing(quick: Server) -> None:
    headers = quick.cast("live-silent", minutes=10)
    before = ask(quick, "account/", headers)["credits"]
    with session(quick, headers) as socket:
        finish(socket)
    eventually(lambda: ask(quick, "account/", headers)["credits"] == before)
    assert ask(quick, "transcripts/", headers)["results"] == []


def test_a_session_ends_where_the_credits_end(quick: Server, speech: bytes) -> None:
    headers = quick.cast("live-spends", plan="paid", minutes=1)
    with session(quick, headers) as socket:
        for _ in range(3):
            socket.send(speech)
        assert until_closed(socket)["code"] == 402
    [kept] = eventually(lambda: ask(quick, "transcripts/", headers)["results"])
    assert kept["duration"] >= 60
    assert ask(quick, "account/", headers)["credits"] == 0


def test_who_has_no_account_has_one_session_and_leaves_nothing(
    own: Callable[..., Server], speech: bytes
) -> None:
    server = own(trust_loopback="false")
    stranger = {"X-Forwarded-For": "203.0.113.9"}
    with session(server, stranger) as socket:
        with pytest.raises(Exception, match="429"), session(server, stranger):
            pass
        socket.send(speech)
        assert finish(socket)["text"]

    def rows() -> int:
        found = address(server.data / "run")
        assert found is not None
        with psycopg.connect(found.url) as connection:
            row = connection.execute("SELECT count(*) FROM library_transcript").fetchone()
        assert row is not None
        return int(row[0])

    eventually(lambda: rows() == 0)


def test_a_transcript_that_is_deleted_meanwhile_ends_its_session(
    quick: Server, speech: bytes
) -> None:
    headers = quick.cast("live-deletes", minutes=10)
    with session(quick, headers) as socket:
        socket.send(speech[: len(speech) // 3])
        until_words(socket)
        [row] = ask(quick, "transcripts/", headers)["results"]
        gone = httpx.delete(f"{quick.url}/api/v1/transcripts/{row['slug']}/", headers=headers)
        assert gone.status_code in (200, 204)
        with suppress(ConnectionClosedError):  # whenever it is noticed
            for _ in range(3):
                socket.send(speech)
        assert "deleted" in until_closed(socket)["error"]
    assert ask(quick, "transcripts/", headers)["results"] == []


@pytest.mark.parametrize("killed", ["worker", "server"])
def test_what_was_told_before_a_kill_is_stored(
    own: Callable[..., Server], speech: bytes, killed: str
) -> None:
    server = own()
    with session(server) as socket:
        socket.send(speech[: len(speech) // 3])
        said = until_words(socket)
        if killed == "worker":
            os.kill(server.worker_pid(), signal.SIGKILL)
            assert "Try again" in until_closed(socket)["error"]
        else:
            server.process.kill()
            server.process.wait(20)
    again = server if killed == "worker" else own()
    again.key = server.key

    def stored() -> bool:
        [row] = ask(again, "transcripts/")["results"]
        return said in ask(again, f"transcripts/{row['slug']}/")["text"]

    eventually(stored, 120)


def test_a_machine_that_does_not_keep_up_says_so(own: Callable[..., Server], speech: bytes) -> None:
    """Five seconds a look: real-time speech cannot be followed."""
    server = own(engine="fake:5")
    with session(server) as socket:
        began = time.monotonic()
        behind = 0.0
        for number in range(300):
            at = number * 3200 % len(speech)
            socket.send(speech[at : at + 3200])
            time.sleep(max(0.0, began + number / 10 - time.monotonic()))
            try:
                message = json.loads(socket.recv(timeout=0))
            except TimeoutError:
                continue
            behind = message.get("behind", behind)
            if behind:
                break
    assert behind >= 4


def test_idle_sessions_cost_little(quick: Server) -> None:
    """Twenty sessions of silence at a time, and their worker hardly grows."""

    def memory() -> float:
        text = httpx.get(f"{quick.url}/metrics", headers=quick.auth).text
        rows = [line for line in text.splitlines() if "memory_bytes" in line and line[0] != "#"]
        return max(float(row.rsplit(" ", 1)[1]) for row in rows)

    quiet = (np.zeros(16_000, "<i2")).tobytes()
    with session(quick) as first:
        first.send(quiet)
        json.loads(first.recv(timeout=60))
        time.sleep(2)
        before = memory()
        opened = [session(quick) for _ in range(20)]
        open_sockets = [each.__enter__() for each in opened]
        for socket in open_sockets:
            for _ in range(5):
                socket.send(quiet)
        time.sleep(3)
        after = memory()
        for socket in open_sockets:
            assert finish(socket)["text"] == ""
        for each in opened:
            each.__exit__(None, None, None)
    assert after - before < 20 * 4e6
