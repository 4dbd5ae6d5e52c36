"""Which language a text is in."""

from __future__ import annotations

import py3langid

from auricle.core.errors import UnknownLanguage
from auricle.transcript.languages import parse

LOOKED_AT = 4_000
"""Characters of a text that are looked at."""

SURE = 4.0
"""Nepers by which another language must beat English: a few words with names say little."""


def detect(text: str) -> str:
    """Whisper's code of a text's language; English where it cannot be told."""
    ranked = py3langid.rank(text[:LOOKED_AT])
    found, best = ranked[0]
    if best - dict(ranked).get("en", best) < SURE:
        return "en"
    try:
        return parse(found) or "en"
    except UnknownLanguage:
        return "en"
