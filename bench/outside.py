"""Asks a program of :mod:`bench.packages`, in the environment that has its package."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import packages

Ask = Callable[[str], Any]
"""What a package answers to a line."""


@contextmanager
def outside(python: str, package: str, models: Path, number: float) -> Iterator[Ask]:
    """Start a package's program, with what :data:`bench.packages.PACKAGES` gives it."""
    command = [python, str(Path(packages.__file__)), package, str(models), str(number)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        asked, answers = process.stdin, process.stdout

        def ask(line: str) -> Any:
            print(line, file=asked, flush=True)
            answer = answers.readline()
            if not answer:
                raise SystemExit(f"{package} gave up on {line}")
            return json.loads(answer)

        yield ask
