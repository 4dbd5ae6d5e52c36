"""How many cores there are for an engine. Nothing heavy is imported here: all workers read it."""

from __future__ import annotations

import os

from auricle.core.settings import Settings


def threads(settings: Settings) -> int:
    """Processor threads of an engine."""
    return settings.threads or available_cores()


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))
