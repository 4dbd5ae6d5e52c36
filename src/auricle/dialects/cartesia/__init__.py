"""Cartesia's speech-to-text API: see README.md in this folder for its meaning and its gaps."""

from auricle.dialects.cartesia.routes import create_app
from auricle.dialects.cartesia.translate import status_view

__all__ = ["create_app", "status_view"]
