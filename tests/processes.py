"""Auricle as real processes that tests start, kill and start again, as a service manager would."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import psycopg

from auricle.postgres import address

T = TypeVar("T")
Environment = dict[str, str]

START_S = 180.0
"""Seconds that a process may take to be ready, on a busy machine."""

RESTART_S = 0.2
"""Seconds after which a service manager starts a process again."""


def eventually(look: Callable[[], T | None], what: str, timeout_s: float = 60.0) -> T:
    """Look again and again until the answer is true; returns it. Fails with what was awaited."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain for {what}"
        time.sleep(0.05)
    return found


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def environment(data: Path, models: Path, **settings: str) -> Environment:
    """What Auricle's processes are started with; ``engine="fake"`` becomes AURICLE_ENGINE."""
    names = {f"AURICLE_{name.upper()}": value for name, value in settings.items()}
    return os.environ | {"AURICLE_DATA": str(data), "AURICLE_MODELS": str(models)} | names


def auricle(environment: Environment, *arguments: str) -> str:
    """Run a command to its end; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "auricle.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Program:
    """A process of Auricle that stays; its log is a file."""

    READY = "ready with"

    def __init__(self, environment: Environment, log: Path, *arguments: str) -> None:
        self.environment = environment
        self.log = log
        self._arguments = arguments
        self._seen = 0
        log.touch()

    def start(self) -> None:
        """Start it, and do not wait until it is ready."""
        self._seen = self.log.stat().st_size
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "auricle.cli", *self._arguments],
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def wait_ready(self) -> None:
        """Wait until it says that it is ready; fails with its log if it ends instead."""

        def ready() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.said()}"
            return self.READY in self.said()

        eventually(ready, f"{' '.join(self._arguments)} to be ready", START_S)

    def said(self) -> str:
        """What it has logged since it was started last."""
        with self.log.open("rb") as file:
            file.seek(self._seen)
            return file.read().decode(errors="replace")

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it as an operator would."""
        self.process.terminate()
        self.process.wait(30)


class Web(Program):
    """``auricle serve``, on a port that it keeps when it is started again."""

    READY = "ready at"

    def __init__(self, environment: Environment, log: Path, *options: str) -> None:
        self.port = free_port()
        super().__init__(environment, log, "serve", "--port", str(self.port), *options)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return Path(self.environment["AURICLE_DATA"])

    def wait_healthy(self) -> None:
        """Wait until a request would be let in."""

        def healthy() -> bool:
            try:
                return httpx.get(f"{self.url}/health", timeout=10).status_code == 200
            except httpx.TransportError:
                return False

        eventually(healthy, "a server that can transcribe", START_S)


class Installation(Web):
    """``auricle serve`` with its own database and worker."""

    def owner_key(self) -> str:
        """The key that the first start has printed."""
        found = re.search(r"auk_\S+", self.said())
        assert found, self.said()
        return found[0]

    def worker(self) -> psutil.Process | None:
        """The worker, when there is one."""
        return self._child(lambda process: "worker" in process.cmdline())

    def postmaster(self) -> psutil.Process | None:
        """The first process of the database, when it runs."""
        return self._child(lambda process: process.name() == "postgres")

    def backends(self) -> list[psutil.Process]:
        """The processes of the database that serve our connections."""
        try:
            postmaster = self.postmaster()
            family = postmaster.children() if postmaster else []
            return [p for p in family if ": auricle auricle" in " ".join(p.cmdline())]
        except psutil.NoSuchProcess:
            return []

    def database(self) -> psycopg.Connection[Any]:
        """A connection to the database; waits while it is away."""

        def connect() -> psycopg.Connection[Any] | None:
            try:
                found = address(self.data / "run")
                return psycopg.connect(found.url, autocommit=True) if found else None
            except psycopg.OperationalError:
                return None

        return eventually(connect, "the database")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database; nothing for statements without an answer."""
        with self.database() as connection:
            return ask(connection, sql, *values)

    def _child(self, wanted: Callable[[psutil.Process], bool]) -> psutil.Process | None:
        try:
            for process in psutil.Process(self.process.pid).children():
                if _still(process, wanted):
                    return process
        except psutil.NoSuchProcess:
            pass
        return None


def _still(process: psutil.Process, wanted: Callable[[psutil.Process], bool]) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and wanted(process)
    except psutil.NoSuchProcess:
        return False


def ask(connection: psycopg.Connection[Any], sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of an answer; nothing for statements without one."""
    cursor = connection.execute(sql, values)
    return cursor.fetchall() if cursor.description else []


@contextmanager
def running(*programs: Program) -> Iterator[None]:
    """Start programs, wait until all are ready, and stop them at the end."""
    for program in programs:
        program.start()
    try:
        for program in programs:
            program.wait_ready()
        yield
    finally:
        for program in reversed(programs):
            program.stop()


@contextmanager
def kept(program: Program) -> Iterator[None]:
    """Start a program and keep it running, as a service manager does; stop it at the end."""
    over = threading.Event()
    program.start()

    def keep() -> None:
        while not over.wait(RESTART_S):
            if program.process.poll() is not None:
                program.start()

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        program.stop()


@contextmanager
def frozen(*processes: psutil.Process) -> Iterator[None]:
    """Stop processes from running, as a machine that swaps does, and let them go on."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
