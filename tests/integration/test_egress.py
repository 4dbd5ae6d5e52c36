"""The client against real servers: where it connects, what it sends, and that it always ends.

Each server listens on an address of 127.0.0.0/8 that the guard allows; all others stay refused.
"""

from __future__ import annotations

import socket
import ssl
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest
import trustme

from auricle.core.errors import AddressRefused, Unreachable
from auricle.egress import Guard, Reply, client, exchange, fetch_small
from endpoints import dawdler, endpoint, redirects, resolver, says, wire


def get(
    *allowed: str, url: str, follow_redirects: bool = True, headers: dict[str, str] | None = None
) -> Reply:
    with client(Guard(frozenset(allowed))) as http:
        request = http.build_request("GET", url, headers=headers)
        return fetch_small(
            http, request, max_bytes=10_000, deadline_s=60, follow_redirects=follow_redirects
        )


def names(monkeypatch: pytest.MonkeyPatch, **known: list[list[str]]) -> None:
    """Let ``crm_test="..."`` be what crm.test resolves to, the first time, the second time..."""
    table = {name.replace("_", "."): answers for name, answers in known.items()}
    monkeypatch.setattr(socket, "getaddrinfo", resolver(table))


def test_an_allowed_server_is_asked() -> None:
    with endpoint(says(body=b"hello", x_kind="test")) as there:
        reply = get(f"127.0.0.1:{there.port}", url=there.url(path="/a?b=c"))
    assert (reply.status, reply.body, reply.headers["x-kind"]) == (200, b"hello", "test")
    assert [seen.path for seen in there.requests] == ["/a?b=c"]
    assert there.requests[0].headers["host"] == f"127.0.0.1:{there.port}"


def test_what_is_not_allowed_is_never_connected_to() -> None:
    with endpoint(says()) as there:
        for host in ("127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressRefused):
                get(f"127.0.0.2:{there.port}", url=there.url(host))
    assert there.requests == []


def test_a_name_that_changes_its_address_leads_to_the_checked_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: asked again, the resolver would name an address that is not allowed."""
    names(monkeypatch, crm_test=[["127.0.0.2"], ["127.0.0.1"]])
    with (
        endpoint(says(body=b"right"), "127.0.0.2") as right,
        endpoint(says(body=b"wrong"), "127.0.0.1", right.port) as wrong,
    ):
        allowed = f"127.0.0.2:{right.port}"
        assert get(allowed, url=right.url("crm.test")).body == b"right"
        with pytest.raises(AddressRefused):
            get(allowed, url=right.url("crm.test"))
    assert wrong.requests == []
    assert right.requests[0].headers["host"] == f"crm.test:{right.port}"


def test_each_request_of_one_client_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that stayed open would go round the check."""
    names(monkeypatch, crm_test=[["127.0.0.2"], ["127.0.0.1"]])
    with (
        endpoint(says(), "127.0.0.2") as there,
        client(Guard(frozenset({f"127.0.0.2:{there.port}"}))) as http,
    ):
        assert http.get(there.url("crm.test")).status_code == 200
        with pytest.raises(AddressRefused):
            http.get(there.url("crm.test"))


def test_a_public_name_is_resolved_once_and_dialled_by_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names(monkeypatch, public_test=[["93.184.215.14"], ["127.0.0.1"]])
    dialled: list[object] = []

    def connect(self: socket.socket, address: object) -> None:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Unreachable, match=r"'public\.test' could not be asked: nothing listens"):
        get(url="http://public.test/")
    assert dialled == [("93.184.215.14", 80)]


def test_the_next_checked_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, crm_test=[["127.0.0.3", "127.0.0.2"]])
    with endpoint(says(body=b"second"), "127.0.0.2") as there:
        assert get(f"crm.test:{there.port}", url=there.url("crm.test")).body == b"second"


def test_silent_addresses_share_the_time_for_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, public_test=[["8.8.8.8", "8.8.4.4", "1.1.1.1"]])
    waits: list[float] = []

    def connect(self: socket.socket, address: object) -> None:
        waits.append(self.gettimeout() or 0)
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with client(Guard(), connect_s=3) as http, pytest.raises(Unreachable, match="in time"):
        http.get("http://public.test/")
    assert waits == pytest.approx([1, 1.5, 3], abs=0.1)


def test_ipv6_literals_work() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        with client(Guard(frozenset({f"[::1]:{port}"}))) as http:
            request = http.build_request("GET", f"http://[::1]:{port}/")
            with pytest.raises(Unreachable, match="in time"):
                fetch_small(http, request, max_bytes=10, deadline_s=2)
        listener.settimeout(60)
        connection, _ = listener.accept()
        with connection:
            assert f"Host: [::1]:{port}".encode() in connection.recv(1000)


# Redirects


