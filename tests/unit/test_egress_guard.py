"""Which URLs pass: every class of address, and every way to write one that is not public."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.core.errors import AddressRefused, Unreachable
from auricle.egress import Guard
from auricle.egress.addresses import is_public
from endpoints import resolver

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "100.100.100.200"),
    *("127.0.0.1", "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.9", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
    *("192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
]
PRIVATE_V6 = [
    *("::", "::1", "::7f00:1", "::808:808", "fe80::1", "febf::1", "fec0::1", "fc00::1"),
    *("fd00:ec2::254", "ff02::1", "ff0e::1", "100::1", "64:ff9b:1::808:808", "2001::1"),
    *("2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:808:808::1", "3fff::1"),
    *("4000::1", "5f00::1", "::ffff:0:808:808"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1"),
    *("192.0.1.1", "192.167.0.1", "192.169.0.1", "198.17.0.1", "198.20.0.1", "223.255.255.1"),
    *("2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2003::1"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
]


@pytest.mark.parametrize("address", PRIVATE + PRIVATE_V6)
def test_what_is_not_on_the_internet_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressRefused, match="not on the public Internet"):
        Guard().check(f"http://{host}/")


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_on_the_internet_passes(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert Guard().check(f"https://{host}/hook").addresses == (ip_address(address),)


def embeddings(inner: IPv4Address) -> list[IPv6Address]:
    low = int(inner)
    return [
        IPv6Address(low),  # compatible
        IPv6Address(0xFFFF << 32 | low),  # mapped
        IPv6Address(0xFFFF << 48 | low),  # translated
        IPv6Address((0x64FF9B << 96) | low),  # NAT64
        IPv6Address((0x64FF9B0001 << 80) | low),  # NAT64 of a local network
        IPv6Address((0x2002 << 112) | (low << 80) | 1),  # 6to4
        IPv6Address((0x20010000 << 96) | (low ^ 0xFFFF_FFFF)),  # Teredo, the client
        IPv6Address((0x20010000 << 96) | (low << 64)),  # Teredo, the server
    ]


NOT_PUBLIC_V4 = st.ip_addresses(v=4).filter(lambda a: not a.is_global or a.is_multicast)


@given(NOT_PUBLIC_V4 | st.sampled_from([IPv4Address(address) for address in PRIVATE]))
def test_no_embedding_makes_a_private_address_public(inner: IPv4Address) -> None:
    assert not is_public(inner)
    assert not [address for address in embeddings(inner) if is_public(address)]


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_outside_global_unicast_is_public(address: IPv6Address) -> None:
    translated = address.ipv4_mapped or address in IPv6Network("64:ff9b::/96")
    if is_public(address) and not translated:
        assert address in IPv6Network("2000::/3")
        assert address.is_global


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_translation(inner: IPv4Address) -> None:
    _, mapped, _, nat64, *_ = embeddings(inner)
    assert is_public(inner) == is_public(mapped) == is_public(nat64)


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "017700000001"),
        *("127.0.0.1.", "localhost", "LOCALHOST.", "0", "0.0.0.0", "[::ffff:127.0.0.1]"),
        *("[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::1]"),
    ],
)
def test_odd_spellings_of_this_machine_are_refused(host: str) -> None:
    """The resolver's answer is judged; a spelling that it does not know leads nowhere."""
    with pytest.raises((AddressRefused, Unreachable)):
        Guard().check(f"http://{host}/")


@pytest.mark.parametrize(
    "host", ["１２７.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "ｌocalhost", "[fe80::1%25lo]"]
)
def test_unicode_does_not_help(host: str) -> None:
    with pytest.raises((AddressRefused, Unreachable)):
        Guard().check(f"http://{host}/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/", "begins with https"),
        ("file:///etc/passwd", "begins with https"),
        ("gopher://example.com:80/", "begins with https"),
        ("example.com", "begins with https"),
        ("//example.com/", "begins with https"),
        ("", "begins with https"),
        ("http:///path", "names a host"),
        ("http:example.com", "names a host"),
        ("http://:80/", "names a host"),
        ("http://me:secret@8.8.8.8/", "without a user name"),
        ("http://me@8.8.8.8/", "without a user name"),
        ("http://8.8.8.8\\@127.0.0.1/", "without a user name"),
        ("http://8.8.8.8:99999/", "no port 99999"),
        (f"http://8.8.8.8:{10**30}/", "no port 1000"),
        ("http://[::1/", "not a URL"),
        ("http://8.8.8.8/\x00", "not a URL"),
        ("http://8.8.8.8:22/", "port 22 is not one of 80, 443, 8000, 8080, 8443"),
        ("http://8.8.8.8:0/", "no port 0"),
    ],
)
def test_the_url_itself_is_judged_in_words(url: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=words):
        Guard().check(url)


