"""Fetching recordings from real servers on this machine: files, and pages read in the jail."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme

from auricle.core.errors import AddressRefused, BadMedia, Internal, TooLarge, Unreachable
from auricle.fetch import EXTRACTORS, Fetcher, Limits
from endpoints import Answer, Endpoint, endpoint, redirects, resolver, says, wire

RECORDING = bytes(range(256)) * 400
"""102400 bytes of which no two neighbours are the same."""

PLUGINS = Path(__file__).parent / "plugins"
SOURCES = Path(__file__).parents[2] / "src"

QUICK = Limits(pause_s=0.01, tell_s=0.05)


@dataclass
class Held:
    """A sink in memory."""

    data: bytearray = field(default_factory=bytearray)
    restarts: int = 0
    most: int = 10_000_000

    @property
    def size(self) -> int:
        return len(self.data)

    @size.setter
    def size(self, _: int) -> None:
        raise AssertionError("only the sink counts its bytes")

    def write(self, data: bytes) -> None:
        self.data += data
        if self.size > self.most:
            raise TooLarge("The file is too large.")

    def restart(self) -> None:
        self.data.clear()
        self.restarts += 1


@dataclass
class Fetched:
    """What came of a fetch."""

    name: str
    sink: Held
    told: list[tuple[int, int | None]]


def fetch(
    url: str,
    *allowed: str,
    extractors: tuple[str, ...] = (),
    limits: Limits = QUICK,
    max_bytes: int = 10_000_000,
    sink: Held | None = None,
    told: Callable[[int, int | None], None] | None = None,
    folder: Path | None = None,
) -> Fetched:
    sink = sink or Held(most=max_bytes)
    heard: list[tuple[int, int | None]] = []
    name = Fetcher(allowed, extractors, limits).fetch(
        url,
        sink,
        max_bytes=max_bytes,
        folder=folder or Path("/nowhere"),
        told=told or (lambda done, total: heard.append((done, total))),
    )
    return Fetched(name, sink, heard)


def fetch_from(
    there: Endpoint, path: str = "/talk.mp3", scheme: str = "http", allow: str = "", **options: Any
) -> Fetched:
    allowed = [f"127.0.0.1:{there.port}", allow] if allow else [f"127.0.0.1:{there.port}"]
    return fetch(there.url(path=path, scheme=scheme), *allowed, **options)


# Files


def test_a_file_arrives_whole() -> None:
    with endpoint(says(body=RECORDING, content_type="audio/mpeg")) as there:
        fetched = fetch_from(there, "/a/My%20talk.mp3?x=1")
    assert fetched.sink.data == RECORDING
    assert fetched.name == "My talk.mp3"
    assert there.requests[0].headers["accept-encoding"] == "identity"


def test_the_server_names_its_file() -> None:
    disposition = "attachment; filename=\"x.mp3\"; filename*=UTF-8''..%2FGespr%C3%A4ch.mp3"
    with endpoint(says(body=b"x", content_disposition=disposition)) as there:
        assert fetch_from(there).name == "Gespräch.mp3"


def test_where_it_stands_is_told() -> None:
    limits = replace(QUICK, tell_s=0)
    with endpoint(says(body=RECORDING)) as there:
        told = fetch_from(there, limits=limits).told
    assert told[0] == (0, None)
    assert told[-1] == (len(RECORDING), len(RECORDING))


def test_whoever_is_told_can_stop_it() -> None:
    class Stop(Exception):
        """Not one that anything knows."""

    def stop(done: int, _: int | None) -> None:
        if done:
            raise Stop

    with endless(b"x" * 4096) as port, pytest.raises(Stop):
        fetch(f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}", told=stop)


def test_a_pause_that_a_server_asks_for_can_be_stopped() -> None:
    class Stop(Exception):
        """Not one that anything knows."""

    told: list[int] = []

    def stop(done: int, _: int | None) -> None:
        told.append(done)
        if len(told) > 2:
            raise Stop

    began = time.monotonic()
    with endpoint(says(503, retry_after="20")) as there, pytest.raises(Stop):
        fetch_from(there, told=stop)
    assert time.monotonic() - began < 15


def breaks_off(*lengths: int, version: str = '"one"', ranges: bool = True) -> Answer:
    """Send so many bytes of what is asked for and hang up, each time; later all of it."""
    left = list(lengths)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = 0
        if ranges and (asked := handler.headers.get("range")):
            assert handler.headers["if-range"] == version
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        handler.send_header("content-length", str(len(RECORDING) - start))
        if version:
            handler.send_header("etag", version)
        if start:
            span = f"bytes {start}-{len(RECORDING) - 1}/{len(RECORDING)}"
            handler.send_header("content-range", span)
        handler.end_headers()
        ends = start + left.pop(0) if left else len(RECORDING)
        handler.wfile.write(RECORDING[start:ends])

    return answer


def test_a_broken_download_goes_on_where_it_stopped() -> None:
    with endpoint(breaks_off(10_000, 0, 50_000, 1)) as there:
        fetched = fetch_from(there)
    assert fetched.sink.data == RECORDING
    assert fetched.sink.restarts == 0
    assert [seen.headers.get("range") for seen in there.requests] == [
        None,
        *("bytes=10000-", "bytes=10000-", "bytes=60000-", "bytes=60001-"),
    ]


def test_a_server_that_knows_no_parts_sends_all_again() -> None:
    with endpoint(breaks_off(10_000, 50_000, ranges=False)) as there:
        fetched = fetch_from(there)
    assert fetched.sink.data == RECORDING
    assert fetched.sink.restarts == 2


@pytest.mark.parametrize("version", ["", 'W/"weak"'])
def test_without_a_strong_version_all_is_asked_again(version: str) -> None:
    with endpoint(breaks_off(10_000, version=version)) as there:
        fetched = fetch_from(there)
    assert fetched.sink.data == RECORDING
    assert [seen.headers.get("range") for seen in there.requests] == [None, None]


def test_the_other_server_of_a_redirect_hears_which_version_is_meant() -> None:
    """Range without If-Range would take the rest of whatever file is there by now."""
    with (
        endpoint(breaks_off(10_000)) as store,
        endpoint(redirects(store.url(path="/talk"))) as there,
    ):
        fetched = fetch(there.url(), f"127.0.0.1:{there.port}", f"127.0.0.1:{store.port}")
    assert fetched.sink.data == RECORDING
    assert store.requests[1].headers["if-range"] == '"one"'


def changes(honest: bool) -> Answer:
    """Serve a file, break off, and serve another from then on; dishonestly even as its rest."""
    first = [True]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body, etag, status = RECORDING, '"one"', 200
        if not first:
            body, etag = RECORDING[::-1], '"two"'
        part = not first and not honest and "range" in handler.headers
        handler.send_response(206 if part else status)
        handler.send_header("etag", etag)
        handler.send_header("content-length", str(len(body) - (10_000 if part else 0)))
        if part:
            handler.send_header("content-range", f"bytes 10000-{len(body) - 1}/{len(body)}")
        handler.end_headers()
        handler.wfile.write(body[:10_000] if first else body[10_000 if part else 0 :])
        first.clear()

    return answer


@pytest.mark.parametrize("honest", [True, False])
def test_a_file_that_changes_meanwhile_is_never_mixed(honest: bool) -> None:
    with endpoint(changes(honest)) as there:
        fetched = fetch_from(there)
    assert fetched.sink.data == RECORDING[::-1]
    assert fetched.sink.restarts == 1


def test_a_file_that_became_shorter_is_begun_anew() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "range" in handler.headers:
            says(416)(handler)
        elif len(there.requests) == 1:
            says(content_length="100000", etag='"one"', body=RECORDING[:5000])(handler)
        else:
            says(body=b"short")(handler)

    with endpoint(answer) as there:
        fetched = fetch_from(there)
    assert fetched.sink.data == b"short"


def test_five_breaks_without_anything_new_are_enough() -> None:
    with (
        endpoint(breaks_off(10_000, *[0] * 10)) as there,
        pytest.raises(Unreachable, match="hung up early"),
    ):
        fetch_from(there)
    assert len(there.requests) == 6


def test_twenty_breaks_are_enough() -> None:
    with (
        endpoint(breaks_off(*[1] * 40)) as there,
        pytest.raises(Unreachable, match="hung up early"),
    ):
        fetch_from(there)
    assert len(there.requests) == 21


def test_a_length_that_is_promised_too_long_is_told() -> None:
    with (
        endpoint(says(body=RECORDING, content_length=str(len(RECORDING) + 1))) as there,
        pytest.raises(Unreachable, match="hung up early"),
    ):
        fetch_from(there)


def test_more_than_the_promised_length_is_not_read() -> None:
    with endpoint(says(body=RECORDING, content_length="1000")) as there:
        assert fetch_from(there).sink.data == RECORDING[:1000]


def test_a_promised_length_that_is_too_large_is_refused_at_once() -> None:
    sink = Held()
    with (
        endpoint(says(body=b"x", content_length="5000000")) as there,
        pytest.raises(TooLarge, match=r"larger than 1\.5 MB"),
    ):
        fetch_from(there, max_bytes=1_500_000, sink=sink)
    assert sink.size == 0


@contextmanager
def endless(block: bytes, pause_s: float = 0) -> Iterator[int]:
    """A server that sends chunks without end; yields its port."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with wire(head, b"%x\r\n%s\r\n" % (len(block), block), pause_s) as port:
        yield port


