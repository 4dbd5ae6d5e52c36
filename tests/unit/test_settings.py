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
    [
        ("MODEL_ALIASES", "base"),
        ("MAX_QUEUE_HOURS", "-1"),
        ("MAX_AUDIO_HOURS", "long"),
        ("URL_ALLOW_HOSTS", "crm.internal,http://crm.internal"),
        ("URL_ALLOW_HOSTS", "10.0.0.1/8"),
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AURICLE_{name}", value)
    with pytest.raises(ValidationError):
        settings.load()


def test_allowed_hosts_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().url_allow_hosts == ()
    monkeypatch.setenv("AURICLE_URL_ALLOW_HOSTS", "crm.internal:9000, 10.0.0.0/8,")
    assert settings.load().url_allow_hosts == ("crm.internal:9000", "10.0.0.0/8")


def test_errors_cross_processes_as_themselves() -> None:
    again = from_code(BadMedia.code, "not a recording")
    assert isinstance(again, BadMedia)
    assert again.status == 400
    assert from_code("unavailable", "later", 5).retry_after == 5
    assert isinstance(from_code("unavailable", "later"), Unavailable)
    assert isinstance(from_code("unheard of", "?"), Internal)


def test_settings_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_SMTP_URL", "smtp://mail.example")
    with pytest.raises(ValidationError, match="needs AURICLE_PUBLIC_URL"):
        settings.load()
    monkeypatch.setenv("AURICLE_PUBLIC_URL", "https://speech.example")
    assert settings.load().public_url == "https://speech.example"
    monkeypatch.setenv("AURICLE_TRUST_LOOPBACK", "1")
    with pytest.raises(ValidationError, match="one's own machine"):
        settings.load()


def test_a_secret_can_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("AURICLE_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert settings.signing_key(settings.load()) == "from a file"
