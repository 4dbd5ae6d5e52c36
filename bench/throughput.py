"""Requests a second of the REST API, beside those of a view that does nothing."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.corpus import MODEL, ROOT, report

sys.path[:0] = [str(ROOT / "tests")]

from processes import environment  # noqa: E402
from throughput import CONNECTIONS, measure  # noqa: E402


def run() -> None:
    """Measure both in turns."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(environment(Path(folder), MODEL.parent))
    print(f"GET account {found.account:.0f} /s, a view that does nothing {found.nothing:.0f} /s")
    report(
        "throughput",
        connections=CONNECTIONS,
        account_per_s=round(found.account, 1),
        nothing_per_s=round(found.nothing, 1),
        ratio=round(found.account / found.nothing, 3),
        ratios=found.ratios,
    )
