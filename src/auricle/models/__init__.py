"""The models: which there are, how they come onto this machine, which of them are loaded."""

from auricle.models.catalog import CATALOG, Model, find, resolve
from auricle.models.store import ModelStore

__all__ = ["CATALOG", "Model", "ModelStore", "find", "resolve"]
