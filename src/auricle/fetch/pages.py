"""Recordings on the pages of video platforms: the worker's side.

Each page gets a process of its own (``pages_jail``), which can only write to a folder that is
deleted afterwards and can only connect where this side connects it to. What it says is judged: a
platform's page may have taken it over.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import msgspec

from auricle.core.errors import (
    AddressRefused,
    AuricleError,
    BadMedia,
    Internal,
    Unavailable,
    Unreachable,
)
from auricle.egress import Guard, connect
from auricle.fetch import jail
from auricle.fetch.messages import (
    MAX_BYTES,
    RESULT,
    Dial,
    Done,
    Failed,
    Message,
    Progress,
    Task,
)
from auricle.fetch.names import one_line
from auricle.fetch.transfer import Sink, Watch, too_large

_KEPT = ("PATH", "LANG", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What of the environment the process gets: nothing that is anybody's secret."""

_CONNECT_S = 15.0
_CONNECTIONS = 20_000
"""For one recording; a long one of small segments takes thousands."""

_BLOCK = 1 << 20


class NoPlatform(Exception):
    """No extractor that is allowed takes the address."""


class Page:
    """One page whose recording is to be written to a sink."""

    def __init__(
        self, guard: Guard, url: str, extractors: Sequence[str], max_bytes: int, watch: Watch
    ) -> None:
        self._guard = guard
        self._task = Task(url, list(extractors), max_bytes, watch.limits.page_cpu_s)
        self._watch = watch
        self._failures: list[AuricleError] = []
        """Of connections, the latest ones."""
        self._connections = 0

    def fetch(self, sink: Sink, folder: Path) -> str:
        """Write the recording to the sink and return its title.

        Raises :class:`NoPlatform`, :class:`AddressRefused`, :class:`Unreachable`,
        :class:`TooLarge`, :class:`BadMedia`, :class:`Unavailable` for a full disk,
        :class:`Internal`, and what the sink raises.
        """
        jail.check_machine()
        self._watch.tell()
        self._watch.renew()
        with TemporaryDirectory(prefix="page-", dir=folder) as name:
            work = Path(name)
            jail.give(work)
            with _process(work) as (process, control):
                title = self._converse(process, control, work)
            _copy(work, sink, self._watch)
        return one_line(title)

    def _converse(
        self, process: subprocess.Popen[bytes], control: socket.socket, work: Path
    ) -> str:
        _send(control, msgspec.json.encode(self._task))
        while True:
            self._watch.check(self._watch.done, self._watch.total)
            self._weigh(work)
            try:
                said = control.recv(MAX_BYTES)
            except TimeoutError:
                continue
            except ConnectionError:
                said = b""
            if not said:
                _ended(process)
            title = self._heed(_read(said), control)
            if title is not None:
                return title

    def _heed(self, message: Message, control: socket.socket) -> str | None:
        """Serve one message; returns the title when all is done."""
        match message:
            case Dial(host, port):
                self._dial(host, port, control)
            case Progress(done, total):
                if done > self._task.max_bytes:
                    raise too_large(self._task.max_bytes)
                self._watch.check(done, total)
            case Done(title):
                return title
            case Failed():
                self._fail(message)
        return None

    def _dial(self, host: str, port: int, control: socket.socket) -> None:
        """Make a connection, if the guard agrees, and hand it over."""
        self._connections += 1
        if self._connections > _CONNECTIONS:
            raise Unreachable("The platform sends the recording in too many pieces.")
        self._watch.renew()
        try:
            with connect(self._guard, host, port, min(_CONNECT_S, self._watch.left_s())) as sock:
                sock.settimeout(None)
                _send(control, b"connected", sock.fileno())
        except (AddressRefused, Unreachable) as error:
            self._failures = [*self._failures[-9:], error]
            _send(control, error.message.encode()[:MAX_BYTES])

    def _weigh(self, work: Path) -> None:
        """Look after the disk; a piece and the whole that it is added to lie there at a time."""
        size = 0
        for file in os.scandir(work):
            with suppress(FileNotFoundError):  # gone meanwhile
                size += file.stat(follow_symlinks=False).st_size
        if size > 2 * self._task.max_bytes:
            raise too_large(self._task.max_bytes)

    def _fail(self, failed: Failed) -> NoReturn:
        """Raise what a failure means."""
        for error in reversed(self._failures):
            if error.message in failed.text:
                raise error
        match failed.why:
            case "foreign":
                raise NoPlatform
            case "list":
                raise BadMedia("The address leads to a list of recordings. Give that of one.")
            case "live":
                raise BadMedia("The address leads to a live stream. Give that of a recording.")
            case "memory":
                raise BadMedia("The platform's page takes more memory than one may use here.")
            case "fault":
                raise Internal(f"Pages of video platforms cannot be read now: {failed.text}")
        if "[Errno 27]" in failed.text:  # EFBIG: the limit on the size of files
            raise too_large(self._task.max_bytes)
        if "[Errno 28]" in failed.text:
            raise Unavailable("The server has no room for the recording.", retry_after=60)
        raise Unreachable(complaint(failed.text))


