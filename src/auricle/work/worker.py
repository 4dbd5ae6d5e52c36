"""The worker process: engines behind a socket, and a heartbeat in the registry."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import ctranslate2
import msgspec

from auricle.core import logging as process_logging
from auricle.core.errors import BadRequest, ModelNotInstalled
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.link import Call, Registry, WorkerInfo, serve
from auricle.link.registry import BEAT_S
from auricle.media import MediaPool
from auricle.models import ModelStore
from auricle.speech import SpeechOptions
from auricle.speech.pipeline import Progress
from auricle.transcript import Transcript
from auricle.work.memory import keep_memory
from auricle.work.transcriber import Transcriber

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TranscribeCall:
    """Parameters of the link's ``transcribe``."""

    path: str
    name: str
    model: str
    options: SpeechOptions


def run(settings: Settings, leash: IO[bytes] | None = None) -> None:
    """Serve until SIGTERM, SIGINT, or the end of ``leash``, which whoever started us holds."""
    keep_memory()
    process_logging.configure("worker")
    asyncio.run(_run(settings, leash))


async def _run(settings: Settings, leash: IO[bytes] | None) -> None:
    store = ModelStore(settings.models_dir)
    info = _describe(settings, store)
    registry = Registry(settings.run_dir / "workers")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if leash is not None:
        threading.Thread(target=_watch, args=(leash, loop, stop), daemon=True).start()
    with MediaPool() as media:
        transcriber = Transcriber(settings, store, media)
        handlers = {"transcribe": lambda call: _transcribe(transcriber, call)}
        server = await serve(Path(info.address), handlers)
        await asyncio.to_thread(_warm_up, transcriber, store.default(settings.default_model))
        log.info(
            "ready with %s on %s", ", ".join(info.models) or "no models", info.gpu_name or "CPU"
        )
        await _beat(registry, info, store, stop)
        server.close()
    Path(info.address).unlink(missing_ok=True)
    # Calls that still run in threads would hold the process up; their callers have been told.
    os._exit(0)


def _warm_up(transcriber: Transcriber, model: str | None) -> None:
    try:
        if model:
            transcriber.warm_up(model)
    except ModelNotInstalled as error:
        log.error("%s", error.message)


def _watch(leash: IO[bytes], loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set ``stop`` when the stream ends, as it does when its other end dies in whatever way."""
    leash.read()
    loop.call_soon_threadsafe(stop.set)


async def _beat(
    registry: Registry, info: WorkerInfo, store: ModelStore, stop: asyncio.Event
) -> None:
    """Keep the registry's entry fresh until ``stop``; models may be installed meanwhile."""
    registry.register(info)
    try:
        while not stop.is_set():
            registry.beat(info)
            models = tuple(model.id for model in store.installed())
            if models != info.models:
                info = replace(info, models=models)
                registry.register(info)
            try:
                await asyncio.wait_for(stop.wait(), BEAT_S)
            except TimeoutError:
                continue
    finally:
        registry.remove(info)


def _describe(settings: Settings, store: ModelStore) -> WorkerInfo:
    worker_id = new_id()
    gpu_name, gpu_memory_mb = gpu()
    return WorkerInfo(
        id=worker_id,
        address=str(settings.run_dir / f"{worker_id[:8]}.sock"),
        pid=os.getpid(),
        models=tuple(model.id for model in store.installed()),
        gpu_name=gpu_name,
        gpu_memory_mb=gpu_memory_mb,
    )


def gpu() -> tuple[str | None, int]:
    """Name and memory (MB) of the GPU that the engine would use, or ``(None, 0)``."""
    if ctranslate2.get_cuda_device_count() == 0:
        return None, 0
    import pynvml  # noqa: PLC0415  (slow to import, and only machines with a GPU need it)

    pynvml.nvmlInit()
    device = pynvml.nvmlDeviceGetHandleByIndex(0)
    memory = pynvml.nvmlDeviceGetMemoryInfo(device).total
    return str(pynvml.nvmlDeviceGetName(device)), int(memory // (1 << 20))


def _transcribe(transcriber: Transcriber, call: Call) -> Transcript:
    try:
        asked = msgspec.convert(call.params, TranscribeCall)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The call's parameters are wrong: {error}") from error

    def report(progress: Progress) -> None:
        call.emit(msgspec.to_builtins(progress))

    return transcriber.transcribe(Path(asked.path), asked.name, asked.model, asked.options, report)
