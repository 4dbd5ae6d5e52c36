"""Which models are in memory: few, because they are large, and shared, because they load slowly."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Loaded = TypeVar("Loaded")


class Residency(Generic[Loaded]):
    """Keeps at most ``room`` models loaded; the one unused for longest goes first.

    A model that is in use is never unloaded, so more than ``room`` can be resident for a while.
    """

    def __init__(self, load: Callable[[str], Loaded], room: int = 1) -> None:
        self._load = load
        self._room = room
        self._lock = threading.Lock()
        self._resident: OrderedDict[str, Loaded] = OrderedDict()
        self._users: dict[str, int] = {}

    @contextmanager
    def hold(self, model_id: str) -> Iterator[Loaded]:
        """Have a model loaded for the length of a block."""
        with self._lock:
            if model_id not in self._resident:
                self._make_room()
                self._resident[model_id] = self._load(model_id)
            self._resident.move_to_end(model_id)
            self._users[model_id] = self._users.get(model_id, 0) + 1
            loaded = self._resident[model_id]
        try:
            yield loaded
        finally:
            with self._lock:
                self._users[model_id] -= 1

    def _make_room(self) -> None:
        idle = [model for model in self._resident if not self._users.get(model)]
        for model in idle[: max(0, len(self._resident) - self._room + 1)]:
            del self._resident[model]
