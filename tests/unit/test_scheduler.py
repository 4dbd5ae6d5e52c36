"""Whose turn it is at the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait

import numpy as np
import pytest

from auricle.speech.engines import Ask, Decode, Decoded, Encode
from auricle.speech.engines.batched import Batched
from auricle.speech.engines.fake import FakeEncoded, FakeEngine
from auricle.speech.scheduler import PATIENCE, Claim, Priority, Scheduler

SECOND = np.zeros(16_000, np.float32)


class Gated(FakeEngine):
    """Writes down who was encoded, named by the loudness of their samples, once it may begin."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.reached = threading.Event(), threading.Event()
        self.order: list[int] = []
        self.batches: list[int] = []

    def encode(self, windows):  # type: ignore[no-untyped-def]
        self.reached.set()
        assert self.gate.wait(20)
        self.order += [int(samples[0]) for samples in windows]
        self.batches.append(len(windows))
        return super().encode(windows)


async def hear(number: int) -> int:
    encoded = await Encode(SECOND + np.float32(number))
    await Decode(encoded, [0], 1, 0.0)
    return number


def submit(
    scheduler: Scheduler, engine: Batched, claims: Sequence[Claim], first: int = 0
) -> list[Future[int]]:
    return [
        scheduler.submit(engine, hear(first + place), claim) for place, claim in enumerate(claims)
    ]


@pytest.fixture
def engine() -> Gated:
    return Gated()


@pytest.fixture
def blocked(engine: Gated) -> tuple[Scheduler, Batched]:
    """A scheduler whose engine waits with a first window, so that others gather behind it."""
    scheduler, one_by_one = Scheduler(), Batched(engine, 1)
    scheduler.submit(one_by_one, hear(0))
    assert engine.reached.wait(20)
    return scheduler, one_by_one


def test_live_comes_before_short_and_short_before_long(
    engine: Gated, blocked: tuple[Scheduler, Batched]
) -> None:
    order = [Priority.LONG, Priority.SHORT, Priority.LIVE, Priority.SHORT]
    futures = submit(*blocked, [Claim(priority) for priority in order], first=1)
    engine.gate.set()
    assert [future.result(20) for future in futures] == [1, 2, 3, 4]
    assert engine.order == [0, 3, 2, 4, 1]


def test_where_nothing_was_under_way_long_work_does_not_go_first(engine: Gated) -> None:
    """Both wait before the thread that drives them looks."""
    scheduler = Scheduler()
    scheduler._running = True
    claims = [Claim(Priority.LONG), Claim(Priority.SHORT)]
    futures = submit(scheduler, Batched(engine, 1), claims, first=1)
    engine.gate.set()
    scheduler._run()
    assert [future.result(20) for future in futures] == [1, 2]
    assert engine.order == [2, 1]


def test_accounts_take_turns(engine: Gated, blocked: tuple[Scheduler, Batched]) -> None:
    accounts = ["much", "much", "much", "little", "much", "other", "little"]
    claims = [Claim(Priority.LONG, account) for account in accounts]
    wait_for = submit(*blocked, claims, first=1)
    engine.gate.set()
    wait(wait_for, 20)
    assert engine.order == [0, 1, 4, 6, 2, 7, 3, 5]


def test_windows_that_wait_go_together_as_far_as_there_is_room(engine: Gated) -> None:
    scheduler, four = Scheduler(), Batched(engine, 4)
    first = scheduler.submit(four, hear(0))
    assert engine.reached.wait(20)
    rest = submit(scheduler, four, [Claim()] * 8, first=1)
    engine.gate.set()
    assert [future.result(20) for future in (first, *rest)] == list(range(9))
    assert engine.batches[0] == 1
    assert max(engine.batches) <= 4
    assert len(engine.batches) <= 4, "no batch is begun with one window when more wait"


def test_what_goes_wrong_with_one_batch_is_told_to_those_in_it_alone() -> None:
    class Failing(FakeEngine):
        def decode(self, encoded: FakeEncoded, *rest: object) -> list[Decoded]:
            if 1 in encoded.numbers:
                raise MemoryError("no room for the second window")
            return super().decode(encoded, [0], 1, 0.0)

    scheduler, engine = Scheduler(), Batched(Failing(), 1)
    futures = submit(scheduler, engine, [Claim()] * 3)
    assert (futures[0].result(20), futures[2].result(20)) == (0, 2)
    with pytest.raises(MemoryError):
        futures[1].result(20)


def test_an_engine_that_breaks_off_leaves_nobody_waiting() -> None:
    class Broken(Batched):
        def work(self):  # type: ignore[no-untyped-def]
            if self.broken:
                raise RuntimeError("a fault of ours")
            return super().work()

        def add(self, ask: Ask) -> None:
            if isinstance(ask, Decode) and ask.beam_size == 0:
                raise ValueError("no such search")
            super().add(ask)

        broken = True

    async def absurd() -> None:
        await Decode(await Encode(SECOND), [0], 0, 0.0)

    scheduler, engine = Scheduler(), Broken(FakeEngine(), 2)
    for future in submit(scheduler, engine, [Claim()] * 3):
        with pytest.raises(RuntimeError, match="a fault of ours"):
            future.result(20)
    engine.broken = False
    with pytest.raises(ValueError, match="no such search"):
        scheduler.submit(engine, absurd()).result(20)
    assert scheduler.submit(engine, hear(7)).result(20) == 7


def test_what_is_cancelled_before_its_turn_never_begins(
    engine: Gated, blocked: tuple[Scheduler, Batched]
) -> None:
    futures = submit(*blocked, [Claim()] * 3, first=1)
    assert futures[1].cancel()
    engine.gate.set()
    assert (futures[0].result(20), futures[2].result(20)) == (1, 3)
    assert engine.order == [0, 1, 3]


def test_no_rush_of_urgent_work_keeps_long_work_from_beginning(
    engine: Gated, blocked: tuple[Scheduler, Batched]
) -> None:
    long = submit(*blocked, [Claim(Priority.LONG)] * 2, first=100)
    urgent = submit(*blocked, [Claim(Priority.SHORT)] * 60, first=1)
    engine.gate.set()
    wait([*long, *urgent], 20)
    places = [engine.order.index(number) for number in (100, 101)]
    assert 0 < places[0] < places[1] < 40
    assert places[1] - places[0] >= PATIENCE // 2, "nor do they crowd out what is urgent"


def test_two_engines_are_driven_side_by_side() -> None:
    scheduler = Scheduler()
    engines = [Batched(FakeEngine(seconds=0.001), 1) for _ in range(2)]
    futures = [future for engine in engines for future in submit(scheduler, engine, [Claim()] * 20)]
    assert len([future.result(20) for future in futures]) == 40


def test_many_threads_may_submit_at_the_same_time() -> None:
    scheduler, engine = Scheduler(), Batched(FakeEngine(), 4)
    results: list[int] = []

    def client(first: int) -> None:
        for place in range(20):
            results.append(scheduler.submit(engine, hear(first + place)).result(20))
            time.sleep(0.0005)

    threads = [threading.Thread(target=client, args=(100 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [100 * n + place for n in range(8) for place in range(20)]
