"""The jailed decoder process.

FFmpeg parses whatever strangers upload, so it only ever runs here: a process that is started once,
loads PyAV, and forks a child for each recording. The child can open nothing (its limit on open
files is zero, which leaves it those that it holds), is nobody where the server is root, has no
network where the system permits a namespace of its own, limited memory and processor time, and
dies after one recording, so that no upload ever meets another's bytes.

Protocol, on a Unix socket given as a file descriptor number: a request is one JSON datagram with
two descriptors, the recording and a stream socket for the answer. The answer is frames of
``kind (1 byte), length (4 bytes, little endian), payload``: ``I`` what probing found (JSON), ``S``
samples (float32), byte 1 or 2 samples of that many channels in turn, ``E`` an error
(JSON code and message), ``D`` done. An answer that stops
without ``E`` or ``D`` means that the child was killed by one of its limits.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import signal
import socket
import struct
import sys
import wave
from dataclasses import asdict, dataclass
from typing import IO, Any

import av
import msgspec

from auricle.core.errors import AuricleError, Internal
from auricle.media import decode
from auricle.media.info import RawAudio

HEADER = struct.Struct("<cI")
MEMORY_BYTES = 2 << 30
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38
_NOBODY = 65534


_UNEXPECTED = "The recording could not be decoded because of a fault here; it has been logged."


@dataclass(frozen=True, slots=True)
class Request:
    """What to do with the recording that comes with it."""

    action: str
    """``probe``, ``decode``, ``sound`` or ``describe`` (answers what the jail could shut off)."""
    name: str = ""
    raw: RawAudio | None = None
    max_seconds: float = 0.0
    cpu_seconds: int = 60
    sample_rate: int = 0
    """Of ``sound``."""


def main(control_fd: int) -> None:
    """Serve requests until the other end of the control socket closes."""
    control = socket.socket(fileno=control_fd)
    no_network = _leave_network()
    _warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are never waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, fds, _, _ = socket.recv_fds(control, 65536, 2)
        if not message:
            return
        if len(fds) == 2 and os.fork() == 0:
            _child(msgspec.json.decode(message, type=Request), fds[0], fds[1], no_network)
        for fd in fds:
            os.close(fd)


def _leave_network() -> bool:
    """Move into a network namespace without interfaces; False where that is not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return any(
        libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET)
    )


def _warm_up() -> None:
    """Load all that decoding will need, because a child cannot open any file."""
    silence = io.BytesIO()
    with wave.open(silence, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(3200))
    av.logging.set_level(None)
    for raw in (None, RawAudio("pcm_f16le", 8000)):
        source = decode.Source(silence, "", raw)
        decode.probe(source)
        for _ in (*decode.decode(source, 1.0), *decode.sound(source, 48_000, 1.0)):
            pass


def _child(request: Request, input_fd: int, output_fd: int, no_network: bool) -> None:
    """Serve one request and exit; never returns."""
    try:
        _shut_in(input_fd, output_fd, request.cpu_seconds)
        with open(4, "wb", buffering=0) as answer:
            recording: IO[bytes] = io.BufferedReader(_Recording(3), 1 << 16)
            output = _Output(answer)
            try:
                _serve(request, recording, output, no_network)
            except AuricleError as error:
                output.send(b"E", json.dumps([error.code, error.message]).encode())
            except (BrokenPipeError, MemoryError):
                raise  # nobody reads any more; too large for the jail
            except Exception as error:
                os.write(2, f"decoder: {type(error).__name__}: {error}\n".encode())
                output.send(b"E", json.dumps([Internal.code, _UNEXPECTED]).encode())
    except BaseException:  # nothing may run the parent's code in a forked child
        os._exit(1)
    os._exit(0)


def _shut_in(input_fd: int, output_fd: int, cpu_seconds: int) -> None:
    """Keep nothing but the two descriptors, as 3 and 4, and set the limits."""
    high = [os.dup2(fd, 100 + n) for n, fd in enumerate((input_fd, output_fd))]
    os.dup2(high[0], 3)
    os.dup2(high[1], 4)
    os.closerange(5, 65536)
    # Descriptors that are open stay usable, but no file and no socket can be opened any more.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.geteuid() == 0:  # who could raise the limits again
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


class _Recording(io.RawIOBase):
    """A file that is read at positions of its own.

    The descriptor shares its offset with everybody who holds it, a child that is just being told
    to stop for instance; ``pread`` does not care.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._fd, [buffer], self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = (0, self._position, os.fstat(self._fd).st_size)[whence]
        self._position = max(0, base + offset)
        return self._position


class _Output:
    """Writes the frames of an answer; writing blocks while the reader is behind."""

    def __init__(self, stream: io.RawIOBase | io.FileIO) -> None:
        self._stream = stream

    def send(self, kind: bytes, payload: bytes | memoryview = b"") -> None:
        for part in (HEADER.pack(kind, len(payload)), payload):
            view = memoryview(part)
            while view:
                view = view[self._stream.write(view) :]


def _serve(request: Request, recording: IO[bytes], output: _Output, no_network: bool) -> None:
    source = decode.Source(recording, request.name, request.raw)
    if request.action == "describe":
        output.send(b"I", json.dumps({"network_namespace": no_network}).encode())
    elif request.action == "probe":
        info = decode.probe(source)
        output.send(b"I", json.dumps(asdict(info)).encode())
    elif request.action == "sound":
        for block in decode.sound(source, request.sample_rate, request.max_seconds):
            output.send(bytes([block.shape[1]]), block.tobytes())
    else:
        for block in decode.decode(source, request.max_seconds):
            output.send(b"S", block.tobytes())
    output.send(b"D")


if __name__ == "__main__":
    main(int(sys.argv[1]))
