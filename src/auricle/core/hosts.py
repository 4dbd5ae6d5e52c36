"""What an operator writes to allow an address that Auricle would otherwise not contact."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One allowed target: a name or a network, and perhaps a single port of it."""

    target: str | Network
    """A host name in lower case, or the network that an address must lie in."""
    port: int | None
    """The port that is allowed too; None leaves it at the usual ones."""

    @classmethod
    def parse(cls, entry: str) -> AllowedHost:
        """Read ``host``, ``host:port``, an address (IPv6 with a port in brackets) or a CIDR.

        Raises ``ValueError`` with a sentence.
        """
        text = entry.strip().lower()
        if "/" in text:
            return cls(ipaddress.ip_network(text), None)
        if network := _network(text):  # IPv6 without a port has colons, but no brackets
            return cls(network, None)
        if not (parts := _WITH_PORT.fullmatch(text)):
            raise ValueError(_FORMS.format(entry))
        host = parts["address"] or parts["host"]
        return cls(_network(host) or _name(host, entry), _port(parts["port"], entry))


_WITH_PORT = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d+))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_FORMS = "write 'host', 'host:port', an IP address or a network such as 10.0.0.0/8, not {!r}"


def _network(text: str) -> Network | None:
    """The network of a single address."""
    try:
        return ipaddress.ip_network(ipaddress.ip_address(text))
    except ValueError:
        return None


def _name(text: str, entry: str) -> str:
    """A host name; what ends in a number is a misspelt address, which no name may be."""
    labels = text.split(".")
    if not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        raise ValueError(_FORMS.format(entry))
    return text


def _port(text: str | None, entry: str) -> int | None:
    if text is None:
        return None
    if not 0 < int(text) < 2**16:
        raise ValueError(f"there is no port {text}, as in {entry!r}")
    return int(text)
