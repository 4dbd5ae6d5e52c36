"""How fast the models for speech are on this machine: measured when they are installed, or else
estimated from one that was."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from auricle.models.catalog import Model, find

FAST_ENOUGH = 3.0
"""Times real time from which a model can be the default one."""


class _Kept(msgspec.Struct):
    """The file: what was measured on which processor."""

    processor: str
    speeds: dict[str, float]


class Speeds:
    """The figures of one folder of models."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "speeds.json"

    def measured(self, model: Model) -> float | None:
        """Times real time that a model has reached here."""
        return self._kept().speeds.get(model.id)

    def expected(self, model: Model) -> float | None:
        """The same, or an estimate from another model; None where nothing was measured."""
        return _expected(model, self._kept().speeds)

    def note(self, model: Model, times_real_time: float) -> None:
        """Keep what was measured."""
        kept = self._kept()
        kept.speeds[model.id] = round(times_real_time, 1)
        draft = self._file.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.encode(kept))
        draft.replace(self._file)

    def ordered(self, models: Iterable[Model]) -> list[Model]:
        """The best by default first: those that are fast enough, the largest of them first, then
        the others, the fastest first."""
        speeds = self._kept().speeds

        def rank(model: Model) -> tuple[bool, float]:
            speed = _expected(model, speeds)
            enough = speed is None or speed >= FAST_ENOUGH
            return enough, model.parameters if enough else speed or 0.0

        return sorted(models, key=rank, reverse=True)

    def _kept(self) -> _Kept:
        """What was measured on this processor: on another it means nothing."""
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return _Kept(processor(), {})
        return kept if kept.processor == processor() else _Kept(processor(), {})


def _expected(model: Model, speeds: Mapping[str, float]) -> float | None:
    if model.id in speeds or not speeds or not model.cost:
        return speeds.get(model.id)
    known, speed = next(iter(speeds.items()))
    return speed * find(known).cost / model.cost


@cache
def processor() -> str:
    """The processor's name, and how many of its cores this process may use."""
    name = "unknown"
    with open("/proc/cpuinfo", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {len(os.sched_getaffinity(0))} cores"
