"""What the worker processes have in common: when they end, and who goes first."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

BEHIND = 5
"""By how much work on text is nicer than recordings: a third of the processor, where both want it
all."""

AUTOGROUP = Path("/proc/self/autogroup")


def stand_back() -> None:
    """Let all others go first."""
    os.nice(BEHIND)
    # Linux shares the processor out among sessions before it looks at niceness (sched(7)); a
    # session has a niceness of its own.
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # kernels without
            AUTOGROUP.write_text(str(BEHIND))


def stopping(leash: IO[bytes] | None) -> asyncio.Event:
    """An event that is set by SIGTERM, by SIGINT, and by the end of ``leash``, which comes when
    whoever holds its other end dies in whatever way. To be called in the event loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if leash is not None:
        threading.Thread(target=_watch, args=(leash, loop, stop), daemon=True).start()
    return stop


def _watch(leash: IO[bytes], loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    leash.read()
    loop.call_soon_threadsafe(stop.set)