def test_a_redirect_is_followed_only_where_asked() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        (says(body=b"end") if handler.path == "/end" else redirects("/end"))(handler)

    with endpoint(answer) as there:
        allowed = f"127.0.0.1:{there.port}"
        assert get(allowed, url=there.url()).body == b"end"
        assert get(allowed, url=there.url(), follow_redirects=False).status == 302


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "http://[::1]/",
        "http://me:secret@8.8.8.8/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "//10.0.0.1/",
        "http://8.8.8.8:22/",
    ],
)
def test_each_redirect_is_checked(location: str) -> None:
    with endpoint(redirects(location)) as there, pytest.raises(AddressRefused):
        get(f"127.0.0.1:{there.port}", url=there.url())
    assert len(there.requests) == 1


def test_a_redirect_to_nonsense_is_told() -> None:
    with (
        endpoint(redirects("http://[::1/")) as there,
        pytest.raises(Unreachable, match="redirects to something that is not a URL"),
    ):
        get(f"127.0.0.1:{there.port}", url=there.url())


def test_five_redirects_are_followed_and_no_more() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        left = int(handler.path[1:])
        (redirects(f"/{left - 1}") if left else says())(handler)

    with endpoint(answer) as there:
        allowed = f"127.0.0.1:{there.port}"
        assert get(allowed, url=there.url(path="/5")).status == 200
        with pytest.raises(Unreachable, match="redirects too often"):
            get(allowed, url=there.url(path="/6"))


PERSONAL = {"Authorization": "Bearer s3cret", "Webhook-Signature": "v1,x", "X-Api-Key": "s3cret"}


def test_what_is_meant_for_one_server_stays_from_another() -> None:
    with endpoint(says()) as other, endpoint(redirects(other.url("127.0.0.1", "/x"))) as there:
        allowed = f"127.0.0.1:{there.port}", f"127.0.0.1:{other.port}"
        get(*allowed, url=there.url(), headers=PERSONAL | {"Range": "bytes=0-"})
    assert {name.lower() for name in PERSONAL} <= set(there.requests[0].headers)
    assert not {name.lower() for name in PERSONAL} & set(other.requests[0].headers)
    assert other.requests[0].headers["range"] == "bytes=0-"
    assert other.requests[0].headers["host"] == f"127.0.0.1:{other.port}"


def test_headers_stay_on_a_redirect_within_a_server() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        (says() if handler.path == "/end" else redirects("/end"))(handler)

    with endpoint(answer) as there:
        get(f"127.0.0.1:{there.port}", url=there.url(), headers=PERSONAL)
    assert there.requests[1].headers["authorization"] == "Bearer s3cret"


def test_cookies_of_one_user_are_not_sent_for_another() -> None:
    with (
        endpoint(says(set_cookie="who=first")) as there,
        client(Guard(frozenset({f"127.0.0.1:{there.port}"}))) as http,
    ):
        http.get(there.url())
        http.get(there.url())
    assert "cookie" not in there.requests[1].headers


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(says(503)) as proxy, endpoint(says()) as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        assert get(f"127.0.0.1:{there.port}", url=there.url()).status == 200
    assert proxy.requests == []


