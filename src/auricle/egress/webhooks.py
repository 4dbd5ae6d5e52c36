"""Delivering messages to users' endpoints, signed as Standard Webhooks 1.0 says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from auricle.core.errors import AddressRefused, Unreachable
from auricle.egress.client import beginning, exchange

DEADLINE_S = 15.0
"""Seconds that an endpoint has for all of its answer."""

KEPT_BYTES = 1000
"""Bytes of an answer that are read and, when it is a refusal, shown."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one attempt to deliver a message."""

    status: int | None
    """The endpoint's answer, None when there was none."""
    error: str
    """Why it failed, for the endpoint's owner; empty when the endpoint took the message (2xx)."""
    seconds: float


def new_secret() -> str:
    """Return a signing secret: ``whsec_`` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(secret: str, message_id: str, timestamp: float, payload: bytes) -> dict[str, str]:
    """Return the headers that sign a message.

    ``timestamp`` is the attempt's time in Unix seconds, of which whole ones count; ``payload`` is
    UTF-8, exactly as it will be sent.
    """
    moment = datetime.fromtimestamp(int(timestamp), UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(timestamp)),
        "webhook-signature": Webhook(secret).sign(message_id, moment, payload.decode()),
    }


def deliver(
    client: httpx.Client, url: str, secret: str, message_id: str, payload: bytes, timestamp: float
) -> Delivery:
    """Post a JSON message once; what fails is told in the result, not raised."""
    began = time.monotonic()
    headers = {
        "Content-Type": "application/json",
        **signed(secret, message_id, timestamp, payload),
    }
    try:
        request = client.build_request("POST", url, content=payload, headers=headers)
        status, error = _post(client, request)
    except (AddressRefused, Unreachable) as failure:
        status, error = None, failure.message
    except httpx.InvalidURL as failure:
        status, error = None, f"This is not a URL: {failure}."
    return Delivery(status, error, time.monotonic() - began)


def _post(client: httpx.Client, request: httpx.Request) -> tuple[int, str]:
    """Return the answer's status and what is wrong with it.

    The status decides: an endpoint that took the message and then fails to end its answer would
    otherwise get it again. Its answer is read all the same, since some servers stop what they are
    doing when the other side hangs up.
    """
    with exchange(client, request, deadline_s=DEADLINE_S) as response:
        try:
            said = beginning(response, KEPT_BYTES)
        except Unreachable:
            said = b""
    if response.is_success:
        return response.status_code, ""
    return response.status_code, _complaint(response, said)


def _complaint(response: httpx.Response, said: bytes) -> str:
    answered = f"The endpoint answered with status {response.status_code}"
    if response.has_redirect_location:
        return f"{answered}, a redirect, which is not followed. Register its final address."
    words = "".join(c if c.isprintable() else " " for c in said.decode(errors="replace")).split()
    return f"{answered}: {' '.join(words)}" if words else f"{answered}."
