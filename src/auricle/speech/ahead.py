"""Drawing from an iterator before its items are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(drawn: Generator[T], most: int) -> Iterator[T]:
    """Yield what ``drawn`` yields; a thread of its own draws up to ``most`` items ahead.

    Errors come where their item would have come. ``drawn`` is closed when this is.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        calls = deque(pool.submit(next, drawn, None) for _ in range(most))
        while (item := calls.popleft().result()) is not None:
            calls.append(pool.submit(next, drawn, None))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)
        drawn.close()