def test_an_endless_file_is_cut_by_the_sink() -> None:
    with endless(b"x" * 4096) as port, pytest.raises(TooLarge):
        fetch(f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}", max_bytes=100_000)


def test_a_server_that_sends_too_slowly_is_left() -> None:
    limits = replace(QUICK, window_s=0.3, window_bytes=1000)
    with endless(b"x", 0.02) as port, pytest.raises(Unreachable, match="sends too slowly"):
        fetch(f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}", limits=limits)


def test_a_download_ends_when_its_time_is_over() -> None:
    limits = replace(QUICK, total_s=3)
    with endless(b"x" * 50, 0.01) as port, pytest.raises(Unreachable, match="did not arrive"):
        fetch(f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}", limits=limits)


@pytest.mark.parametrize(
    "url",
    [
        *("gopher://example.com/x", "file:///etc/passwd", "ftp://example.com/x", "data:,x", "x"),
        *("http://me:secret@127.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "http:///x"),
        *("http://127.0.0.1:70000/", "http://[::1", "http://example.com/" + "x" * 10_000),
    ],
)
def test_addresses_that_nobody_may_send_us_to_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        fetch(url)


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/x", "http://127.0.0.1/x", "file:///etc/passwd"]
)
def test_redirects_are_checked(location: str) -> None:
    with endpoint(redirects(location)) as there, pytest.raises(AddressRefused):
        fetch_from(there)
    assert len(there.requests) == 1


