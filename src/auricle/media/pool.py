"""The pool of jailed decoders, as seen from the process that uses it. Thread-safe and blocking."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from auricle.core.errors import BadMedia, Internal, from_code
from auricle.media.info import MediaInfo, RawAudio

PROBE_CPU_SECONDS = 30
DECODE_CPU_SECONDS = 1800

_KILLED = (
    "The recording could not be decoded within the limits of memory and processor time. "
    "Convert it to WAV, FLAC or MP3 and send that."
)


class MediaPool:
    """Jailed children of one pre-started process, one for each recording.

    A child runs only as far ahead as its reader lets it. How many there are at a time is the
    caller's to decide. Use as a context manager, or call :meth:`close`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        with self._lock:
            self._start()

    def __enter__(self) -> MediaPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the jail; recordings still being read end with an error."""
        with self._lock:
            self._stop()

    def probe(self, file: IO[bytes], name: str = "", raw: RawAudio | None = None) -> MediaInfo:
        """Identify a recording; ``raw`` says how samples without a header are to be read.

        Raises :class:`BadMedia` when it cannot be transcribed.
        """
        request = {
            "action": "probe",
            "name": _plain(name),
            "raw": raw,
            "cpu_seconds": PROBE_CPU_SECONDS,
        }
        frames = self._ask(request, file.fileno())
        return msgspec.json.decode(_payload(frames, b"I"), type=MediaInfo)

    def decode(
        self, file: IO[bytes], name: str = "", *, max_seconds: float, raw: RawAudio | None = None
    ) -> Generator[NDArray[np.float32]]:
        """Yield blocks of mono float32 samples at 16 kHz, in -1..1.

        Only what is asked for is decoded, so memory stays bounded. Raises :class:`BadMedia` for
        what is no recording, :class:`TooLong` past ``max_seconds``.
        """
        request = {
            "action": "decode",
            "name": _plain(name),
            "raw": raw,
            "max_seconds": max_seconds,
            "cpu_seconds": DECODE_CPU_SECONDS,
        }
        for kind, payload in self._ask(request, file.fileno()):
            if kind == b"S":
                yield np.frombuffer(payload, np.float32)

    def sound(
        self, file: IO[bytes], name: str = "", *, rate: int, max_seconds: float
    ) -> Generator[NDArray[np.float32]]:
        """Yield blocks of ``[samples, channels]`` at ``rate``, one channel or two, as they are
        meant to be heard. Bounded and with errors as :meth:`decode`."""
        request = {
            "action": "sound",
            "name": _plain(name),
            "sample_rate": rate,
            "max_seconds": max_seconds,
            "cpu_seconds": DECODE_CPU_SECONDS,
        }
        for kind, payload in self._ask(request, file.fileno()):
            if kind[0] in (1, 2):
                yield np.frombuffer(payload, np.float32).reshape(-1, kind[0])

    def describe(self) -> dict[str, bool]:
        """What the jail could shut off on this system."""
        with open(os.devnull, "rb") as nothing:
            frames = self._ask({"action": "describe"}, nothing.fileno())
            found: dict[str, bool] = msgspec.json.decode(_payload(frames, b"I"))
            return found

    def _ask(self, request: dict[str, Any], file_fd: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the answer's frames up to its end; raise the error that it holds."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._send(msgspec.json.encode(request), [file_fd, theirs.fileno()])
            with ours.makefile("rb") as stream:
                yield from _read(stream)

    def _send(self, message: bytes, fds: list[int]) -> None:
        with self._lock:
            for attempt in (1, 2):
                if self._control is None:
                    self._start()
                assert self._control is not None
                try:
                    socket.send_fds(self._control, [message], fds)
                    return
                except (BrokenPipeError, ConnectionError) as error:
                    self._stop()
                    if attempt == 2:
                        raise Internal("The decoder process does not start.") from error

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "auricle.media.jail", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                cwd=Path("/"),
            )
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _plain(name: str) -> str:
    """A file name that can be written down, whatever bytes the file system has for it."""
    return name.encode(errors="replace").decode()


def _read(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    while len(header := stream.read(5)) == 5:
        kind, length = header[:1], int.from_bytes(header[1:], "little")
        payload = stream.read(length)
        if len(payload) < length:
            break
        if kind == b"D":
            return
        if kind == b"E":
            raise from_code(*msgspec.json.decode(payload, type=tuple[str, str]))
        yield kind, payload
    raise BadMedia(_KILLED)


def _payload(frames: Iterator[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    """The payload of the only frame of a kind; reads the answer to its end."""
    payload = b""
    for kind, content in frames:
        if kind == wanted:
            payload = content
    return payload
