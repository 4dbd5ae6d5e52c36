"""A thousand kills under load, of everything there is: what is lost, and what is charged twice?

``python -m bench.chaos 50`` kills fewer.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from bench.corpus import MODEL, ROOT, report

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from recordings import two_cities  # noqa: E402

from chaos import drill  # noqa: E402

KILLS = 1000
KILLS_A_ROUND = 50
"""Each round has an installation of its own, whose work is looked at afterwards."""


def run(kills: int = KILLS) -> None:
    """Kill, and tell what was wrong."""
    os.environ.setdefault("AURICLE_DATA", str(ROOT / "data"))
    recording, began, complaints, rows, killed = two_cities(), time.monotonic(), 0, 0, 0
    for seed in range(-(-kills // KILLS_A_ROUND)):
        with tempfile.TemporaryDirectory() as folder:
            wanted = min(KILLS_A_ROUND, kills - killed)
            found = drill(Path(folder) / "data", MODEL.parent, recording, wanted, seed)
        print(asdict(found), flush=True)
        killed, rows = killed + sum(found.kills.values()), rows + found.rows
        complaints += len(found.complaints)
    minutes = round((time.monotonic() - began) / 60, 1)
    report("chaos", kills=killed, transcripts=rows, complaints=complaints, minutes=minutes)


if __name__ == "__main__":
    run(int(sys.argv[1]))
