"""The text worker's process: owns the models for text and voices, answers calls, gives a sign of
life.

It holds no durable work: whoever asks waits, and asks again when it has gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import IO, Any

import msgspec
import psutil

import auricle
from auricle import db, link
from auricle.core.errors import Cancelled, Unavailable
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.jobs import services as jobs
from auricle.jobs.services import WorkerInfo
from auricle.models import TEXT, VOICE, ModelStore
from auricle.text import requests
from auricle.work.process import stopping
from auricle.work.text_engine import TextEngine
from auricle.work.voice_engine import VoiceEngine
from auricle.work.voice_service import VoiceService

log = logging.getLogger(__name__)

RUNNING = 8
"""Requests that are worked on at a time; they share the places of the language model."""

WAITING = 32
"""Requests that wait; more are refused."""

BUSY_RETRY_S = 15
AGAIN_S = 0.25
LEAVE_S = 3.0


def run(settings: Settings, leash: IO[bytes] | None = None) -> None:
    """Work until SIGTERM, SIGINT, or the end of ``leash``, which whoever started us holds.

    ``db.setup()`` must have been called.
    """
    asyncio.run(_run(settings, leash))


async def _run(settings: Settings, leash: IO[bytes] | None) -> None:
    stop = stopping(leash)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(RUNNING + 4))
    name = new_id()
    address = link.socket_path(settings.run_dir, f"text-{name}")
    engine = TextEngine(settings, address.with_name(f"llm-{name}.sock"))
    voice = VoiceEngine(settings)
    handlers = _Service(engine).handlers() | VoiceService(voice).handlers()
    await link.serve(address, handlers)
    info = _describe(name, settings, str(address))
    unload = (engine.unload_idle, voice.unload_idle)
    heart = asyncio.create_task(_beat(info, unload, settings.worker_timeout_s))
    await stop.wait()
    heart.cancel()
    with suppress(Unavailable, TimeoutError):
        await asyncio.wait_for(db.run(jobs.unregister, info.id), LEAVE_S)
    for path in (address, address.with_name(f"llm-{name}.sock")):
        path.unlink(missing_ok=True)
    os._exit(0)  # what still runs in threads would be waited for


class _Service:
    """Runs calls in threads, a bounded number of them."""

    def __init__(self, engine: TextEngine) -> None:
        self._engine = engine
        self._places = asyncio.Semaphore(RUNNING)
        self._inside = 0

    def handlers(self) -> dict[str, Callable[[link.Call], Awaitable[Any]]]:
        """What can be called."""
        return {
            name: partial(self._answer, name, shape) for name, shape in requests.METHODS.items()
        }

    async def _answer(self, name: str, shape: type[Any], call: link.Call) -> Any:
        if self._inside >= RUNNING + WAITING:
            raise Unavailable(
                "Too many requests for work on text are waiting. Try again in a moment.",
                retry_after=BUSY_RETRY_S,
            )
        request = msgspec.convert(call.params, shape)
        self._inside += 1
        try:
            async with self._places:
                return await self._work(name, request, call)
        finally:
            self._inside -= 1

    async def _work(self, name: str, request: Any, call: link.Call) -> Any:
        gone = threading.Event()
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

        def tick() -> None:
            if gone.is_set():
                raise Cancelled("The caller went away.")

        def progress(done: int, total: int) -> None:
            tick()
            log.info("%s: %d of %d", name, done, total)
            loop.call_soon_threadsafe(steps.put_nowait, (done, total))

        async def tell() -> None:
            while True:
                done, total = await steps.get()
                await call.emit({"done": done, "total": total})

        telling = asyncio.create_task(tell())
        try:
            return await asyncio.to_thread(self._engine.run, request, progress, tick)
        finally:
            gone.set()  # when we are cancelled, the thread ends at its next token
            telling.cancel()


async def _beat(info: WorkerInfo, unload: Sequence[Callable[[], None]], silence_s: float) -> None:
    """Say that we are here, and unload what nobody uses."""
    waiting = True
    while True:
        try:
            await db.run(_tell, info)
            if waiting:
                log.info("ready with %s", ", ".join(info.models) or "no models")
            waiting = False
        except Unavailable as error:  # whoever started us is perhaps not ready yet
            log.info("waiting: %s", error.message)
            waiting = True
        for forget in unload:
            await asyncio.to_thread(forget)
        await asyncio.sleep(AGAIN_S if waiting else silence_s / 3)


def _tell(info: WorkerInfo) -> None:
    db.refuse_unmigrated()
    jobs.forget_gone(info.machine, psutil.pid_exists)
    memory = psutil.Process().memory_info().rss
    jobs.register(info, {"memory_bytes": float(memory)})


def _describe(name: str, settings: Settings, address: str) -> WorkerInfo:
    store = ModelStore(settings.models_dir)
    return WorkerInfo(
        id=name,
        host=socket.gethostname(),
        machine=jobs.this_machine(),
        pid=os.getpid(),
        models=tuple(model.id for model in (*TEXT, *VOICE) if store.has(model)),
        gpu_name=None,
        gpu_memory_mb=0,
        version=auricle.__version__,
        address=address,
        kind="text",
    )
