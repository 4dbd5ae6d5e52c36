import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from auricle.core.errors import BadMedia, Cancelled, Internal, Unavailable
from auricle.link import Call, Handler, Link, Registry, WorkerInfo, serve
from auricle.link.client import Ended
from auricle.link.registry import DEAD_AFTER_S


@asynccontextmanager
async def linked(folder: Path, handlers: Mapping[str, Handler]) -> AsyncIterator[Link]:
    server = await serve(folder / "w.sock", handlers)
    link = await Link.connect(str(folder / "w.sock"))
    try:
        yield link
    finally:
        await link.close()
        server.close()


async def said(link: Link, method: str, params: Any = None) -> list[Any]:
    return [value async for value in link.call(method, params)]


def count(call: Call) -> str:
    for number in range(call.params):
        call.emit(number)
    return "done"


def test_a_call_streams_events_and_ends(tmp_path: Path) -> None:
    async def run() -> None:
        async with linked(tmp_path, {"count": count}) as link:
            assert await said(link, "count", 3) == [0, 1, 2, Ended("done")]
            many = await asyncio.gather(*(said(link, "count", n) for n in range(20)))
            assert [len(events) for events in many] == list(range(1, 21))

    asyncio.run(run())


def test_errors_arrive_as_themselves(tmp_path: Path) -> None:
    def bad(call: Call) -> None:
        raise BadMedia("not a recording")

    def broken(call: Call) -> None:
        raise ZeroDivisionError

    async def run() -> None:
        async with linked(tmp_path, {"bad": bad, "broken": broken}) as link:
            with pytest.raises(BadMedia, match="not a recording"):
                await said(link, "bad")
            with pytest.raises(Internal):
                await said(link, "broken")
            with pytest.raises(Internal):
                await said(link, "unheard of")

    asyncio.run(run())


def test_a_caller_that_leaves_stops_the_call(tmp_path: Path) -> None:
    ended: list[bool] = []

    def endless(call: Call) -> None:
        try:
            while True:
                call.emit("still here")
                time.sleep(0.01)
        except Cancelled:
            ended.append(True)
            raise

    async def run() -> None:
        async with linked(tmp_path, {"endless": endless}) as link:
            call = link.call("endless", None)
            assert await anext(call) == "still here"
            await call.aclose()
            while not ended:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 10))


def test_a_worker_that_dies_is_an_error_not_a_wait(tmp_path: Path) -> None:
    async def run() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.close()

        path = tmp_path / "w.sock"
        server = await asyncio.start_unix_server(hang_up, path)
        link = await Link.connect(str(path))
        with pytest.raises(Unavailable) as caught:
            await said(link, "transcribe")
        assert caught.value.retry_after
        with pytest.raises(Unavailable):
            await said(link, "transcribe")
        await link.close()
        server.close()
        with pytest.raises(Unavailable):
            await Link.connect(str(tmp_path / "nobody.sock"))

    asyncio.run(asyncio.wait_for(run(), 10))


def test_garbage_ends_a_connection_and_nothing_else(tmp_path: Path) -> None:
    async def run() -> None:
        async with linked(tmp_path, {"count": count}) as link:
            for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x02\xc1\xc1", b"\xff" * 20):
                reader, writer = await asyncio.open_unix_connection(tmp_path / "w.sock")
                writer.write(garbage)
                assert await reader.read() == b""
                writer.close()
            assert await said(link, "count", 0) == [Ended("done")]

    asyncio.run(asyncio.wait_for(run(), 10))


def worker(number: int) -> WorkerInfo:
    return WorkerInfo(f"w{number}", f"/tmp/{number}.sock", number, ("base",), None, 0)


def test_the_registry_forgets_workers_whose_heart_stops(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert registry.alive() == []
    registry.register(worker(1))
    registry.register(worker(2))
    assert registry.alive() == [worker(1), worker(2)]
    past = time.time() - DEAD_AFTER_S - 1
    os.utime(tmp_path / "w1.json", (past, past))
    assert registry.alive() == [worker(2)]
    registry.beat(worker(1))
    registry.remove(worker(2))
    assert registry.alive() == [worker(1)]
