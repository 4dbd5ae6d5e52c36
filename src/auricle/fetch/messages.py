"""What passes between a worker and the process that reads a platform's page.

Each message is one datagram. The worker sends a :class:`Task` and answers each :class:`Dial`: with
a connected socket's descriptor, or without one and with a sentence. All else comes from the jail,
and is believed no more than any stranger.
"""

from __future__ import annotations

from typing import Literal

import msgspec

MAX_BYTES = 65_536
"""Of one message."""

RESULT = "recording"
"""The file in the work folder."""


class Task(msgspec.Struct, frozen=True):
    """What the worker wants."""

    url: str
    extractors: list[str]
    """As yt-dlp's ``--use-extractors``."""
    max_bytes: int
    cpu_s: int


class Dial(msgspec.Struct, frozen=True, tag=True):
    """Ask for a connection."""

    host: str
    port: int


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Bytes downloaded so far, and of how many."""

    done: int
    total: int | None


class Done(msgspec.Struct, frozen=True, tag=True):
    """The recording lies in the work folder."""

    title: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """There will be no recording."""

    why: Literal["foreign", "list", "live", "platform", "memory", "fault"]
    """No allowed platform's page, a list, a live stream; what the platform or yt-dlp says; out of
    memory; a fault of this machine."""
    text: str = ""


Message = Dial | Progress | Done | Failed
