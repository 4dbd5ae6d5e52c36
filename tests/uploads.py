"""A request that is sent step by step."""

from __future__ import annotations

import json
import select
import socket
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

BOUNDARY = "a-boundary"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """By names in small letters."""
    body: Any


class SlowUpload:
    """POST /v1/transcribe: asks to be let in, sends, is answered; or leaves in between."""

    def __init__(self, url: str, key: str, content: bytes, name: str = "a.wav") -> None:
        target = urlsplit(url)
        assert target.hostname
        self._connection = HTTPConnection(target.hostname, target.port, timeout=120)
        self._key = key
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        self.body = (
            f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode()
            + content
            + f"\r\n--{BOUNDARY}--\r\n".encode()
        )

    def ask(self) -> None:
        """Send the headers alone; the server says "100 Continue" when it wants the rest."""
        self._connection.putrequest("POST", "/v1/transcribe")
        self._connection.putheader("Authorization", f"Bearer {self._key}")
        self._connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        self._connection.putheader("Content-Length", str(len(self.body)))
        self._connection.putheader("Expect", "100-continue")
        self._connection.endheaders()

    def admitted(self, timeout_s: float = 30) -> bool:
        """Wait for the server's word; whether it wants the rest."""
        sock = self._socket()
        assert select.select([sock], [], [], timeout_s)[0], "the server says nothing"
        return sock.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 100"

    def send(self, part: slice = slice(None)) -> None:
        """Send the body, or a part of it."""
        self._connection.send(self.body[part])

    def answer(self) -> Answer:
        """Wait for the answer."""
        found = self._connection.getresponse()
        headers = {name.lower(): value for name, value in found.getheaders()}
        return Answer(found.status, headers, json.loads(found.read()))

    def leave(self) -> None:
        """Hang up."""
        self._connection.close()

    def _socket(self) -> socket.socket:
        sock = self._connection.sock
        assert isinstance(sock, socket.socket)
        return sock
