"""What this machine can do, and what is wrong with how it is set up, in words."""

from __future__ import annotations

import shutil
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg
from django.core.mail import get_connection
from obstore.exceptions import BaseError

import auricle
from auricle import db
from auricle.core import tls
from auricle.core.errors import AuricleError, Unavailable
from auricle.core.ids import new_id
from auricle.core.settings import Settings
from auricle.media import MediaPool
from auricle.models import MODELS, SPEAKERS, TEXT, ModelStore
from auricle.storage import Blobs
from auricle.work.cores import available_cores
from auricle.work.device import gpu
from auricle.work.transcriber import engine_for

LITTLE_ROOM_BYTES = 5 << 30
CLOCKS_APART_S = 5.0

Connection = psycopg.Connection[Any]


_ENGINES = {
    "cpu": "Auricle's own kernels",
    "ctranslate2": "CTranslate2",
    "fake": "an engine that invents its words (AURICLE_ENGINE=fake)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    good: bool
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the machine, the settings, the stores, and the workers."""
    yield from _models(settings)
    name, memory = gpu()
    device = f"GPU {name} with {memory} MB" if name else f"CPU, {available_cores()} cores"
    engine = _ENGINES[engine_for(settings)]
    yield Finding(True, f"engine: {device}, {engine}")
    yield _language_model(settings)
    yield _jail()
    yield _disk(settings)
    yield _secret(settings)
    yield from _ways_in(settings)
    yield _storage(settings)
    yield from _database(settings)


def _models(settings: Settings) -> Iterator[Finding]:
    store = ModelStore(settings.models_dir)
    installed = [model for model in MODELS if store.has(model)]
    if not store.installed():
        yield Finding(False, "no model is installed: run 'auricle models pull base'")
    if not store.has(SPEAKERS):
        yield Finding(
            False, f"speakers are not told apart: run 'auricle models pull {SPEAKERS.id}'"
        )
    if settings.diarizer:
        yield _diarizer(settings.diarizer)
    for model in installed:
        wrong = store.verify(model)
        state = f"damaged: {', '.join(wrong)}; run 'auricle models pull {model.id}'"
        yield Finding(not wrong, f"model {model.id}: {state if wrong else 'files as published'}")


def _diarizer(folder: Path) -> Finding:
    from auricle.speech.diarization.pyannote import PyannoteDiarizer  # noqa: PLC0415  (heavy)

    try:
        PyannoteDiarizer(folder)
    except Exception as error:  # whatever its files and packages say
        return Finding(False, f"speakers are not told apart: AURICLE_DIARIZER: {error}")
    return Finding(True, f"speakers are told apart by the pipeline in {folder}")


def _language_model(settings: Settings) -> Finding:
    """What summarises and chats; to have none is no fault."""
    if settings.llm_url:
        return Finding(True, f"language model: {settings.llm_model} at {settings.llm_url}")
    store = ModelStore(settings.models_dir)
    found = next((m.id for m in TEXT if m.kind == "llm" and store.has(m)), None)
    chosen = settings.llm_model or found
    return Finding(True, f"language model: {chosen or 'none, so nothing is summarised'}")


def _jail() -> Finding:
    with MediaPool() as media:
        if media.describe()["network_namespace"]:
            return Finding(True, "recordings are decoded without network, files, or much memory")
    return Finding(
        True,
        "recordings are decoded without files or much memory; this system does not permit a "
        "network namespace, so the decoder is kept from the network by its limit on open files",
    )


def _disk(settings: Settings) -> Finding:
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.data).free
    except OSError as error:
        return Finding(False, f"{settings.data} cannot be used: {error.strerror}: set AURICLE_DATA")
    return Finding(
        free > LITTLE_ROOM_BYTES, f"{free / 1e9:.0f} GB free in {settings.data} for uploads"
    )


def _secret(settings: Settings) -> Finding:
    file = settings.secret_file
    if settings.secret_key:
        return Finding(True, "signing secret: from the settings")
    if not file.exists():
        return Finding(True, f"signing secret: will be made in {file}")
    if file.stat().st_mode & 0o077:
        return Finding(False, f"signing secret: others may read it: run 'chmod 600 {file}'")
    return Finding(True, f"signing secret: in {file}, for its owner alone")


def _ways_in(settings: Settings) -> Iterator[Finding]:
    """How people reach the server: its address, certificate and proxies."""
    yield _public_url(settings)
    if settings.tls_cert or settings.tls_key:
        yield _certificate(settings)
    for network in settings.trusted_proxies:
        if ip_network(network).prefixlen == 0:
            wide = "believes everybody's X-Forwarded-For: name the network of the proxy alone"
            yield Finding(False, f"AURICLE_TRUSTED_PROXIES={network} {wide}")


def _public_url(settings: Settings) -> Finding:
    url = settings.public_url
    if url is None:
        return Finding(True, "public address: none is set; links are made for this machine")
    if url.startswith("https:") and not (settings.trusted_proxies or settings.tls_cert):
        return Finding(
            False,
            f"public address: {url}, but nobody speaks HTTPS for this server: set "
            "AURICLE_TRUSTED_PROXIES to the network of the reverse proxy, or AURICLE_TLS_CERT",
        )
    clear = "" if url.startswith("https:") else ", where keys and recordings travel unencrypted"
    return Finding(True, f"public address: {url}{clear}")


def _certificate(settings: Settings) -> Finding:
    try:
        tls.check(settings)
    except Unavailable as error:
        return Finding(False, f"certificate: {error.message}")
    return Finding(True, f"certificate: {settings.tls_cert}")


def _storage(settings: Settings) -> Finding:
    """Put a small recording, read it, delete it."""
    where = settings.storage_url or str(settings.blobs_dir)
    draft = settings.uploads_dir / new_id()
    try:
        blobs = Blobs(settings)
        draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _try_out(blobs, draft)
    except AuricleError as error:
        reason = error.__cause__ or error
    except (OSError, BaseError, ValueError) as error:
        reason = error
    else:
        return Finding(True, f"recordings: {where} takes, gives and deletes them")
    finally:
        draft.unlink(missing_ok=True)
    first = str(reason).strip().splitlines()[0]
    return Finding(False, f"recordings: {where} does not work: {first}: see AURICLE_STORAGE_URL")


def _try_out(blobs: Blobs, draft: Path) -> None:
    key, content = f"doctor-{draft.name}", draft.name.encode()
    draft.write_bytes(content)
    blobs.put(draft, key)
    with blobs.open(key) as file:
        if file.read() != content:
            raise OSError("it gives back something else")
    blobs.delete(key)


def _database(settings: Settings) -> Iterator[Finding]:
    """The database, and what is only known through it."""
    try:
        with db.running(settings) as mine, psycopg.connect(**db.conninfo(settings)) as connection:
            yield _version(settings, connection)
            before, theirs = datetime.now(UTC), _moment(connection, "SELECT clock_timestamp()")
            # Asking takes a while, which is no difference between the clocks.
            yield _clock(min(max(theirs, before), datetime.now(UTC)), theirs)
            db.setup()
            tables = _tables(may_be_old=mine)
            yield tables
            if settings.smtp_url:
                yield _mail(settings)
            else:
                yield Finding(True, "mail: none is sent; operators reset passwords")
            if mine:
                yield Finding(True, "no server is running: 'auricle serve' starts it")
            elif tables.good:
                yield from _workers(settings, connection)
            db.close_pools()
    except (Unavailable, psycopg.OperationalError) as error:
        yield Finding(False, f"database: {' '.join(str(error).split())}")


def _version(settings: Settings, connection: Connection) -> Finding:
    major, minor = divmod(connection.info.server_version, 10000)
    kind = "its own" if settings.database_url else "embedded"
    return Finding(True, f"database: PostgreSQL {major}.{minor}, {kind}, answers")


def _moment(connection: Connection, query: str) -> datetime:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def _clock(ours: datetime, databases: datetime) -> Finding:
    apart = (ours - databases).total_seconds()
    if abs(apart) <= CLOCKS_APART_S:
        return Finding(True, f"clock: {ours:%Y-%m-%d %H:%M} UTC, and the database agrees")
    return Finding(
        False,
        f"clock: {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the database's: "
        "set both machines by a time server, or workers are taken for dead",
    )


def _tables(*, may_be_old: bool) -> Finding:
    try:
        db.refuse_unmigrated()
    except Unavailable as error:
        if may_be_old:
            return Finding(True, "tables: 'auricle serve' brings them up to date when it starts")
        return Finding(False, f"tables: {error.message}")
    return Finding(True, "tables: up to date")


def _mail(settings: Settings) -> Finding:
    try:
        with get_connection():
            return Finding(True, f"mail: the server lets us in; sent as {settings.mail_from}")
    except (OSError, smtplib.SMTPException) as error:
        return Finding(False, f"mail: the server does not let us in: {error}: see AURICLE_SMTP_URL")


def _workers(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Each worker with the age of its last sign of life."""
    query = (
        "SELECT kind, host || ':' || pid, version, coalesce(nullif(gpu_name, ''), 'CPU'),"
        " extract(epoch FROM clock_timestamp() - beat)::float FROM jobs_worker ORDER BY beat"
    )
    rows = connection.execute(query.encode()).fetchall()
    if not any(kind == "speech" and age <= settings.worker_timeout_s for kind, *_, age in rows):
        yield Finding(False, "no worker is alive, so recordings wait: start 'auricle worker'")
    for kind, name, version, device, age in rows:
        worker = {"text": f"text worker {name}"}.get(kind, f"worker {name} on {device}")
        yield _worker(worker, version, age, settings.worker_timeout_s)


def _worker(name: str, version: str, age: float, patience_s: float) -> Finding:
    if age > patience_s:
        silent = f"silent for {age:.0f} s and taken for dead: see its log, start it again"
        return Finding(False, f"{name}: {silent}")
    if version != auricle.__version__:
        return Finding(False, f"{name}: is of version {version}, not {auricle.__version__}")
    return Finding(True, f"{name}: last heard of {age:.0f} s ago")
