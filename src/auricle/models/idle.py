"""A model that is loaded when it is needed and unloaded when nobody has needed it for a while."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Loaded = TypeVar("Loaded")


class Idle(Generic[Loaded]):
    """One model, shared by all who hold it."""

    def __init__(self, load: Callable[[], Loaded], idle_s: float) -> None:
        self._load = load
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._loaded: Loaded | None = None
        self._users = 0
        self._left = 0.0

    @contextmanager
    def hold(self) -> Iterator[Loaded]:
        """Have the model loaded for the length of a block."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            self._users += 1
            loaded = self._loaded
        try:
            yield loaded
        finally:
            with self._lock:
                self._users -= 1
                self._left = time.monotonic()

    def unload_if_idle(self) -> bool:
        """Unload the model if nobody has held it for long enough; whether that was so."""
        with self._lock:
            if self._loaded is None or self._users:
                return False
            if time.monotonic() - self._left < self._idle_s:
                return False
            self._loaded = None
        gc.collect()
        return True
