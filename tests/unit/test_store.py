import threading
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.core.errors import ModelNotInstalled, Unavailable, UnknownModel
from auricle.models import CATALOG, ModelStore, find, resolve
from auricle.models.residency import Residency

TINY = replace(
    find("base"),
    id="tiny-test",
    files={"a.txt": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},  # "a"
    sources=(),
)


def nothing(doing: str, done: int, total: int) -> None:
    """A report that nobody reads."""


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_model_installs_from_a_folder(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    store.pull(TINY, nothing, str(tmp_path))
    assert store.verify(TINY) == []


def test_a_wrong_hash_is_refused_and_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("tampered")
    with pytest.raises(Unavailable, match=r"a\.txt has SHA-256 .* refused"):
        store.pull(TINY, nothing, str(tmp_path))
    assert not store.has(TINY)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_damaged_file_is_found(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    store.pull(TINY, nothing, str(tmp_path))
    (store.path(TINY) / "a.txt").write_text("b")
    assert store.verify(TINY) == ["a.txt"]


def test_what_is_not_installed_says_how_to_install_it(store: ModelStore) -> None:
    with pytest.raises(ModelNotInstalled, match="auricle models pull medium"):
        store.path(find("medium"))
    assert store.default(None) is None


def test_no_source_says_so(store: ModelStore) -> None:
    with pytest.raises(Unavailable, match="no source of the kind 'hub'"):
        store.pull(TINY, nothing, "hub")


def test_names_resolve_through_aliases_to_one_model() -> None:
    assert resolve("", {}, "base") == "base"
    assert resolve("whisper-1", {}, "base") == "base"
    assert resolve("turbo", {}, "base") == "large-v3-turbo"
    assert resolve("large-v3-turbo", {"large-v3-turbo": "base"}, "small") == "base"
    with pytest.raises(UnknownModel, match="large-v3-turbo, large-v3, medium, small, base"):
        resolve("gpt-9", {}, "base")


def test_every_catalog_entry_is_complete() -> None:
    for model in CATALOG:
        assert {"config.json", "model.bin", "tokenizer.json"} <= set(model.files)
        assert all(len(sha) == 64 for sha in model.files.values())
        assert model.sources


def test_few_models_stay_loaded_and_none_in_use_is_unloaded() -> None:
    loads: list[str] = []

    def load(name: str) -> str:
        loads.append(name)
        return name.upper()

    models = Residency(load, room=1)
    with models.hold("a") as first, models.hold("b") as second:
        assert (first, second) == ("A", "B")
    with models.hold("b"):
        pass
    with models.hold("c"):
        pass
    with models.hold("c"):
        pass
    assert loads == ["a", "b", "c"]
    with models.hold("a"):
        pass
    assert loads == ["a", "b", "c", "a"]


def test_two_threads_load_a_model_once() -> None:
    loads: list[str] = []

    def load(name: str) -> str:
        loads.append(name)
        return name

    models = Residency(load)

    def use() -> None:
        with models.hold("a"):
            pass

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["a"]