def test_one_private_answer_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"mixed.test": [["8.8.8.8", "10.0.0.1"]], "fine.test": [["8.8.8.8", "2a00:1450::1"]]}
    monkeypatch.setattr(socket, "getaddrinfo", resolver(names))
    with pytest.raises(AddressRefused):
        Guard().check("https://mixed.test/")
    checked = Guard().check("https://fine.test/")
    assert [str(address) for address in checked.addresses] == ["8.8.8.8", "2a00:1450::1"]
    assert (checked.host, checked.port) == ("fine.test", 443)


def test_a_refusal_names_the_setting_but_not_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"db.corp.test": [["10.1.2.3"]]}))
    with pytest.raises(AddressRefused, match=r"AURICLE_URL_ALLOW_HOSTS=db\.corp\.test") as refused:
        Guard().check("http://db.corp.test/secret?token=1")
    assert "10.1.2.3" not in refused.value.message
    assert "token" not in refused.value.message


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("crm.test", "http://crm.test/"),
        ("crm.test", "https://CRM.test.:8443/"),
        ("crm.test:9000", "http://crm.test:9000/"),
        ("10.0.0.0/8", "http://crm.test/"),
        ("10.0.0.5", "http://10.0.0.5:8000/"),
        ("10.0.0.5:9000", "http://crm.test:9000/"),
        ("10.0.0.0/8", "http://[::ffff:10.0.0.5]/"),
        ("fd00::/8", "http://[fd00::1]/"),
        ("[fd00::1]:9000", "http://[fd00::1]:9000/"),
        ("8.8.8.8:9000", "http://8.8.8.8:9000/"),
        ("xn--bcher-kva.test", "http://bücher.test/"),
    ],
)
def test_the_operator_can_allow(monkeypatch: pytest.MonkeyPatch, entry: str, url: str) -> None:
    names = {name: [["10.0.0.5"]] for name in ("crm.test", "crm.test.", "xn--bcher-kva.test")}
    monkeypatch.setattr(socket, "getaddrinfo", resolver(names))
    with pytest.raises(AddressRefused):
        Guard().check(url)
    Guard(frozenset({entry})).check(url)


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("crm.test", "http://crm.test:9000/"),
        ("crm.test", "http://other.crm.test/"),
        ("crm.test", "http://10.0.0.5/"),
        ("crm.test:9000", "http://crm.test/"),
        ("10.0.0.0/8", "http://crm.test:9000/"),
        ("10.0.0.5:9000", "http://10.0.0.6:9000/"),
        ("10.0.0.5:9000", "http://10.0.0.5/"),
        ("10.0.0.5", "http://both.test/"),
    ],
)
def test_an_entry_allows_no_more_than_it_says(
    monkeypatch: pytest.MonkeyPatch, entry: str, url: str
) -> None:
    names = {
        "crm.test": [["10.0.0.5"]],
        "other.crm.test": [["10.0.0.5"]],
        "both.test": [["10.0.0.5", "10.0.0.6"]],
    }
    monkeypatch.setattr(socket, "getaddrinfo", resolver(names))
    with pytest.raises(AddressRefused):
        Guard(frozenset({entry})).check(url)


@pytest.mark.parametrize("host", ["nothing.invalid", "a" * 70 + ".test", "a..b", ".test"])
def test_a_name_that_nobody_knows_is_told(host: str) -> None:
    with pytest.raises(Unreachable, match="is known"):
        Guard().check(f"http://{host}/")


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    late = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: late.wait(5))
    with pytest.raises(Unreachable, match="could not be looked up in time"):
        Guard().check("http://slow.test/", timeout_s=0.05)
    late.set()
