"""Requests a second of a real server, by as many connections as it is asked for.

Run as a program it is that server: Auricle's own application, with one more address that does
nothing, so that the framework's own share can be told from ours. Its arguments are a port.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from processes import Environment, eventually, free_port

CONNECTIONS = 32
ROUNDS = 3
ROUND_S = 2.0
ACCOUNT = "/api/v1/account/"
NOTHING = "/api/v1/nothing/"


@dataclass(frozen=True)
class Throughput:
    """Requests a second, in a few rounds that took turns."""

    accounts: list[float]
    """An authenticated GET."""
    nothings: list[float]
    """A view of the same framework that does nothing and lets everybody in."""

    @property
    def account(self) -> float:
        return statistics.median(self.accounts)

    @property
    def nothing(self) -> float:
        return statistics.median(self.nothings)

    @property
    def ratios(self) -> list[float]:
        """What each round says; on a shared machine some say too little or too much."""
        pairs = zip(self.accounts, self.nothings, strict=True)
        return [round(account / nothing, 3) for account, nothing in pairs]


def measure(environment: Environment) -> Throughput:
    """Ask for both in turns."""
    with _server(environment) as (port, key):
        rates: dict[str, list[float]] = {ACCOUNT: [], NOTHING: []}
        asyncio.run(_rate(port, key, ACCOUNT, 1.0))  # everything is loaded by the first requests
        for _ in range(ROUNDS):
            for path, found in rates.items():
                found.append(asyncio.run(_rate(port, key, path, ROUND_S)))
    return Throughput(rates[ACCOUNT], rates[NOTHING])


@contextmanager
def _server(environment: Environment) -> Iterator[tuple[int, str]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, __file__, str(port)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        key = process.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {key}"}

        def answers() -> bool:
            try:
                found = httpx.get(f"http://127.0.0.1:{port}{ACCOUNT}", headers=headers)
            except httpx.TransportError:
                return False
            return found.status_code == 200

        eventually(answers, "the server")
        yield port, key
    finally:
        process.terminate()
        process.wait(20)


async def _rate(port: int, key: str, path: str, seconds: float) -> float:
    """Requests a second that are answered with 200."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        "Accept: application/json\r\n\r\n"
    ).encode()
    began = time.monotonic()
    clients = [_ask(port, request, began + seconds) for _ in range(CONNECTIONS)]
    return sum(await asyncio.gather(*clients)) / (time.monotonic() - began)


async def _ask(port: int, request: bytes, until: float) -> int:
    """Ask again and again over one connection; a client library would cost more than the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.monotonic() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = head.lower().partition(b"content-length:")[2].split()[0]
        await reader.readexactly(int(length))
        count += 1
    writer.close()
    return count


def serve(port: int) -> None:
    """Be the server until SIGTERM."""
    import uvicorn

    from auricle import db
    from auricle.core.settings import load

    with db.available(load()):
        from django.conf import settings as site

        from auricle.accounts.owner import first_key
        from auricle.server import create_app

        site.ROOT_URLCONF = "nothing_urls"
        print(first_key(), flush=True)
        app = create_app(load())
        uvicorn.run(app, port=port, log_config=None, access_log=False, proxy_headers=False)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    serve(int(sys.argv[1]))
