"""What goes over the link: frames of four bytes of length (big endian) and a MessagePack map.

A caller sends :class:`Ask` and perhaps :class:`Stop`; the worker answers each ``Ask`` with any
number of :class:`Event` and then one :class:`Result` or :class:`Fault`. Calls on one connection
run beside each other and are told apart by ``id``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

LARGEST = 256 << 20
"""Bytes of a frame above which the other side is taken for something else."""


class Ask(msgspec.Struct, tag="ask"):
    """Run ``method``."""

    id: int
    method: str
    params: Any


class Stop(msgspec.Struct, tag="stop"):
    """Give up a call; it still ends with a fault or a result."""

    id: int


class Event(msgspec.Struct, tag="event"):
    """Something that a call says before its end."""

    id: int
    value: Any


class Result(msgspec.Struct, tag="result"):
    """The end of a call that went well."""

    id: int
    value: Any


class Fault(msgspec.Struct, tag="fault"):
    """The end of a call that went wrong, as :mod:`auricle.core.errors` writes it."""

    id: int
    code: str
    message: str
    retry_after: int | None


Request = Ask | Stop
Reply = Event | Result | Fault


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself in the registry."""

    id: str
    address: str
    """Path of its Unix socket."""
    pid: int
    models: tuple[str, ...]
    """Ids of the models that it can load."""
    gpu_name: str | None
    gpu_memory_mb: int


_encoder = msgspec.msgpack.Encoder()


def write(writer: asyncio.StreamWriter, frame: Request | Reply) -> None:
    """Queue a frame; ``await writer.drain()`` afterwards."""
    payload = _encoder.encode(frame)
    writer.write(len(payload).to_bytes(4, "big") + payload)


async def read(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next frame's payload, or None at the end of the stream."""
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > LARGEST:
            return None
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