@contextmanager
def _process(work: Path) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A process that waits for its task, and its control socket; killed at the end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.settimeout(1.0)
        command = [sys.executable, "-P", "-m", "auricle.fetch.pages_jail", str(theirs.fileno())]
        process = subprocess.Popen(
            command,
            cwd=work,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        try:
            yield process, ours
        finally:
            process.kill()
            process.wait()


def _send(control: socket.socket, data: bytes, *descriptors: int) -> None:
    """Send, unless the other side is gone or does not listen, which shows where we listen."""
    with suppress(ConnectionError, TimeoutError):
        socket.send_fds(control, [data], descriptors)


def _read(said: bytes) -> Message:
    try:
        message: Message = msgspec.json.decode(said, type=Message)
    except msgspec.DecodeError as error:
        raise Unreachable("The platform's page could not be read.") from error
    return message


def _ended(process: subprocess.Popen[bytes]) -> NoReturn:
    """Raise why the process is gone without a last word."""
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code == -signal.SIGXCPU:
        raise BadMedia("The platform's page takes more computing than one may use here.")
    raise Internal(
        f"The process that reads the platform's page was ended ({_name(code)}). Try again later."
    )


def _name(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"status {code}"


def _copy(work: Path, sink: Sink, watch: Watch) -> None:
    """Copy the result, if it is a file of that folder and not the way to another."""
    try:
        file = os.open(work / RESULT, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreachable(complaint("")) from error
    with open(file, "rb", buffering=0) as recording:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise Unreachable(complaint(""))
        while block := recording.read(_BLOCK):
            sink.write(block)
            watch.tell()
    if not sink.size:
        raise BadMedia("The recording on this page is empty.")


# yt-dlp's words

_FOR_ITS_USERS = re.compile(
    r"--\w|yt-?dlp|cookies|https?://|report|latest version|VPN|\bpip\b", re.I
)
"""A sentence with any of these is advice to somebody at a terminal."""

_LONGEST = 240


def complaint(text: str) -> str:
    """One sentence for the user out of an error message of yt-dlp."""
    plain = re.sub(r"\x1b\[[0-9;]*m|<[^>]*>", " ", text)
    plain = re.sub(r"\(caused by.*", "", plain, flags=re.DOTALL)
    plain = re.sub(r"^\s*(ERROR:\s*)?(\[[^\]]*\]\s*)?([\w-]+:\s)?", "", plain)
    parts = re.split(r"(?<=[.;!?])\s+|\n+", plain)
    kept = [part.strip(" .;:") for part in parts if not _FOR_ITS_USERS.search(part)]
    said = one_line(". ".join(filter(None, kept)))[:_LONGEST].rstrip(" .;:")
    return f"The platform did not give the recording: {said or 'it was not told why'}."
