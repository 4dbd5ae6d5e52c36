"""What goes over the link: frames of four bytes of length (big endian) and a MessagePack map.

A caller sends one :class:`Ask` and then any number of :class:`Tell`; the worker answers with any
number of :class:`Event` and then one :class:`Result` or :class:`Fault`.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec

from auricle.core.errors import Unavailable

LARGEST = 64 << 20
"""Bytes of a frame above which the other side is taken for something else."""


class Ask(msgspec.Struct, tag="ask"):
    """Run ``method``."""

    method: str
    params: Any


class Tell(msgspec.Struct, tag="tell"):
    """Something that a caller adds while the call runs."""

    value: Any


class Event(msgspec.Struct, tag="event"):
    """Something that a call says before its end."""

    value: Any


class Result(msgspec.Struct, tag="result"):
    """The end of a call that went well."""

    value: Any


class Fault(msgspec.Struct, tag="fault"):
    """The end of a call that went wrong, as :mod:`auricle.core.errors` writes it."""

    code: str
    message: str
    retry_after: int | None


Reply = Event | Result | Fault
Frame = TypeVar("Frame")

_encoder = msgspec.msgpack.Encoder()


async def write(writer: asyncio.StreamWriter, frame: Ask | Tell | Reply) -> None:
    """Send a frame; waits while the other side does not read. Raises ``ConnectionError``."""
    payload = _encoder.encode(frame)
    writer.write(len(payload).to_bytes(4, "big") + payload)
    await writer.drain()


async def read(
    reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[Frame]
) -> Frame | None:
    """Return the next frame, or None at the end of the stream.

    Raises :class:`Unavailable` for what is no frame.
    """
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > LARGEST:
            raise Unavailable("The other side of the link does not speak its protocol.")
        return decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except msgspec.DecodeError as error:
        raise Unavailable("The other side of the link does not speak its protocol.") from error
