"""Numbers that clients send, in forms, in queries and in JSON."""

from __future__ import annotations

import math
from typing import Any

from auricle.core.errors import BadRequest


def number(value: Any, name: str, least: float, most: float) -> float:
    """``value`` as a number. Raises :class:`BadRequest` if it is none, or outside its limits."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not least <= found <= most:
        shown = str(value)[:50]
        raise BadRequest(f"{name} must be a number from {least:g} to {most:g}, not {shown!r}.")
    return found
