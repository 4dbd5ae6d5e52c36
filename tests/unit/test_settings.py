from pathlib import Path

import pytest
from pydantic import ValidationError

from auricle.core import settings
from auricle.core.errors import BadMedia, Internal, Unavailable, from_code


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_DATA", "/srv/auricle")
    monkeypatch.delenv("AURICLE_MODELS", raising=False)
    monkeypatch.setenv("AURICLE_MODEL_ALIASES", "large-v3-turbo=base, whisper=small")
    loaded = settings.load()
    assert loaded.models_dir == Path("/srv/auricle/models")
    assert loaded.model_aliases == {"large-v3-turbo": "base", "whisper": "small"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("MODEL_ALIASES", "base"), ("MAX_UPLOAD_MB", "-1"), ("MAX_AUDIO_HOURS", "long")],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AURICLE_{name}", value)
    with pytest.raises(ValidationError):
        settings.load()


def test_errors_cross_processes_as_themselves() -> None:
    again = from_code(BadMedia.code, "not a recording")
    assert isinstance(again, BadMedia)
    assert again.status == 400
    assert from_code("unavailable", "later", 5).retry_after == 5
    assert isinstance(from_code("unavailable", "later"), Unavailable)
    assert isinstance(from_code("unheard of", "?"), Internal)
