"""What a worker can say of its speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Counts from the start of the process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._live = 0
        self._since = 0.0
        self._busy_s = 0.0
        self._audio_s = 0.0
        self._windows = 0
        self._places = 0

    @contextmanager
    def transcribing(self) -> Iterator[None]:
        """Count the time in which something is transcribed: once, however many run."""
        with self._lock:
            self._since = self._since if self._running else time.monotonic()
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._busy_s += time.monotonic() - self._since

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count a live session."""
        with self._lock:
            self._live += 1
        try:
            yield
        finally:
            with self._lock:
                self._live -= 1

    def heard(self, seconds: float) -> None:
        """Count audio that has been transcribed."""
        with self._lock:
            self._audio_s += seconds

    def worked(self, windows: int, places: int) -> None:
        """Count a piece of the engine's work: on how many windows at a time, of how many."""
        with self._lock:
            self._windows += windows
            self._places += places

    def stats(self) -> dict[str, float]:
        """The figures; the real-time factor is processing time over audio time."""
        with self._lock:
            busy = self._busy_s + (time.monotonic() - self._since if self._running else 0.0)
            return {
                "audio_seconds": self._audio_s,
                "busy_seconds": busy,
                "real_time_factor": busy / self._audio_s if self._audio_s else 0.0,
                "batch_fill": self._windows / self._places if self._places else 0.0,
                "running": float(self._running),
                "live_sessions": float(self._live),
            }
