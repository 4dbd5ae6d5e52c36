"""Connections to checked addresses, each of which is over by its deadline.

Each request makes a connection of its own: users' endpoints are many and seldom called, and a
connection that an endpoint has meanwhile hung up on would lose a webhook.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore
import httpx

from auricle.core.errors import Unreachable
from auricle.egress.addresses import Address
from auricle.egress.guard import LOOKUP_S, Checked, Guard

DEADLINE = "auricle.deadline"
"""Request extension: the :class:`Deadline` of a request with all its redirects and its body."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the clock of ``time.monotonic()``."""

    ends: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The moment that is so many seconds away."""
        return cls(time.monotonic() + seconds)

    def left(self, at_most_s: float | None = None) -> float:
        """Seconds until then, but no more than given. Raises ``TimeoutError`` after it."""
        left_s = self.ends - time.monotonic()
        if at_most_s is not None:
            left_s = min(left_s, at_most_s)
        if left_s <= 0:
            raise TimeoutError("the time for the whole request is over")
        return left_s


class Transport(httpx.BaseTransport):
    """Sends each request to an address that passed the guard, under the URL's own name."""

    def __init__(self, guard: Guard, context: ssl.SSLContext) -> None:
        self._guard = guard
        self._context = context

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; redirects come here again, each as a request of its own.

        Raises :class:`AddressRefused` and :class:`Unreachable`.
        """
        deadline: Deadline = request.extensions[DEADLINE]
        with in_words(request.url.host):
            checked = self._guard.check(request.url, deadline.left(LOOKUP_S))
            asked = _asked(request)
            connection = httpcore.HTTPConnection(
                asked.url.origin, self._context, network_backend=_Dialer(checked, deadline)
            )
            answer = connection.handle_request(asked)
        response = httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, connection, request.url.host),
        )
        if response.has_redirect_location:  # httpx would read all of a body that nobody needs
            connection.close()
            response.stream = httpx.ByteStream(b"")
        return response


class _Dialer(httpcore.NetworkBackend):
    """Connects to the checked addresses, in their order, whatever name it is given."""

    def __init__(self, checked: Checked, deadline: Deadline) -> None:
        self._checked = checked
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect; of what httpcore hands over, only ``timeout`` is heeded."""
        with _as(httpcore.ConnectTimeout, httpcore.ConnectError):
            until = Deadline.after(self._deadline.left(timeout))
            return _Stream(_dial_any(self._checked, until), self._deadline)


class _Stream(httpcore.NetworkStream):
    """A connection of which every single wait ends by the deadline.

    httpcore's own stream gives each of the sends of one write the whole timeout again.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _as(httpcore.ReadTimeout, httpcore.ReadError):
            self._sock.settimeout(self._deadline.left(timeout))
            return self._sock.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        with _as(httpcore.WriteTimeout, httpcore.WriteError):
            while rest:
                self._sock.settimeout(self._deadline.left(timeout))
                rest = rest[self._sock.send(rest) :]

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        with _as(httpcore.ConnectTimeout, httpcore.ConnectError):
            try:
                self._sock.settimeout(self._deadline.left(timeout))
                sock = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
            except BaseException:
                self.close()
                raise
        return _Stream(sock, self._deadline)


class _Body(httpx.SyncByteStream):
    """A response's body; closing it hangs up."""

    def __init__(
        self, answer: httpcore.Response, connection: httpcore.HTTPConnection, host: str
    ) -> None:
        self._answer = answer
        self._connection = connection
        self._host = host

    def __iter__(self) -> Iterator[bytes]:
        with in_words(self._host):
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._connection.close()


def _asked(request: httpx.Request) -> httpcore.Request:
    """The request in httpcore's terms, as ``httpx.HTTPTransport`` writes it."""
    assert isinstance(request.stream, httpx.SyncByteStream)
    return httpcore.Request(
        request.method,
        httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions={"timeout": request.extensions.get("timeout", {})},
    )


def connect(guard: Guard, host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect to a host that passes the guard, for somebody who speaks for himself there.

    Raises :class:`AddressRefused` and :class:`Unreachable`.
    """
    until = Deadline.after(timeout_s)
    name = f"[{host}]" if ":" in host else host
    with in_words(host), _as(httpcore.ConnectTimeout, httpcore.ConnectError):
        checked = guard.check(f"http://{name}:{port}/", until.left(LOOKUP_S))
        return _dial_any(checked, until)


def _dial_any(checked: Checked, until: Deadline) -> socket.socket:
    """Try each address for an equal share of the time that is left."""
    *others, last = checked.addresses
    for tried, address in enumerate(others):
        try:
            return _dial(address, checked.port, until.left() / (len(others) + 1 - tried))
        except OSError:
            continue
    return _dial(last, checked.port, until.left())


def _dial(address: Address, port: int, timeout_s: float) -> socket.socket:
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
    try:
        sock.settimeout(timeout_s)
        sock.connect((str(address), port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def _as(timeout: type[Exception], failure: type[Exception]) -> Iterator[None]:
    """Raise the system's errors as httpcore's, with the system's as their cause."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except OSError as error:
        raise failure(str(error)) from error


@contextmanager
def in_words(host: str) -> Iterator[None]:
    """Raise whatever can go wrong on the way to a host as :class:`Unreachable`."""
    try:
        yield
    except (TimeoutError, *_FAILURES) as error:
        raise Unreachable(f"{host!r} could not be asked: {_reason(error)}.") from error


_FAILURES = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.RemoteProtocolError,
    httpx.RemoteProtocolError,
    httpx.TooManyRedirects,
)

_REASONS: dict[type[BaseException], str] = {
    TimeoutError: "it did not answer in time",
    httpcore.TimeoutException: "it did not answer in time",
    httpx.TooManyRedirects: "it redirects too often",
    httpx.RemoteProtocolError: "it redirects to something that is not a URL",
    httpcore.RemoteProtocolError: "it hung up early or does not speak HTTP",
    ssl.SSLError: "no secure connection (TLS) could be agreed on",
    ConnectionRefusedError: "nothing listens there",
    ConnectionError: "the connection broke off",
    OSError: "there is no way to it from here",
    httpcore.NetworkError: "the connection broke off",
}
"""The first that fits an error or its cause counts."""


def _reason(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({cause.verify_message})"
    return next(
        words
        for kind, words in _REASONS.items()
        if isinstance(error, kind) or isinstance(cause, kind)
    )
