"""Asking an engine directly, without the scheduler's thread."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from auricle.speech.engines import Align, Aligned, Ask, Decode, Decoded, Detect, Encode, Engine
from auricle.speech.engines.protocol import F32

T = TypeVar("T")


def together(engine: Engine, *steps: Coroutine[Ask, Any, T]) -> list[T]:
    """Have things done that begin at the same time."""
    results: dict[int, T] = {}
    asked: dict[Ask, int] = {}

    def go_on(number: int, answer: Any) -> None:
        try:
            ask = (
                steps[number].throw(answer)
                if isinstance(answer, Exception)
                else steps[number].send(answer)
            )
        except StopIteration as end:
            results[number] = end.value
        else:
            asked[ask] = number
            engine.add(ask)

    for number in range(len(steps)):
        go_on(number, None)
    while asked:
        for ask, answer in engine.work():
            go_on(asked.pop(ask), answer)
    return [results[number] for number in range(len(steps))]


async def _answer(ask: Any) -> Any:
    return await ask


def encode(engine: Engine, windows: Sequence[F32]) -> list[Any]:
    return together(engine, *(_answer(Encode(window)) for window in windows))


def detect(engine: Engine, encoded: Sequence[Any]) -> list[dict[str, float]]:
    return together(engine, *(_answer(Detect(each)) for each in encoded))


def decode(
    engine: Engine, encoded: Sequence[Any], prompt: Sequence[int], beam: int, temperature: float
) -> list[Decoded]:
    asks = (Decode(each, prompt, beam, temperature) for each in encoded)
    return together(engine, *map(_answer, asks))


def align(
    engine: Engine,
    encoded: Sequence[Any],
    start: Sequence[int],
    tokens: Sequence[Sequence[int]],
    durations: Sequence[float],
) -> list[Aligned]:
    each = zip(encoded, tokens, durations, strict=True)
    return together(engine, *(_answer(Align(e, start, t, d)) for e, t, d in each))
