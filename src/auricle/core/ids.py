"""Identifiers: short, random, safe in paths and headers."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """Return 24 lower-case hexadecimal digits (96 random bits)."""
    return secrets.token_hex(12)
