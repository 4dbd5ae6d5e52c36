"""Admit, submit, result."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass

import msgspec

from auricle.core.errors import BadMedia, Unavailable
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.link import Link, Registry, WorkerInfo
from auricle.link.client import Ended
from auricle.media import MediaPool
from auricle.models import CATALOG, Model, ModelStore, find, resolve
from auricle.speech import SpeechOptions, Task
from auricle.storage import Upload, Uploads, too_large
from auricle.transcript import Transcript

NO_WORKER_RETRY_S = 5

FORM_BYTES = 5_000_000
"""What a body may hold besides its file: fields, headers, boundaries."""


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """What every dialect's transcription request comes down to."""

    model: str = ""
    """As asked for; ``""`` is the default model."""
    language: str | None = None
    """Whisper's code; None finds it out."""
    task: Task = "transcribe"
    prompt: str = ""
    diarize: bool = False
    speakers: int = 0
    """How many speak; 0 finds it out."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to send a recording."""

    max_bytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """A recording that was accepted."""

    id: str
    task: asyncio.Task[Transcript]


@dataclass(frozen=True, slots=True)
class Node:
    """What this installation can do at the moment."""

    workers: tuple[WorkerInfo, ...]

    @property
    def gpu(self) -> WorkerInfo | None:
        """A worker with a GPU, if there is one."""
        return next((worker for worker in self.workers if worker.gpu_name), None)


class Desk:
    """One for each serving process; an asynchronous context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = Registry(settings.run_dir / "workers")
        self._store = ModelStore(settings.models_dir)
        self._uploads = Uploads(settings.uploads_dir)
        self._links: dict[str, Link] = {}
        self._connecting = asyncio.Lock()
        self._probes = asyncio.Semaphore(settings.media_processes)
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Desk:
        self._media = self._resources.enter_context(MediaPool())
        return self

    async def __aexit__(self, *_: object) -> None:
        for link in self._links.values():
            await link.close()
        await self._resources.aclose()

    def node(self) -> Node:
        """What can answer now."""
        return Node(tuple(self._registry.alive()))

    def models(self) -> tuple[Model, ...]:
        """The models that answer here: installed, or stood in for by the operator's alias."""
        installed = {model.id for model in self._store.installed()}
        aliases = self._settings.model_aliases
        return tuple(m for m in CATALOG if resolve(m.id, aliases, None) in installed)

    def admit(self, declared_size: int | None) -> Admission:
        """Decide, before a body is read, whether to read it.

        Raises :class:`TooLarge` when the client itself says that it is, :class:`Unavailable` when
        nobody could transcribe it now.
        """
        if not self._registry.alive():
            raise Unavailable(
                "No transcription worker is running. Try again in a few seconds.",
                retry_after=NO_WORKER_RETRY_S,
            )
        max_bytes = self._settings.max_upload_mb * 1_000_000
        if declared_size is not None and declared_size > max_bytes + FORM_BYTES:
            raise too_large(max_bytes)
        return Admission(max_bytes)

    def receive(self, admission: Admission) -> Upload:
        """Make room for a recording."""
        return self._uploads.new(admission.max_bytes)

    async def submit(self, upload: Upload, request: TranscriptionRequest) -> Job:
        """Accept a recording; it must stay on disk until its result is there.

        Raises :class:`BadMedia` for what is no recording, :class:`UnknownModel` and
        :class:`ModelNotInstalled`.
        """
        model = self._model(request.model)
        if not upload.size:
            raise BadMedia("The file is empty. Send a recording.")
        async with self._probes:
            with upload.path.open("rb") as file:
                await asyncio.to_thread(self._media.probe, file, upload.name)
        work = self._transcribe(upload, model, request)
        return Job(new_id(), asyncio.get_running_loop().create_task(work))

    async def result(self, job: Job) -> Transcript:
        """Wait for a job. Raises what went wrong with it; cancelling the wait stops the job."""
        return await job.task

    def _model(self, asked: str) -> str:
        default = self._store.default(self._settings.default_model)
        model = resolve(asked, self._settings.model_aliases, default)
        self._store.path(find(model))  # raises ModelNotInstalled
        return model

    async def _transcribe(
        self, upload: Upload, model: str, request: TranscriptionRequest
    ) -> Transcript:
        link = await self._link(model)
        options = SpeechOptions(request.language, request.task, request.prompt)
        params = {
            "path": str(upload.path),
            "name": upload.name,
            "model": model,
            "options": asdict(options),
        }
        async for said in link.call("transcribe", params):
            if isinstance(said, Ended):
                return msgspec.convert(said.value, Transcript)
        raise Unavailable("The transcription ended without a result.", retry_after=5)

    async def _link(self, model: str) -> Link:
        """A connection to a worker that has a model."""
        async with self._connecting:
            for worker in self._registry.alive():
                if model not in worker.models:
                    continue
                link = self._links.get(worker.id)
                if link is not None and link.alive:
                    return link
                if link is not None:
                    await link.close()
                with suppress(Unavailable):  # it died a moment ago: ask the next one
                    link = self._links[worker.id] = await Link.connect(worker.address)
                    return link
        raise Unavailable(
            f"No running worker has the model {model!r}. Try again in a few seconds.",
            retry_after=NO_WORKER_RETRY_S,
        )
