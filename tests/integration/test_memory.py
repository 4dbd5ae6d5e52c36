"""Kernels work with addresses: they must stay within their arrays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from auricle.speech.engines.cpu import SUPPORTED

MEMORY = Path(__file__).parent.parent / "memory"


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An allocator that notices."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library = tmp_path_factory.mktemp("guard") / "guard.so"
    source = MEMORY / "guard.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.mark.skipif(not SUPPORTED, reason="this processor has not the instructions of our kernels")
@pytest.mark.parametrize("end", ["front", "back"])
def test_kernels_stay_within_their_arrays(guard: Path, models_dir: Path, end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(MEMORY / "kernels.py"), str(models_dir), end],
        env=os.environ | {"LD_PRELOAD": str(guard)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "all kernels stay within their arrays\n", done.stderr
