"""The models: which there are, how they come onto this machine, which of them are loaded."""

from auricle.models.catalog import (
    CATALOG,
    SPEAKERS,
    Model,
    default_model,
    find,
    not_installed,
    resolve,
    work_not_installed,
)
from auricle.models.speeds import Speeds
from auricle.models.store import ModelStore
from auricle.models.text import MODELS, TEXT, lookup
from auricle.models.voice import VOICE

__all__ = [
    "CATALOG",
    "MODELS",
    "SPEAKERS",
    "TEXT",
    "VOICE",
    "Model",
    "ModelStore",
    "Speeds",
    "default_model",
    "find",
    "lookup",
    "not_installed",
    "resolve",
    "work_not_installed",
]
