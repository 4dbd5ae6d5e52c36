"""What the engine would run on."""

from __future__ import annotations

from functools import cache

import ctranslate2


@cache
def gpu() -> tuple[str | None, int]:
    """Name and memory (MB) of the GPU that the engine would use, or ``(None, 0)``."""
    if ctranslate2.get_cuda_device_count() == 0:
        return None, 0
    import pynvml  # noqa: PLC0415  (slow to import, and only machines with a GPU need it)

    pynvml.nvmlInit()
    device = pynvml.nvmlDeviceGetHandleByIndex(0)
    memory = pynvml.nvmlDeviceGetMemoryInfo(device).total
    return str(pynvml.nvmlDeviceGetName(device)), int(memory // (1 << 20))
