"""Weights out of PyTorch's checkpoint files, without PyTorch.

Such a file is a zip archive: ``data.pkl`` is a pickle of the tensors' names, shapes and strides,
and ``data/<key>`` holds their numbers as they lie in memory. A pickle may call whatever it names,
so this one is read by an unpickler that knows four names and nothing else. The format:
``torch/serialization.py`` and ``torch/_utils.py`` (``_rebuild_tensor_v2``).
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 30
"""Of an archive's member: a few kilobytes can claim to be much more."""

_TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

Array = NDArray[Any]


class BadCheckpoint(ValueError):
    """The file is no checkpoint that can be read here."""


def read_weights(path: Path) -> dict[str, Array]:
    """The tensors of a checkpoint, by name. Raises :class:`BadCheckpoint`."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = _Unpickler(archive).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, *_WRONG) as error:
        raise BadCheckpoint(f"{path.name} is no checkpoint that can be read: {error}") from error
    state = found.get("state_dict", found) if isinstance(found, Mapping) else {}
    weights = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    if not weights:
        raise BadCheckpoint(f"{path.name} holds no weights")
    return weights


_WRONG = (KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError)
"""What a pickle that is not one makes the unpickler raise."""


@dataclass(frozen=True, slots=True)
class _Storage:
    """The name of a type of numbers, as the pickle has it."""

    kind: str


class _Unpickler(pickle.Unpickler):
    """Reads ``data.pkl``; refuses every name but the four that tensors are written with."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise BadCheckpoint("it has not exactly one data.pkl")
        self._archive = archive
        self._folder = names[0].removesuffix("data.pkl")
        super().__init__(io.BytesIO(self._member("data.pkl")))

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _TYPES:
            return _Storage(name)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no tensor needs")

    def persistent_load(self, pid: Any) -> Array:
        """The numbers of ``("storage", type, key, device, count)``."""
        _, storage, key, _, count = pid
        numbers: Array = np.frombuffer(self._member(f"data/{key}"), _TYPES[storage.kind], count)
        return numbers

    def _member(self, name: str) -> bytes:
        info = self._archive.getinfo(self._folder + name)
        if info.file_size > MOST_BYTES:
            raise BadCheckpoint(f"{name} claims {info.file_size} bytes")
        return self._archive.read(info)


def _tensor(
    storage: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> Array:
    """A tensor over a storage: offset and strides count numbers, not bytes."""
    if min((offset, *shape, *strides), default=0) < 0:
        raise BadCheckpoint("a tensor lies outside its numbers")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= len(storage):
        raise BadCheckpoint("a tensor lies outside its numbers")
    size = storage.itemsize
    view = np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [step * size for step in strides], writeable=False
    )
    return np.ascontiguousarray(view)
