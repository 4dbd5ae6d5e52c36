"""The cluster: made at the first start, run as a child of its owner, restarted when it dies.

folder/                0700, of the account that the server runs as
    data/              PGDATA; appears when initdb has finished
    superuser          password of the role `postgres`, 0600
    auricle            password of the role that Auricle uses, 0600
run_dir/
    database.lock      held by the owner
    database.json      the address, 0600
    database.log       the server's log
    database/          0700, the socket; elsewhere where this path is too long for one
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from auricle.core.errors import Unavailable
from auricle.postgres import account, leftovers
from auricle.postgres import binaries as programs
from auricle.postgres.address import Address, address, announce, withdraw

log = logging.getLogger(__name__)

START_S = 300.0
"""Seconds that a start may take; recovery after a crash replays up to a gigabyte."""

ORPHANS_S = 30.0
"""Seconds in which processes that were orphaned have to let go of the shared memory."""

LOG_BYTES = 4_000_000
"""The log is cut to nothing when it is longer."""

_LAUNCH = Path(__file__).with_name("launch.py")
_NAME = "auricle"
_LONGEST_SOCKET_PATH = 107
_ELSEWHERE = "auricle-database-"
_ORPHANED = "pre-existing shared memory block"
_SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "200",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_ADVICE = {
    "No space left on device": "Make room on its disk, then start again.",
    "Disk quota exceeded": "Make room on its disk, then start again.",
    "could not look up effective user ID": "Run Auricle as a user that the system knows by name.",
    "Permission denied": "Let the user that it runs as read and write there.",
}


class Cluster:
    """One PostgreSQL cluster in ``folder``; see the top of this file for what is where.

    ``binaries`` is the folder of another PostgreSQL's programs. With ``tcp_port`` the server
    listens on 127.0.0.1 as well, and that is the address it announces.
    """

    def __init__(
        self,
        folder: Path,
        run_dir: Path,
        binaries: Path | None = None,
        *,
        tcp_port: int | None = None,
    ) -> None:
        self._folder = folder.absolute()
        self._run_dir = run_dir.absolute()
        self._binaries = binaries
        self._tcp_port = tcp_port
        self._data = self._folder / "data"
        self._log = self._run_dir / "database.log"
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._stopping.set()  # until it is owned there is nothing to keep running
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def own(self) -> Iterator[Address | None]:
        """Run the server for as long as the block lasts; None if another process owns it already.

        Raises :class:`Unavailable` with the end of the server's log when it cannot be started.
        """
        with ExitStack() as held:
            yield self._open(held) if self._take(held) else None

    def poll(self) -> int | None:
        """None while the server runs, or else its exit status (negative: the signal)."""
        return self._process.poll() if self._process else 0

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the server to end; returns what :meth:`poll` does."""
        with suppress(subprocess.TimeoutExpired):
            if self._process:
                self._process.wait(timeout_s)
        return self.poll()

    def ensure(self) -> bool:
        """Start the server again if it has died; whether that was so.

        Address and password stay. Connections are broken, what was committed is there. Raises
        :class:`Unavailable` when it cannot be started; the next call tries again.
        """
        with self._changing:
            self._bound_log()
            if self._stopping.is_set() or self.poll() is None:
                return False
            log.error("the database server ended with status %s; starting it again", self.poll())
            self._start()
            return True

    def stop(self) -> None:
        """End the server: connections are broken, what was committed is kept."""
        self._stopping.set()  # before the lock, which a start may hold for minutes
        with self._changing:
            self._end()

    def _take(self, held: ExitStack) -> bool:
        """Lock both folders: another owner of the data may have another ``run_dir``."""
        with self._explained():
            self._run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not held.enter_context(_locked(self._run_dir / "database.lock")):
                return False
            self._account = account.choose(self._folder)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not held.enter_context(_locked(self._folder)):
                return False
            account.give(self._folder, self._account)
        return True

    def _open(self, held: ExitStack) -> Address:
        """Bring the server up, from whatever state its folder is in."""
        self._stopping.clear()
        self._spawner = held.enter_context(ThreadPoolExecutor(1, "postgres"))
        self._programs = programs.find(self._binaries)
        with self._explained():
            self._make()
            leftovers.clear(self._data)
            self._forget_address()
            self._sockets = self._make_sockets(held)
        held.callback(withdraw, self._run_dir)
        held.callback(self.stop)
        with self._changing:
            self._start()
        found = self._admit()
        with self._explained():
            announce(self._run_dir, found)
        return found

    def _forget_address(self) -> None:
        """Remove what a killed owner has left: the address, and the folder of a long path."""
        if (old := address(self._run_dir)) and Path(old.host).name.startswith(_ELSEWHERE):
            shutil.rmtree(old.host, ignore_errors=True)
        withdraw(self._run_dir)

    def _make(self) -> None:
        """Make the cluster if there is none, all or nothing; refuse one of another version."""
        if self._data.exists():
            self._check_version()
            return
        for unfinished in self._folder.glob("new-*"):
            shutil.rmtree(unfinished)
        self._write_secret("superuser")
        new = Path(tempfile.mkdtemp(dir=self._folder, prefix="new-"))
        account.give(new, self._account)
        start = self._mark_log()
        process = self._launch(self._initdb(new), reach=new)
        if process.wait() != 0:
            raise self._failure(f"The database could not be made in {self._folder}", start)
        new.rename(self._data)
        _sync(self._folder)

    def _initdb(self, folder: Path) -> list[str | Path]:
        # The built-in locale does not change when the system is upgraded; indexes depend on it.
        builtin = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        locale = builtin if self._programs.major >= 17 else ("--locale=C.UTF-8",)
        return [
            *(self._programs.initdb, "--pgdata", folder, "--username=postgres"),
            *("--auth=scram-sha-256", "--pwfile", self._folder / "superuser"),
            *("--encoding=UTF8", *locale, "--data-checksums", "--no-instructions"),
        ]

    def _check_version(self) -> None:
        try:
            found = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError as error:
            raise Unavailable(
                f"{self._data} is not a database: it has no PG_VERSION. Restore it from a backup, "
                "or move it away to begin with an empty one."
            ) from error
        if found != str(self._programs.major):
            raise Unavailable(
                f"The database in {self._data} was made by PostgreSQL {found}, and this is "
                f"PostgreSQL {self._programs.major}. Install the Auricle that made it, or carry "
                "its contents over with pg_dumpall or pg_upgrade."
            )

    def _write_secret(self, name: str) -> str:
        """Make a password and keep it in a private file; returns it."""
        path, password = self._folder / name, secrets.token_urlsafe(32)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password)
            os.fsync(file.fileno())
        account.give(path, self._account)
        return password

    def _password(self) -> str:
        """The role's password: the same for every owner, so that clients outlive one."""
        with self._explained(), suppress(FileNotFoundError):
            if kept := (self._folder / _NAME).read_text():
                return kept
        with self._explained():
            return self._write_secret(_NAME)

    def _make_sockets(self, held: ExitStack) -> Path:
        """The folder of the socket. libpq reads a comma in its path as the end of it."""
        folder = self._run_dir / "database"
        path = os.fsencode(folder / f".s.PGSQL.{self._port}")
        if len(path) > _LONGEST_SOCKET_PATH or b"," in path:
            folder = Path(tempfile.mkdtemp(prefix=_ELSEWHERE))
            held.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        if os.geteuid() == 0:
            os.chown(folder, self._account.uid, self._account.gid)
        return folder

    @property
    def _port(self) -> int:
        return self._tcp_port or 5432  # which only names the socket where there is no TCP

    def _start(self) -> None:
        """Start the server, patiently while orphans of the one before hold its memory."""
        deadline = time.monotonic() + ORPHANS_S
        while True:
            try:
                with self._explained():
                    self._start_once()
            except Unavailable as error:
                if _ORPHANED not in error.message or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _start_once(self) -> None:
        leftovers.clear(self._data)
        start = self._mark_log()
        self._process = self._launch(self._server(), reach=self._data, and_reach=self._sockets)
        deadline = time.monotonic() + START_S
        while not self._ready(self._process.pid):
            late = time.monotonic() > deadline
            if late or self._stopping.is_set() or self._process.poll() is not None:
                self._end()
                after = f" within {START_S:g} s" if late else ""
                raise self._failure(f"The database in {self._folder} did not start{after}", start)
            time.sleep(0.02)

    def _server(self) -> list[str | Path]:
        quoted = str(self._sockets).replace('"', '""')
        settings = _SETTINGS | {
            "cluster_name": leftovers.mark(self._data),
            "unix_socket_directories": f'"{quoted}"',
            "listen_addresses": "127.0.0.1" if self._tcp_port else "",
            "port": str(self._port),
        }
        options = (word for pair in settings.items() for word in ("-c", "=".join(pair)))
        return [self._programs.postgres, "-D", self._data, *options]

    def _ready(self, pid: int) -> bool:
        """Whether it accepts connections, as pg_ctl finds out: line 8 of its file says so."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _launch(
        self, command: list[str | Path], *, reach: Path, and_reach: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program through launch.py, from the thread whose end would end the program."""
        folders = [self._programs.folder, reach, *([and_reach] if and_reach else [])]
        order = {
            "owner": os.getpid(),
            "uid": self._account.uid,
            "gid": self._account.gid,
            "reach": [str(folder) for folder in folders],
        }
        return self._spawner.submit(self._spawn, json.dumps(order), command).result()

    def _spawn(self, order: str, command: list[str | Path]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", _LAUNCH, order, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # so that Ctrl-C reaches its owner alone
            )

    def _end(self) -> None:
        if self._process is None:
            return
        for number, patience_s in leftovers.STEPS:
            if self._process.poll() is not None:
                break
            self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)

    def _admit(self) -> Address:
        """Make role and database if they are missing, and give the role its password."""
        password = self._password()
        try:
            with self._connect() as connection:
                verifier = connection.pgconn.encrypt_password(
                    password.encode(), _NAME.encode(), b"scram-sha-256"
                ).decode()
                _make_role(connection, verifier)
        except psycopg.Error as error:
            raise Unavailable(
                f"The database in {self._folder} does not let its owner in: {error}. The password "
                "in the file 'superuser' there has to be that of its role 'postgres'."
            ) from error
        host = "127.0.0.1" if self._tcp_port else str(self._sockets)
        return Address(host, self._port, name=_NAME, user=_NAME, password=password)

    def _connect(self) -> psycopg.Connection:
        with self._explained():
            password = (self._folder / "superuser").read_text()
        return psycopg.connect(
            host=str(self._sockets),
            port=self._port,
            dbname="postgres",
            user="postgres",
            password=password,
            autocommit=True,
        )

    def _mark_log(self) -> int:
        """Where in the log the next lines will be."""
        self._bound_log()
        return self._log.stat().st_size

    def _bound_log(self) -> None:
        """Cut the log when it is too long. The server appends, so it goes on at the beginning."""
        with self._log.open("ab") as file:
            if file.tell() > LOG_BYTES:
                file.truncate(0)

    def _failure(self, what: str, start: int) -> Unavailable:
        """What happened, how the log ends since ``start``, and what to do."""
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(start)
            said = file.read().decode(errors="replace").strip()
        lines = "\n".join(said.splitlines()[-12:]) or "(nothing)"
        advice = next((do for sign, do in _ADVICE.items() if sign in said), "")
        return Unavailable(
            f"{what}. {advice or 'See what it says about it, and correct that.'} "
            f"Its log, {self._log}, ends:\n{lines}"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"The database in {self._folder} cannot be used: {error.strerror}: "
                f"{error.filename}. Make room there, let this user read and write it, or choose "
                "another AURICLE_DATA."
            ) from error


def _make_role(connection: psycopg.Connection, verifier: str) -> None:
    name = sql.Identifier(_NAME)
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [_NAME]).rowcount:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    connection.execute(
        sql.SQL(f"ALTER ROLE {{}} {rights} PASSWORD {{}}").format(name, sql.Literal(verifier))
    )
    if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [_NAME]).rowcount:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, which is made, or of a folder; False if somebody else holds it."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)


def _environment() -> dict[str, str]:
    """Little of ours: PostgreSQL would read PGPORT and its like. Some Pythons need the last."""
    loader = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"} | loader


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
