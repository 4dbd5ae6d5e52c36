"""What this machine can do, in words."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from auricle.core.settings import Settings
from auricle.link import Registry
from auricle.media import MediaPool
from auricle.models import ModelStore
from auricle.work.transcriber import available_cores
from auricle.work.worker import gpu

LITTLE_ROOM_BYTES = 5 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    good: bool
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at models, device, jail, disk and workers."""
    yield from _models(settings)
    name, memory = gpu()
    device = f"GPU {name} with {memory} MB" if name else f"CPU, {available_cores()} cores"
    yield Finding(True, f"engine: {device}")
    yield _jail()
    yield _disk(settings)
    workers = Registry(settings.run_dir / "workers").alive()
    yield Finding(True, f"workers running: {len(workers)}")


def _models(settings: Settings) -> Iterator[Finding]:
    store = ModelStore(settings.models_dir)
    installed = store.installed()
    if not installed:
        yield Finding(False, "no model is installed: run 'auricle models pull base'")
    for model in installed:
        wrong = store.verify(model)
        state = f"damaged: {', '.join(wrong)}; run 'auricle models pull {model.id}'"
        yield Finding(not wrong, f"model {model.id}: {state if wrong else 'files as published'}")


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
    settings.data.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data).free
    return Finding(
        free > LITTLE_ROOM_BYTES, f"{free / 1e9:.0f} GB free in {settings.data} for uploads"
    )
