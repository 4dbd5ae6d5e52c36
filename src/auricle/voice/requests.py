"""What can be asked of the voice engine, as it goes over the link.

A call answers with one :class:`Begun`, then with the file in pieces (``{"data": bytes}``).
"""

from __future__ import annotations

from typing import Any

import msgspec


class Enhance(msgspec.Struct, frozen=True):
    """Take the noise out of a recording."""

    path: str
    """Of the upload, on this machine."""
    name: str
    """As its sender called it."""
    format: str
    """One of :data:`auricle.voice.formats.ENHANCED`."""
    strength: float
    """0 to 1."""
    max_seconds: float


class Speak(msgspec.Struct, frozen=True):
    """Speak a text with a voice that has a name."""

    text: str
    voice: str
    language: str
    """A code; that of the voice when empty."""
    format: str
    speed: float


class Clone(msgspec.Struct, frozen=True):
    """Speak a text with the voice of a recording."""

    path: str
    name: str
    text: str
    model: str
    """An id of the catalog; the first installed one when empty."""
    format: str
    who: str
    """The customer, for the log."""
    consent: bool
    """Whether they say that whoever speaks in the recording agrees."""


class Begun(msgspec.Struct, frozen=True):
    """What is known when the sound begins."""

    media_type: str
    model: str
    seconds: float | None = None
    """How long it is, where all of it is there."""
    took_s: float | None = None
    """Seconds that making it took, where all of it is there."""
    bytes: int | None = None
    gain_db: float | None = None
    voice: str = ""
    """Which one speaks, and in what language."""
    language: str = ""


Request = Enhance | Speak | Clone

METHODS: dict[str, type[Any]] = {"enhance": Enhance, "speak": Speak, "clone": Clone}
"""Names of the calls."""
