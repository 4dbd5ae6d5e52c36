"""Logging of every Auricle process: one line an event, on standard error."""

from __future__ import annotations

import logging


def configure(process: str, level: int = logging.INFO) -> None:
    """Send this process's log lines to standard error, marked with its name."""
    logging.basicConfig(
        level=level,
        format=f"%(asctime)s %(levelname)s {process} %(name)s: %(message)s",
        force=True,
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
