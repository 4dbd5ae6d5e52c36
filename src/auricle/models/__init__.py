"""The models: which there are, how they come onto this machine, which of them are loaded."""

from auricle.models.catalog import CATALOG, Model, default_model, find, not_installed, resolve
from auricle.models.store import ModelStore

__all__ = ["CATALOG", "Model", "ModelStore", "default_model", "find", "not_installed", "resolve"]
