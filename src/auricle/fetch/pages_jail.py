"""The process that reads one page of a video platform and downloads its recording with yt-dlp.

yt-dlp follows what strangers' pages say, so this process shuts itself in (``jail``) before it
looks at the address. Connections are asked of the worker, over the socket whose descriptor is this
process's argument; the address guard is on that side. The recording is written to the current
folder.
"""

from __future__ import annotations

import encodings
import importlib
import mimetypes
import os
import pkgutil
import socket
import ssl
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from auricle.core.errors import AuricleError
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

_OTHER_ROADS = ("certifi", "curl_cffi", "requests", "urllib3", "websockets")
"""What yt-dlp would use where it is installed: HTTP that does not ask us for its connections."""

_PROTOCOLS = "[protocol~='^(https?|m3u8(_native)?|http_dash_segments)$']"
"""Those that yt-dlp speaks by itself."""

_FORMATS = "/".join(kind + _PROTOCOLS for kind in ("ba", "b[height<=720]", "b", "ba*"))
"""Sound alone; else one file with sound, rather a small one."""

_READABLE = ("/usr", "/lib", "/lib64", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/dev/null")


def main(control_fd: int) -> None:
    """Serve one task."""
    worker = Worker(socket.socket(fileno=control_fd))
    try:
        task = worker.task()
        downloader = _prepare(task, worker)
        _shut_in(task)
        worker.send(_fetch(downloader, task.url))
    except AuricleError as error:
        worker.send(Failed("fault", error.message))
    except MemoryError:
        worker.send(Failed("memory"))
    except OSError as error:
        worker.send(Failed("fault", f"{type(error).__name__}: {error}"))


class Worker:
    """The other side."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._told = 0.0

    def task(self) -> Task:
        """What to do."""
        return msgspec.json.decode(self._control.recv(MAX_BYTES), type=Task)

    def send(self, message: Message) -> None:
        self._control.sendall(msgspec.json.encode(message))

    def connect(
        self, address: tuple[str, int], timeout: object = None, *_: object
    ) -> socket.socket:
        """Take the place of ``socket.create_connection``."""
        self.send(Dial(*address[:2]))
        said, descriptors, *_rest = socket.recv_fds(self._control, MAX_BYTES, 1)
        if not descriptors:
            raise OSError(said.decode() or "the connection was refused")
        sock = socket.socket(fileno=descriptors[0])
        sock.settimeout(timeout if isinstance(timeout, int | float) else None)
        return sock

    def progress(self, status: dict[str, Any]) -> None:
        """Pass on what yt-dlp tells its hooks, a few times a second."""
        if time.monotonic() < self._told + 0.2:
            return
        self._told = time.monotonic()
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        self.send(Progress(int(status.get("downloaded_bytes") or 0), int(total) if total else None))


class _Silence:
    """yt-dlp's logger: what matters is raised."""

    def debug(self, _: str) -> None: ...

    def warning(self, _: str) -> None: ...

    def error(self, _: str) -> None: ...


def _prepare(task: Task, worker: Worker) -> Any:
    """Load all that may be needed, because a process that is shut in may not find it any more."""
    for name in _OTHER_ROADS:
        sys.modules[name] = None  # type: ignore[assignment]  # not to be found
    for codec in pkgutil.iter_modules(encodings.__path__, "encodings."):
        with suppress(ImportError):  # those of other systems
            importlib.import_module(codec.name)
    mimetypes.init()
    _hold_certificates()
    yt_dlp = importlib.import_module("yt_dlp")
    for name in ("socket", "yt_dlp.networking._urllib", "yt_dlp.networking._helper"):
        vars(importlib.import_module(name))["create_connection"] = worker.connect
    downloader = yt_dlp.YoutubeDL(_options(task, worker), auto_init=False)
    downloader.add_default_info_extractors()
    for key in list(downloader._ies):
        downloader.get_info_extractor(key)
    return downloader


def _hold_certificates() -> None:
    """Keep the authorities that the system trusts: their file may be out of reach later."""
    context = ssl.create_default_context()
    authorities = b"".join(context.get_ca_certs(binary_form=True))
    load = ssl.SSLContext.load_default_certs

    def load_default_certs(
        self: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH
    ) -> None:
        if authorities:
            self.load_verify_locations(cadata=authorities)
        load(self, purpose)

    ssl.SSLContext.load_default_certs = load_default_certs  # type: ignore[method-assign]


def _options(task: Task, worker: Worker) -> dict[str, Any]:
    return {
        "allowed_extractors": task.extractors,
        "cachedir": False,
        "compat_opts": {"no-certifi"},
        "external_downloader": {"default": "native"},
        "extract_flat": "in_playlist",
        "fixup": "never",
        "format": _FORMATS,
        "fragment_retries": 3,
        "hls_prefer_native": True,
        "js_runtimes": {},
        "logger": _Silence(),
        "nopart": True,
        "noplaylist": True,
        "noprogress": True,
        "playlist_items": "1:2",
        "progress_hooks": [worker.progress],
        "quiet": True,
        "retries": 3,
        "skip_unavailable_fragments": False,
        "socket_timeout": 20,
        "updatetime": False,
    }


def _shut_in(task: Task) -> None:
    """Shut this process in, silence it, and see that it holds."""
    nothing = os.open(os.devnull, os.O_RDWR)
    paths = ssl.get_default_verify_paths()
    python = (*sys.path, sys.prefix, sys.base_prefix, paths.cafile, paths.capath)
    readable = {Path(path) for path in (*_READABLE, *python) if path}
    jail.shut_in(readable, task.max_bytes + (1 << 20), task.cpu_s)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    with suppress(PermissionError):
        socket.socket().close()
        raise OSError("the jail is open")


def _fetch(downloader: Any, url: str) -> Message:
    """Download what a page shows."""
    allowed = dict(downloader._ies)
    if not any(extractor.suitable(url) for extractor in allowed.values()):
        return Failed("foreign")
    try:
        info = downloader.extract_info(url, download=False)
        entries = info.get("entries")
        if entries is not None:
            info = _only(downloader, list(entries), allowed)
        if info is None:
            return Failed("list")
        if info.get("is_live") or info.get("live_status") == "is_upcoming":
            return Failed("live")
        done, _ = downloader.dl(RESULT, info)
    except MemoryError:
        raise
    except Exception as error:
        known = type(error).__module__.startswith("yt_dlp") or isinstance(error, OSError)
        return Failed("platform", str(error)[:8000] if known else "")
    return Done(str(info.get("title") or "")[:1000]) if done else Failed("platform")


def _only(downloader: Any, entries: list[Any], allowed: dict[str, Any]) -> Any:
    """The one recording of a list of one; None for longer lists and for lists of lists."""
    if len(entries) != 1 or not entries[0]:
        return None
    info = entries[0]
    if info.get("_type") in ("url", "url_transparent"):
        if info.get("ie_key") not in allowed:
            return None
        info = downloader.extract_info(info["url"], download=False, ie_key=info["ie_key"])
    return None if info is None or "entries" in info else info


if __name__ == "__main__":
    main(int(sys.argv[1]))
