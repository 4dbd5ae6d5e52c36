"""Servers of users, on this machine: real sockets, whatever they answer."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Seen:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes


@dataclass
class Endpoint:
    """A server that remembers what it was asked."""

    port: int
    requests: list[Seen] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    """The names that TLS handshakes asked for (SNI)."""

    def url(self, host: str = "127.0.0.1", path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextmanager
def endpoint(
    answer: Answer, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Endpoint]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            here.requests.append(Seen(self.command, self.path, headers, body))
            with suppress(OSError):  # the other side may hang up at any time
                answer(self)

        do_GET = do_POST = respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that refuses the certificate hangs up."""

    with Server((host, port), Handler) as server:
        here = Endpoint(server.server_address[1])
        if tls:
            tls.sni_callback = lambda _, name, __: here.server_names.append(name)
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()


def says(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """Answer always the same; headers are written with underscores."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirects(location: str, status: int = 302) -> Answer:
    """Send clients elsewhere."""
    return says(status, location=location)


@contextmanager
def wire(first: bytes, then: bytes, pause_s: float) -> Iterator[int]:
    """A server that says ``first`` and then, over and over, ``then``; yields its port."""
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(first)
                while not over.wait(pause_s):
                    connection.sendall(then)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(5)


@contextmanager
def dawdler(pause_s: float) -> Iterator[int]:
    """A server that reads a little of the request now and then; yields its port."""
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                while not over.wait(pause_s) and connection.recv(200_000):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(5)


def resolver(names: dict[str, list[list[str]]]) -> Callable[..., list[object]]:
    """A ``getaddrinfo`` that knows some names, each with its answers of the first, second... time.

    The last answer stays. Other hosts are resolved as ever.
    """
    real = socket.getaddrinfo

    def fake(host: str, port: int | None, *words: int, **options: int) -> list[object]:
        answers = names.get(host)
        if answers is None:
            return [*real(host, port, *words, **options)]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        found: list[object] = []
        for address in addresses:
            found += real(address, port, *words, **options)
        return found

    return fake