def test_a_resumed_download_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    names = resolver({"store.test": [["127.0.0.2"], ["127.0.0.1"]]})
    monkeypatch.setattr("socket.getaddrinfo", names)
    with (
        endpoint(breaks_off(10_000), "127.0.0.2") as right,
        endpoint(says(body=b"inside"), "127.0.0.1", right.port) as inside,
        pytest.raises(AddressRefused),
    ):
        fetch(right.url("store.test"), f"127.0.0.2:{right.port}")
    assert inside.requests == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, r"nothing at this address \(404\)"),
        (410, r"any more \(410\)"),
        (401, "sign in"),
        (418, "status 418"),
        (304, "status 304"),
        (206, "a part of the file"),
    ],
)
def test_what_a_server_says_is_told(status: int, words: str) -> None:
    with endpoint(says(status)) as there, pytest.raises(Unreachable, match=words):
        fetch_from(there)
    assert len(there.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_three_times(status: int) -> None:
    with endpoint(says(status)) as there, pytest.raises(Unreachable, match=f"{status}"):
        fetch_from(there)
    assert len(there.requests) == 3


def test_a_server_that_recovers_is_listened_to() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        busy = len(there.requests) < 3
        (says(429, retry_after="0") if busy else says(body=RECORDING))(handler)

    with endpoint(answer) as there:
        assert fetch_from(there, limits=replace(QUICK, pause_s=100)).sink.data == RECORDING


def test_a_server_that_wants_an_hour_is_not_waited_for() -> None:
    with endpoint(says(429, retry_after="3600")) as there, pytest.raises(Unreachable, match="429"):
        fetch_from(there)
    assert len(there.requests) == 1


def test_an_empty_file_is_told() -> None:
    with endpoint(says()) as there, pytest.raises(BadMedia, match="empty"):
        fetch_from(there)


def test_a_packed_file_is_told() -> None:
    packed = says(body=b"x", content_encoding="gzip")
    with endpoint(packed) as there, pytest.raises(BadMedia, match="Content-Encoding"):
        fetch_from(there)


def test_a_web_page_is_told() -> None:
    page = says(body=b"<html>", content_type="text/html; charset=utf-8")
    with endpoint(page) as there, pytest.raises(BadMedia, match=r"web page.*media file itself\.$"):
        fetch_from(there)


# Pages


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for downloads; the playground's extractor is installed."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SOURCES), str(PLUGINS)]))
    folder = tmp_path / "work"
    folder.mkdir(mode=0o700)
    return folder


def site(pages: dict[str, dict[str, Any]], **files: Answer) -> Answer:
    """A platform: its pages, and files by the first part of their path."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        page = pages.get(handler.path.removeprefix("/play/"))
        if page is not None:
            body = json.dumps(page).replace(
                "HERE", f"127.0.0.1:{handler.connection.getsockname()[1]}"
            )
            says(body=body.encode(), content_type="text/html")(handler)
        else:
            files[handler.path.split("/")[1].partition(".")[0]](handler)

    return answer


def watch(there: Endpoint, work: Path, page: str = "page", **options: Any) -> Fetched:
    """Fetch what a page of the playground shows; nothing is left of it."""
    options.setdefault("extractors", ("playground",))
    try:
        return fetch_from(there, f"/play/{page}", folder=work, **options)
    finally:
        assert list(work.iterdir()) == []
        assert jailed() == []


def jailed() -> list[psutil.Process]:
    """The processes that read pages."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "auricle.fetch.pages_jail" in child.cmdline():
                found.append(child)
    return found


MEDIA = {"url": "http://HERE/media", "ext": "mp3"}


def test_a_page_gives_its_recording(work: Path) -> None:
    pages = {"page": {"title": "A  talk\n", **MEDIA}}
    with endpoint(site(pages, media=says(body=RECORDING))) as there:
        fetched = watch(there, work)
    assert fetched.sink.data == RECORDING
    assert fetched.name == "A talk"


def test_a_page_over_tls_is_read_with_the_authorities_of_the_system(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    pages = {"page": {"url": "https://HERE/media", "ext": "mp3"}}
    with endpoint(site(pages, media=says(body=RECORDING)), tls=context) as there:
        fetched = watch(there, work, scheme="https")
    assert fetched.sink.data == RECORDING


def test_segments_are_put_together(work: Path) -> None:
    segments = [RECORDING[:50_000], RECORDING[50_000:50_001], RECORDING[50_001:]]
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:10", "#EXT-X-PLAYLIST-TYPE:VOD"]
    lines += [f"#EXTINF:10,\n/part/{n}" for n in range(3)] + ["#EXT-X-ENDLIST"]
    playlist = says(body="\n".join(lines).encode(), content_type="application/x-mpegurl")

    def part(handler: BaseHTTPRequestHandler) -> None:
        says(body=segments[int(handler.path[-1])])(handler)

    pages = {"page": {"hls": "http://HERE/list.m3u8"}}
    with endpoint(site(pages, list=playlist, part=part)) as there:
        assert watch(there, work).sink.data == RECORDING


def test_a_lost_segment_is_no_recording_with_a_hole(work: Path) -> None:
    lines = "#EXTM3U\n#EXTINF:10,\n/part/1\n#EXTINF:10,\n/lost/2\n#EXT-X-ENDLIST"
    playlist = says(body=lines.encode(), content_type="application/x-mpegurl")
    pages = {"page": {"hls": "http://HERE/list.m3u8"}}
    files = {"list": playlist, "part": says(body=RECORDING), "lost": says(404)}
    with (
        endpoint(site(pages, **files)) as there,
        pytest.raises(Unreachable, match="did not give the recording"),
    ):
        watch(there, work)


def test_sound_alone_is_preferred_and_what_needs_other_programs_left_out(work: Path) -> None:
    formats = [
        {"format_id": "rtmp", "url": "rtmp://HERE/x", "vcodec": "none", "acodec": "aac"},
        {"format_id": "sound", "url": "http://HERE/sound", "vcodec": "none", "acodec": "aac"},
        {"format_id": "both", "url": "http://HERE/both", "vcodec": "avc1", "acodec": "aac"},
    ]
    pages = {"page": {"formats": [{"ext": "mp4", **form} for form in formats]}}
    with endpoint(site(pages, sound=says(body=b"sound"), both=says(body=b"both"))) as there:
        assert watch(there, work).sink.data == b"sound"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"url": "http://127.0.0.1:OTHER/x", "ext": "mp3"}, id="media"),
        pytest.param({"url": "http://HERE/away", "ext": "mp3"}, id="redirect of the media"),
        pytest.param({"do": "ask", "address": "http://127.0.0.1:OTHER/"}, id="metadata"),
        pytest.param({"do": "ask", "address": "http://HERE/away"}, id="redirect"),
        pytest.param({"do": "ask", "address": "http://localhost:OTHER/"}, id="name"),
        pytest.param({"hls": "http://HERE/list.m3u8"}, id="segment"),
    ],
)
def test_a_page_leads_nowhere_that_is_not_allowed(work: Path, page: dict[str, Any]) -> None:
    with endpoint(says(body=b"inside")) as inside:
        port = str(inside.port)
        lines = f"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:{port}/x\n#EXT-X-ENDLIST"
        pages = {"page": json.loads(json.dumps(page).replace("OTHER", port))}
        away = redirects(f"http://127.0.0.1:{port}/x")
        with (
            endpoint(site(pages, away=away, list=says(body=lines.encode()))) as there,
            pytest.raises(AddressRefused, match=f":{port}"),
        ):
            watch(there, work)
    assert inside.requests == []


