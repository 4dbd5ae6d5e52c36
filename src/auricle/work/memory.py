"""How the worker's process uses memory."""

from __future__ import annotations

import ctypes

# <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_memory() -> None:
    """Have glibc keep freed memory instead of giving it back to the system each time.

    Every layer of the encoder takes and frees 72 MB a window (Whisper base). By default glibc maps
    and unmaps it, and the kernel clears it page by page: a quarter of all processor time. To be
    called before the process allocates much; does nothing where malloc is another one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
