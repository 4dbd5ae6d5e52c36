"""The rule: which URLs Auricle contacts for its users, and at which addresses."""

from __future__ import annotations

import socket
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Thread
from typing import Any

import httpx

from auricle.core.errors import AddressRefused, Unreachable
from auricle.core.hosts import AllowedHost
from auricle.egress.addresses import Address, is_public, plain

PORTS = frozenset({80, 443, 8000, 8080, 8443})
"""Ports that web servers listen on; others belong to mail, databases and the like."""

LOOKUP_S = 10.0

_SCHEME_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Checked:
    """Where a URL that passed leads to."""

    host: str
    port: int
    addresses: tuple[Address, ...]
    """At least one, in the resolver's order: the only ones that may be connected to."""


class Guard:
    """Judges URLs by :data:`PORTS`, public addresses, and what the operator allows besides."""

    def __init__(self, allow_hosts: Collection[str] = (), ports: frozenset[int] = PORTS) -> None:
        self._allowed = [AllowedHost.parse(entry) for entry in allow_hosts]
        self._ports = ports

    def check(self, url: str | httpx.URL, timeout_s: float = LOOKUP_S) -> Checked:
        """Resolve a URL's host once and judge every answer.

        Raises :class:`AddressRefused`, and :class:`Unreachable` when the name is not known.
        """
        parsed = _parse(url)
        host = parsed.raw_host.decode("ascii")
        port = _SCHEME_PORTS[parsed.scheme] if parsed.port is None else parsed.port
        addresses = _lookup(host, timeout_s)
        if not self._names(host, port):
            for address in addresses:
                self._judge(address, host, port)
        return Checked(host, port, addresses)

    def _names(self, host: str, port: int) -> bool:
        """Whether the operator allows a host by its name, wherever that leads."""
        name = host.rstrip(".")
        return any(rule.target == name and self._fits(rule, port) for rule in self._allowed)

    def _judge(self, address: Address, host: str, port: int) -> None:
        seen = plain(address)
        for rule in self._allowed:
            if not isinstance(rule.target, str) and seen in rule.target and self._fits(rule, port):
                return
        if port not in self._ports:
            usual = ", ".join(map(str, sorted(self._ports)))
            raise _refused(host, f"port {port} is not one of {usual}", f"{_bracketed(host)}:{port}")
        if not is_public(address):
            raise _refused(host, "it is not on the public Internet", host)

    def _fits(self, rule: AllowedHost, port: int) -> bool:
        return port == rule.port if rule.port is not None else port in self._ports


def _refused(host: str, why: str, entry: str) -> AddressRefused:
    """A refusal that does not say what a name resolves to: that is the operator's secret."""
    return AddressRefused(
        f"This server does not contact {host!r}: {why}. Its operator can allow it with "
        f"AURICLE_URL_ALLOW_HOSTS={entry}."
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parse(url: str | httpx.URL) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise AddressRefused(f"This is not a URL: {error}.") from error
    if parsed.scheme not in _SCHEME_PORTS:
        raise AddressRefused("Give a URL that begins with https:// or http://.")
    if not parsed.raw_host:
        raise AddressRefused("Give a URL that names a host, such as https://example.com/.")
    if parsed.port is not None and not 0 < parsed.port < 2**16:
        raise AddressRefused(f"There is no port {parsed.port}. Give a URL with a real one.")
    if parsed.userinfo:
        raise AddressRefused("Give a URL without a user name or password in it.")
    return parsed


def _lookup(host: str, timeout_s: float) -> tuple[Address, ...]:
    """The addresses of a name.

    The system's resolver takes no time limit, so it is asked in a thread that is left behind
    when it is late; it ends by itself, within the resolver's own limit.
    """
    answer: Future[list[Any]] = Future()
    Thread(target=_resolve, args=(host, answer), daemon=True).start()
    try:
        found = answer.result(timeout_s)
    except TimeoutError as error:
        raise Unreachable(f"{host!r} could not be looked up in time.") from error
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"No server of the name {host!r} is known.") from error
    return tuple(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def _resolve(host: str, answer: Future[list[Any]]) -> None:
    try:
        answer.set_result(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except Exception as error:
        answer.set_exception(error)