# TLS


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that this system trusts."""
    ca = trustme.CA()
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return ca


def certified(ca: trustme.CA, *hosts: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*hosts).configure_cert(context)
    return context


def test_tls_is_for_the_name_and_not_for_the_number(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, crm_test=[["127.0.0.2"]])
    with endpoint(says(body=b"safe"), "127.0.0.2", tls=certified(authority, "crm.test")) as there:
        reply = get(f"crm.test:{there.port}", url=there.url("crm.test", scheme="https"))
    assert reply.body == b"safe"
    assert there.server_names == ["crm.test"]
    assert there.requests[0].headers["host"] == f"crm.test:{there.port}"


def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, crm_test=[["127.0.0.2"]])
    context = certified(authority, "other.test", "127.0.0.2")
    with (
        endpoint(says(), "127.0.0.2", tls=context) as there,
        pytest.raises(Unreachable, match=r"certificate is not accepted.*crm\.test"),
    ):
        get(f"crm.test:{there.port}", url=there.url("crm.test", scheme="https"))
    assert there.requests == []


def test_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    with (
        endpoint(says(), tls=certified(trustme.CA(), "127.0.0.1")) as there,
        pytest.raises(Unreachable, match="certificate is not accepted"),
    ):
        get(f"127.0.0.1:{there.port}", url=there.url(scheme="https"))


def test_a_server_that_speaks_no_tls_is_told() -> None:
    with endpoint(says()) as there, pytest.raises(Unreachable, match="TLS"):
        get(f"127.0.0.1:{there.port}", url=there.url(scheme="https"))


def test_https_does_not_lead_to_http(authority: trustme.CA) -> None:
    with endpoint(says()) as plain:
        context = certified(authority, "127.0.0.1")
        with endpoint(redirects(plain.url()), tls=context) as there:
            allowed = f"127.0.0.1:{there.port}", f"127.0.0.1:{plain.port}"
            with pytest.raises(AddressRefused, match="redirects from https to http"):
                get(*allowed, url=there.url(scheme="https"))
    assert plain.requests == []


# Endings


HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = b"transfer-encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (4096, b"x" * 4096)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(b"", b"", id="says nothing"),
        pytest.param(HEAD, b"x-slow: 1\r\n", id="a header now and then"),
        pytest.param(b"", b"H", id="not even HTTP, slowly"),
        pytest.param(b"", b"HTTP/1.1 102 Processing\r\n\r\n", id="promises forever"),
        pytest.param(HEAD + b"content-length: 9999\r\n\r\n", b"x", id="a byte now and then"),
        pytest.param(HEAD + ENDLESS, b"1\r\nx\r\n", id="a chunk now and then"),
    ],
)
def test_a_slow_server_is_left_at_the_deadline(first: bytes, then: bytes) -> None:
    began = time.monotonic()
    with wire(first, then, pause_s=0.02) as port:
        with client(Guard(frozenset({f"127.0.0.1:{port}"}))) as http:
            request = http.build_request("GET", f"http://127.0.0.1:{port}/")
            with pytest.raises(Unreachable, match="did not answer in time"):
                fetch_small(http, request, max_bytes=10_000, deadline_s=0.3)
        assert time.monotonic() - began > 0.25


def test_an_endless_answer_is_cut() -> None:
    with (
        wire(HEAD + ENDLESS, CHUNK, pause_s=0) as port,
        pytest.raises(Unreachable, match="more than 10000 bytes"),
    ):
        get(f"127.0.0.1:{port}", url=f"http://127.0.0.1:{port}/")


def test_the_body_of_a_redirect_is_not_read() -> None:
    head = b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\n"
    with wire(head + ENDLESS, CHUNK, pause_s=0) as port, pytest.raises(AddressRefused):
        get(f"127.0.0.1:{port}", url=f"http://127.0.0.1:{port}/")


def test_a_server_that_reads_slowly_is_left_at_the_deadline() -> None:
    with dawdler(0.01) as port, client(Guard(frozenset({f"127.0.0.1:{port}"}))) as http:
        request = http.build_request("POST", f"http://127.0.0.1:{port}/", content=b"x" * 50_000_000)
        with pytest.raises(Unreachable, match="did not answer in time"):
            fetch_small(http, request, max_bytes=10, deadline_s=0.3)


def test_a_tls_handshake_that_never_comes_is_left_at_the_deadline() -> None:
    with (
        wire(b"", b"", pause_s=0.02) as port,
        client(Guard(frozenset({f"127.0.0.1:{port}"}))) as http,
    ):
        request = http.build_request("GET", f"https://127.0.0.1:{port}/")
        with pytest.raises(Unreachable, match="did not answer in time"):
            fetch_small(http, request, max_bytes=10, deadline_s=0.3)


def test_redirects_share_one_deadline() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.15)
        redirects("/")(handler)

    with endpoint(answer) as there, client(Guard(frozenset({f"127.0.0.1:{there.port}"}))) as http:
        request = http.build_request("GET", there.url())
        with pytest.raises(Unreachable, match="in time"):
            fetch_small(http, request, max_bytes=10, deadline_s=0.4, follow_redirects=True)


def test_every_request_of_the_client_has_a_deadline() -> None:
    with (
        wire(HEAD + ENDLESS, b"1\r\nx\r\n", pause_s=0.02) as port,
        client(Guard(frozenset({f"127.0.0.1:{port}"})), deadline_s=0.3) as http,
        pytest.raises(Unreachable, match="in time"),
    ):
        http.get(f"http://127.0.0.1:{port}/")


def test_a_long_body_is_read_as_it_comes() -> None:
    body = bytes(range(256)) * 4000
    with (
        endpoint(says(body=body)) as there,
        client(Guard(frozenset({f"127.0.0.1:{there.port}"}))) as http,
        exchange(http, http.build_request("GET", there.url()), deadline_s=60) as response,
    ):
        assert b"".join(response.iter_raw()) == body


def test_answers_are_asked_for_uncompressed() -> None:
    with endpoint(says()) as there:
        get(f"127.0.0.1:{there.port}", url=there.url())
    assert there.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "hung up early or does not speak HTTP"),
        (HEAD + b"content-length: 10\r\n\r\nfive!", "hung up early"),
        (b"", "hung up early"),
    ],
)
def test_what_breaks_off_or_is_not_http_is_told(said: bytes, words: str) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(said)
        handler.close_connection = True

    with endpoint(answer) as there, pytest.raises(Unreachable, match=words):
        get(f"127.0.0.1:{there.port}", url=there.url())


def test_nobody_listening_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=r"'127\.0\.0\.1' could not be asked: nothing listens"):
        get(f"127.0.0.1:{port}", url=f"http://127.0.0.1:{port}/")


def open_to(port: int) -> int:
    """How many connections to a port this process holds."""
    sockets = psutil.Process().net_connections("tcp4")
    return sum(1 for one in sockets if one.raddr and one.raddr.port == port)


def test_no_connection_is_left_open() -> None:
    with endpoint(says(body=b"x" * 100_000)) as there:
        with client(Guard(frozenset({f"127.0.0.1:{there.port}"}))) as http:
            request = http.build_request("GET", there.url())
            with exchange(http, request, deadline_s=60) as response:
                assert open_to(there.port) == 1
        assert open_to(there.port) == 0
        assert response.status_code == 200  # still held, with all that it refers to
