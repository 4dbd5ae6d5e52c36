"""What fetching makes of names, of other people's words, and of system calls."""

from __future__ import annotations

import re
import struct

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yt_dlp.extractor import gen_extractor_classes

from auricle.fetch import EXTRACTORS, jail
from auricle.fetch.names import file_name
from auricle.fetch.pages import complaint


def named(disposition: str, url: str = "https://example.com/") -> str:
    headers = [(b"content-disposition", disposition.encode())] if disposition else []
    return file_name(httpx.Response(200, headers=headers, request=httpx.Request("GET", url)))


@pytest.mark.parametrize(
    ("disposition", "url", "name"),
    [
        ('attachment; filename="talk.mp3"', "https://example.com/x", "talk.mp3"),
        ("attachment; filename=talk.mp3", "https://example.com/x", "talk.mp3"),
        ("attachment; filename=a.mp3; filename*=UTF-8''%C3%A4.mp3", "https://e.com/x", "ä.mp3"),
        ("attachment; filename*=nonsense''%E4.mp3; x", "https://e.com/x", "ä.mp3"),
        (r'inline; filename="C:\\Users\\me\\talk.mp3"', "https://example.com/x", "talk.mp3"),
        ('inline; filename="../../etc/passwd"', "https://example.com/x", "passwd"),
        ("attachment", "https://example.com/a/b%C3%BC.mp3?c=d#e", "bü.mp3"),
        ("", "https://example.com/a/talks/", "talks"),
        ("", "https://example.com/", "example.com"),
        ('inline; filename="a\u202eb\u0007c"', "https://example.com/", "a b c"),
        ("", "https://example.com/" + "x" * 300, "x" * 200),
    ],
)
def test_names(disposition: str, url: str, name: str) -> None:
    assert named(disposition, url) == name


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
def test_every_header_gives_a_name_of_one_line(parameters: str) -> None:
    name = named("attachment; " + parameters)
    assert 0 < len(name) <= 200
    assert name.isprintable()


def test_every_allowed_extractor_exists() -> None:
    known = {extractor.IE_NAME.lower() for extractor in gen_extractor_classes()}
    assert set(EXTRACTORS) <= known
    assert len(EXTRACTORS) == len(set(EXTRACTORS))
    assert "generic" not in EXTRACTORS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ERROR: [youtube] dQw4w9WgXcQ: Private video. Sign in.", "Private video. Sign in"),
        ("ERROR: [x] a1: Gone; please report this issue on https://x.y/z", "Gone"),
        ("\x1b[0;31mERROR:\x1b[0m [x] a1: Gone. Use --cookies x", "Gone"),
        ("Unable to read: <b>no</b> (caused by <HTTPError 404>)", "Unable to read: no"),
        ("yt-dlp is too old. Confirm that you are on the latest version", "it was not told why"),
        ("", "it was not told why"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_complaints_are_for_people(text: str, said: str) -> None:
    assert complaint(text) == f"The platform did not give the recording: {said}."


@given(st.text())
def test_every_complaint_is_one_short_line(text: str) -> None:
    said = complaint(text)
    assert said.isprintable()
    assert len(said) < 300
    assert not re.search("<[^>]*>", said)


ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


def judged(machine: str, number: int, flags: int = 0, arch: int | None = None) -> int:
    """What the filter says, as the kernel reads classic BPF."""
    rules = jail._MACHINES[machine]
    seen = struct.pack("<IIQ6Q", number, rules.arch if arch is None else arch, 0, *[flags] * 6)
    steps = list(struct.iter_unpack("HBBI", jail._program(rules)))
    at, value = 0, 0
    while True:
        code, yes, no, operand = steps[at]
        at += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            value = struct.unpack_from("<I", seen, operand)[0]
            continue
        tests = {0x15: value == operand, 0x25: value > operand, 0x35: value >= operand}
        at += yes if tests.get(code, value & operand) else no


@pytest.mark.parametrize(
    ("machine", "refused", "allowed"),
    [
        # socket, connect, execve, clone, kill, ptrace; read, write, openat, recvmsg, exit_group
        ("x86_64", (41, 42, 59, 56, 62, 101), (0, 1, 257, 47, 231)),
        ("aarch64", (198, 203, 221, 220, 129, 117), (63, 64, 56, 212, 94)),
    ],
)
def test_the_filter_of_each_machine(
    machine: str, refused: tuple[int, ...], allowed: tuple[int, ...]
) -> None:
    assert {judged(machine, number) for number in (*refused, 425, 435)} == {EPERM}
    assert {judged(machine, number) for number in allowed} == {ALLOW}
    assert judged(machine, 5000) == ENOSYS
    assert judged(machine, allowed[0], arch=0x40000003) == KILL  # 32 bits
    for number in jail._MACHINES[machine].sends:
        assert judged(machine, number) == ALLOW
        assert judged(machine, number, flags=0x20000000) == EPERM


def test_the_table_of_x32_is_shut() -> None:
    assert judged("x86_64", 0x40000000 + 41) == KILL
