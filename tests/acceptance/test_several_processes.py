"""Two web and two worker processes on one database and one store: crowded, cut off, out of room."""

from __future__ import annotations

import re
import resource
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from auricle.postgres import Cluster
from chaos import Talk, Talks
from processes import (
    Environment,
    Program,
    Web,
    ask,
    auricle,
    environment,
    eventually,
    free_port,
    frozen,
    running,
)
from uploads import Answer, SlowUpload

DEBIAN = Path("/usr/lib/postgresql/15/bin")
RECOVERY_S = 40.0
"""Seconds after which everything goes on, when what was missing is back."""

BUCKET, PREFIX = "recordings", "auricle/ours"
LIMITS = {"one": 1, "two": 2, "five": 5}
"""Transcriptions at a time, by plan."""

CUT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE usename = current_user AND pid <> pg_backend_pid()"
)

EACH = 8
"""Recordings that each customer sends at once."""


class Store:
    """An S3-compatible store in this process."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self._url = f"http://{host}:{port}"
        httpx.put(f"{self._url}/{BUCKET}").raise_for_status()

    @property
    def settings(self) -> Environment:
        """What processes need to know of it."""
        return {
            "AURICLE_STORAGE_URL": f"s3://{BUCKET}/{PREFIX}",
            "AWS_ENDPOINT_URL": self._url,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def keys(self) -> list[str]:
        """What is in it."""
        listing = httpx.get(f"{self._url}/{BUCKET}", params={"list-type": "2"})
        return re.findall(r"<Key>([^<]+)</Key>", listing.raise_for_status().text)

    def close(self) -> None:
        self._server.stop()


@dataclass
class Site:
    """All of it."""

    cluster: Cluster
    url: str
    store: Store
    webs: list[Web]
    workers: list[Program]

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return ask(connection, sql, *values)

    def customer(self, plan: str) -> str:
        """The key of somebody new with much credit."""
        order = ("keys", "create", "--email", f"{plan}@example.com", "--plan", plan)
        return auricle(self.webs[0].environment, *order, "--credits", "1000")

    def postmaster(self) -> psutil.Process:
        """The first process of the database, which is a child of ours."""
        port = str(psycopg.conninfo.conninfo_to_dict(self.url)["port"])
        for child in psutil.Process().children():
            if child.name() == "postgres" and f"port={port}" in child.cmdline():
                return child
        raise AssertionError("there is no database server")


@contextmanager
def site(folder: Path, models: Path, binaries: Path | None, processes: int) -> Iterator[Site]:
    """A database over TCP, a store, and as many web and worker processes."""
    with ExitStack() as held:
        cluster = Cluster(folder / "database", folder / "run", binaries, tcp_port=free_port())
        found = held.enter_context(cluster.own())
        assert found is not None
        store = Store()
        held.callback(store.close)
        settings = {"database_url": found.url, "engine": "fake:0.2", "worker_timeout_s": "9"}

        def machine(number: int) -> Environment:
            return environment(folder / f"data{number}", models, **settings) | store.settings

        auricle(machine(0), "migrate")
        machines = [(machine(n), folder / f"log{n}") for n in range(2 * processes)]
        webs = [Web(*each, "--no-worker") for each in machines[:processes]]
        workers = [Program(*each, "worker") for each in machines[processes:]]
        held.enter_context(running(*webs, *workers))
        ours = Site(cluster, found.url, store, webs, workers)
        for web in webs:
            web.wait_healthy()
        yield ours


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site"), models_dir, None, processes=2) as found:
        for plan, limit in LIMITS.items():
            found.query(
                "INSERT INTO accounts_plan (id, name, metered, monthly_credits, welcome_credits,"
                " signup, concurrent) VALUES (%s, %s, true, 0, 0, false, %s)",
                *(plan, plan, limit),
            )
            found.query(
                "INSERT INTO accounts_planlimit (plan_id, dialect, max_bytes, max_seconds)"
                " VALUES (%s, '', 1000000000, 36000)",
                plan,
            )
        yield found


@pytest.fixture(scope="module")
def talks(recording: Path) -> Talks:
    return Talks(recording, seed=1)


@pytest.fixture(scope="module")
def key(ours: Site) -> str:
    """Somebody's who may do much at a time."""
    ours.query("UPDATE accounts_plan SET concurrent = 1000 WHERE id = 'paid'")
    return ours.customer("paid")


