"""What both ways of fetching share: where bytes go, who is told, and when it is enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from auricle.core.errors import TooLarge, Unreachable

Told = Callable[[int, int | None], None]
"""Takes the bytes that have come and, where known, how many there will be; may raise."""


class Sink(Protocol):
    """Where a recording is written to."""

    size: int
    """Bytes written so far."""

    def write(self, data: bytes) -> None:
        """Append bytes. Raises :class:`TooLarge`, and :class:`Unavailable` on a full disk."""

    def restart(self) -> None:
        """Forget what was written, and begin anew."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long servers are waited for, and how often they are asked again."""

    total_s: float = 2 * 3600.0
    """For one recording, all attempts together."""
    window_s: float = 60.0
    """In which at least ``window_bytes`` must come."""
    window_bytes: int = 64_000
    tell_s: float = 1.0
    """Between two calls of ``told``."""
    retries: int = 2
    """Of a first request that the server could not answer (429, 5xx)."""
    breaks: int = 20
    """Of the connection, all together."""
    barren_breaks: int = 5
    """In a row, none of which brought anything new."""
    pause_s: float = 0.5
    """Before the first new attempt; it doubles while nothing new comes."""
    longest_pause_s: float = 30.0
    """That a server may ask for with ``Retry-After``."""
    page_cpu_s: int = 600
    """Processor time for one page with its download."""


class Watch:
    """Keeps a transfer within its limits and tells how far it is."""

    def __init__(self, limits: Limits, told: Told) -> None:
        self.limits = limits
        self._told = told
        self._ends = time.monotonic() + limits.total_s
        self._next = 0.0
        self.done = 0
        self.total: int | None = None
        self.renew()

    def renew(self) -> None:
        """Give the other side a whole window again: something was asked of it just now."""
        self._window = time.monotonic() + self.limits.window_s, self.done

    def left_s(self) -> float:
        """Seconds until the end of all patience. Raises :class:`Unreachable` after it."""
        left = self._ends - time.monotonic()
        if left <= 0:
            hours = self.limits.total_s / 3600
            raise Unreachable(f"The recording did not arrive within {hours:g} hours.")
        return left

    def tell(self) -> None:
        """Say how far it is, if that has not just been said; lets ``told`` stop everything."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self.limits.tell_s
            self._told(self.done, self.total)

    def check(self, done: int, total: int | None) -> None:
        """Look at the clock and at what has come. Raises :class:`Unreachable`."""
        self.done, self.total = done, total
        self.left_s()
        self.tell()
        ends, before = self._window
        if done - before >= self.limits.window_bytes:
            self.renew()
        elif time.monotonic() >= ends:
            raise Unreachable(
                f"The server sends too slowly: less than {self.limits.window_bytes // 1000} kB "
                f"in {self.limits.window_s:g} seconds."
            )


def too_large(max_bytes: int) -> TooLarge:
    """The refusal of a recording that is too large."""
    return TooLarge(f"The recording at this address is larger than {max_bytes / 1e6:g} MB.")
