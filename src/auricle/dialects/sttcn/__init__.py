"""speech-to-text.cn's API: see README.md in this folder for its meaning, its source, its gaps."""

from auricle.dialects.sttcn.routes import create_app

__all__ = ["create_app"]
