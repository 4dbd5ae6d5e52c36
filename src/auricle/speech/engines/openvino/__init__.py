"""Whisper on processors, through OpenVINO and kernels of our own (docs/decisions/0009)."""

import sys

# OpenVINO tells its maker when it is imported, from a process that it forks, wherever it finds the
# package that does so. Recordings stay in the building, and so does that they are made.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

from auricle.speech.engines.openvino.engine import OpenVINOEngine  # noqa: E402

__all__ = ["OpenVINOEngine"]
