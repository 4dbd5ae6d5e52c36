"""Jobs in the job engine (Procrastinate), and the workers that take them."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.db.models.functions import Now
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.jobs import Status

from auricle.core.errors import Unavailable
from auricle.jobs.models import Worker

TRANSCRIBE = "auricle.transcribe"
DOWNLOAD = "auricle.download"
DELIVER = "auricle.deliver"
MAIL = "auricle.mail"
ENROL = "auricle.enrol"

NO_WORKER_RETRY_S = 5

CHORES = "chores"
"""The queue of the small tasks."""

DOWNLOADS = "downloads"
"""The queue of the recordings that are fetched from a URL."""

SHORT_S = 120.0
"""Seconds of audio up to which somebody is likely to be waiting."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself."""

    id: str
    host: str
    machine: str
    """Where ``pid`` means something: the host and its process namespace."""
    pid: int
    models: tuple[str, ...]
    """Ids of the models that it can load."""
    gpu_name: str | None
    gpu_memory_mb: int
    version: str
    address: str = ""
    """Where it answers calls over :mod:`auricle.link`; empty for one that does not."""
    kind: str = "speech"
    """What it does: speech or text."""


def is_short(duration: float) -> bool:
    """Whether a recording of so many seconds is short; 0 says that its length is not known."""
    return 0 < duration <= SHORT_S


def short_queue(model: str) -> str:
    """The queue of a model's short recordings: only workers that have the model listen there."""
    return f"short-{model}"


def long_queue(model: str) -> str:
    """The queue of its long ones, which therefore never take the places of the short ones."""
    return f"long-{model}"


def defer_transcription(transcript: int, model: str, duration: float) -> int:
    """Queue a transcription, in the caller's transaction; returns the job's number."""
    queue = short_queue(model) if is_short(duration) else long_queue(model)
    return app.configure_task(TRANSCRIBE, queue=queue).defer(transcript=transcript)


def defer_download(transcript: int) -> int:
    """Queue a download, in the caller's transaction; returns the job's number."""
    return app.configure_task(DOWNLOAD, queue=DOWNLOADS).defer(transcript=transcript)


def abandon(job: int) -> None:
    """End a job in the engine's books that nobody works on, in the caller's transaction."""
    open_ = ProcrastinateJob.objects.filter(pk=job, status__in=["todo", "doing"])
    if open_.exists():
        async_to_sync(app.job_manager.finish_job_by_id_async)(job, Status.ABORTED, False)


def defer(task: str, *, seconds: float = 0, **arguments: Any) -> None:
    """Queue one of the small tasks, for later if need be."""
    app.configure_task(task, queue=CHORES, schedule_in={"seconds": seconds}).defer(**arguments)


def engines_beating(workers: Sequence[int], silence: timedelta) -> int:
    """How many of these workers of the job engine's have given a sign of life lately."""
    fresh = ProcrastinateWorker.objects.filter(last_heartbeat__gt=Now() - silence)
    return fresh.filter(pk__in=workers).count()


def rescue_chores(silence: timedelta) -> None:
    """Queue small tasks again whose worker is dead. They may be done twice; none is lost."""
    async_to_sync(_rescue_chores)(silence.total_seconds())


async def _rescue_chores(silence_s: float) -> None:
    manager = app.job_manager
    for job in await manager.get_stalled_jobs(queue=CHORES, seconds_since_heartbeat=silence_s):
        await manager.retry_job(job)


def forget_ended_jobs(hours: int) -> None:
    """Delete from the job engine what ended so long ago."""
    async_to_sync(app.job_manager.delete_old_jobs)(
        hours, include_failed=True, include_cancelled=True, include_aborted=True
    )


def register(info: WorkerInfo, stats: dict[str, float]) -> None:
    """Say that a worker is alive."""
    Worker.objects.update_or_create(
        id=info.id,
        defaults={
            "host": info.host,
            "machine": info.machine,
            "pid": info.pid,
            "models_": list(info.models),
            "gpu_name": info.gpu_name or "",
            "gpu_memory_mb": info.gpu_memory_mb,
            "version": info.version,
            "address": info.address,
            "kind": info.kind,
            "stats": stats,
            "beat": Now(),
        },
    )


def unregister(worker: str) -> None:
    """Forget a worker that ends."""
    Worker.objects.filter(id=worker).delete()


def forget_gone(machine: str, exists: Callable[[int], bool]) -> None:
    """Delete the workers of this machine whose processes are not there any more."""
    for row in Worker.objects.filter(machine=machine):
        if not exists(row.pid):
            row.delete()


def forget_dead(silence: timedelta) -> None:
    """Delete workers that have been silent for long."""
    Worker.objects.filter(beat__lt=Now() - 20 * silence).delete()


def worker_stats(silence_s: float) -> dict[str, dict[str, float]]:
    """What each living worker says of itself, by host and process."""
    return {f"{row.host}:{row.pid}": row.stats for row in alive(timedelta(seconds=silence_s))}


def alive(silence: timedelta, kind: str = "speech") -> Sequence[Worker]:
    """The workers of a kind that have given a sign of life lately."""
    return list(Worker.objects.filter(kind=kind, beat__gt=Now() - silence).order_by("id"))


def speech_worker(silence: timedelta, machine: str, model: str) -> Worker:
    """A worker of this machine that has a model. Raises :class:`Unavailable`."""
    rows = [r for r in alive(silence) if r.machine == machine and r.address and model in r.models_]
    if rows:
        return random.choice(rows)  # noqa: S311  (any will do)
    raise Unavailable(
        "No worker that hears live speech is running here. Try again in a few seconds.",
        retry_after=NO_WORKER_RETRY_S,
    )


def text_address(silence: timedelta, machine: str) -> str:
    """Where this machine's text worker answers. Raises :class:`Unavailable` while it does not."""
    for row in alive(silence, "text"):
        if row.machine == machine:
            return row.address
    raise Unavailable(
        "No text worker is running. Try again in a few seconds.", retry_after=NO_WORKER_RETRY_S
    )


def this_machine() -> str:
    """Where process numbers and sockets mean something: the host and its process namespace."""
    return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
