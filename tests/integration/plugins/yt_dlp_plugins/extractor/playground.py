"""A platform of our own, on 127.0.0.1: its pages are JSON that says what the extractor does.

Fields of a page are those of yt-dlp's information on a recording, and besides: ``do``, what to do
first; ``hls``, the address of a playlist to take the formats from.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError


class PlaygroundIE(InfoExtractor):  # type: ignore[misc]
    IE_NAME = "playground"
    _VALID_URL = r"https?://127\.0\.0\.1:\d+/play/(?P<id>\w+)"

    def _real_extract(self, url: str) -> Any:
        page = self._download_json(url, self._match_id(url))
        if do := page.pop("do", ""):
            getattr(self, f"_{do}")(page)
        if hls := page.pop("hls", ""):
            page["formats"] = self._extract_m3u8_formats(hls, "1", "mp4")
        return {"id": "1", "title": "A talk", **page}

    def _hang(self, _: Any) -> None:
        time.sleep(1000)

    def _complain(self, page: Any) -> None:
        raise ExtractorError(page["words"], expected=True)

    def _stumble(self, _: Any) -> None:
        raise AttributeError("'NoneType' object has no attribute 'group'")

    def _compute(self, _: Any) -> None:
        while True:
            pass

    def _devour(self, _: Any) -> None:
        bytes(3 << 30)

    def _ask(self, page: Any) -> None:
        self._request_webpage(page["address"], "1")

    def _link(self, page: Any) -> None:
        """Put something else in the place of the recording."""
        os.link(page["secret"], "recording")

    def _escape(self, page: Any) -> None:
        """Try all that the jail is against, and report it."""
        report = {name: _outcome(attempt) for name, attempt in _attempts(page["secret"]).items()}
        body = json.dumps(report).encode()
        self._request_webpage(page["report"], "1", data=body)


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        return f"done: {attempt()}"
    except Exception as error:
        return type(error).__name__


def _attempts(secret: str) -> dict[str, Callable[[], object]]:
    mine = Path("mine")
    return {
        "own file": lambda: mine.write_text("x"),
        "tcp": socket.socket,
        "udp": lambda: socket.socket(type=socket.SOCK_DGRAM),
        "unix": lambda: socket.socket(socket.AF_UNIX),
        "socket pair": socket.socketpair,
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "name lookup": lambda: socket.getaddrinfo("localhost.localdomain", 80),
        "program": lambda: subprocess.run(["/bin/true"]),
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "fork": os.fork,
        "thread": threading.Thread(target=print).start,
        "signal": lambda: os.kill(os.getppid(), signal.SIGTERM),
        "signal to a thread": lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM),
        "root": lambda: os.setresuid(0, 0, 0),
        "read outside": lambda: Path(secret).read_text(),
        "list outside": lambda: os.listdir(Path(secret).parent),
        "write outside": lambda: Path(secret).write_text("changed"),
        "new outside": lambda: Path(secret + ".new").write_text("new"),
        "new above": lambda: Path("../new").write_text("new"),
        "look at the worker": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "symbolic link": lambda: Path("link").symlink_to(secret),
        "hard link": lambda: os.link(secret, "hard"),
        "folder": lambda: Path("folder").mkdir(),
        "pipe": lambda: os.mkfifo("pipe"),
        "long file": lambda: os.truncate("mine", 1 << 40),
        "connect by sending": _fast_open,
        "environment": lambda: " ".join(sorted(os.environ)),
    }


def _fast_open() -> object:
    """Ask the kernel to connect a socket that we hold by sending through it."""
    msg_fastopen = 0x20000000
    held = next(number for number in range(3, 64) if _is_socket(number))
    with socket.socket(fileno=os.dup(held)) as sock:
        return sock.send(b"x", msg_fastopen)


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False
