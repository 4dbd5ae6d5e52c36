"""``auricle serve``: the HTTP server in this process, one worker beside it."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from auricle.core import logging as process_logging
from auricle.core.errors import BadRequest, Unavailable
from auricle.core.settings import Settings
from auricle.link import Registry
from auricle.models import find
from auricle.storage import Uploads

log = logging.getLogger(__name__)

RESTART_S = 1.0
"""Seconds before a worker that died is started again."""

LONGEST_SOCKET_PATH = 107
"""Bytes that Linux has for the path of a Unix socket."""

PATIENCE_S = 60.0
"""Seconds that the first worker may take to load its model before requests are refused."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises :class:`Unavailable` when the port is taken."""
    process_logging.configure("web")
    _check(settings)
    with _sole_server(settings):
        sock = _listen(host, port)
        _clean_up(settings)
        if not _loopback(host):
            log.warning("listening beyond this machine; keys are not checked yet: use a firewall")
        asyncio.run(_serve(settings, sock))


def _check(settings: Settings) -> None:
    """Refuse models that do not exist, and a folder whose path is too long for sockets."""
    for name in (settings.default_model, *settings.model_aliases.values()):
        if name:
            find(name)
    longest = len(os.fsencode(settings.run_dir)) + len("/01234567.sock")
    if longest > LONGEST_SOCKET_PATH:
        raise BadRequest(f"The path {settings.data} is too long for sockets. Use a shorter one.")


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


def _clean_up(settings: Settings) -> None:
    """Remove what a killed server has left."""
    Registry(settings.run_dir / "workers").clear()
    if left := Uploads(settings.uploads_dir).sweep():
        log.warning("deleted %d uploads that an earlier run had left", left)


class _Server(uvicorn.Server):
    """uvicorn, but signals are ours: it would raise them again before the worker is stopped."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(settings: Settings, sock: socket.socket) -> None:
    worker = asyncio.create_task(_keep_worker())
    waiting = asyncio.create_task(_wait_for_worker(settings))
    server = _Server(await asyncio.to_thread(_configure, settings))

    def stop() -> None:
        server.should_exit = True
        waiting.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        # The socket listens already: whoever comes early waits for the worker with us.
        with suppress(asyncio.CancelledError):
            await waiting
        if not server.should_exit:
            address, port = sock.getsockname()[:2]
            log.info("ready at http://%s:%s (the API is described at /docs/api)", address, port)
            await server.serve(sockets=[sock])
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


def _configure(settings: Settings) -> uvicorn.Config:
    # Imported only now: the worker is starting on another core meanwhile.
    from auricle.server import create_app  # noqa: PLC0415

    return uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
    )


async def _wait_for_worker(settings: Settings) -> None:
    registry = Registry(settings.run_dir / "workers")
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not registry.alive():
                await asyncio.sleep(0.05)
    except TimeoutError:
        log.error("no worker is ready after %g s; answering 503 until one is", PATIENCE_S)


async def _keep_worker() -> None:
    """Keep one worker running; it gets SIGTERM when this is cancelled."""
    while True:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auricle.cli", "worker", "--until-eof"),
            stdin=asyncio.subprocess.PIPE,  # its end tells the worker that we are gone
            start_new_session=True,  # so that Ctrl-C reaches us alone, and running calls can end
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
            raise
        log.error("the worker ended with status %s; starting another", status)
        await asyncio.sleep(RESTART_S)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
        ) from error


def _loopback(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")
