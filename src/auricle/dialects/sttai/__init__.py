"""The STT.ai API: see README.md in this folder for its meaning, its sources and its gaps."""

from auricle.dialects.sttai.routes import create_app

__all__ = ["create_app"]
