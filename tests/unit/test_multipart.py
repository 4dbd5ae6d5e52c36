import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from auricle.core.errors import BadRequest, TooLarge
from auricle.dialects.multipart import Form, read_form
from auricle.storage import Upload, Uploads

B = b"--xyz"
FILE = (
    b'%s\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xa9t\xc3\xa9.mp3"\r\n'
    b"Content-Type: audio/mpeg\r\n\r\n\x00\x01--xy\r\n\xff\r\n" % B
)
MODEL = b'%s\r\nContent-Disposition: form-data; name="model"\r\n\r\nbase\r\n' % B
LANGUAGE = (
    b'%s\r\nContent-Disposition: form-data; name="language"\r\n'
    b"Content-Type: text/plain;charset=UTF-8\r\n\r\nde\r\n" % B
)
END = B + b"--\r\n"
CONTENT = b"\x00\x01--xy\r\n\xff"
MULTIPART = "multipart/form-data; boundary=xyz"


def read(
    folder: Path, chunks: list[bytes], content_type: str = MULTIPART, limit: int = 10_000
) -> tuple[Form, bytes, str]:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    scope = {"type": "http", "headers": [(b"content-type", content_type.encode())]}
    with Uploads(folder).new(limit) as upload:
        form = asyncio.run(read_form(Request(scope, receive), upload))
        return form, stored(upload), upload.name


def stored(upload: Upload) -> bytes:
    return upload.path.read_bytes() if upload.path.exists() else b""


@pytest.mark.parametrize(
    "order", [(FILE, MODEL, LANGUAGE), (MODEL, FILE, LANGUAGE), (MODEL, LANGUAGE, FILE)]
)
def test_fields_come_in_any_order(tmp_path: Path, order: tuple[bytes, ...]) -> None:
    form, content, name = read(tmp_path, [b"".join(order) + END])
    assert (form.get("model"), form.get("language"), content) == ("base", "de", CONTENT)
    assert name == "été.mp3"
    assert list(tmp_path.iterdir()) == []  # the upload is gone with its context


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 300), max_size=8))
def test_network_blocks_may_end_anywhere(tmp_path: Path, cuts: list[int]) -> None:
    body = MODEL + FILE + LANGUAGE + END
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    form, content, _ = read(tmp_path, [body[a:b] for a, b in zip(edges, edges[1:], strict=False)])
    assert (form.get("model"), form.get("language"), content) == ("base", "de", CONTENT)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([B, FILE, MODEL, END, b"\r\n", b"--", b"x", b"\x00:;="])))
def test_whatever_comes_is_read_or_refused_in_words(tmp_path: Path, parts: list[bytes]) -> None:
    with suppress(BadRequest, TooLarge):
        read(tmp_path, parts)
    assert list(tmp_path.iterdir()) == []


def test_a_body_that_breaks_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="ends before its closing boundary"):
        read(tmp_path, [MODEL + FILE[:-3]])


def test_a_form_without_boundary_explains_the_node_trap(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="node-fetch"):
        read(tmp_path, [b"[object FormData]"], "multipart/form-data")


@pytest.mark.parametrize("content_type", ["application/json", "", "text/plain"])
def test_another_content_type_is_told_what_to_send(tmp_path: Path, content_type: str) -> None:
    with pytest.raises(BadRequest, match="multipart/form-data"):
        read(tmp_path, [b"{}"], content_type)


def test_the_limit_holds_while_bytes_arrive(tmp_path: Path) -> None:
    chunks = [b'--xyz\r\nContent-Disposition: form-data; name="file"\r\n\r\n'] + [b"a" * 2**20] * 50
    with pytest.raises(TooLarge, match="larger than"):
        read(tmp_path, chunks, limit=3 * 2**20)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_the_file_is_limited_too(tmp_path: Path) -> None:
    head = b'--xyz\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'
    with pytest.raises(TooLarge, match="besides its file"):
        read(tmp_path, [head, *[b"a" * 2**19] * 10])
    with pytest.raises(TooLarge, match="besides its file"):
        read(tmp_path, [MODEL + END, *[b"a" * 2**19] * 10])


def test_a_file_in_another_field_is_passed_over_and_named(tmp_path: Path) -> None:
    head = b'--xyz\r\nContent-Disposition: form-data; name="audio"; filename="a.mp3"\r\n\r\n'
    form, content, _ = read(tmp_path, [head, *[b"a" * 2**20] * 9, b"\r\n" + END])
    assert (form.misplaced, form.has_file, content) == ("audio", False, b"")


def test_a_boundary_that_no_client_sends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="malformed"):
        read(tmp_path, [FILE], "multipart/form-data; boundary=" + "x" * 300)


def test_the_node_sdk_that_sends_no_file_is_told_how_to_mend_it(tmp_path: Path) -> None:
    """It sends the header of a form, boundary included, and then the name of an object."""
    with pytest.raises(BadRequest, match="node-fetch"):
        read(tmp_path, [b"[object FormData]"])


def test_more_fields_than_anybody_needs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="more than 200 fields"):
        read(tmp_path, [MODEL * 201 + END])


def test_a_killed_server_leaves_files_that_the_next_one_sweeps(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    uploads.new(10).write(b"left")
    assert uploads.sweep() == 1
    assert list(tmp_path.iterdir()) == []
