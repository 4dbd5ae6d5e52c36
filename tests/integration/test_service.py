"""The whole service over HTTP: strangers, sessions, pages, events, webhooks, figures."""

from __future__ import annotations

import http.server
import itertools
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from standardwebhooks import Webhook

from conftest import Server, start_server, stop_server
from processes import eventually, free_port
from sounds import read_wav, wav

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def samples(recording: Path) -> tuple[Any, int]:
    return read_wav(recording)


def clip(samples: tuple[Any, int], seconds: float = 5.0) -> bytes:
    """Speech that nobody has sent before."""
    sound, rate = samples
    return wav(sound[: int(seconds * rate)] * (1 - 0.001 * next(_numbers)), rate=rate)


def transcribe(
    server: Server, content: bytes, headers: dict[str, str] | None = None, **fields: str
) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/transcribe",
        files={"file": ("talk.wav", content)},
        data=fields,
        headers=headers,
        timeout=60,
    )


@pytest.fixture(scope="module")
def owner(quick: Server, samples: tuple[Any, int]) -> dict[str, str]:
    """Somebody with an account and a transcript."""
    auth = quick.cast("owner")
    assert transcribe(quick, clip(samples), auth).status_code == 200
    return auth


@pytest.fixture(scope="module")
def teammate(quick: Server, owner: dict[str, str]) -> dict[str, str]:
    """Another member of the owner's account, by another key."""
    made = httpx.post(f"{quick.url}/api/v1/keys/", json={"name": "teammate"}, headers=owner)
    assert made.status_code == 201
    return {"X-API-Key": made.json()["key"]}


@pytest.fixture(scope="module")
def stranger(quick: Server) -> dict[str, str]:
    return quick.cast("stranger")


