"""Windows of all recordings and live sessions through the engines, many at a time.

What is to be done with one window is a coroutine that awaits what it asks of its engine. One
thread drives them all: it lets new ones begin as the engine has room, gives the engine what they
ask, and has it work, a piece after the other. Between two pieces anybody may begin, so nobody waits
for more than one; what is there already goes on beside them.

Live sessions come first, then short recordings, then long ones; among equals the accounts take
turns. The queue is bounded by those who submit: each recording waits for what it has submitted
(:data:`auricle.speech.pipeline.MOST_AHEAD`).
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, TypeVar

from auricle.speech.engines.protocol import Ask, Engine

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 8
"""Pieces of work between two windows of long recordings that begin while something urgent is under
way: each makes it wait. But no rush of urgent work keeps them from beginning for longer."""


class Priority(IntEnum):
    """How soon something is wanted."""

    LIVE = 0
    SHORT = 1
    LONG = 2


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose work it is, and how soon it is wanted."""

    priority: Priority = Priority.LONG
    account: str = ""


ANYTIME = Claim()


@dataclass(slots=True, eq=False)
class _Hearing(Generic[T]):
    """A coroutine under way, or waiting for its turn."""

    engine: Engine
    steps: Coroutine[Ask, Any, T]
    claim: Claim
    future: Future[T] = field(default_factory=Future)

    @property
    def urgent(self) -> bool:
        return self.claim.priority < Priority.LONG


class Scheduler:
    """Drives the engines of a process. Thread-safe."""

    def __init__(self, note: Callable[[int, int], None] = lambda _active, _places: None) -> None:
        """``note`` hears of each piece of work: windows under way, and places for them."""
        self._note = note
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._lock = threading.Lock()
        self._waiting = _Waiting()
        self._asked: dict[Ask, _Hearing[Any]] = {}
        self._running = False
        self._since_long = 0

    def submit(
        self, engine: Engine, steps: Coroutine[Ask, Any, T], claim: Claim = ANYTIME
    ) -> Future[T]:
        """Have something done. Its future can be cancelled until it begins."""
        hearing = _Hearing(engine, steps, claim)
        with self._lock:
            self._waiting.add(hearing)
            if not self._running:
                self._running = True
                self._thread.submit(self._run)
        return hearing.future

    def _run(self) -> None:
        while True:
            try:
                while self._begin():
                    for engine in dict.fromkeys(each.engine for each in self._asked.values()):
                        self._work(engine)
                return
            except Exception as error:  # a fault of ours, but nobody may wait for ever
                log.exception("the engine broke off; what it had in hand has failed")
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Tell all who are under way."""
        failed, self._asked = self._asked, {}
        for hearing in failed.values():
            hearing.engine.clear()
            hearing.steps.close()
            hearing.future.set_exception(error)

    def _begin(self) -> bool:
        """Let begin what there is room for; returns whether anything is under way."""
        while True:
            with self._lock:
                hearing = self._next()
                if hearing is None:
                    self._running = bool(self._asked)
                    if not self._running:
                        self._since_long = 0  # nobody was kept from beginning
                    return self._running
            if not hearing.future.set_running_or_notify_cancel():
                hearing.steps.close()
                continue
            if not hearing.urgent:
                self._since_long = 0
            self._go_on(hearing, None)

    def _next(self) -> _Hearing[Any] | None:
        """Whose turn it is."""
        urgent = any(hearing.urgent for hearing in self._asked.values())
        if not (urgent or self._waiting.urgent):
            return self._waiting.pop(Priority, lambda h: h.engine.room(urgent=h.urgent) > 0)
        order = [Priority.LIVE, Priority.SHORT]
        if self._since_long >= PATIENCE:
            order.insert(0, Priority.LONG)
        return self._waiting.pop(order, lambda h: h.engine.room(urgent=True) > 0)

    def _work(self, engine: Engine) -> None:
        self._since_long += 1
        active = sum(hearing.engine is engine for hearing in self._asked.values())
        self._note(active, engine.together)
        for ask, answer in engine.work():
            self._go_on(self._asked.pop(ask), answer)

    def _go_on(self, hearing: _Hearing[Any], answer: Any) -> None:
        try:
            if isinstance(answer, Exception):
                ask = hearing.steps.throw(answer)
            else:
                ask = hearing.steps.send(answer)
            hearing.engine.add(ask)
        except StopIteration as end:
            hearing.future.set_result(end.value)
        except Exception as error:
            hearing.steps.close()
            hearing.future.set_exception(error)
        else:
            self._asked[ask] = hearing


class _Waiting:
    """Who waits for a turn."""

    def __init__(self) -> None:
        self._lines: list[OrderedDict[str, deque[_Hearing[Any]]]] = [
            OrderedDict() for _ in Priority
        ]

    @property
    def urgent(self) -> bool:
        """Whether anything urgent waits."""
        return any(self._lines[: Priority.LONG])

    def add(self, hearing: _Hearing[Any]) -> None:
        """Stand in line behind the same account's others."""
        line = self._lines[hearing.claim.priority]
        line.setdefault(hearing.claim.account, deque()).append(hearing)

    def pop(
        self, order: Iterable[Priority], fits: Callable[[_Hearing[Any]], bool]
    ) -> _Hearing[Any] | None:
        """Take the first that fits; who comes after it in its account stands behind the others."""
        for line in (self._lines[priority] for priority in order):
            for account, hearings in line.items():
                if fits(hearings[0]):
                    hearing = hearings.popleft()
                    line.move_to_end(account)
                    if not hearings:
                        del line[account]
                    return hearing
        return None
