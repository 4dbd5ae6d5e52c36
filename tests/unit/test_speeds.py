"""Which model answers by default: the largest that this machine runs fast enough."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from auricle.models import CATALOG, Model, ModelStore, find


def install(folder: Path, *models: Model) -> ModelStore:
    """Folders with the files' names: nobody reads them here."""
    for model in models:
        (folder / model.id).mkdir(parents=True)
        for name in model.files:
            (folder / model.id / name).touch()
    return ModelStore(folder)


def test_the_largest_model_is_the_default_while_nothing_is_measured(tmp_path: Path) -> None:
    store = install(tmp_path, *CATALOG)
    assert store.default(None) == max(CATALOG, key=lambda model: model.parameters).id


@pytest.mark.parametrize(
    ("base_speed", "expected"), [(1000.0, "large-v3"), (25.0, "small"), (5.0, "base")]
)
def test_of_those_that_are_fast_enough_the_largest_is_taken(
    tmp_path: Path, base_speed: float, expected: str
) -> None:
    """The others are estimated from the one that was measured."""
    store = install(tmp_path, *CATALOG)
    store.speeds.note(find("base"), base_speed)
    assert store.default(None) == expected


def test_where_none_is_fast_enough_the_fastest_is_taken(tmp_path: Path) -> None:
    store = install(tmp_path, find("medium"), find("small"))
    for name, speed in (("medium", 0.4), ("small", 1.1)):
        store.speeds.note(find(name), speed)
    assert store.default(None) == "small"


def test_the_operators_choice_goes_before(tmp_path: Path) -> None:
    assert install(tmp_path, *CATALOG).default("base") == "base"


def test_what_was_measured_on_another_processor_means_nothing(tmp_path: Path) -> None:
    store = install(tmp_path, *CATALOG)
    store.speeds.note(find("base"), 4.0)
    file = tmp_path / "speeds.json"
    kept = msgspec.json.decode(file.read_bytes())
    assert kept["speeds"] == {"base": 4.0}
    for spoiled in (msgspec.json.encode(kept | {"processor": "another"}), b"{", b"[]"):
        file.write_bytes(spoiled)
        assert store.speeds.measured(find("base")) is None
        assert store.default(None) == "large-v3"


def test_every_model_for_speech_has_a_cost(tmp_path: Path) -> None:
    by_size = sorted(CATALOG, key=lambda model: model.parameters)
    assert by_size[0].cost == 1
    assert all(model.cost > 1 for model in by_size[1:])