def send(web: Web, key: str, talk: Talk) -> httpx.Response:
    return httpx.post(
        f"{web.url}/v1/transcribe",
        files={"file": (f"{talk.name}.wav", talk.content)},
        headers={"Authorization": f"Bearer {key}"},
        timeout=120,
    )


def account(web: Web, key: str) -> httpx.Response:
    """An authenticated GET."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{web.url}/api/v1/account/", headers=headers, timeout=60)


def refused_for_now(answer: httpx.Response | Answer) -> bool:
    """Whether an answer says in JSON that the server cannot now, and when to come back."""
    if isinstance(answer, httpx.Response):
        answer = Answer(answer.status_code, dict(answer.headers), answer.json())
    retry = int(answer.headers.get("retry-after", "0"))
    return answer.status == 503 and list(answer.body) == ["error"] and retry > 0


def let_in(web: Web, key: str, talks: Talks) -> httpx.Response:
    """The answer to an upload as soon as it is not refused for now: workers may be beginning."""

    def sent() -> httpx.Response | None:
        answer = send(web, key, talks.next(repeats=1))
        return None if answer.status_code == 503 and refused_for_now(answer) else answer

    return eventually(sent, "an upload to be let in")


def transcribes(site: Site, key: str, talks: Talks) -> None:
    """Through either web process, and nothing stays in the store."""
    for web in site.webs:
        answer = let_in(web, key, talks)
        assert answer.status_code == 200, answer.text
        assert answer.json()["text"].startswith("Window number ")
    eventually(lambda: not site.store.keys(), "the recordings to be deleted")
    for web in site.webs:
        assert list((web.data / "uploads").iterdir()) == []
        assert not (web.data / "blobs").exists()


def test_either_web_process_answers_and_no_recording_stays(
    ours: Site, key: str, talks: Talks
) -> None:
    transcribes(ours, key, talks)


def test_a_recording_is_in_the_store_while_it_is_needed(ours: Site, key: str, talks: Talks) -> None:
    with ThreadPoolExecutor(1) as pool:
        let_in(ours.webs[0], key, talks)
        answer = pool.submit(send, ours.webs[0], key, talks.next(repeats=4))
        [blob] = eventually(ours.store.keys, "the recording to be stored")
        assert blob.startswith(f"{PREFIX}/")
        assert answer.result().status_code == 200
    eventually(lambda: not ours.store.keys(), "the recording to be deleted")


def test_limits_of_concurrency_hold_across_web_processes(ours: Site, talks: Talks) -> None:
    """All customers send all at once, to both web processes, until everything is transcribed."""
    keys = {plan: ours.customer(plan) for plan in LIMITS}
    refusals: list[httpx.Response] = []

    def insist(plan: str, number: int) -> None:
        talk = talks.next(repeats=1)

        def sent() -> bool:
            answer = send(ours.webs[number % 2], keys[plan], talk)
            if answer.status_code == 429:
                refusals.append(answer)
            elif answer.status_code != 503:  # workers may be too busy to say that they live
                assert answer.status_code == 200, answer.text
            return answer.status_code == 200

        eventually(sent, f"{talk.name} to be let in", 120)

    with sampled(ours) as most, ThreadPoolExecutor(EACH * len(LIMITS)) as pool:
        done = [pool.submit(insist, plan, n) for n in range(EACH) for plan in LIMITS]
        for each in done:
            each.result()
    assert (most["one"], most["two"]) == (1, 2)
    assert 2 < most["five"] <= 5
    assert refusals
    for answer in refusals:
        assert int(answer.headers["Retry-After"]) > 0
        assert "at a time" in answer.json()["error"]


@contextmanager
def sampled(ours: Site) -> Iterator[Counter[str]]:
    """The most unfinished transcripts of each plan's customer that were ever seen."""
    most: Counter[str] = Counter()
    over = threading.Event()
    sql = (
        "SELECT a.plan_id, count(*) FROM library_transcript t JOIN accounts_account a"
        " ON a.id = t.account_id WHERE t.status NOT IN ('SUCCEEDED', 'FAILED') GROUP BY 1"
    )

    def sample() -> None:
        with psycopg.connect(ours.url, autocommit=True) as connection:
            while not over.wait(0.01):
                for plan, count in ask(connection, sql):
                    most[plan] = max(most[plan], count)

    with ThreadPoolExecutor(1) as pool:
        sampler = pool.submit(sample)
        try:
            yield most
        finally:
            over.set()
            sampler.result()


