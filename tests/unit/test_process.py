"""Who goes first."""

from __future__ import annotations

import os
import subprocess
import sys

from auricle.work.process import AUTOGROUP, BEHIND

TELL = """
import os
from auricle.work.process import AUTOGROUP, stand_back
stand_back()
print(os.nice(0), AUTOGROUP.read_text() if AUTOGROUP.exists() else "")
"""


def told(*, session: bool) -> tuple[int, str]:
    """Niceness of a process that stands back, and what the kernel says of its session."""
    order = [sys.executable, "-c", TELL]
    said = subprocess.run(order, check=True, capture_output=True, start_new_session=session)
    niceness, _, group = said.stdout.decode().strip().partition(" ")
    return int(niceness), group


def session_group() -> str:
    """Its number and its niceness; empty where sessions are not told apart (an older kernel, or
    a session that is older than the sharing out)."""
    return AUTOGROUP.read_text().strip() if AUTOGROUP.exists() else ""


def test_a_session_of_its_own_stands_back_as_a_whole() -> None:
    niceness, group = told(session=True)
    assert niceness == os.nice(0) + BEHIND
    assert group == "" or group.endswith(f" nice {BEHIND}")


def test_other_processes_of_the_session_are_left_alone() -> None:
    before = session_group()
    assert told(session=False) == (os.nice(0) + BEHIND, before)
    assert session_group() == before
