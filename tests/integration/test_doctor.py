"""What the doctor says of installations that are broken, each in its own way."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from auricle.core.settings import Settings
from auricle.postgres import Cluster, address
from auricle.work import doctor
from endpoints import endpoint, says
from installation import Installation


@dataclass
class Told:
    """The doctor's report."""

    status: int
    lines: list[str]

    def help(self, words: str) -> str:
        """The one line of what is wrong that has these words."""
        [line] = [line for line in self.lines if line.startswith("HELP") and words in line]
        return line


def ask(here: Installation, **settings: str) -> Told:
    done = here.run("doctor", **settings)
    assert "Traceback" not in done.stderr, done.stderr
    return Told(done.returncode, done.stdout.splitlines())


@pytest.fixture
def here(tmp_path: Path, models_dir: Path) -> Installation:
    return Installation(tmp_path / "data", {"models": str(models_dir)})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("doctor"), {"models": str(models_dir)})
    with made.serving():
        yield made


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty database of the operator's own."""
    folder = tmp_path_factory.mktemp("database")
    with Cluster(folder / "cluster", folder / "run").own() as mine:
        assert mine is not None
        yield mine.url


def test_a_new_installation_is_sound(here: Installation) -> None:
    told = ask(here)
    assert told.status == 0, told.lines
    text = "\n".join(told.lines)
    for words in (
        "PostgreSQL 18",
        "the database agrees",
        "takes, gives and deletes",
        "mail: none is sent",
        "no server is running",
        "signing secret: will be made",
        "public address: none",
    ):
        assert words in text
    assert not any((here.data / "blobs").iterdir())


def test_a_running_one_names_its_worker(running: Installation) -> None:
    told = ask(running)
    assert told.status == 0, told.lines
    assert [line for line in told.lines if "worker " in line and "last heard of" in line]


def test_silent_and_old_workers_are_named(running: Installation) -> None:
    found = address(running.data / "run")
    assert found is not None
    with psycopg.connect(found.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO jobs_worker (id, host, machine, pid, models, gpu_name, gpu_memory_mb,"
            " version, started, beat, stats) VALUES ('a', 'cellar', 'c', 7, '{}', 'H200', 1,"
            " '0.1.0', now(), now() - interval '90 s', '{}'), ('b', 'attic', 'a', 8, '{}', '', 0,"
            " '0.0.1', now(), now(), '{}')"
        )
        told = ask(running)
        connection.execute("DELETE FROM jobs_worker WHERE id IN ('a', 'b')")
    assert told.status == 1
    assert re.search(r"silent for (9\d|\d{3}) s", told.help("worker cellar:7 on H200"))
    assert "of version 0.0.1" in told.help("worker attic:8")


def test_a_database_that_does_not_answer_is_said_to_be(here: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    told = ask(here, database_url=f"postgresql://a:b@127.0.0.1:{port}/c", secret_key="x" * 40)
    assert told.status == 1
    assert "refused" in told.help("database:")


def test_tables_that_are_missing_name_the_command(here: Installation, database: str) -> None:
    told = ask(here, database_url=database, secret_key="x" * 40)
    assert told.status == 1
    assert "auricle migrate" in told.help("tables:")


def test_a_damaged_embedded_database_is_explained_in_one_line(here: Installation) -> None:
    (here.data / "postgres" / "data").mkdir(parents=True)
    told = ask(here)
    assert told.status == 1
    assert "Restore it from a backup" in told.help("database:")


def test_no_worker_is_said_to_be_alive(here: Installation, database: str) -> None:
    settings = {"database_url": database, "secret_key": "x" * 40}
    assert here.run("migrate", **settings).returncode == 0
    told = ask(here, **settings)
    assert told.status == 1
    assert "auricle worker" in told.help("no worker is alive")


def test_settings_that_do_not_go_together_are_explained(here: Installation, tmp_path: Path) -> None:
    (here.data).mkdir()
    (here.data / "secret").write_text("x" * 60)
    (here.data / "secret").chmod(0o644)
    (here.data / "blobs").write_text("in the way")
    told = ask(
        here,
        models=str(tmp_path / "none"),
        public_url="https://speech.example.com",
        smtp_url=f"smtp://127.0.0.1:{_nobody()}",
    )
    assert told.status == 1
    assert "auricle models pull base" in told.help("no model")
    assert "chmod 600" in told.help("signing secret")
    assert "AURICLE_TRUSTED_PROXIES" in told.help("public address")
    assert "AURICLE_STORAGE_URL" in told.help("recordings: ")
    assert "refused" in told.help("mail:")


def _nobody() -> int:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return int(closed.getsockname()[1])


def said(settings: Settings, part: str) -> list[tuple[bool, str]]:
    found = getattr(doctor, part)(settings)
    listed = [found] if isinstance(found, doctor.Finding) else list(found)
    return [(each.good, each.text) for each in listed]


def test_ways_in_are_judged_together(tmp_path: Path) -> None:
    https = "https://speech.example.com"
    for settings, words in [
        (Settings(public_url=https), "nobody speaks HTTPS"),
        (Settings(trusted_proxies=("0.0.0.0/0",)), "believes everybody"),
        (Settings(tls_cert=tmp_path / "none.crt", tls_key=tmp_path / "none.key"), "No such file"),
    ]:
        wrong = [text for good, text in said(settings, "_ways_in") if not good]
        assert len(wrong) == 1
        assert words in wrong[0]
    sound = Settings(public_url=https, trusted_proxies=("10.0.0.0/8",))
    assert all(good for good, _ in said(sound, "_ways_in"))
    clear = Settings(public_url="http://speech.example.com")
    assert "unencrypted" in said(clear, "_ways_in")[0][1]


def test_clocks_that_disagree_are_told_apart() -> None:
    now = datetime.now(UTC)
    assert doctor._clock(now, now).good
    behind = doctor._clock(now, now + timedelta(minutes=2))
    assert (behind.good, "120 s behind" in behind.text) == (False, True)
    assert "ahead of" in doctor._clock(now, now - timedelta(minutes=2)).text


def test_a_store_that_refuses_us_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(says(403, b"<Error><Code>AccessDenied</Code></Error>")) as store:
        for name, value in {
            "AWS_ENDPOINT_URL": store.url(path=""),
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        settings = Settings(data=tmp_path, storage_url="s3://auricle")
        [(good, text)] = said(settings, "_storage")
    assert not good
    assert "s3://auricle does not work" in text
    assert "\n" not in text


def test_a_store_of_an_unknown_kind_is_told(tmp_path: Path) -> None:
    [(good, text)] = said(Settings(data=tmp_path, storage_url="ftp://auricle"), "_storage")
    assert (good, "ftp://auricle does not work" in text) == (False, True)


def test_a_data_folder_that_cannot_be_made_is_told() -> None:
    [(good, text)] = said(Settings(data=Path("/proc/auricle")), "_disk")
    assert (good, "set AURICLE_DATA" in text) == (False, True)
