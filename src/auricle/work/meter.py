"""What a worker can say of its speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Counts from the start of the process. Thread-safe."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._running = 0
        self._since = 0.0
        self._busy_s = 0.0
        self._audio_s = 0.0
        self._windows = 0
        self._batches = 0

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

    def heard(self, seconds: float) -> None:
        """Count audio that has been transcribed."""
        with self._lock:
            self._audio_s += seconds

    def batch(self, windows: int) -> None:
        """Count a batch that the engine has encoded."""
        with self._lock:
            self._windows += windows
            self._batches += 1

    def stats(self) -> dict[str, float]:
        """The figures; the real-time factor is processing time over audio time."""
        with self._lock:
            busy = self._busy_s + (time.monotonic() - self._since if self._running else 0.0)
            places = self._batches * self._batch_size
            return {
                "audio_seconds": self._audio_s,
                "busy_seconds": busy,
                "real_time_factor": busy / self._audio_s if self._audio_s else 0.0,
                "batch_fill": self._windows / places if places else 0.0,
                "running": float(self._running),
            }
