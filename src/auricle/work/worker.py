"""The worker process: owns the engines, takes jobs, gives a sign of life."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import IO

import procrastinate
import psutil
from django.db import transaction
from procrastinate.contrib.django import app as jobs_app
from procrastinate.worker import Worker as JobEngine

import auricle
from auricle import db, link
from auricle.core.errors import ModelNotInstalled, Unavailable
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.desk import endings
from auricle.jobs import services as jobs
from auricle.jobs.services import WorkerInfo
from auricle.library import runs
from auricle.media import MediaPool
from auricle.models import ModelStore, default_model
from auricle.storage import Blobs
from auricle.work.attempts import Attempts
from auricle.work.chores import Chores
from auricle.work.device import gpu
from auricle.work.downloader import Downloader
from auricle.work.enrolment import Enrolment
from auricle.work.live import LiveSessions
from auricle.work.process import stopping
from auricle.work.tasks import Tasks
from auricle.work.transcriber import Transcriber

log = logging.getLogger(__name__)

SHORT, LONG, DOWNLOADS, SMALL = 16, 4, 6, 8
"""Short and long transcriptions, which share the engine window by window, downloads, and chores at
a time."""

AGAIN_S = 1.0

LEAVE_S = 3.0
"""Seconds for saying good-bye."""

STEADY_S = 30.0
"""Seconds of work after which a worker that begins anew is sure to be back soon."""

PAUSE_S = 5.0
"""Seconds before one begins anew that is not: whatever ended it may end it again."""


def run(settings: Settings, leash: IO[bytes] | None = None) -> None:
    """Work until SIGTERM, SIGINT, or the end of ``leash``, which whoever started us holds.

    ``db.setup()`` must have been called.
    """
    asyncio.run(_run(settings, leash))


async def _run(settings: Settings, leash: IO[bytes] | None) -> None:
    stop = stopping(leash)
    threads = ThreadPoolExecutor(2 * (SHORT + LONG + DOWNLOADS + SMALL))
    asyncio.get_running_loop().set_default_executor(threads)
    with MediaPool() as media:
        transcriber = Transcriber(settings, ModelStore(settings.models_dir), media)
        await asyncio.to_thread(_warm_up, transcriber, settings)
        again = await _Worker(settings, transcriber, media).work(stop)
        # Neither by returning nor by closing anything: what still runs in threads, for hours
        # perhaps, would be waited for, or would fail. As it is, it goes on elsewhere.
        if again:
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
        os._exit(0)


def _warm_up(transcriber: Transcriber, settings: Settings) -> None:
    try:
        if model := default_model(settings.default_model, transcriber.models):
            transcriber.warm_up(model)
    except ModelNotInstalled as error:
        log.error("%s", error.message)


class _Worker:
    """Two things beside each other: taking jobs, and the heart."""

    def __init__(self, settings: Settings, transcriber: Transcriber, media: MediaPool) -> None:
        self._silence = settings.worker_timeout_s
        self._transcriber = transcriber
        blobs = Blobs(settings)
        name = new_id()
        self._address = link.socket_path(settings.run_dir, f"speech-{name}")
        self._info = _describe(name, transcriber, str(self._address))
        self._attempts = Attempts(name, blobs)
        self._live = LiveSessions(name, transcriber, self._attempts)
        downloader = Downloader(settings, media, blobs)
        self._tasks = Tasks(self._attempts, transcriber, downloader, blobs)
        self._chores = Chores(settings, blobs)
        self._enrolment = Enrolment(transcriber)
        self._engines: list[JobEngine] = []
        self._begun, self._beating = False, True

    async def work(self, stop: asyncio.Event) -> bool:
        """Work until ``stop``, or until it is better to begin anew: then True.

        That is so when the models have changed, and after the database was away: the job engine
        does not outlive that, but waits for the jobs that it has before it says so.
        """
        await link.serve(self._address, {"live": self._live.serve})
        await self._tell_first(stop)
        began = time.monotonic()
        heart = asyncio.create_task(self._beat())
        taking = asyncio.create_task(self._take())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({heart, taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._address.unlink(missing_ok=True)
        again, steady = not stopping.done(), time.monotonic() - began > STEADY_S
        # Without us in the register, others go on with what we have in hand.
        with suppress(Unavailable, TimeoutError):
            await asyncio.wait_for(self._live.end(), LEAVE_S)
            await asyncio.wait_for(db.run(self._leave, again and steady), LEAVE_S)
        if again and not steady:  # what keeps it from working may not have passed
            await asyncio.wait({stopping}, timeout=PAUSE_S)
        return again

    def _leave(self, returns: bool) -> None:
        if returns:  # uploads wait for it; nothing has to be heard live, without an address
            jobs.register(replace(self._info, id=new_id(), address=""), {})
        runs.let_go(self._attempts.running, self._info.id)
        jobs.unregister(self._info.id)

    async def _take(self) -> None:
        """Run the job engine; ends, if ever, when something is wrong with it."""
        self._tasks.register(jobs_app)
        self._chores.register(jobs_app)
        self._enrolment.register(jobs_app)
        connector = jobs_app.connector.get_worker_connector()  # type: ignore[attr-defined]
        models = self._info.models
        try:
            async with jobs_app.with_connector(connector).open_async() as app:
                self._engines = [
                    self._engine(app, [*map(jobs.short_queue, models)], SHORT),
                    self._engine(app, [*map(jobs.long_queue, models)], LONG),
                    self._engine(app, [jobs.DOWNLOADS], DOWNLOADS),
                    self._engine(app, [jobs.CHORES], SMALL),
                ]
                running = (engine.run() for engine in self._engines)  # type: ignore[no-untyped-call]
                await asyncio.gather(*running)
        except (procrastinate.exceptions.ProcrastinateException, OSError) as error:
            log.warning("taking jobs ends: %s", error)

    def _engine(self, app: procrastinate.App, queues: list[str], places: int) -> JobEngine:
        return JobEngine(
            app,
            queues,
            concurrency=places,
            install_signal_handlers=False,
            fetch_job_polling_interval=min(5.0, self._silence / 2),
            update_heartbeat_interval=self._silence / 3,
            stalled_worker_timeout=self._silence,
        )

    async def _tell_first(self, stop: asyncio.Event) -> None:
        """Register; jobs are taken only by registered workers."""
        while not stop.is_set():
            try:
                await db.run(db.refuse_unmigrated)
                await db.run(jobs.forget_gone, self._info.machine, _exists)
                await db.run(self._tell)
                models = ", ".join(self._info.models) or "no models"
                log.info("ready with %s on %s", models, self._info.gpu_name or "CPU")
                return
            except Unavailable as error:  # whoever started us is perhaps not ready yet
                log.info("waiting: %s", error.message)
                await asyncio.sleep(AGAIN_S / 4)

    async def _beat(self) -> None:
        """Say that we and our transcriptions are alive; take care of those of the dead. Ends when
        it is better to begin anew."""
        away = False
        while not away or not await self._told():
            await asyncio.sleep(self._silence / 3)
            away = away or not await self._told() or self._is_stale()

    async def _told(self) -> bool:
        try:
            await db.run(self._tell)
        except Unavailable as error:
            log.warning("%s", error.message)
            return False
        return True

    def _is_stale(self) -> bool:
        """Whether what was begun is not what would be begun now."""
        changed = self._transcriber.models != self._info.models
        return not self._beating or (changed and not self._live.running)

    def _tell(self) -> None:
        silence = timedelta(seconds=self._silence)
        # One transaction has one clock: however long this process stands still in between, what it
        # works on is not taken for abandoned.
        with transaction.atomic():
            jobs.register(self._info, self._stats())
            runs.beat(self._attempts.running)
            jobs.forget_dead(silence)
            jobs.rescue_chores(silence)
            rescued = endings.rescue(silence)
        if rescued:
            log.warning("%d recordings of dead workers go on", rescued)
        self._beating = self._engines_beat(silence)

    def _engines_beat(self, silence: timedelta) -> bool:
        """Whether the job engine's own hearts beat; one that waits for its last jobs does not."""
        known = [engine.worker_id for engine in self._engines if engine.worker_id is not None]
        self._begun = self._begun or len(known) == len(self._engines) > 0
        patience = max(3 * silence, timedelta(seconds=15))  # a busy machine is not a broken one
        return not self._begun or jobs.engines_beating(known, patience) == len(self._engines)

    def _stats(self) -> dict[str, float]:
        memory = psutil.Process().memory_info().rss
        fallen_back = float(self._transcriber.fell_back)
        own = {"memory_bytes": float(memory), "engine_fallback": fallen_back}
        return self._transcriber.meter.stats() | own


def _exists(pid: int) -> bool:
    return pid != os.getpid() and psutil.pid_exists(pid)


def _describe(name: str, transcriber: Transcriber, address: str) -> WorkerInfo:
    gpu_name, gpu_memory_mb = gpu()
    return WorkerInfo(
        id=name,
        host=socket.gethostname(),
        machine=jobs.this_machine(),
        pid=os.getpid(),
        models=transcriber.models,
        gpu_name=gpu_name,
        gpu_memory_mb=gpu_memory_mb,
        version=auricle.__version__,
        address=address,
    )
