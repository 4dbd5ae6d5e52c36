"""What goes in at the door and what comes out: plain records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from auricle.accounts.services import Terms
from auricle.core.errors import AuricleError
from auricle.jobs.services import WorkerInfo
from auricle.library.services import Owner
from auricle.media import RawAudio
from auricle.speech import LiveOptions, Task


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request comes from."""

    address: str
    proxied: bool = False
    """Whether it carries a proxy's headers."""
    host: str = ""
    """What it calls this server."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who sends a request, and what they may do through the API that they use."""

    owner: Owner
    terms: Terms
    monthly_credits: int
    operator: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """Somebody whose voice a request brings along."""

    name: str
    clip: str
    """A recording of some seconds, in Base64: it is kept as JSON until the transcript is there."""


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """What every dialect's transcription request comes down to."""

    model: str = ""
    """As asked for; ``""`` is the default model."""
    language: str | None = None
    """Whisper's code; None finds it out."""
    languages: tuple[str, ...] = ()
    """Codes of those among which it is to be found out; none are all."""
    task: Task = "transcribe"
    prompt: str = ""
    diarize: bool = False
    speakers: int = 0
    """How many speak; 0 finds it out."""
    raw: RawAudio | None = None
    """How to read samples without a header."""
    enhance: bool = False
    """Whether noise is taken out first."""
    known: tuple[Reference, ...] = ()
    """Who may be heard, besides those whom the account has enrolled."""


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What every dialect's live session comes down to."""

    raw: RawAudio
    """How its samples are written."""
    model: str = ""
    """As asked for; ``""`` is the default model."""
    listening: LiveOptions = LiveOptions()  # noqa: RUF009  (it is frozen)
    diarize: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to send a recording."""

    customer: Customer
    dialect: str
    models: tuple[str, ...] = ()
    """Ids of the models that can transcribe it now."""
    again: bool = False
    """Whether the client says that it has sent this before: then it is told what became of it."""

    @property
    def max_bytes(self) -> int:
        return self.customer.terms.max_bytes

    def no_longer_than(self, seconds: int) -> Admission:
        """The same, for recordings of at most so many seconds."""
        terms = self.customer.terms
        shorter = replace(terms, max_seconds=min(seconds, terms.max_seconds))
        return replace(self, customer=replace(self.customer, terms=shorter))


@dataclass(frozen=True, slots=True)
class Ticket:
    """A recording that was accepted: the number and the names of its transcript."""

    id: int
    slug: str
    task: UUID
    submitted: datetime
    kept: bool
    """Whether the transcript belongs to an account, and stays."""


@dataclass(frozen=True, slots=True)
class Report:
    """What has become of a recording."""

    ticket: Ticket
    status: str
    """As :class:`auricle.library.models.Status` has it."""
    ended: datetime | None
    duration: float
    """Seconds; 0 while that is not known."""
    text: str
    """What was said; nothing before it has succeeded."""
    cost: int
    """Credits: minutes begun; 0 before it has succeeded."""
    error: AuricleError | None


@dataclass(frozen=True, slots=True)
class Node:
    """What this installation can do at the moment."""

    workers: Sequence[WorkerInfo]

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models that some worker can load, in the order of its preference."""
        return tuple(dict.fromkeys(model for worker in self.workers for model in worker.models))

    @property
    def gpu(self) -> WorkerInfo | None:
        """A worker with a GPU, if there is one."""
        return next((worker for worker in self.workers if worker.gpu_name), None)
