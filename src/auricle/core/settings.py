"""One settings object, read from ``AURICLE_*`` environment variables.

Nothing reads the environment at import time: a process calls :func:`load` once, at its start.
A secret can stand in a file whose path is in ``AURICLE_<NAME>_FILE``.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from auricle.core.errors import Unavailable
from auricle.core.hosts import AllowedHost

SECRETS = ("database_url", "secret_key", "smtp_url", "llm_key")

Listed = Annotated[tuple[str, ...], NoDecode]


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

    max_audio_hours: float = Field(default=12.0, gt=0, allow_inf_nan=False)
    """Decoded audio above which a recording is refused, whatever its header or the plan says."""

    engine: str = Field(default="auto", pattern=r"^(auto|ctranslate2|fake(:\d+(\.\d+)?)?)$")
    """``auto``: Auricle's own kernels where the processor has the instructions and there is no GPU,
    or else CTranslate2. ``fake`` invents its words, after so many seconds a window: for tests."""

    threads: PositiveInt | None = None
    """Processor threads of the engine; all cores when unset."""

    media_processes: PositiveInt = 2
    """Uploads that are looked at at the same time, each in a jailed process of its own."""

    database_url: SecretStr | None = None
    """``postgresql://user:password@host:port/name``; an embedded PostgreSQL when unset."""

    storage_url: str | None = None
    """Where recordings are kept: ``s3://bucket/prefix`` and the like; ``<data>/blobs`` when unset.
    Credentials and end point as the provider's own variables name them (``AWS_ENDPOINT_URL``)."""

    secret_key: SecretStr | None = None
    """Signs sessions and links; made and kept in ``<data>/secret`` when unset. Several web servers
    need the same."""

    public_url: str | None = None
    """Address under which people reach this server: links in e-mails are made with it."""

    tls_cert: Path | None = None
    """Certificate (PEM, followed by those that lead to its authority) with which the server speaks
    HTTPS itself; without it plain HTTP, for this machine or for a reverse proxy."""

    tls_key: Path | None = None
    """The certificate's private key (PEM, without a passphrase)."""

    trusted_proxies: Listed = ()
    """Networks (CIDR) of reverse proxies whose ``X-Forwarded-*`` headers are believed."""

    trust_loopback: bool = False
    """Whether requests from this machine itself need no key and have no limits."""

    cors_origins: Listed = ()
    """Origins (``https://app.example``, or ``*``) whose pages may call the API from a browser."""

    signup: Literal["open", "closed"] = "open"
    """Whether people may make accounts for themselves."""

    smtp_url: SecretStr | None = None
    """``smtp://user:password@host:587`` (``smtps://`` for TLS from the start). Without it nothing
    is mailed: addresses are not verified, and operators reset passwords."""

    mail_from: str = "auricle@localhost"
    """Sender of the e-mails."""

    max_queue_hours: NonNegativeFloat = 100.0
    """Hours of audio waiting above which new recordings are refused with 503."""

    worker_timeout_s: PositiveFloat = 30.0
    """Seconds without a heartbeat after which a worker is taken for dead and its jobs go on
    elsewhere."""

    log_format: Literal["text", "json"] = "text"
    """How log lines are written."""

    url_allow_hosts: Listed = ()
    """Hosts that users' URLs may name although they are not public: ``host``, ``host:port``, an
    address or a network (CIDR), with commas between them. An entry with a port allows that port,
    one without the usual ports."""

    url_extractors: Listed | None = None
    """Platforms of whose pages recordings may be taken, as yt-dlp names them; well-known ones when
    unset, none when empty."""

    diarizer: Path | None = None
    """A folder with a pipeline of pyannote.audio (its ``config.yaml``) that tells the speakers of
    recordings apart, in place of ours; wants the extra ``pyannote``."""

    llm_url: str | None = None
    """``http://host:port/v1`` of a server that speaks OpenAI's chat API (vLLM, Ollama): it does
    what a language model does, instead of one in the text worker."""

    llm_model: str | None = None
    """The language model: an id of the catalog, the first one installed when unset; with
    ``llm_url`` the name that the other server has for it."""

    llm_key: SecretStr | None = None
    """The other server's key."""

    text_credits: NonNegativeInt = 0
    """Credits that each request for work on text costs."""

    clone_consent: bool = False
    """Whether requests for a cloned voice must say ``consent=true``: that whoever speaks in the
    reference agrees."""

    stream_cumulative: bool = False
    """Whether a text of STT.ai's live stream is all that was said in the session, for clients that
    show the newest alone; they can ask for it themselves, too (``"cumulative": true``)."""

    sync_minutes: PositiveInt = 30
    """Minutes of audio beyond which speech-to-text.cn's synchronous call refers to the other."""

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

    @field_validator(
        "trusted_proxies", "cors_origins", "url_allow_hosts", "url_extractors", mode="before"
    )
    @classmethod
    def _parse_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s]+/?", value):
            raise ValueError("write 'https://speech.example.com', without a path")
        return value and value.rstrip("/")

    @field_validator("url_allow_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            AllowedHost.parse(entry)
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if self.smtp_url and not self.public_url:
            raise ValueError("AURICLE_SMTP_URL needs AURICLE_PUBLIC_URL: mails hold links")
        if self.llm_url and not self.llm_model:
            raise ValueError("AURICLE_LLM_URL needs AURICLE_LLM_MODEL, the model's name there")
        if self.trust_loopback and self.public_url:
            raise ValueError(
                "AURICLE_TRUST_LOOPBACK is for one's own machine: behind a proxy, which a public "
                "address suggests, everybody would come from it"
            )
        return self

    @property
    def models_dir(self) -> Path:
        """Folder of the installed models."""
        return self.models or self.data / "models"

    @property
    def run_dir(self) -> Path:
        """Folder of locks, sockets and addresses of running processes."""
        return self.data / "run"

    @property
    def uploads_dir(self) -> Path:
        """Folder in which uploads stay while they arrive."""
        return self.data / "uploads"

    @property
    def downloads_dir(self) -> Path:
        """Folder in which recordings stay while a worker downloads them."""
        return self.data / "downloads"

    @property
    def blobs_dir(self) -> Path:
        """Folder of the recordings, unless ``storage_url`` says otherwise."""
        return self.data / "blobs"

    @property
    def cluster_dir(self) -> Path:
        """Folder of the embedded PostgreSQL."""
        return self.data / "postgres"

    @property
    def secret_file(self) -> Path:
        """Where the signing secret is kept, unless ``secret_key`` says it."""
        return self.data / "secret"


def load() -> Settings:
    """Read the settings from the environment; raises ``pydantic.ValidationError`` on nonsense."""
    return Settings(**_from_files())


def _from_files() -> dict[str, Any]:
    """Secrets whose ``AURICLE_<NAME>_FILE`` says where they stand."""
    found = {}
    for name in SECRETS:
        if file := os.environ.get(f"AURICLE_{name.upper()}_FILE"):
            found[name] = SecretStr(Path(file).read_text().strip())
    return found


def signing_key(settings: Settings) -> str:
    """The key that signs sessions: the operator's, or one that is made once and kept.

    Raises :class:`Unavailable` when it cannot be kept.
    """
    if settings.secret_key:
        return settings.secret_key.get_secret_value()
    file = settings.secret_file
    try:
        if not file.exists():
            _write_once(file, secrets.token_urlsafe(50))
        return file.read_text()
    except OSError as error:
        raise Unavailable(f"Cannot write {file}: {error.strerror}. Set AURICLE_DATA.") from error


def _write_once(file: Path, text: str) -> None:
    """Write a private file unless another process was first; never seen half written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent) as draft:
        draft.write(text)
        draft.flush()
        with suppress(FileExistsError):
            os.link(draft.name, file)