def api(server: Server, auth: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/api/v1/", headers=auth, timeout=30)


# ------------------------------------------------------------------ who may see what


def test_owner_and_teammate_see_it_and_a_stranger_sees_nothing(
    quick: Server, owner: dict[str, str], teammate: dict[str, str], stranger: dict[str, str]
) -> None:
    row = api(quick, owner).get("transcripts/").json()["results"][0]
    key = api(quick, owner).get("keys/").json()["results"][0]
    hook = api(quick, owner).post("webhooks/", json={"url": "https://example.com/x"}).json()
    routes = [
        *(f"transcripts/{name}/" for name in (row["id"], row["slug"])),
        f"transcripts/{row['id']}/events/",
        *(f"transcripts/{row['id']}/export/{fmt}/" for fmt in ("txt", "pdf", "json")),
        f"keys/{key['id']}/",
        f"webhooks/{hook['id']}/",
        f"webhooks/{hook['id']}/deliveries/",
    ]
    for route in routes:
        assert api(quick, owner).get(route).status_code == 200, route
        assert api(quick, teammate).get(route).status_code == 200, route
        refused = api(quick, stranger).get(route)
        assert refused.status_code == 404, route
        assert list(refused.json()) == ["error"]
        assert httpx.get(f"{quick.url}/api/v1/{route}").status_code == 401, route
    for method, route in [
        ("DELETE", routes[0]), ("PATCH", routes[0]), ("DELETE", f"keys/{key['id']}/"),
        ("DELETE", f"webhooks/{hook['id']}/"), ("PATCH", f"webhooks/{hook['id']}/"),
        ("POST", f"webhooks/{hook['id']}/test/"),
    ]:  # fmt: skip
        assert api(quick, stranger).request(method, route, json={}).status_code == 404, route
    for route in ("transcripts/", "webhooks/", "cloud/"):
        assert api(quick, stranger).get(route).json()["count"] == 0
    assert api(quick, owner).delete(f"webhooks/{hook['id']}/").status_code == 204


def test_without_a_key_only_what_is_free(quick: Server, samples: tuple[Any, int]) -> None:
    for path in ("account", "transcripts", "keys", "usage", "cloud", "webhooks"):
        answer = httpx.get(f"{quick.url}/api/v1/{path}/")
        assert (answer.status_code, list(answer.json())) == (401, ["error"])
    for path in ("/v1/models", "/v1/languages", "/health"):
        assert httpx.get(quick.url + path).status_code == 200
    assert transcribe(quick, clip(samples), {"Authorization": "Bearer wrong"}).status_code == 401


def test_a_key_is_shown_once_and_opens_nothing_when_revoked(
    quick: Server, owner: dict[str, str]
) -> None:
    made = api(quick, owner).post("keys/", json={"name": "for a day"}).json()
    mine = {"Authorization": f"Bearer {made['key']}"}
    assert api(quick, mine).get("account/").status_code == 200
    listed = api(quick, owner).get("keys/").text
    assert made["prefix"] in listed
    assert made["key"] not in listed
    assert api(quick, owner).delete(f"keys/{made['id']}/").status_code == 204
    assert api(quick, mine).get("account/").status_code == 401
    assert api(quick, owner).post("keys/", json={"name": ""}).json() == {
        "error": "name: This field may not be blank."
    }


def test_the_account_shows_plan_and_credits_and_takes_preferences(
    quick: Server, samples: tuple[Any, int]
) -> None:
    auth = quick.cast("counted", minutes=7)
    client = api(quick, auth)
    assert client.get("account/").json()["credits"] == 607
    assert transcribe(quick, clip(samples), auth).status_code == 200
    account = client.patch("account/", json={"name": "Newsroom", "keep_audio_days": 2}).json()
    assert (account["name"], account["keep_audio_days"], account["credits"]) == ("Newsroom", 2, 606)
    assert account["plan"]["id"] == "free"
    assert (
        client.patch("account/", json={"plan": "owner", "id": 1, "credits": 9}).status_code == 200
    )
    assert client.get("account/").json()["plan"]["id"] == "free"
    changed = client.put("account/", json={"keep_audio_days": 3}).json()
    assert (changed["name"], changed["keep_audio_days"]) == ("Newsroom", 3)
    assert client.post("keys/").json()["name"] == "API key", "nothing has to be said of a key"
    used = client.get("usage/").json()
    assert len(used["days"]) == 30
    assert used["days"][-1]["requests"] == used["total_requests"] == 1
    assert used["total_credits"] == 1


def test_the_library_answers_as_sttai_mcp_reads_it(quick: Server, owner: dict[str, str]) -> None:
    """Its SDK's methods are not in the published package: these are their requests."""
    sdk = owner | {"User-Agent": "stt-ai-python/0.1.0", "Accept": "*/*"}
    client = api(quick, sdk)
    listed = client.get("transcripts/", params={"limit": 20, "offset": 0, "status": "completed"})
    row = listed.json()["results"][0]
    assert listed.json()["count"] == 1
    assert row["status"] == "completed"
    whole = client.get(f"transcripts/{row['slug']}/").json()
    assert {"segments", "speakers", "duration", "language", "metadata"} <= set(whole)
    assert {"start", "end", "text", "speaker"} <= set(whole["segments"][0])
    for fmt, begins in [("txt", "Window"), ("srt", "1\n00:"), ("vtt", "WEBVTT"), ("json", "{")]:
        assert client.get(f"transcripts/{row['id']}/export/{fmt}/").text.startswith(begins)
    assert client.get(f"transcripts/{row['id']}/export/pdf/").content.startswith(b"%PDF")


def test_odd_requests_are_answered_in_words(
    quick: Server, owner: dict[str, str], samples: tuple[Any, int]
) -> None:
    client = api(quick, owner)
    row = client.get("transcripts/").json()["results"][0]
    pdf = client.get(f"transcripts/{row['id']}/export/pdf/", headers={"Accept": "application/pdf"})
    assert pdf.status_code == 200
    wrong = {"Authorization": "Bearer auk_wrong", "Accept": "text/html"}
    answer = httpx.get(f"{quick.url}/api/v1/account/", headers=wrong)
    assert (answer.status_code, list(answer.json())) == (401, ["error"])
    for days in (10**6, -1):
        assert client.patch("account/", json={"keep_audio_days": days}).status_code == 400
    big = httpx.post(f"{quick.url}/api/v1/keys/", content=bytes(6_000_000), headers=owner)
    assert (big.status_code, list(big.json())) == (413, ["error"])
    named = httpx.post(
        f"{quick.url}/v1/transcribe",
        content=b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\0b.wav"\r\n\r\n'
        + clip(samples)
        + b"\r\n--b--\r\n",
        headers=owner | {"Content-Type": "multipart/form-data; boundary=b"},
        timeout=60,
    )
    assert named.status_code in (200, 400)


# ------------------------------------------------------------------ limits


def test_three_a_day_without_a_key_but_on_this_machine_if_it_is_trusted(
    tmp_path: Path, models_dir: Path, samples: tuple[Any, int]
) -> None:
    running = start_server(tmp_path, models_dir, engine="fake", trust_loopback="1")
    try:
        for _ in range(4):
            assert transcribe(running, clip(samples)).status_code == 200
        forwarded = {"X-Forwarded-For": "127.0.0.1"}
        for _ in range(3):
            assert transcribe(running, clip(samples), forwarded).status_code == 200
        refused = transcribe(running, clip(samples), forwarded)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert "sign up" in refused.json()["error"]
        health = httpx.get(f"{running.url}/health", headers=running.auth).json()
        assert health["queue"]["waiting"] == health["queue"]["running"] == 0
        blobs = tmp_path / "blobs"
        eventually(lambda: not list(blobs.iterdir()), "the recordings to be deleted", 60)
        known = forwarded | running.auth
        assert transcribe(running, clip(samples), known).status_code == 200
    finally:
        stop_server(running)


def test_behind_a_trusted_proxy_everybody_is_counted_for_themselves(
    tmp_path: Path, models_dir: Path, samples: tuple[Any, int]
) -> None:
    running = start_server(tmp_path, models_dir, engine="fake", trusted_proxies="127.0.0.1/32")

    def ask(address: str) -> int:
        return transcribe(running, clip(samples), {"X-Forwarded-For": address}).status_code

    try:
        assert [ask("203.0.113.1") for _ in range(4)] == [200, 200, 200, 429]
        assert ask("203.0.113.2") == 200
        assert ask("6.6.6.6, 203.0.113.1") == 429, "what the client wrote itself is not believed"
        assert [ask(f"2001:db8:1:2::{n}") for n in range(1, 5)] == [200, 200, 200, 429]
        assert ask("2001:db8:1:3::1") == 200
    finally:
        stop_server(running)


def test_nothing_left_is_402_with_the_documented_sentence(
    quick: Server, samples: tuple[Any, int]
) -> None:
    auth = quick.cast("broke", plan="paid")
    refused = transcribe(quick, clip(samples), auth)
    assert refused.status_code == 402
    assert refused.json() == {"error": "No credits remaining. Upgrade your plan."}


def test_what_is_too_long_for_the_credits_is_not_begun(
    quick: Server, samples: tuple[Any, int], recording: Path
) -> None:
    auth = quick.cast("short", plan="paid", minutes=1)
    sound, rate = samples
    long = wav(sound[: 40 * rate].repeat(2), rate=rate)
    assert transcribe(quick, long, auth).status_code == 402
    assert transcribe(quick, clip(samples), auth).status_code == 200


# ------------------------------------------------------------------ progress


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in blocks]


