"""A name in a text, and what finds names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Named:
    """A name in a text."""

    text: str
    kind: str
    start: int
    """Characters from the beginning of the text."""
    end: int


class Finder(Protocol):
    """A model that knows names."""

    model: str
    """Its id."""

    def find(self, texts: Sequence[str]) -> Iterator[list[Named]]:
        """The names in each text."""
        ...