def test_nothing_can_be_done_from_inside_the_jail(work: Path, tmp_path: Path) -> None:
    """Some of these succeed as soon as seccomp, Landlock or the change of user is left out."""
    open_to_all = Path("/tmp") / f"auricle-jail-{os.getpid()}"  # nobody may not look into tmp_path
    secret = open_to_all / "secret"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    secret.write_text("the operator's")
    secret.chmod(0o666)
    pages = {
        "page": {"do": "escape", "secret": str(secret), "report": "http://HERE/report", **MEDIA}
    }
    files = {"media": says(body=RECORDING), "report": says()}
    try:
        with endpoint(site(pages, **files)) as there:
            watch(there, work)
        assert secret.read_text() == "the operator's"
        assert list(open_to_all.iterdir()) == [secret]
    finally:
        subprocess.run(["rm", "-r", open_to_all], check=True)
    report = json.loads(next(seen.body for seen in there.requests if seen.path == "/report"))
    environment = report.pop("environment").removeprefix("done: ").split()
    assert set(environment) <= {
        "PATH",
        "LANG",
        "LC_CTYPE",
        "PYTHONPATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
    assert report.pop("own file") == "done: 1"
    assert report.pop("hard link") in ("PermissionError", "OSError")  # or another file system
    assert report.pop("name lookup") == "gaierror"
    assert report.pop("thread") == "RuntimeError"
    assert report.pop("long file") == "OSError"
    assert {name: said for name, said in report.items() if said != "PermissionError"} == {}


def test_a_page_that_hangs_is_left(work: Path) -> None:
    limits = replace(QUICK, window_s=2)
    with (
        endpoint(site({"page": {"do": "hang"}})) as there,
        pytest.raises(Unreachable, match="too slowly"),
    ):
        watch(there, work, limits=limits)


def test_a_page_that_computes_without_end_is_ended(work: Path) -> None:
    limits = replace(QUICK, page_cpu_s=2)
    with (
        endpoint(site({"page": {"do": "compute"}})) as there,
        pytest.raises(BadMedia, match="more computing"),
    ):
        watch(there, work, limits=limits)


def test_a_page_that_takes_too_much_memory_is_ended(work: Path) -> None:
    with (
        endpoint(site({"page": {"do": "devour"}})) as there,
        pytest.raises(BadMedia, match="more memory"),
    ):
        watch(there, work)


def test_an_endless_recording_of_a_page_is_cut(work: Path) -> None:
    with endless(b"x" * 65_536) as port:
        pages = {"page": {"url": f"http://127.0.0.1:{port}/", "ext": "mp3"}}
        with endpoint(site(pages)) as there, pytest.raises(TooLarge):
            watch(there, work, allow=f"127.0.0.1:{port}", max_bytes=300_000)


def test_whoever_is_told_can_stop_a_page(work: Path) -> None:
    class Stop(Exception):
        """Not one that anything knows."""

    def stop(_: int, __: int | None) -> None:
        if jailed():
            raise Stop

    with endpoint(site({"page": {"do": "hang"}})) as there, pytest.raises(Stop):
        watch(there, work, told=stop)


def test_a_killed_process_is_told(work: Path) -> None:
    def kill(_: int, __: int | None) -> None:
        for process in jailed():
            process.kill()

    with (
        endpoint(site({"page": {"do": "hang"}})) as there,
        pytest.raises(Internal, match=r"was ended \(SIGKILL\)"),
    ):
        watch(there, work, told=kill)


ENTRY = {"_type": "url", "url": "http://HERE/play/one", "ie_key": "Playground"}


def test_lists_are_refused(work: Path) -> None:
    pages = {
        "page": {"_type": "playlist", "entries": [ENTRY, ENTRY | {"url": "http://HERE/play/two"}]}
    }
    with (
        endpoint(site(pages)) as there,
        pytest.raises(BadMedia, match="list of recordings"),
    ):
        watch(there, work)


def test_a_list_of_one_is_that_one(work: Path) -> None:
    pages: dict[str, dict[str, Any]] = {
        "page": {"_type": "playlist", "entries": [ENTRY]},
        "one": {"title": "One", **MEDIA},
    }
    with endpoint(site(pages, media=says(body=RECORDING))) as there:
        fetched = watch(there, work)
    assert fetched.name == "One"
    assert fetched.sink.data == RECORDING


@pytest.mark.parametrize("live", [{"is_live": True}, {"live_status": "is_live"}])
def test_live_streams_are_refused(work: Path, live: dict[str, Any]) -> None:
    pages = {"page": {**MEDIA, **live}}
    with (
        endpoint(site(pages, media=says(body=b"x"))) as there,
        pytest.raises(BadMedia, match="live stream"),
    ):
        watch(there, work)


def test_a_page_that_no_allowed_platform_has_is_only_a_page(work: Path) -> None:
    pages = {"page": MEDIA}
    for extractors in (("vimeo", "twitch:vod"), ()):
        words = "or of a page of: vimeo and twitch" if extractors else "media file itself"
        with (
            endpoint(site(pages)) as there,
            pytest.raises(BadMedia, match=rf"web page.*{words}\.$"),
        ):
            watch(there, work, extractors=extractors)


def test_all_extractors_of_the_usual_list_can_be_loaded(work: Path) -> None:
    with (
        endpoint(site({"page": MEDIA})) as there,
        pytest.raises(BadMedia, match=r"of a page of: youtube, tiktok, .* and others\."),
    ):
        watch(there, work, extractors=EXTRACTORS)


def test_what_a_server_says_counts_where_no_platform_is(work: Path) -> None:
    with endpoint(says(403)) as there, pytest.raises(Unreachable, match="403"):
        fetch_from(there, folder=work, extractors=("vimeo",))


def test_what_a_platform_says_is_told(work: Path) -> None:
    words = "This <b>video</b> is private. Use --cookies to sign in; see https://x.y"
    pages = {"page": {"do": "complain", "words": words}}
    said = r"^The platform did not give the recording: This video is private\.$"
    with endpoint(site(pages)) as there, pytest.raises(Unreachable, match=said):
        watch(there, work)


def test_a_page_that_is_not_understood_is_told_without_program_talk(work: Path) -> None:
    said = r"^The platform did not give the recording: .*$"
    with (
        endpoint(site({"page": {"do": "stumble"}})) as there,
        pytest.raises(Unreachable, match=said) as told,
    ):
        watch(there, work)
    assert "NoneType" not in str(told.value)


def test_a_link_in_place_of_the_recording_is_not_followed(work: Path) -> None:
    pages = {"page": {"do": "link", "secret": "/etc/hostname", **MEDIA}}
    with endpoint(site(pages, media=says(body=b"x"))) as there, pytest.raises(Unreachable):
        watch(there, work)
