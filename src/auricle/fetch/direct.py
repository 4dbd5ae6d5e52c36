"""Downloading a file over HTTP, however often its connection breaks.

A broken download goes on where it stopped if the server can say that the file is still the same
(RFC 9110, 13.1.5: ``If-Range`` with a strong ETag or a date), and else begins anew: two versions
of a file are never mixed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from auricle.core.errors import AddressRefused, AuricleError, BadMedia, Unreachable
from auricle.egress import exchange
from auricle.fetch.names import file_name
from auricle.fetch.transfer import Limits, Sink, Watch, too_large

_WHOLE = (200, 203)
_PART = 206
_BEYOND = 416
_BUSY = frozenset({429, *range(500, 600)})
_GUARDED = frozenset({403, 429})
"""What platforms answer to programs where people get a page."""

_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class WebPage(Exception):
    """The address leads to what may be the page of a platform.

    ``error`` is what to say where it is none; None stands for "this is only a web page".
    """

    def __init__(self, error: AuricleError | None) -> None:
        super().__init__()
        self.error = error


class _Broken(Exception):
    """An attempt that may be repeated; ``error`` is what to raise if none is left."""

    def __init__(self, error: Exception, pause_s: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.pause_s = pause_s


class Download:
    """One file on its way to a sink."""

    def __init__(
        self, client: httpx.Client, url: str, sink: Sink, max_bytes: int, watch: Watch
    ) -> None:
        self._client = client
        self._url = url
        self._sink = sink
        self._max_bytes = max_bytes
        self._watch = watch
        self._limits: Limits = watch.limits
        self._name = ""
        """Set as soon as the server has begun to send the file."""
        self._version = ""
        """What If-Range takes; "" where the server says nothing that would do."""
        self._total: int | None = None
        self._most = 0
        self._barren = 0

    def run(self) -> str:
        """Write the file to the sink and return its name.

        Raises :class:`WebPage`, :class:`AddressRefused`, :class:`Unreachable`, :class:`TooLarge`,
        :class:`BadMedia`, and what the sink raises.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(_Broken),
            stop=self._enough,
            wait=self._pause,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            attempts(self._attempt)
        except _Broken as broken:
            raise broken.error from broken
        return self._name

    def _attempt(self) -> None:
        self._watch.tell()
        with ExitStack() as stack:
            try:
                response = stack.enter_context(self._asked())
            except Unreachable as error:
                raise (_Broken(error) if self._name else error) from error
            self._judge(response)
            self._begin(response)
            self._receive(response)
        if not self._sink.size:
            raise BadMedia("The file at this address is empty.")
        if self._total and self._sink.size < self._total:
            raise _Broken(Unreachable("The server hangs up before the end of the file."))

    def _asked(self) -> AbstractContextManager[httpx.Response]:
        headers = {}
        if self._sink.size and self._version:
            headers = {"Range": f"bytes={self._sink.size}-", "If-Range": self._version}
        try:
            request = self._client.build_request("GET", self._url, headers=headers)
        except httpx.InvalidURL as error:
            raise AddressRefused(f"This is not a URL: {error}.") from error
        left_s = self._watch.left_s()
        return exchange(self._client, request, deadline_s=left_s, follow_redirects=True)

    def _judge(self, response: httpx.Response) -> None:
        """Raise what keeps an answer from being the file or its rest."""
        status = response.status_code
        if status == _BEYOND and self._sink.size:  # the file has become shorter
            raise self._anew()
        page = _is_page(response)
        if status in (*_WHOLE, _PART) and not page:
            return
        error: Exception = _complaint(status)
        if (page or status in _GUARDED) and not self._name:
            error = WebPage(None if response.is_success else _complaint(status))
        raise _Broken(error, _retry_after(response)) if status in _BUSY else error

    def _begin(self, response: httpx.Response) -> None:
        """Prepare for the body: a whole file, or exactly the rest of the one that we hold."""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise BadMedia("The server packs the file (Content-Encoding), which it must not.")
        if response.status_code == _PART:
            self._check_part(response)
        else:
            if self._sink.size:
                self._sink.restart()
            self._version, self._total = _version(response), _length(response)
        if (self._total or 0) > self._max_bytes:
            raise too_large(self._max_bytes)
        self._name = self._name or file_name(response)
        self._watch.done, self._watch.total = self._sink.size, self._total
        self._watch.renew()

    def _check_part(self, response: httpx.Response) -> None:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if not self._name or not self._sink.size or not found:
            raise Unreachable("The server sends a part of the file although all was asked for.")
        start, total = int(found[1]), None if found[2] == "*" else int(found[2])
        another = self._total is not None and total is not None and total != self._total
        if start != self._sink.size or another or _version(response) not in ("", self._version):
            raise self._anew()
        self._total = self._total or total

    def _anew(self) -> _Broken:
        """Drop what came: the file is another one by now."""
        self._sink.restart()
        self._version, self._total = "", None
        return _Broken(Unreachable("The file changes while it is downloaded."))

    def _receive(self, response: httpx.Response) -> None:
        for block in _blocks(response):
            self._sink.write(block)
            self._watch.check(self._sink.size, self._total)

    def _enough(self, state: RetryCallState) -> bool:
        """Whether no attempt is left after the one that has just failed."""
        self._barren = 0 if self._sink.size > self._most else self._barren + 1
        self._most = max(self._most, self._sink.size)
        if (_broken(state).pause_s or 0) > self._limits.longest_pause_s:
            return True
        if not self._name:
            return state.attempt_number > self._limits.retries
        too_often = state.attempt_number > self._limits.breaks
        return too_often or self._barren >= self._limits.barren_breaks

    def _pause(self, state: RetryCallState) -> float:
        wanted = _broken(state).pause_s
        return self._limits.pause_s * 2**self._barren if wanted is None else wanted

    def _sleep(self, seconds: float) -> None:
        """Wait in short steps, between which everything can be stopped."""
        ends = time.monotonic() + seconds
        while (left_s := ends - time.monotonic()) > 0:
            self._watch.left_s()
            self._watch.tell()
            time.sleep(min(left_s, self._limits.tell_s))


def _broken(state: RetryCallState) -> _Broken:
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, _Broken)
    return error


def _blocks(response: httpx.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_raw()
    except Unreachable as error:
        raise _Broken(error) from error


def _is_page(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() in _PAGES


def _length(response: httpx.Response) -> int | None:
    length: str = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _version(response: httpx.Response) -> str:
    """What tells this file from its other versions; a weak ETag does not."""
    tag: str = response.headers.get("etag", "")
    return tag if tag.startswith('"') else response.headers.get("last-modified", "")


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3); None if it does not."""
    text: str = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


_COMPLAINTS = {
    401: "The server gives this address only to those who sign in (401). Use one that is open.",
    403: "The server does not give this address to everybody (403). Use one that is open.",
    404: "The server says that there is nothing at this address (404).",
    410: "The server says that there is nothing at this address any more (410).",
    429: "The server says that it is asked too often (429). Try again later.",
    451: "The server may not give what is at this address, for legal reasons (451).",
}


def _complaint(status: int) -> Unreachable:
    if status in range(200, 300):
        return Unreachable("The server sends something else than the file.")
    if status in range(500, 600):
        return Unreachable(f"The server at this address has a fault ({status}). Try again later.")
    usual = f"The server answers with status {status} and not with a recording."
    return Unreachable(_COMPLAINTS.get(status, usual))
