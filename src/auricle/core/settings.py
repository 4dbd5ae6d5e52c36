"""One settings object, read from ``AURICLE_*`` environment variables.

Nothing reads the environment at import time: a process calls :func:`load` once, at its start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import Field, PositiveInt, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator can decide. Each field is ``AURICLE_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="AURICLE_", frozen=True)

    data: Path = Field(default_factory=lambda: user_data_path("auricle"))
    """Folder of everything that Auricle keeps."""

    models: Path | None = None
    """Folder of the installed models; ``<data>/models`` when unset."""

    model_aliases: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    """``asked=answering,...``: model names that another installed model answers for."""

    default_model: str | None = None
    """The model for requests that name none; the largest installed one when unset."""

    max_upload_mb: PositiveInt = 2048
    """Size of an upload, in megabytes (10^6 bytes), above which it is refused with 413."""

    max_audio_hours: float = Field(default=12.0, gt=0, allow_inf_nan=False)
    """Decoded audio above which a recording is refused, whatever its header says."""

    threads: PositiveInt | None = None
    """Processor threads of the engine; all cores when unset."""

    media_processes: PositiveInt = 2
    """Uploads that are looked at at the same time, each in a jailed process of its own."""

    @field_validator("model_aliases", mode="before")
    @classmethod
    def _parse_aliases(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair.strip() for pair in value.split(",") if pair.strip()]
        aliases: dict[str, str] = {}
        for pair in pairs:
            asked, sign, answering = (part.strip() for part in pair.partition("="))
            if not (asked and sign and answering):
                raise ValueError(f"write 'asked=answering,...', not {pair!r}")
            aliases[asked] = answering
        return aliases

    @property
    def models_dir(self) -> Path:
        """Folder of the installed models."""
        return self.models or self.data / "models"

    @property
    def run_dir(self) -> Path:
        """Folder of sockets and addresses of running processes."""
        return self.data / "run"

    @property
    def uploads_dir(self) -> Path:
        """Folder in which uploads stay while they are transcribed."""
        return self.data / "uploads"


def load() -> Settings:
    """Read the settings from the environment; raises ``pydantic.ValidationError`` on nonsense."""
    return Settings()
