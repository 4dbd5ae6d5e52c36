"""Who is let in, and with how much. Runs in database threads."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

import msgspec
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

import auricle
from auricle.accounts import tokens
from auricle.accounts.keys import Caller, check_key, network_of
from auricle.accounts.services import (
    anonymous_terms,
    note_use,
    owner_terms,
    refuse_used_up,
    terms,
)
from auricle.core.errors import NoCredits, TooLong, TooMany, Unauthorized, Unavailable
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.credits import services as credits
from auricle.desk import endings
from auricle.desk.requests import (
    Admission,
    Customer,
    LiveRequest,
    Node,
    Peer,
    TranscriptionRequest,
)
from auricle.jobs import services as jobs
from auricle.library import services as library
from auricle.library.models import Status, Transcript
from auricle.library.services import Owner
from auricle.models import default_model, not_installed, resolve
from auricle.storage import too_large

NO_WORKER_RETRY_S = 5
QUEUE_RETRY_S = 60
BUSY_RETRY_S = 5

FORM_BYTES = 4_000_000
"""What a body may hold besides its file: fields, headers, boundaries."""

ROOM_BYTES = 200_000_000
"""What stays free on the disk."""

TOKENS = {"cartesia": "stt"}
"""APIs that take access tokens, and what those must have been made for."""

NO_KEY = (
    "This needs an API key: send 'Authorization: Bearer KEY'. Sign up and make one under API keys."
)


def identify(
    settings: Settings, key: str, peer: Peer, dialect: str, *, anonymous: bool
) -> Customer:
    """Find out who asks. Raises what :func:`check_key` does, and :class:`Unauthorized`."""
    if key.startswith(tokens.PREFIX):
        return member(tokens.check_token(key, peer.address, TOKENS.get(dialect, "")), dialect)
    if key:
        return member(check_key(key, peer.address), dialect)
    owner = Owner(None, network_of(peer.address))
    if settings.trust_loopback and _at_home(peer):
        return Customer(owner, owner_terms(dialect), 0, operator=True)
    if not anonymous:
        raise Unauthorized(NO_KEY)
    return Customer(owner, anonymous_terms(dialect), 0, operator=False)


def member(caller: Caller, dialect: str) -> Customer:
    """A member of an account as a customer."""
    plan = caller.account.plan
    owner = Owner(caller.account.pk, "")
    return Customer(owner, terms(plan, dialect), plan.monthly_credits, caller.operator)


def node(settings: Settings) -> Node:
    """What can answer now."""
    workers = jobs.alive(timedelta(seconds=settings.worker_timeout_s))
    return Node(
        [
            jobs.WorkerInfo(
                row.id,
                row.host,
                row.machine,
                row.pid,
                tuple(row.models_),
                row.gpu_name or None,
                row.gpu_memory_mb,
                row.version,
                row.address,
            )
            for row in workers
        ]
    )


def details(settings: Settings) -> dict[str, Any]:
    """What operators see of the installation."""
    return {
        "version": auricle.__version__,
        "workers": [asdict(worker) for worker in node(settings).workers],
        "queue": library.queue(),
        "unbalanced_accounts": credits.unbalanced(),
    }


def admit(settings: Settings, customer: Customer, dialect: str, declared: int | None) -> Admission:
    """Decide, before a body is read, whether to read it; ``declared`` is its length in bytes."""
    here = _working(settings)
    if library.queue()["seconds"] > settings.max_queue_hours * 3600:
        raise Unavailable(
            "Too many recordings are waiting. Try again in a minute.", retry_after=QUEUE_RETRY_S
        )
    admission = Admission(customer, dialect, here.models)
    if declared is not None and declared > admission.max_bytes + FORM_BYTES:
        raise too_large(admission.max_bytes)
    refuse_without_room(settings, declared)
    try:
        _refuse_beyond(customer)
    except (TooMany, NoCredits):
        # What it waits for may be itself: clients that time out send the same upload again.
        if not library.may_be_resent(customer.owner, declared, FORM_BYTES):
            raise
    return admission


def model_of(settings: Settings, asked: str, installed: Sequence[str]) -> str:
    """The model that answers for what was asked; ``""`` asks for the default one.

    Raises :class:`UnknownModel` and :class:`ModelNotInstalled`.
    """
    default = default_model(settings.default_model, installed)
    model = resolve(asked, settings.model_aliases, default)
    if model not in installed:
        raise not_installed(model, installed)
    return model


def _working(settings: Settings) -> Node:
    """What can answer now. Raises :class:`Unavailable` where nobody works."""
    here = node(settings)
    if not here.workers:
        raise Unavailable(
            "No transcription worker is running. Try again in a few seconds.",
            retry_after=NO_WORKER_RETRY_S,
        )
    return here


def refuse_without_room(settings: Settings, declared: int | None) -> None:
    """Raise :class:`Unavailable` where the disk does not hold an upload of so many bytes."""
    if shutil.disk_usage(settings.uploads_dir).free < (declared or 0) + ROOM_BYTES:
        raise Unavailable(
            "The server has no room for the upload. Try again later.", retry_after=QUEUE_RETRY_S
        )


def longest(customer: Customer, hours: float) -> float:
    """Seconds that a recording or a session of theirs may last, where none may last longer than
    so many hours."""
    return min(customer.terms.max_seconds, hours * 3600)


def refuse_longer(customer: Customer, seconds: float, hours: float) -> None:
    """Raise :class:`TooLong` for a recording that is longer than the plan permits."""
    most = longest(customer, hours)
    if seconds > most:
        raise TooLong(
            f"The recording is longer than {most / 3600:g} hours. Split it, and send the parts."
        )


def new_row(
    admission: Admission, model: str, request: TranscriptionRequest, content: str
) -> Transcript:
    """A row for what was asked; ``content`` tells recordings apart."""
    customer = admission.customer
    limits = {"max_seconds": customer.terms.max_seconds, "max_bytes": admission.max_bytes}
    return Transcript(
        account_id=customer.owner.account,
        network=customer.owner.network,
        dialect=admission.dialect,
        options=asdict(request) | limits,
        model=model,
        fingerprint=fingerprint(content, model, request),
    )


def fingerprint(content: str, model: str, request: TranscriptionRequest) -> str:
    """What two uploads have in common when they are the same."""
    return sha256(msgspec.json.encode([content, model, request])).hexdigest()


def accept(admission: Admission, row: Transcript) -> Transcript:
    """Write the row, reserve its credits and queue its job; or find the one that it repeats.

    To be called in a transaction. Raises :class:`NoCredits` and :class:`TooMany`.
    """
    customer = admission.customer
    customer.owner.lock()
    earlier = library.resent(customer.owner, row.fingerprint, failed=admission.again)
    if earlier is not None:
        return earlier
    _refuse_beyond(customer)
    _enter(customer, row)
    endings.queue(row)
    return row


def _enter(customer: Customer, row: Transcript) -> None:
    """Write a row, count it, and reserve what it costs as far as is known."""
    row.save()
    if customer.owner.account is not None or customer.terms.daily is not None:
        note_use(customer.owner.account, customer.owner.network, row.pk)
    if customer.owner.account is not None and customer.terms.metered:
        credits.reserve(customer.owner.account, row.pk, credits.minutes(row.duration))


def admit_live(settings: Settings, customer: Customer) -> None:
    """Decide whether to let somebody begin a live session. Raises :class:`NoCredits`,
    :class:`TooMany` and :class:`Unavailable`."""
    _working(settings)
    _refuse_beyond(customer)


@transaction.atomic
def begin_live(
    settings: Settings, customer: Customer, dialect: str, request: LiveRequest
) -> tuple[Transcript, str]:
    """Write a live session's row; returns it with the address of the worker that is to hear it.

    Raises :class:`NoCredits`, :class:`TooMany`, :class:`UnknownModel`, :class:`ModelNotInstalled`
    and :class:`Unavailable`.
    """
    model = model_of(settings, request.model, _working(settings).models)
    silence = timedelta(seconds=settings.worker_timeout_s)
    worker = jobs.speech_worker(silence, jobs.this_machine(), model)
    customer.owner.lock()
    _refuse_beyond(customer)
    row = Transcript(
        account_id=customer.owner.account,
        network=customer.owner.network,
        dialect=dialect,
        options={
            "live": asdict(request),
            "max_seconds": longest(customer, settings.max_audio_hours),
        },
        model=model,
        fingerprint=new_id(),
        title=f"Live, {timezone.now():%Y-%m-%d %H:%M} UTC",
        live=True,
        status=Status.RUNNING,
        worker=worker.id,
        beat=Now(),
    )
    _enter(customer, row)
    return row, worker.address


def _refuse_beyond(customer: Customer) -> None:
    owner, terms = customer.owner, customer.terms
    if library.unfinished(owner) >= terms.concurrent:
        raise TooMany(
            f"Your plan transcribes {terms.concurrent} at a time. Wait until one is finished.",
            retry_after=BUSY_RETRY_S,
        )
    if terms.daily is not None:
        refuse_used_up(owner.account, owner.network, terms.daily)
    pays = owner.account if terms.metered else None
    if pays is not None and credits.balance(pays, customer.monthly_credits) < 1:
        raise NoCredits(credits.USED_UP)


def _at_home(peer: Peer) -> bool:
    """Whether a request comes from this machine, and not from somebody behind a proxy on it."""
    try:
        address = ip_address(peer.address)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    at_home = (mapped or address).is_loopback and not peer.proxied
    # A page elsewhere whose name was made to mean this machine says its own name.
    return (
        at_home and re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\])?(:\d+)?", peer.host) is not None
    )
