"""Whisper on processors with VNNI, by kernels of our own (docs/decisions/0009)."""

import ctypes
from importlib.metadata import PackageNotFoundError, files


def _load_tbb() -> None:
    """Have numba find TBB where its package keeps it, which is not where libraries are looked for.

    Without TBB numba shares work out by OpenMP, whose idle threads spin: with anything else on the
    machine that makes it several times slower (docs/experiments.md).
    """
    try:
        for file in files("tbb") or ():
            if file.name == "libtbb.so.12":
                ctypes.CDLL(str(file.locate()))
    except PackageNotFoundError:
        return  # other processors than x86-64, which have no kernels here anyway


_load_tbb()

from auricle.speech.engines.cpu.engine import CPUEngine  # noqa: E402
from auricle.speech.engines.cpu.lanes import SUPPORTED  # noqa: E402

__all__ = ["SUPPORTED", "CPUEngine"]
