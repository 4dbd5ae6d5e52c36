from ipaddress import ip_network

import pytest

from auricle.core.hosts import AllowedHost


@pytest.mark.parametrize(
    ("entry", "target", "port"),
    [
        ("hooks.example.com", "hooks.example.com", None),
        (" Hooks.Internal:9000 ", "hooks.internal", 9000),
        ("localhost", "localhost", None),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ("10.0.0.5", ip_network("10.0.0.5/32"), None),
        ("10.0.0.5:8001", ip_network("10.0.0.5/32"), 8001),
        ("10.0.0.0/8", ip_network("10.0.0.0/8"), None),
        ("fd00::1", ip_network("fd00::1/128"), None),
        ("[fd00::1]:8001", ip_network("fd00::1/128"), 8001),
        ("[fd00::1]", ip_network("fd00::1/128"), None),
        ("fd00::/8", ip_network("fd00::/8"), None),
    ],
)
def test_hosts_addresses_and_networks_are_read(
    entry: str, target: object, port: int | None
) -> None:
    assert AllowedHost.parse(entry) == AllowedHost(target, port)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "http://host",
        "host/path",
        "host:",
        "host:0",
        "host:65536",
        "host:http",
        "user@host",
        "*.example.com",
        "host..example",
        "-host",
        "bücher.example",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/8:80",
        "127.1",
        "2130706433",
        "0x7f.1",
        "a.0x7f",
        "256.1.1.1",
        "[fd00::1",
        "[10.0.0.1]x",
        "a b",
    ],
)
def test_anything_else_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        AllowedHost.parse(entry)
