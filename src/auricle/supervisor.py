"""``auricle serve``: the HTTP server in this process; database, text worker and one worker for
recordings beside it."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from auricle.core import logging as process_logging
from auricle.core import tls
from auricle.core.errors import Unavailable
from auricle.core.settings import Settings
from auricle.models import lookup
from auricle.postgres import Cluster
from auricle.storage import Uploads

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)

RESTART_S = 1.0
"""Seconds before a worker that died is started again."""

THREADS = 32
"""For what blocks in the serving process: writing uploads, looking at recordings, rendering."""

LOOK_S = 0.2
"""Seconds between two looks at whether the worker is alive."""

PATIENCE_S = 60.0
"""Seconds that the first worker may take to load its model before requests are refused."""


def serve(settings: Settings, host: str, port: int, *, worker: bool = True) -> None:
    """Serve until SIGTERM or SIGINT. Raises :class:`Unavailable` when the port is taken."""
    process_logging.configure("web", settings.log_format)
    _check(settings)
    with ExitStack() as held:
        held.enter_context(_sole_server(settings))
        sock = _listen(host, port)
        if left := Uploads(settings.uploads_dir).sweep():
            log.warning("deleted %d uploads that an earlier run had left", left)
        cluster = None if settings.database_url else _own_cluster(settings, held)
        # Imports take seconds, here and there: the worker begins with its own on another core.
        beside = held.enter_context(WorkerProcess()) if worker else None
        text = held.enter_context(WorkerProcess("text-worker"))
        from auricle import db  # noqa: PLC0415

        held.enter_context(db.ready(settings))
        _greet(settings)
        asyncio.run(_Supervisor(settings, sock, cluster, beside, text).run())


def _own_cluster(settings: Settings, held: ExitStack) -> Cluster:
    """Start the embedded database. Raises :class:`Unavailable`."""
    cluster = Cluster(settings.cluster_dir, settings.run_dir)
    if held.enter_context(cluster.own()) is None:
        raise Unavailable(
            "Another Auricle command is using the database. Try again when it has ended."
        )
    return cluster


def _greet(settings: Settings) -> None:
    """Give the owner of a new installation their key; it goes to standard output alone."""
    from auricle.accounts.owner import first_key  # noqa: PLC0415  (needs Django to be ready)

    if settings.database_url is None and (key := first_key()):
        print(f"Your API key, shown only now: {key}", flush=True)


def _check(settings: Settings) -> None:
    """Refuse models that do not exist, and certificates that do not work."""
    for name in (settings.default_model, *settings.model_aliases.values()):
        if name:
            lookup(name)
    tls.check(settings)


@contextmanager
def _sole_server(settings: Settings) -> Iterator[None]:
    """Hold the data folder; two servers would delete each other's uploads."""
    settings.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.run_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable(
                f"Another server is running on {settings.data}. Stop it, or set AURICLE_DATA."
            ) from error
        yield


class WorkerProcess:
    """A worker that runs beside the server; a context manager that stops it at its end."""

    def __init__(self, command: str = "worker") -> None:
        self._command = command

    def __enter__(self) -> WorkerProcess:
        self._process = self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def keep(self) -> None:
        """Start another whenever it ends."""
        while True:
            while (status := self._process.poll()) is None:
                await asyncio.sleep(LOOK_S)
            log.error("the %s ended with status %s; starting another", self._command, status)
            await asyncio.sleep(RESTART_S)
            try:
                self._process = self._start()
            except OSError as error:  # for want of memory or processes: perhaps not for long
                log.error("the %s cannot be started: %s", self._command, error)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "auricle.cli", self._command, "--until-eof"],
            stdin=subprocess.PIPE,  # its end tells the worker that we are gone
            start_new_session=True,  # so that Ctrl-C reaches us alone, and running calls can end
        )


class _Supervisor:
    """The server in this process, and what it keeps running beside it."""

    def __init__(
        self,
        settings: Settings,
        sock: socket.socket,
        cluster: Cluster | None,
        worker: WorkerProcess | None,
        text: WorkerProcess,
    ) -> None:
        self._settings = settings
        self._sock = sock
        self._cluster = cluster
        self._worker = worker
        self._text = text

    async def run(self) -> None:
        """Serve until a signal comes."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        keepers = [asyncio.create_task(keeper) for keeper in self._keepers()]
        waiting = asyncio.create_task(self._wait_for_worker())
        server = await asyncio.to_thread(_make_server, self._settings)

        def stop() -> None:
            server.should_exit = True
            waiting.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        # The socket listens already: whoever comes early waits for the worker with us.
        with suppress(asyncio.CancelledError):
            await waiting
        if not server.should_exit:
            scheme = "https" if self._settings.tls_cert else "http"
            address, port = self._sock.getsockname()[:2]
            where = f"{scheme}://{address}:{port}"
            log.info("ready at %s (the API is described at /docs/api)", where)
            keepers.append(asyncio.create_task(asyncio.to_thread(_load_site)))
            await server.serve(sockets=[self._sock])
        for keeper in keepers:
            keeper.cancel()

    def _keepers(self) -> Iterator[Coroutine[None, None, None]]:
        yield self._text.keep()
        if self._worker:
            yield self._worker.keep()
        if self._cluster:
            yield _keep_database(self._cluster)

    async def _wait_for_worker(self) -> None:
        from auricle import db  # noqa: PLC0415
        from auricle.desk.admission import node  # noqa: PLC0415  (needs Django to be ready)

        if not self._worker:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (await db.run(node, self._settings)).workers:
                    await asyncio.sleep(0.1)
        except (TimeoutError, Unavailable):
            log.error("no worker is ready after %g s; answering 503 until one is", PATIENCE_S)


def _make_server(settings: Settings) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415

    from auricle.server import create_app  # noqa: PLC0415

    class Server(uvicorn.Server):
        """uvicorn, but signals are ours: it would raise them again before all is stopped."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    # It says so of every handshake that is refused by an answer, as if that were a fault of ours.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "without completing handshake" not in record.getMessage()
    )
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        server_header=False,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    return Server(config)


def _load_site() -> None:
    """Import what Django would with its first request: the speech API need not wait for it."""
    from django.urls import get_resolver  # noqa: PLC0415

    _ = get_resolver().url_patterns


async def _keep_database(cluster: Cluster) -> None:
    """Start the database again whenever it dies."""
    while True:
        await asyncio.sleep(RESTART_S)
        try:
            await asyncio.to_thread(cluster.ensure)
        except (Unavailable, OSError) as error:
            log.error("%s", error)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
        ) from error
