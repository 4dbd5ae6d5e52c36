"""speech-to-text.cn's document, line by line, against `auricle serve`: it has no public client."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from auricle.postgres import address
from conftest import Server, start_server, stop_server
from endpoints import Endpoint, endpoint
from processes import ask, eventually
from sounds import read_wav, wav

BASE = "/api/v1/recognition"
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
SLOW_S = 0.4
"""Pause of the slow file after each of its blocks."""


class Files:
    """What a web server of somebody else's holds."""

    def __init__(self, clip: bytes) -> None:
        self.clip = clip
        self.hold = threading.Event()
        self.hold.set()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        if path == "/gone.mp3":
            handler.send_error(404)
            return
        if path == "/elsewhere.mp3":
            handler.send_response(302)
            handler.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            handler.end_headers()
            return
        content = b"no recording at all" if path == "/text.mp3" else self.clip
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        half = len(content) // 2
        handler.wfile.write(content[:half])
        self.hold.wait(20)
        handler.wfile.write(content[half:])


@dataclass
class Site:
    server: Server
    files: Files
    web: Endpoint

    def url(self, path: str) -> str:
        """Never the same twice: the same URL would join what it has led to."""
        return self.web.url(path=f"{path}?{uuid4()}")


@pytest.fixture(scope="module")
def site(clip: Path, models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = Files(clip.read_bytes())
    with endpoint(files.answer) as web:
        server = start_server(
            tmp_path_factory.mktemp("sttcn"),
            models_dir,
            url_allow_hosts=f"127.0.0.1:{web.port}",
            sync_minutes="1",
        )
        try:
            yield Site(server, files, web)
        finally:
            stop_server(server)


def key_of(headers: dict[str, str]) -> dict[str, str]:
    """A key as this API carries it."""
    return {"X-API-Key": headers["Authorization"].removeprefix("Bearer ")}


@pytest.fixture(scope="module")
def owner(site: Site) -> httpx.Client:
    return client(site, key_of(site.server.auth))


def client(site: Site, headers: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=f"{site.server.url}{BASE}", headers=headers, timeout=60)


def ok(answer: httpx.Response, message: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"], body["message"]) == (200, 200, message), body
    assert set(body) == {"code", "message", "data"}
    data: dict[str, Any] = body["data"]
    assert TIME.fullmatch(data["submit_time"])
    assert isinstance(data["consumed_time"], float)
    return data


def refused(answer: httpx.Response, code: int, status: int, words: str = "") -> None:
    body = answer.json()
    assert (answer.status_code, body["code"], body["data"]) == (status, code, None), body
    assert words in body["message"]


def finished(api: httpx.Client, task: str) -> dict[str, Any]:
    """Ask as the document says, until the task has ended."""

    def ended() -> dict[str, Any] | None:
        data = ok(api.get("/status/", params={"task_id": task}), "Query successful")
        assert data["task_status"] in ("DOWNLOADING", "PENDING", "SUCCEEDED", "FAILED")
        return data if data["task_status"] in ("SUCCEEDED", "FAILED") else None

    return eventually(ended, "the task to end", 120)


SUBMITTED = {
    "task_id", "dashscope_task_id", "task_status", "submit_time", "consumed_time", "message",
}  # fmt: skip
RESULT = {
    "task_id", "task_status", "submit_time", "end_time", "duration", "transcription_text",
    "consumed_points", "consumed_time",
}  # fmt: skip


def test_a_url_is_submitted_and_asked_for(owner: httpx.Client, site: Site) -> None:
    site.files.hold.clear()
    try:
        data = ok(
            owner.post("/async/", json={"url": site.url("/audio.mp3")}),
            "Task submitted successfully",
        )
        assert set(data) == SUBMITTED
        assert data["task_status"] == data["message"] == "DOWNLOADING"
        asked = ok(owner.get("/status/", params={"task_id": data["task_id"]}), "Query successful")
        assert asked["task_status"] == "DOWNLOADING"
    finally:
        site.files.hold.set()
    done = finished(owner, data["task_id"])
    assert set(done) == RESULT | {"dashscope_task_id"}
    assert done["dashscope_task_id"] == data["dashscope_task_id"]
    assert done["submit_time"] == data["submit_time"] < done["end_time"]
    assert done["duration"] == 5000
    assert done["consumed_points"] == 1
    assert "best of times" in done["transcription_text"]


def test_a_file_is_submitted(owner: httpx.Client, site: Site) -> None:
    data = ok(
        owner.post("/async/", files={"file": ("a.mp3", site.files.clip)}),
        "Task submitted successfully",
    )
    assert data["task_status"] == "PENDING"
    assert "best of times" in finished(owner, data["task_id"])["transcription_text"]


def test_a_url_and_a_file_are_recognised_at_once(owner: httpx.Client, site: Site) -> None:
    for answer in (
        owner.post("/sync/", json={"url": site.url("/short-audio.mp3")}),
        owner.post("/sync/", files={"file": ("a", site.files.clip + b"\0")}),
    ):
        data = ok(answer, "Recognition successful")
        assert set(data) == RESULT
        assert data["task_status"] == "SUCCEEDED"
        assert "best of times" in data["transcription_text"]


def test_the_same_url_joins_the_task_that_it_has_led_to(owner: httpx.Client, site: Site) -> None:
    url = site.url("/twice.mp3")
    tasks = {owner.post("/async/", json={"url": url}).json()["data"]["task_id"] for _ in range(2)}
    assert len(tasks) == 1
    finished(owner, tasks.pop())


def test_a_failed_task_says_why_and_costs_nothing(site: Site) -> None:
    member = site.server.cast("unlucky", "sttcn")
    api = client(site, key_of(member))
    for path, words in (
        ("/gone.mp3", "404"),
        ("/text.mp3", "not a recording"),
        ("/elsewhere.mp3", "169.254.169.254"),
    ):
        task = ok(api.post("/async/", json={"url": site.url(path)}), "Task submitted successfully")
        done = finished(api, task["task_id"])
        assert done["task_status"] == "FAILED"
        assert words in done["message"]
        assert "transcription_text" not in done
        assert "consumed_points" not in done
    account = httpx.get(f"{site.server.url}/api/v1/account/", headers=member).json()
    assert account["credits"] == 5


def test_five_minutes_are_free_and_then_points_are_needed(site: Site) -> None:
    member = site.server.cast("newcomer", "sttcn")
    api = client(site, key_of(member))
    for n in range(5):
        answer = api.post("/sync/", files={"file": ("a", site.files.clip + bytes(2 + n))})
        assert ok(answer, "Recognition successful")["consumed_points"] == 1
    refused(api.post("/sync/", files={"file": ("a", site.files.clip + bytes(9))}), 1006, 402)
    refused(api.post("/async/", json={"url": site.url("/a.mp3")}), 1006, 402, "No credits")


def test_a_long_recording_is_for_the_other_call(
    owner: httpx.Client, site: Site, recording: Path
) -> None:
    samples, rate = read_wav(recording)
    quiet = wav(*[samples[: rate // 6].repeat(6 * 65)[: 16_000 * 65]], rate=16_000)
    answer = owner.post("/sync/", files={"file": ("long.wav", quiet)})
    refused(answer, 1001, 400, "at most 1 minutes")
    assert "/async/" in answer.json()["message"]


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "auk_wrong"}])
def test_without_a_key_that_holds_nothing_goes(site: Site, headers: dict[str, str]) -> None:
    api = client(site, headers)
    refused(api.post("/async/", json={"url": "https://example.com/a.mp3"}), 1002, 401)
    refused(api.post("/sync/", files={"file": b"x"}), 1002, 401)
    refused(api.get("/status/", params={"task_id": str(uuid4())}), 1002, 401)


def test_a_disabled_account_is_forbidden(site: Site) -> None:
    member = site.server.cast("disabled", "sttcn")
    found = address(site.server.data / "run")
    assert found
    with psycopg.connect(found.url, autocommit=True) as connection:
        ask(
            connection,
            "UPDATE accounts_account SET disabled = true WHERE name = 'disabled@example.com'",
        )
    refused(client(site, key_of(member)).get("/status/?task_id=x"), 1003, 403, "disabled")


def test_a_task_of_somebody_else_does_not_exist(owner: httpx.Client, site: Site) -> None:
    task = owner.post("/async/", json={"url": site.url("/mine.mp3")}).json()["data"]["task_id"]
    stranger = client(site, key_of(site.server.cast("stranger", "sttcn")))
    for unknown in (task, str(uuid4()), "nonsense", "1"):
        refused(stranger.get("/status/", params={"task_id": unknown}), 1004, 404)
    finished(owner, task)


def test_a_question_without_a_task_is_told_so(owner: httpx.Client) -> None:
    refused(owner.get("/status/"), 1001, 400, "task_id is missing")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:22/", "http://2130706433/", "http://0177.0.0.1/", "http://[::1]/",
        "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/", "http://user:secret@example.com/",
        "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/a.mp3", "nonsense", "",
        "http://" + "a" * 9000,
    ],
)  # fmt: skip
def test_what_is_never_contacted_is_refused_at_once(owner: httpx.Client, url: str) -> None:
    for path in ("/async/", "/sync/"):
        refused(owner.post(path, json={"url": url}), 1001, 400)


