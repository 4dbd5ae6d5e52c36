"""OpenAI's audio API: see README.md in this folder for its meaning and its gaps."""

from auricle.dialects.openai.routes import create_app, render_error
from auricle.dialects.openai.translate import model_view, models_view

__all__ = ["create_app", "model_view", "models_view", "render_error"]
