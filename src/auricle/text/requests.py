"""What can be asked of the text worker, as it goes over the link."""

from __future__ import annotations

from typing import Any

import msgspec

from auricle.text.retrieve import About
from auricle.text.source import Piece, Source

DIMENSIONS = 384
"""Numbers of a vector."""


class Summarize(msgspec.Struct, frozen=True):
    """A summary in one of the styles of :mod:`auricle.text.wording`."""

    source: Source
    style: str
    language: str = ""
    """Of the answer; that of the text when empty."""
    topics: bool = False
    """Whether to name the main topics as well."""


class Analyze(msgspec.Struct, frozen=True):
    """Some kinds of analysis."""

    source: Source
    kinds: tuple[str, ...]
    language: str = ""


class Generate(msgspec.Struct, frozen=True):
    """Something that is written from a text."""

    source: Source
    kind: str
    language: str = ""
    wish: str = ""
    """What the person who asks wants besides."""


class Chat(msgspec.Struct, frozen=True):
    """A question, with the segments that a search has found for it."""

    question: str
    found: tuple[Piece, ...]
    history: tuple[tuple[str, str], ...]
    language: str
    about: About = "part"
    speakers: tuple[str, ...] = ()
    """Everybody who speaks, for a question that is not about a part."""


class Translate(msgspec.Struct, frozen=True):
    """Texts to be translated."""

    texts: tuple[str, ...]
    source: str
    target: str


class Embed(msgspec.Struct, frozen=True):
    """Texts to be turned into vectors."""

    texts: tuple[str, ...]


class Embedded(msgspec.Struct, frozen=True):
    """Their vectors, and how many tokens they were."""

    vectors: bytes
    """``[texts, 384]``, float32, little endian."""
    tokens: int
    model: str


Request = Summarize | Analyze | Generate | Chat | Translate | Embed

METHODS: dict[str, type[Any]] = {
    "summarize": Summarize,
    "analyze": Analyze,
    "generate": Generate,
    "chat": Chat,
    "translate": Translate,
    "embed": Embed,
}
"""Names of the calls."""
