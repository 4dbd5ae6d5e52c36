"""Calls from one process to another, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from auricle.core.errors import Internal, NoCredits, Unavailable
from auricle.link import Call, Handler, ask, call, serve, socket_path


@asynccontextmanager
async def listening(folder: Path, handlers: Mapping[str, Handler]) -> AsyncIterator[str]:
    path = socket_path(folder, "worker")
    async with await serve(path, handlers):
        yield str(path)


async def echo(running: Call) -> Any:
    """Say back each thing that is told, until the word is "end"."""
    async for value in running.told():
        if value == "end":
            break
        await running.emit(value)
    return running.params


def run(scene: Any) -> None:
    asyncio.run(asyncio.wait_for(scene, 20))


def test_what_is_told_comes_back_and_then_the_result(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            listening(tmp_path, {"echo": echo}) as address,
            call(address, "echo", {"whole": 1}) as conversation,
        ):
            for value in (b"\0" * 300_000, "end"):
                await conversation.tell(value)
            assert [event async for event in conversation] == [b"\0" * 300_000]
            assert conversation.result == {"whole": 1}

    run(scene())


def test_many_calls_run_beside_each_other(tmp_path: Path) -> None:
    meeting = asyncio.Barrier(20)

    async def meet(running: Call) -> Any:
        await meeting.wait()
        return running.params

    async def scene() -> None:
        async with listening(tmp_path, {"meet": meet}) as address:
            calls = [ask(address, "meet", n) for n in range(20)]
            assert await asyncio.gather(*calls) == list(range(20))

    run(scene())


def test_errors_arrive_as_what_they_are(tmp_path: Path) -> None:
    async def poor(running: Call) -> Any:
        raise NoCredits("Nothing is left.", retry_after=7)

    async def broken(running: Call) -> Any:
        return 1 / running.params

    async def scene() -> None:
        async with listening(tmp_path, {"poor": poor, "broken": broken}) as address:
            with pytest.raises(NoCredits, match="Nothing is left") as caught:
                await ask(address, "poor")
            assert caught.value.retry_after == 7
            with pytest.raises(Internal, match="has been logged"):
                await ask(address, "broken", 0)

    run(scene())


def test_a_caller_that_hangs_up_ends_the_call(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def patient(running: Call) -> Any:
        await running.emit("begun")
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    async def scene() -> None:
        async with listening(tmp_path, {"patient": patient}) as address:
            async with call(address, "patient") as conversation:
                async for _ in conversation:
                    break
            await ended.wait()

    run(scene())


def test_a_caller_waits_while_the_worker_does_not_take_what_it_tells(tmp_path: Path) -> None:
    async def deaf(running: Call) -> Any:
        await asyncio.sleep(3600)

    async def tell_on(conversation: Any) -> None:
        while True:
            await conversation.tell(b"\0" * 100_000)

    async def scene() -> None:
        async with (
            listening(tmp_path, {"deaf": deaf}) as address,
            call(address, "deaf") as conversation,
        ):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(tell_on(conversation), 1)

    run(scene())


def test_a_worker_that_dies_or_is_not_there_is_an_error_in_words(tmp_path: Path) -> None:
    async def scene() -> None:
        with pytest.raises(Unavailable, match="restarting"):
            await ask(str(tmp_path / "nobody.sock"), "echo")

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        path = str(tmp_path / "dying.sock")
        async with await asyncio.start_unix_server(hang_up, path):
            with pytest.raises(Unavailable, match="restarting"):
                await ask(path, "echo")

    run(scene())


def test_what_is_no_frame_closes_the_connection_and_nothing_else(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tmp_path, {"echo": echo}) as address:
            for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\2\xc1\xc1", b"\0\0"):
                reader, writer = await asyncio.open_unix_connection(address)
                writer.write(rubbish)
                writer.write_eof()
                assert await reader.read() == b""
                writer.close()
            async with call(address, "echo", "still there") as conversation:
                await conversation.tell("end")
                assert [event async for event in conversation] == []
                assert conversation.result == "still there"

    run(scene())


def test_a_socket_whose_path_would_be_too_long_is_elsewhere(tmp_path: Path) -> None:
    assert socket_path(tmp_path, "a").parent == tmp_path
    elsewhere = socket_path(tmp_path / ("deep" * 30), "a")
    assert len(bytes(elsewhere)) < 100
    elsewhere.parent.rmdir()
