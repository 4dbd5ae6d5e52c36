"""The embedded PostgreSQL: real servers, started, killed and started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from auricle.core.errors import Unavailable
from auricle.postgres import Address, Cluster, address, launch

NOBODY = 65534
OWNER = """
import sys, time
from pathlib import Path
from auricle.postgres import Cluster
home = Path(sys.argv[1])
with Cluster(home / "database", home / "run").own() as mine:
    print(mine.url if mine else "taken", flush=True)
    sys.stdin.read()
"""
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


def cluster_in(home: Path) -> Cluster:
    return Cluster(home / "database", home / "run")


def as_nobody() -> list[str]:
    """What to write before a command to run it as nobody.

    Where this Python lies below a folder that only root may enter, it gets the one capability that
    reading it takes.
    """
    order = {
        "owner": os.getpid(),
        "uid": NOBODY,
        "gid": NOBODY,
        "reach": [sys.prefix, sys.base_prefix],
    }
    return [sys.executable, launch.__file__, json.dumps(order)]


def start_owner(home: Path, before: Sequence[str] = ()) -> tuple[subprocess.Popen[str], str]:
    """Own the cluster in another process, until its standard input ends."""
    process = subprocess.Popen(
        [*before, sys.executable, "-c", OWNER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def postmaster(home: Path) -> psutil.Process:
    text = (home / "database" / "data" / "postmaster.pid").read_text()
    return psutil.Process(int(text.split()[0]))


def servers(home: Path) -> list[int]:
    """Postmasters on the cluster of this folder."""
    data = str(home / "database" / "data")
    return [
        process.pid
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "postgres" and data in (process.info["cmdline"] or [])
    ]


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more; a container's first process may never collect the dead."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def query(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def status(process: psutil.Process) -> dict[str, str]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster with one table, not running; its folder's parents are closed to all but us."""
    home = tmp_path_factory.mktemp("cluster")
    with cluster_in(home).own() as mine:
        assert mine
        with psycopg.connect(mine.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'kept' AS word")
    assert servers(home) == []
    assert address(home / "run") is None
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy of that cluster for a test to break."""
    shutil.copytree(made / "database", tmp_path / "database")
    for folder, _, files in os.walk(tmp_path / "database"):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            owner = (made / "database").stat()
            os.chown(path, owner.st_uid, owner.st_gid)
    return tmp_path


@pytest.fixture(scope="module")
def running(made: Path) -> Iterator[Address]:
    with cluster_in(made).own() as mine:
        assert mine
        yield mine


def test_clients_find_the_address_and_come_in_without_being_superuser(
    made: Path, running: Address
) -> None:
    assert address(made / "run") == running
    assert query(running.url, "SELECT word FROM kept") == "kept"
    roles = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = "
    assert query(running.url, f"{roles} current_user") is False
    assert running.password not in repr(running)


def test_it_keeps_what_was_committed_and_listens_on_no_network(running: Address) -> None:
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
    }
    assert {name: query(running.url, f"SHOW {name}") for name in expected} == expected


@pytest.mark.parametrize("user", ["auricle", "postgres"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_nobody_comes_in_without_the_password(running: Address, user: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(replace(running, user=user, password=password).url)


def test_no_method_of_coming_in_is_trust(made: Path) -> None:
    rules = (made / "database" / "data" / "pg_hba.conf").read_text().splitlines()
    methods = {rule.split()[-1] for rule in rules if rule.strip() and not rule.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_the_next_owner_has_the_same_address(home: Path) -> None:
    with cluster_in(home).own() as first:
        assert first
    with cluster_in(home).own() as second:
        assert second == first


def test_only_its_user_may_enter_its_folders(made: Path, running: Address) -> None:
    for folder in (made / "database", made / "database" / "data", Path(running.host)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for secret in (made / "run" / "database.json", made / "database" / "superuser"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_second_owner_is_told(made: Path, running: Address) -> None:
    with cluster_in(made).own() as mine:
        assert mine is None
    process, said = start_owner(made)
    process.communicate()
    assert said == "taken"
    with Cluster(made / "database", made / "another run").own() as mine:
        assert mine is None
    assert query(running.url, "SELECT 1") == 1


@ROOT_ONLY
def test_root_starts_it_as_somebody_who_may_only_read_more(made: Path, running: Address) -> None:
    """pytest's folders are 0700 and root's: without a capability PGDATA cannot be reached."""
    assert query(running.url, "SELECT 1") == 1
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    assert made.parent.stat().st_uid == 0
    found = status(postmaster(made))
    assert "0" not in found["Uid"].split()
    assert found["Groups"] == ""
    assert found["NoNewPrivs"] == "1"
    # CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE where the former is held back
    for held in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(found[held], 16) in (1 << 2, 1 << 1)


@ROOT_ONLY
def test_where_every_folder_is_open_no_capability_is_left() -> None:
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    (home / "run").mkdir(mode=0o755)
    programs = Path("/usr/lib/postgresql/15/bin")
    if not programs.is_dir():
        pytest.skip("Debian's PostgreSQL 15, which lies where everybody may read, is not here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    try:
        with Cluster(home / "database", home / "run", programs, tcp_port=port).own() as mine:
            assert mine
            assert (mine.host, mine.port) == ("127.0.0.1", port)
            assert str(query(mine.url, "SHOW server_version")).startswith("15")
            found = status(postmaster(home))
            for held in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert int(found[held], 16) == 0
    finally:
        shutil.rmtree(home)


def test_a_killed_owner_takes_the_server_along_and_the_next_one_starts(home: Path) -> None:
    owner, _ = start_owner(home)
    old = postmaster(home)
    owner.kill()
    owner.wait()
    began = time.monotonic()
    with cluster_in(home).own() as mine:
        assert mine
        assert time.monotonic() - began < 20
        assert servers(home) == [postmaster(home).pid]
        assert ended(old)
        assert query(mine.url, "SELECT word FROM kept") == "kept"


def test_a_server_that_outlived_its_owner_is_ended(home: Path) -> None:
    """Stopped, it cannot heed the signal that it got when its owner died."""
    owner, _ = start_owner(home)
    old = postmaster(home)
    old.suspend()
    owner.kill()
    owner.wait()
    time.sleep(0.2)
    assert not ended(old)
    subprocess.Popen(["/bin/sh", "-c", f"sleep 1; kill -CONT {old.pid}"])
    with cluster_in(home).own() as mine:
        assert mine
        assert ended(old)
        assert query(mine.url, "SELECT word FROM kept") == "kept"


def test_a_killed_server_is_noticed_and_started_again(home: Path) -> None:
    cluster = cluster_in(home)
    with cluster.own() as mine:
        assert mine
        assert cluster.poll() is None
        assert cluster.ensure() is False
        with psycopg.connect(mine.url) as busy:
            postmaster(home).kill()
            assert cluster.wait(60) == -signal.SIGKILL
            assert cluster.ensure() is True
            with pytest.raises(psycopg.OperationalError):
                busy.execute("SELECT 1")
        assert query(mine.url, "SELECT word FROM kept") == "kept"
    assert servers(home) == []


def test_the_thread_that_starts_it_again_may_end(home: Path) -> None:
    """The death signal comes when the thread that forked ends; that must not be a caller's."""
    from threading import Thread

    cluster = cluster_in(home)
    with cluster.own() as mine:
        assert mine
        postmaster(home).kill()
        cluster.wait(60)
        caller = Thread(target=cluster.ensure)
        caller.start()
        caller.join()
        assert cluster.wait(0.5) is None
        assert query(mine.url, "SELECT 1") == 1


def test_a_number_that_belongs_to_somebody_else_by_now_does_not_matter(home: Path) -> None:
    data = home / "database" / "data"
    user = data.stat().st_uid
    foreign = subprocess.Popen(["/bin/sleep", "60"], user=user if os.geteuid() == 0 else None)
    (data / "postmaster.pid").write_text(f"{foreign.pid}\n{data}\n1\n5432\n/tmp\n\n1 1\nready\n")
    with cluster_in(home).own() as mine:
        assert mine
        assert query(mine.url, "SELECT 1") == 1
        assert foreign.poll() is None
    foreign.kill()
    foreign.wait()


def test_a_path_too_long_for_a_socket_is_no_hindrance(home: Path) -> None:
    run_dir = home / ("long" * 30)
    run_dir.mkdir()
    (run_dir / "database.json").write_bytes(b"")  # as a power failure may leave it
    with Cluster(home / "database", run_dir).own() as mine:
        assert mine
        assert stat.S_IMODE(Path(mine.host).stat().st_mode) == 0o700
        assert query(mine.url, "SELECT 1") == 1
    assert not Path(mine.host).exists()


def test_what_cannot_be_is_said_in_a_sentence(home: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(Unavailable, match="not complete"),
        Cluster(home / "database", home / "run", tmp_path / "nowhere").own(),
    ):
        pass
    (home / "file").write_text("")
    with (
        pytest.raises(Unavailable, match="cannot be used"),
        Cluster(home / "file" / "database", home / "run").own(),
    ):
        pass
    with (home / "database" / "data" / "postgresql.auto.conf").open("a") as settings:
        settings.write("nonsense = 1\n")
    with pytest.raises(Unavailable, match=r'(?s)did not start.*"nonsense"'), cluster_in(home).own():
        pass
    (home / "database" / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(Unavailable, match="made by PostgreSQL 16"), cluster_in(home).own():
        pass


@ROOT_ONLY
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    home = tmp_path / "small"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", str(home)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this root may not mount a small disk to fill")
    try:
        with (
            pytest.raises(Unavailable, match=r"(?s)could not be made.*Make room on its disk"),
            cluster_in(home).own(),
        ):
            pass
    finally:
        subprocess.run(["umount", str(home)], check=True)


@ROOT_ONLY
def test_an_ordinary_user_needs_no_root() -> None:
    home = Path(tempfile.mkdtemp())
    os.chown(home, NOBODY, NOBODY)
    try:
        owner, url = start_owner(home, as_nobody())
        assert query(url, "SELECT current_user") == "auricle"
        found = status(postmaster(home))
        assert found["Uid"].split() == [str(NOBODY)] * 4
        assert found["NoNewPrivs"] == "1"
        owner.communicate()
        assert servers(home) == []
    finally:
        shutil.rmtree(home)
