"""Whisper on processors with VNNI, by kernels of our own (docs/decisions/0009)."""

from auricle.speech.engines.cpu.engine import CPUEngine
from auricle.speech.engines.cpu.lanes import SUPPORTED

__all__ = ["SUPPORTED", "CPUEngine"]