def listen(server: Server, transcript: int) -> socket.socket:
    """A client that opens a transcript's events and reads no more than that they begin."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    head = f"GET /api/v1/transcripts/{transcript}/events/ HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Accept: text/event-stream\r\nAuthorization: Bearer {server.key}\r\n\r\n"
    connection.sendall(head.encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def test_events_tell_of_progress_and_end(
    tmp_path: Path, models_dir: Path, samples: tuple[Any, int]
) -> None:
    sound, rate = samples
    running = start_server(tmp_path, models_dir, engine="fake:1")
    with ExitStack() as held:
        held.callback(stop_server, running)
        import numpy as np

        long = wav(np.tile(sound, 4), rate=rate)
        sending = held.enter_context(ThreadPoolExecutor(1))
        sending.submit(transcribe, running, long, running.auth)
        row = eventually(
            lambda: api(running, running.auth).get("transcripts/").json()["results"], "its row", 60
        )[0]
        assert row["status"] == "processing"
        crowd = [listen(running, row["id"]) for _ in range(45)]
        assert httpx.get(f"{running.url}/api/v1/account/", headers=running.auth).status_code == 200
        for one in crowd:
            one.close()
        told = events(api(running, running.auth).get(f"transcripts/{row['id']}/events/").text)
        assert [name for name, _ in told[:-1]] == ["progress"] * (len(told) - 1)
        assert told[-1][0] == "completed"
        done = [data["windows_done"] for _, data in told]
        assert done == sorted(done)
        assert len(set(done)) > 3
        assert told[-1][1]["windows_done"] == told[-1][1]["windows_all"]
        again = events(api(running, running.auth).get(f"transcripts/{row['id']}/events/").text)
        assert [name for name, _ in again] == ["completed"]


# ------------------------------------------------------------------ webhooks


class Inbox:
    """An endpoint that fails as often as it is told to."""

    def __init__(self) -> None:
        self.failures = 0
        self.seen: list[tuple[dict[str, str], bytes]] = []
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.seen.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(500 if len(inbox.seen) <= inbox.failures else 204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.server.shutdown()


@pytest.fixture
def hooking(tmp_path: Path, models_dir: Path, inbox: Inbox) -> Iterator[Server]:
    """A server that may contact a port of this machine."""
    allowed = f"127.0.0.1:{inbox.server.server_port}"
    running = start_server(tmp_path, models_dir, engine="fake", url_allow_hosts=allowed)
    yield running
    stop_server(running)


def test_webhooks_are_signed_and_tried_again(
    hooking: Server, inbox: Inbox, samples: tuple[Any, int]
) -> None:
    auth = hooking.auth
    client = api(hooking, auth)
    inbox.failures = 1
    hook = client.post("webhooks/", json={"url": inbox.url}).json()
    assert transcribe(hooking, clip(samples), auth).status_code == 200
    eventually(lambda: len(inbox.seen) == 2, "a second attempt", 90)
    (first, _body), (second, _) = inbox.seen
    assert first["webhook-id"] == second["webhook-id"]
    for headers, content in inbox.seen:
        said = Webhook(hook["secret"]).verify(content, headers)
        assert said["type"] == "transcript.completed"
        assert said["data"]["status"] == "completed"
    log = f"webhooks/{hook['id']}/deliveries/"
    eventually(
        lambda: client.get(log).json()["results"][0]["delivered"], "the delivery to be logged", 20
    )
    row = client.get(log).json()["results"][0]
    assert (row["attempts"], row["status"], row["error"]) == (2, 204, "")
    client.patch(f"webhooks/{hook['id']}/", json={"disabled": True})
    assert transcribe(hooking, clip(samples), auth).status_code == 200
    assert client.get(log).json()["count"] == 1


def test_webhooks_do_not_reach_into_the_house(server: Server, inbox: Inbox) -> None:
    client = api(server, server.auth)
    hook = client.post("webhooks/", json={"url": inbox.url}).json()
    client.post(f"webhooks/{hook['id']}/test/")
    log = f"webhooks/{hook['id']}/deliveries/"
    eventually(lambda: client.get(log).json()["results"][0]["attempts"], "the first attempt", 20)
    row = client.get(log).json()["results"][0]
    assert row["status"] is None
    assert "AURICLE_URL_ALLOW_HOSTS" in row["error"]
    assert inbox.seen == []


# ------------------------------------------------------------------ people


class Browser(httpx.Client):
    """Follows links and fills in forms, as a browser does."""

    def submit(self, path: str, **fields: str) -> httpx.Response:
        return self.fill(self.get(path), **fields)

    def fill(self, page: httpx.Response, **fields: str) -> httpx.Response:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token, page.text
        return self.post(
            page.url,
            data={"csrfmiddlewaretoken": token[1], **fields},
            headers={"Referer": str(page.url)},
        )


def browser(server: Server) -> Browser:
    return Browser(base_url=server.url, follow_redirects=True, timeout=30)


def test_somebody_signs_up_makes_a_key_and_transcribes(
    quick: Server, samples: tuple[Any, int]
) -> None:
    with browser(quick) as person:
        secret = "correct horse battery"
        page = person.submit(
            "/accounts/signup/", email="new@example.com", password1=secret, password2=secret
        )
        assert page.url.path == "/settings/keys/"
        assert "plan Free" in page.text
        page = person.submit("/settings/keys/", name="laptop")
        key = re.search(r'id="new-key">(\S+)<', page.text)
        assert key
        assert key[1] not in person.get("/settings/keys/").text
        auth = {"Authorization": f"Bearer {key[1]}"}
        assert transcribe(quick, clip(samples), auth).status_code == 200
        # The session opens the REST API too, and the pages on which one can try it.
        assert person.get("/api/v1/transcripts/").json()["count"] == 1
        shown = person.get("/api/v1/transcripts/", headers={"Accept": "text/html"})
        assert "Auricle" in shown.text or "Transcripts" in shown.text
        assert person.post("/api/v1/keys/", json={"name": "forged"}).status_code == 403, "no token"
        row = re.search(r'name="revoke" value="(\d+)"', person.get("/settings/keys/").text)
        assert row
        person.submit("/settings/keys/", revoke=row[1])
        assert transcribe(quick, clip(samples), auth).status_code == 401
        person.submit("/accounts/logout/")
        assert person.get("/settings/keys/").url.path == "/accounts/login/"
        assert person.get("/api/v1/transcripts/").status_code == 401
        page = person.submit("/accounts/login/", login="new@example.com", password=secret)
        assert page.url.path == "/settings/keys/"


def test_weak_and_taken_are_refused(quick: Server) -> None:
    with browser(quick) as person:
        page = person.submit(
            "/accounts/signup/", email="weak@example.com", password1="1234", password2="1234"
        )
        assert "too short" in page.text
        assert person.get("/settings/keys/").url.path == "/accounts/login/"


@pytest.fixture
def letters() -> Iterator[tuple[str, list[Any]]]:
    """A mail server: its address, and what it has received."""
    received: list[Any] = []

    class Keep(Message):
        def handle_message(self, message: Any) -> None:
            received.append(message)

    port = free_port()
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    yield f"smtp://127.0.0.1:{port}", received
    controller.stop()


def link_in(letter: Any) -> str:
    """The path of the link in a letter."""
    found = re.search(r"http://speech\.example(/\S+)", letter.get_payload(decode=True).decode())
    assert found, letter
    return found[1]


def test_addresses_are_verified_and_passwords_reset_by_mail(
    tmp_path: Path,
    models_dir: Path,
    letters: tuple[str, list[Any]],
    samples: tuple[Any, int],
) -> None:
    address, received = letters
    running = start_server(
        tmp_path, models_dir, engine="fake", smtp_url=address, public_url="http://speech.example"
    )
    try:
        with browser(running) as person:
            person.headers["Host"] = "evil.example"  # which must not get into the mails
            old, new = "correct horse battery", "another long secret"
            page = person.submit(
                "/accounts/signup/", email="mailed@example.com", password1=old, password2=old
            )
            assert "erif" in page.text
            assert person.get("/settings/keys/").url.path == "/accounts/login/"
            page = person.submit("/accounts/login/", login="mailed@example.com", password=old)
            assert page.url.path != "/settings/keys/", "not before the address is verified"
            eventually(lambda: received, "the first letter", 20)
            person.submit(link_in(received[0]))
            page = person.submit("/accounts/login/", login="mailed@example.com", password=old)
            assert page.url.path == "/settings/keys/"
            page = person.submit("/settings/keys/", name="laptop")
            key = re.search(r'id="new-key">(\S+)<', page.text)
            assert key
            auth = {"Authorization": f"Bearer {key[1]}"}
            api(running, auth).patch("account/", json={"email_finished": True})
            assert transcribe(running, clip(samples), auth).status_code == 200
            eventually(
                lambda: any("Transcribed: talk" in str(m["Subject"]) for m in received),
                "it to arrive",
                20,
            )
            person.submit("/accounts/logout/")
            person.submit("/accounts/password/reset/", email="mailed@example.com")
            eventually(
                lambda: any("eset" in str(m["Subject"]) for m in received), "it to arrive", 20
            )
            letter = next(m for m in received if "eset" in str(m["Subject"]))
            person.submit(link_in(letter), password1=new, password2=new)
            page = person.submit("/accounts/login/", login="mailed@example.com", password=new)
            assert page.url.path == "/settings/keys/"
    finally:
        stop_server(running)


def run_cli(server: Server, *words: str, **extra: str) -> str:
    import os
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "auricle.cli", *words],
        env=os.environ | {"AURICLE_DATA": str(server.data)} | extra,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_lost_password_is_reset_without_a_mail_server(quick: Server) -> None:
    with browser(quick) as person:
        secret = "correct horse battery"
        person.submit(
            "/accounts/signup/", email="lost@example.com", password1=secret, password2=secret
        )
        person.submit("/accounts/logout/")
        assert "sends no mail" in person.get("/accounts/password/reset/").text
        link = run_cli(quick, "admin", "reset-password", "lost@example.com")
        path = httpx.URL(link).path
        new = "another long secret"
        page = person.submit(path, password1=new, password2=new)
        assert page.status_code == 200
        page = person.submit("/accounts/login/", login="lost@example.com", password=new)
        assert page.url.path == "/settings/keys/"
        assert "password1" not in person.get(path).text, "the link works once"


def test_a_second_factor_is_asked_for(quick: Server) -> None:
    from allauth.mfa.totp.internal.auth import (  # fmt: skip
        format_hotp_value,
        hotp_value,
        yield_hotp_counters_from_time,
    )

    def code(secret: str) -> str:
        return str(
            format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
        )

    with browser(quick) as person:
        password = "correct horse battery"
        person.submit(
            "/accounts/signup/", email="careful@example.com", password1=password, password2=password
        )
        page = person.submit("/accounts/2fa/totp/activate/", password=password)
        secret = re.search(r'value="([A-Z2-7]{32})"', page.text)
        assert secret, page.text
        page = person.fill(page, code=code(secret[1]))
        assert "recovery codes" in page.text.lower()
        person.submit("/accounts/logout/")
        page = person.submit("/accounts/login/", login="careful@example.com", password=password)
        assert page.url.path == "/accounts/2fa/authenticate/"
        assert "API keys" not in person.get("/api/v1/keys/").text
        assert person.get("/settings/keys/").url.path == "/accounts/2fa/authenticate/"


def test_operators_see_accounts_ledger_and_jobs(quick: Server, samples: tuple[Any, int]) -> None:
    run_cli(
        quick, "admin", "create", "--email", "boss@example.com", AURICLE_PASSWORD="long secret!"
    )
    with browser(quick) as boss:
        page = boss.submit("/admin/login/", login="boss@example.com", password="long secret!")
        assert page.url.path == "/admin/"
        auth = quick.cast("watched", plan="paid")
        accounts = boss.get("/admin/accounts/account/", params={"q": "watched"})
        number = re.search(r"/admin/accounts/account/(\d+)/change/", accounts.text)
        assert number
        change = f"/admin/accounts/account/{number[1]}/change/"
        boss.submit(
            change,
            name="watched",
            plan="paid",
            keep_audio_days="0",
            grant="3",
            **{f"keys-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")},
        )
        assert transcribe(quick, clip(samples), auth).status_code == 200
        assert httpx.get(f"{quick.url}/api/v1/account/", headers=auth).json()["credits"] == 2
        assert "by boss@example.com" in boss.get("/admin/credits/entry/").text
        for page_name in ("library/transcript", "jobs/worker", "accounts/plan", "accounts/user",
                          "jobs/delivery", "credits/entry"):  # fmt: skip
            assert boss.get(f"/admin/{page_name}/").status_code == 200
        assert boss.get("/admin/credits/entry/add/").status_code == 403
        assert boss.get("/static/admin/css/base.css").status_code == 200
    with browser(quick) as person:
        secret = "correct horse battery"
        person.submit(
            "/accounts/signup/", email="curious@example.com", password1=secret, password2=secret
        )
        assert "watched" not in person.get("/admin/accounts/account/").text


# ------------------------------------------------------------------ operation


def test_figures_are_for_operators(
    quick: Server, owner: dict[str, str], samples: tuple[Any, int]
) -> None:
    assert httpx.get(f"{quick.url}/metrics").status_code == 401
    assert httpx.get(f"{quick.url}/metrics", headers=owner).status_code == 403
    figures = httpx.get(f"{quick.url}/metrics", headers=quick.auth).text
    for name in ("auricle_requests_total", "auricle_queue_waiting", "auricle_queue_age_seconds",
                 "auricle_ledger_errors 0.0", "auricle_worker_real_time_factor",
                 "auricle_worker_batch_fill", "auricle_worker_memory_bytes"):  # fmt: skip
        assert name in figures


def test_every_answer_carries_an_id_that_the_log_knows(quick: Server) -> None:
    answer = httpx.get(f"{quick.url}/api/v1/nothing/")
    number = answer.headers["X-Request-ID"]
    eventually(
        lambda: any(number in line and "/api/v1/nothing/" in line for line in quick.lines),
        "it to arrive",
        20,
    )


def test_logs_can_be_json_pages_call_from_elsewhere_and_sign_up_be_closed(
    tmp_path: Path, models_dir: Path
) -> None:
    settings = {"log_format": "json", "cors_origins": "https://app.example", "signup": "closed"}
    running = start_server(tmp_path, models_dir, engine="fake", **settings)
    try:
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "authorization"}  # fmt: skip
        answer = httpx.options(f"{running.url}/v1/transcribe", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        asked["Origin"] = "https://evil.example"
        answer = httpx.options(f"{running.url}/v1/transcribe", headers=asked)
        assert "Access-Control-Allow-Origin" not in answer.headers
        lines = [json.loads(line) for line in running.lines if line.startswith("{")]
        assert {"time", "level", "logger", "message", "process"} <= set(lines[0])
        page = httpx.get(f"{running.url}/accounts/signup/")
        assert "password1" not in page.text
        assert "clos" in page.text.lower()
    finally:
        stop_server(running)


def test_both_descriptions_of_the_api_are_there(quick: Server) -> None:
    paths = httpx.get(f"{quick.url}/api/v1/schema/?format=json").json()["paths"]
    assert "/api/v1/transcripts/{id}/export/{fmt}/" in paths
    assert "/api/v1/schema/" in httpx.get(f"{quick.url}/docs/api").text
