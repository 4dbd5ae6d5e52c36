"""An HTTP client for addresses that users name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from auricle.core.errors import AddressRefused, Unreachable
from auricle.egress.guard import Guard
from auricle.egress.transport import DEADLINE, Deadline, Transport, in_words

_MAX_REDIRECTS = 5
_LEFT = "auricle.left"
"""Request extension: the URL that redirected to this one."""

_IMPERSONAL = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-length",
        "content-type",
        "host",
        "if-range",
        "range",
        "transfer-encoding",
        "user-agent",
    }
)
"""Headers that say nothing of who asks: all that a redirect takes along to another server."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer that was short."""

    status: int
    headers: httpx.Headers
    body: bytes


def client(
    guard: Guard, *, connect_s: float = 10.0, read_s: float = 30.0, deadline_s: float = 60.0
) -> httpx.Client:
    """Return a client that contacts only what the guard lets pass; threads may share it.

    ``connect_s`` limits connecting (to all addresses of a name together, then TLS), ``read_s``
    each silence, and ``deadline_s`` a request with its redirects and its body, unless
    :func:`exchange` sets another limit. Requests raise :class:`AddressRefused` and
    :class:`Unreachable`.

    Certificates are those that the system trusts, or ``SSL_CERT_FILE``. Cookies are not kept,
    since users share the client. Redirects are followed where a request asks for it, five at
    most, but never from https to http.
    """

    def before_each_hop(request: httpx.Request) -> None:
        request.extensions.setdefault(DEADLINE, Deadline.after(deadline_s))
        _leave_behind(request)

    return httpx.Client(
        transport=Transport(guard, ssl.create_default_context()),
        timeout=httpx.Timeout(read_s, connect=connect_s),
        trust_env=False,
        max_redirects=_MAX_REDIRECTS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        # Compressed answers would be limited before they are unpacked, not after.
        headers={"User-Agent": "Auricle", "Accept-Encoding": "identity"},
        event_hooks={"request": [before_each_hop]},
    )


@contextmanager
def exchange(
    client: httpx.Client,
    request: httpx.Request,
    *,
    deadline_s: float,
    follow_redirects: bool = False,
) -> Iterator[httpx.Response]:
    """Send a request and hold its response while its body is read (``iter_raw``).

    All of it, redirects and body included, ends within ``deadline_s``. Raises
    :class:`AddressRefused` and :class:`Unreachable`, also while the body is read.
    """
    request.extensions[DEADLINE] = Deadline.after(deadline_s)
    with in_words(request.url.host):
        response = client.send(request, stream=True, follow_redirects=follow_redirects)
    with closing(response):
        yield response


def fetch_small(
    client: httpx.Client,
    request: httpx.Request,
    *,
    max_bytes: int,
    deadline_s: float,
    follow_redirects: bool = False,
) -> Reply:
    """Send a request whose answer is short. Raises :class:`Unreachable` when it is not."""
    with exchange(
        client, request, deadline_s=deadline_s, follow_redirects=follow_redirects
    ) as response:
        body = beginning(response, max_bytes + 1)
    if len(body) > max_bytes:
        raise Unreachable(f"{request.url.host!r} answered with more than {max_bytes} bytes.")
    return Reply(response.status_code, response.headers, body)


def beginning(response: httpx.Response, max_bytes: int) -> bytes:
    """Read the first bytes of a body, and no more of it than that."""
    body = bytearray()
    for block in response.iter_raw():
        body += block
        if len(body) >= max_bytes:
            break
    return bytes(body[:max_bytes])


def _leave_behind(request: httpx.Request) -> None:
    """Keep what is meant for one server from the server that it redirects to."""
    left: httpx.URL | None = request.extensions.get(_LEFT)
    request.extensions[_LEFT] = request.url
    if left is None or _origin(left) == _origin(request.url):
        return
    if (left.scheme, request.url.scheme) == ("https", "http"):
        raise AddressRefused(f"{left.host!r} redirects from https to http, which is not followed.")
    for name in set(request.headers) - _IMPERSONAL:
        del request.headers[name]


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
