"""Engines that take whole batches, and wait for each to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from auricle.speech.engines.protocol import (
    F32,
    Align,
    Aligned,
    Ask,
    Decode,
    Decoded,
    Detect,
    Encode,
    Tokens,
)


class Batch(Protocol):
    """Windows that were encoded together, wherever they live."""

    def __len__(self) -> int:
        """How many windows."""
        ...

    def select(self, rows: Sequence[int]) -> Batch:
        """The same for some of the windows."""
        ...


class BatchEngine(Protocol):
    """One loaded model. ``encoded`` is always what its own :meth:`encode` has returned."""

    model: str
    """Its id."""

    @property
    def tokens(self) -> Tokens:
        """Its vocabulary."""
        ...

    def encode(self, windows: Sequence[F32]) -> Batch:
        """Encode windows of at most 30 s of samples at 16 kHz."""
        ...

    def detect_languages(self, encoded: Any) -> list[dict[str, float]]:
        """Probabilities of the languages, for each window."""
        ...

    def decode(
        self, encoded: Any, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        """Decode each window after the same prompt; sampling when ``temperature`` > 0."""
        ...

    def align(
        self,
        encoded: Any,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        """Find when each token was spoken; ``durations`` are the windows' seconds of sound."""
        ...


@dataclass(frozen=True, slots=True)
class _Place:
    """A window in a batch."""

    batch: Batch
    row: int


class Batched:
    """Makes batches of what is asked: of the oldest, and all that agrees with it.

    Windows stay with those that they were encoded with.
    """

    def __init__(self, engine: BatchEngine, together: int) -> None:
        self._engine = engine
        self.together = together
        self._asked: list[Ask] = []

    @property
    def model(self) -> str:
        """The model's id."""
        return self._engine.model

    @property
    def tokens(self) -> Tokens:
        """The model's vocabulary."""
        return self._engine.tokens

    def room(self, *, urgent: bool) -> int:
        """Urgent windows make a batch larger by half."""
        most = self.together + self.together // 2 if urgent else self.together
        return most - len(self._asked)

    def add(self, ask: Ask) -> None:
        """Note something to do."""
        self._asked.append(ask)

    def work(self) -> list[tuple[Ask, Any]]:
        """Work on one batch; returns its answers."""
        agreed = _agreement(self._asked[0])
        group = [ask for ask in self._asked if _agreement(ask) == agreed]
        self._asked = [ask for ask in self._asked if ask not in group]
        try:
            return list(zip(group, self._answer(group), strict=True))
        except Exception as error:
            return [(ask, error) for ask in group]

    def clear(self) -> None:
        """Forget all that was asked."""
        self._asked = []

    def _answer(self, group: Sequence[Any]) -> Sequence[Any]:
        first = group[0]
        if isinstance(first, Encode):
            batch = self._engine.encode([ask.samples for ask in group])
            return [_Place(batch, row) for row in range(len(group))]
        encoded = first.encoded.batch.select([ask.encoded.row for ask in group])
        if isinstance(first, Detect):
            return self._engine.detect_languages(encoded)
        if isinstance(first, Decode):
            prompt = [*first.prompt, *first.prefix]
            found = self._engine.decode(encoded, prompt, first.beam_size, first.temperature)
            return [replace(each, tokens=(*first.prefix, *each.tokens)) for each in found]
        tokens, durations = [ask.tokens for ask in group], [ask.duration for ask in group]
        return self._engine.align(encoded, first.start, tokens, durations)


def _agreement(ask: Ask) -> tuple[Any, ...]:
    """What things that are done in one batch have in common."""
    match ask:
        case Encode():
            return (Encode,)
        case Detect(encoded=place):
            return Detect, id(place.batch)
        case Decode(encoded=place, prompt=prompt, prefix=prefix):
            given = tuple(prompt), tuple(prefix)
            return Decode, id(place.batch), given, ask.beam_size, ask.temperature
        case Align(encoded=place, start=start):
            return Align, id(place.batch), tuple(start)
