"""How kernels are compiled by numba, and when afresh.

Compiled kernels are kept on disk. They contain the kernels that they use, of other files, but numba
looks at the file of each kernel alone: after an upgrade, one that has not changed itself would read
what another one no longer writes. So here the sources of all of them count.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import caching, config

OPTIONS: dict[str, Any] = {
    "fastmath": True,
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
}
PARALLEL = OPTIONS | {"parallel": True}
INLINE = OPTIONS | {"inline": "always"}


@cache
def _sources() -> bytes:
    """A digest of every file that has to do with numba."""
    contents = [file.read_bytes() for file in sorted(Path(__file__).parent.rglob("*.py"))]
    return hashlib.sha256(b"".join(each for each in contents if b"numba" in each)).digest()


class _Together:
    """What is kept is stale as soon as any of the sources has changed."""

    def get_source_stamp(self) -> tuple[Any, bytes]:
        own = super().get_source_stamp()  # type: ignore[misc]  # the classes beside it have one
        return own, _sources()


class Given(_Together, caching.UserProvidedCacheLocator):  # type: ignore[misc]
    """In the folder that ``NUMBA_CACHE_DIR`` names."""


class Beside(_Together, caching.InTreeCacheLocator):  # type: ignore[misc]
    """Beside the source."""


class Wide(_Together, caching.UserWideCacheLocator):  # type: ignore[misc]
    """Among the user's files."""


config.CACHE_LOCATOR_CLASSES = ",".join(
    f"{__name__}.{each.__name__}" for each in (Given, Beside, Wide)
)
