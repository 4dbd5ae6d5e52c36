"""Checkpoints are read without PyTorch, and cannot make us do anything."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.speech.diarization import checkpoint
from auricle.speech.diarization.checkpoint import BadCheckpoint, read_weights


class Named:
    """Pickles itself as a call of something with a name."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.module, self.name, self.arguments = module, name, arguments


class Storage:
    """A tensor's numbers, as the pickle refers to them."""

    def __init__(self, key: str, count: int) -> None:
        self.key, self.count = key, count


class Pickler(pickle._Pickler):
    """Writes what PyTorch writes, of which there is nothing here."""

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Storage):
            return ("storage", Named("torch", "FloatStorage"), value.key, "cpu", value.count)
        return None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if not isinstance(value, Named):
            super().save(value, save_persistent_id)  # type: ignore[misc]
            return
        self.write(b"c" + f"{value.module}\n{value.name}\n".encode())  # type: ignore[attr-defined]
        if value.arguments:
            super().save(value.arguments)  # type: ignore[misc]
            self.write(b"R")  # type: ignore[attr-defined]


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Named:
    arguments: Any = (Storage("0", 6), offset, shape, strides, False, OrderedDict())
    return Named("torch._utils", "_rebuild_tensor_v2", *arguments)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    def write(value: Any) -> Path:
        content = io.BytesIO()
        Pickler(content, 2).dump(value)
        path = tmp_path / "a.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", content.getvalue())
            archive.writestr("a/data/0", np.arange(6, dtype="<f4").tobytes())
        return path

    return write


def test_tensors_come_back_with_their_strides(written: Callable[[Any], Path]) -> None:
    path = written({"state_dict": OrderedDict(a=tensor((2, 3), (3, 1)), b=tensor((3, 2), (1, 3)))})
    weights = read_weights(path)
    assert weights["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert weights["b"].tolist() == weights["a"].T.tolist()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_parameter"),
        ("collections", "defaultdict"),
        ("numpy", "load"),
    ],
)
def test_a_pickle_that_names_anything_else_is_refused(
    written: Callable[[Any], Path], tmp_path: Path, module: str, name: str
) -> None:
    mark = tmp_path / "was-here"
    path = written(OrderedDict(a=Named(module, name, f"touch {mark}")))
    with pytest.raises(BadCheckpoint, match="which no tensor needs"):
        read_weights(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "hostile",
    [
        tensor((1000, 1000), (1000, 1)),
        tensor((2, 3), (3, 1), offset=1),
        tensor((2, 3), (-3, 1), offset=5),
        tensor((2,), (1 << 40,)),
        tensor((-1, 2), (1, 1)),
    ],
)
def test_a_tensor_never_reaches_beyond_its_numbers(
    written: Callable[[Any], Path], hostile: Named
) -> None:
    with pytest.raises(BadCheckpoint, match="outside its numbers"):
        read_weights(written(OrderedDict(a=hostile)))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02.", os.urandom(200)])
def test_what_is_no_checkpoint_says_so(tmp_path: Path, content: bytes) -> None:
    plain = tmp_path / "b.pt"
    plain.write_bytes(content)
    with pytest.raises(BadCheckpoint):
        read_weights(plain)
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("a/data.pkl", content)
    with pytest.raises(BadCheckpoint):
        read_weights(plain)


def test_a_member_that_claims_gigabytes_is_not_unpacked(
    written: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(OrderedDict(a=tensor((2, 3), (3, 1))))
    monkeypatch.setattr(checkpoint, "MOST_BYTES", 10)
    with pytest.raises(BadCheckpoint, match="claims"):
        read_weights(path)