def test_cut_connections_are_not_noticed(ours: Site, key: str) -> None:
    def ask_all(_: int) -> list[int]:
        return [account(web, key).status_code for web in ours.webs]

    with ThreadPoolExecutor(8) as pool:
        assert {status for found in pool.map(ask_all, range(8)) for status in found} == {200}
        for _ in range(3):
            [(cut,)] = ours.query(CUT)
            assert cut
            assert {status for found in pool.map(ask_all, range(8)) for status in found} == {200}


def test_without_the_database_requests_are_refused_for_now(
    ours: Site, key: str, talks: Talks
) -> None:
    """It is killed; when it is back, nothing has to be started again."""
    ours.postmaster().kill()
    ours.cluster.wait(10)
    assert refuse_all(ours, key, talks)
    assert ours.cluster.ensure()
    recovers(ours, key, talks)


def test_a_database_that_lets_nobody_in_refuses_requests_for_now(
    ours: Site, key: str, talks: Talks
) -> None:
    """Connections are cut, and new ones are taken by the system but not by the database."""
    with psycopg.connect(ours.url, autocommit=True) as ourselves, frozen(ours.postmaster()):
        ask(ourselves, CUT)
        assert refuse_all(ours, key, talks)
    recovers(ours, key, talks)


def refuse_all(ours: Site, key: str, talks: Talks) -> bool:
    """Whether both web processes refuse whatever they are asked."""
    asked: list[Callable[[], httpx.Response]] = []
    for web in ours.webs:
        asked += [partial(account, web, key), partial(send, web, key, talks.next(repeats=1))]
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = [pool.submit(each) for each in asked]
        return all(refused_for_now(answer.result()) for answer in answers)


def recovers(ours: Site, key: str, talks: Talks) -> None:
    for web in ours.webs:
        web.wait_healthy()
        found = partial(account, web, key)
        eventually(lambda found=found: found().status_code == 200, "the account", RECOVERY_S)  # type: ignore[misc]
    transcribes(ours, key, talks)


def test_without_room_uploads_are_refused_for_now(ours: Site, key: str, talks: Talks) -> None:
    """The disk is full; when there is room again, nothing has to be started again."""
    web = ours.webs[0]
    talk = talks.next(repeats=4)
    with no_room(web):
        upload = SlowUpload(web.url, key, talk.content, talk.name)
        upload.ask()
        upload.send()
        assert refused_for_now(upload.answer())
        assert list((web.data / "uploads").iterdir()) == []
        assert account(web, key).status_code == 200
    transcribes(ours, key, talks)


@contextmanager
def no_room(web: Web) -> Iterator[None]:
    """Leave a server's uploads a megabyte: a small disk of their own, or else a quota."""
    folder = web.data / "uploads"
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode == 0:
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
        return
    pid, before = web.process.pid, resource.prlimit(web.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_it_runs_on_the_postgresql_of_debian(
    tmp_path: Path, models_dir: Path, talks: Talks
) -> None:
    if not DEBIAN.exists():
        pytest.skip(f"PostgreSQL 15 of Debian is not at {DEBIAN}")
    with site(tmp_path, models_dir, DEBIAN, processes=1) as found:
        [(version,)] = found.query("SHOW server_version_num")
        assert version.startswith("15")
        transcribes(found, found.customer("paid"), talks)
