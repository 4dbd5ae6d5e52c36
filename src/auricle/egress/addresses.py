"""Which addresses belong to the public Internet.

The registries are IANA's special-purpose ones (RFC 6890), as :mod:`ipaddress` knows them. Beside
them stands what it calls global in some releases or in all of them, and what no webhook can be at.
A translator (NAT64) with a prefix of the operator's own looks like any public network; keeping
private IPv4 out of it is the translator's duty (RFC 6052, section 5.2).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_V4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; cloud metadata at 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, withdrawn by RFC 7526
    IPv4Network("168.63.129.16/32"),  # Azure's platform, which only its own machines reach
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv4Network("240.0.0.0/4"),  # reserved, broadcast
)
_UNICAST_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = (
    IPv6Network("2001::/23"),  # protocol assignments: Teredo, benchmarks, ORCHID
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4, which carries an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody on the Internet could contact.

    IPv6 that stands for an IPv4 address (mapped, NAT64) is judged by it. Other embeddings
    (IPv4-compatible, 6to4, Teredo) are refused whatever they embed: nothing is served there.
    """
    address = plain(address)
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return (
        address in _UNICAST_V6
        and address.is_global
        and not any(address in network for network in _NOT_PUBLIC_V6)
    )


def plain(address: Address) -> Address:
    """The IPv4 address that the system connects to for an IPv4-mapped IPv6 one."""
    return getattr(address, "ipv4_mapped", None) or address
