"""Webhooks, delivered to real endpoints and verified with the standard's own library."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from auricle.egress import Delivery, Guard, client, deliver, new_secret, signed, webhooks
from endpoints import endpoint, redirects, says, wire

SECRET = new_secret()
PAYLOAD = '{"type":"transcription.completed","text":"été"}'.encode()


def post(port: int, url: str | None = None) -> Delivery:
    with client(Guard(frozenset({f"127.0.0.1:{port}"}))) as http:
        url = url or f"http://127.0.0.1:{port}/hook"
        return deliver(http, url, SECRET, "msg_1", PAYLOAD, time.time())


def test_a_delivery_is_what_the_standard_verifies() -> None:
    with endpoint(says(204)) as there:
        delivery = post(there.port)
    assert (delivery.status, delivery.error) == (204, "")
    assert delivery.seconds > 0
    [seen] = there.requests
    assert Webhook(SECRET).verify(seen.body, seen.headers)["text"] == "été"
    assert (seen.method, seen.headers["content-type"]) == ("POST", "application/json")
    assert seen.headers["webhook-id"] == "msg_1"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(seen.body, seen.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(seen.body + b" ", seen.headers)


def test_a_signature_is_the_one_of_the_specification() -> None:
    """The example that the standard's own libraries are tested with."""
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330.9,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secrets_are_long_and_never_the_same() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert new_secret().startswith("whsec_")
    assert len(Webhook(new_secret())._whsecret) == 32


@pytest.mark.parametrize("status", [400, 404, 410, 500, 503])
def test_a_refusal_is_told_with_the_endpoints_words(status: int) -> None:
    with endpoint(says(status, b"no\r\n such\x1b[31m  \xff hook")) as there:
        delivery = post(there.port)
    assert delivery.status == status
    assert delivery.error == f"The endpoint answered with status {status}: no such [31m \ufffd hook"


def test_redirects_are_not_followed() -> None:
    with endpoint(says()) as other, endpoint(redirects(other.url(), 307)) as there:
        delivery = post(there.port)
    assert (delivery.status, other.requests) == (307, [])
    assert "a redirect, which is not followed" in delivery.error


def test_a_refusal_without_end_is_kept_only_at_its_beginning() -> None:
    head = b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n"
    with wire(head, b"5\r\nwords\r\n", pause_s=0) as port:
        delivery = post(port)
    assert delivery.status == 500
    assert delivery.error.endswith(": " + "words" * 200)


def test_a_slow_endpoint_has_failed_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "DEADLINE_S", 0.3)
    with wire(b"HTTP/1.1 200 OK\r\n", b"x-slow: 1\r\n", pause_s=0.02) as port:
        delivery = post(port)
    assert delivery.status is None
    assert "did not answer in time" in delivery.error
    assert delivery.seconds > 0.25


def test_an_endpoint_that_took_the_message_has_it_whatever_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise it would get the message again."""
    monkeypatch.setattr(webhooks, "DEADLINE_S", 3)
    with wire(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"", pause_s=0.02) as port:
        delivery = post(port)
    assert (delivery.status, delivery.error) == (200, "")


def test_the_answer_of_an_endpoint_is_waited_for() -> None:
    """Some servers stop what they are doing when the other side hangs up."""
    finished: list[bool] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "2")
        handler.end_headers()
        time.sleep(0.1)
        handler.wfile.write(b"o")
        time.sleep(0.1)
        handler.wfile.write(b"k")
        finished.append(True)

    with endpoint(answer) as there:
        assert post(there.port).status == 200
        assert finished == [True]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://169.254.169.254/hook", "not on the public Internet"),
        ("file:///etc/passwd", "begins with https"),
        ("http://[::1/", "not a URL"),
        ("http://hook.invalid/", "No server of the name"),
    ],
)
def test_an_address_that_cannot_be_is_told_and_not_raised(url: str, words: str) -> None:
    delivery = post(1, url)
    assert delivery.status is None
    assert words in delivery.error
