"""The STT.ai API: see README.md in this folder for its meaning, its sources and its gaps."""

from auricle.dialects.sttai.routes import create_app, render_error
from auricle.dialects.sttai.schema import MODEL
from auricle.dialects.sttai.translate import models_view

__all__ = ["MODEL", "create_app", "models_view", "render_error"]
