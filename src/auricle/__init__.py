"""Auricle: a self-hosted speech-to-text server."""

from importlib.metadata import version

__version__ = version("auricle")