@pytest.mark.parametrize(
    "options",
    [
        {"json": {}}, {"json": {"url": 7}}, {"json": ["https://example.com"]},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"x", "headers": {"Content-Type": "text/plain"}}, {"data": {"file": ""}},
        {"files": {"audio": b"x"}}, {"files": {"file": b""}}, {"files": {"file": b"no recording"}},
    ],
)  # fmt: skip
def test_bodies_that_bring_no_recording_are_refused(
    owner: httpx.Client, options: dict[str, Any]
) -> None:
    refused(owner.post("/async/", **options), 1001, 400)


def test_errors_of_http_have_the_envelope_too(owner: httpx.Client) -> None:
    refused(owner.get("/nothing/"), 1004, 404)
    answer = owner.get("/async/")
    assert (answer.status_code, answer.json()["data"]) == (405, None)


def test_a_download_goes_on_elsewhere_when_its_worker_is_killed(
    clip: Path, models_dir: Path, tmp_path: Path
) -> None:
    """SIGKILL in the middle of a body; the next worker begins it anew, and it costs one point."""
    files = Files(clip.read_bytes())
    with endpoint(files.answer) as web:
        server = start_server(
            tmp_path,
            models_dir,
            engine="fake",
            url_allow_hosts=f"127.0.0.1:{web.port}",
        )
        try:
            member = server.cast("patient", "sttcn")
            api = client(Site(server, files, web), key_of(member))
            files.hold.clear()
            task = api.post("/async/", json={"url": web.url(path="/long.mp3")}).json()["data"]
            downloads = tmp_path / "downloads"
            eventually(
                lambda: downloads.exists() and any(downloads.iterdir()), "the download to begin", 60
            )
            psutil.Process(server.worker_pid()).kill()
            time.sleep(SLOW_S)
            files.hold.set()
            done = finished(api, task["task_id"])
            assert done["task_status"] == "SUCCEEDED"
            assert len(web.requests) == 2
            account = httpx.get(f"{server.url}/api/v1/account/", headers=member).json()
            assert account["credits"] == 4
            # What the first one has left is swept up after an hour.
            assert len(list((tmp_path / "downloads").iterdir())) == 1
        finally:
            stop_server(server)
