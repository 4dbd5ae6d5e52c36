"""Which workers are alive: one small file each, touched every few seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from auricle.link.frames import WorkerInfo

BEAT_S = 2.0
"""Seconds between two heartbeats."""

DEAD_AFTER_S = 15.0


class Registry:
    """The folder of the workers' files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def register(self, worker: WorkerInfo) -> None:
        """Write a worker's file; readers see the old one or the new one, never half of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._file(worker.id).with_suffix(".tmp")
        draft.write_bytes(msgspec.json.encode(worker))
        draft.replace(self._file(worker.id))

    def beat(self, worker: WorkerInfo) -> None:
        """Say that a worker is alive."""
        try:
            os.utime(self._file(worker.id))
        except FileNotFoundError:
            self.register(worker)

    def remove(self, worker: WorkerInfo) -> None:
        """Forget a worker that ends."""
        self._file(worker.id).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all workers, sockets included: whoever calls this knows that none is alive."""
        for file in self._folder.glob("*.json"):
            worker = msgspec.json.decode(file.read_bytes(), type=WorkerInfo)
            Path(worker.address).unlink(missing_ok=True)
            file.unlink()

    def alive(self) -> list[WorkerInfo]:
        """The workers whose heart has beaten lately."""
        return list(self._alive())

    def _alive(self) -> Iterator[WorkerInfo]:
        for file in sorted(self._folder.glob("*.json")):
            try:
                if time.time() - file.stat().st_mtime < DEAD_AFTER_S:
                    yield msgspec.json.decode(file.read_bytes(), type=WorkerInfo)
            except FileNotFoundError:  # it ended just now
                continue

    def _file(self, worker_id: str) -> Path:
        return self._folder / f"{worker_id}.json"
