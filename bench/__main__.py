"""Run the benches named on the command line, or all of them."""

from __future__ import annotations

import sys

from bench import (
    accuracy,
    chaos,
    clips,
    live,
    memory,
    models,
    speakers,
    speed,
    startup,
    text,
    throughput,
    voice,
)

BENCHES = {
    "speed": speed.run,
    "accuracy": accuracy.run,
    "speakers": speakers.run,
    "startup": startup.run,
    "memory": memory.run,
    "models": models.run,
    "clips": clips.run,
    "live": live.run,
    "throughput": throughput.run,
    "text": text.run,
    "voice": voice.run,
    "chaos": chaos.run,
}


def main() -> None:
    """Run them one after the other."""
    names = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise SystemExit(f"unknown bench {unknown[0]!r}; there are: {', '.join(BENCHES)}")
    for name in names:
        print(f"== {name} ==", flush=True)
        BENCHES[name]()


main()
