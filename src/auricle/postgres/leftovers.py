"""Servers of this cluster that an owner has left: killed before it could stop them."""

from __future__ import annotations

import hashlib
import logging
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from auricle.core.errors import Unavailable

log = logging.getLogger(__name__)

STEPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
"""What a server is told, and the seconds that it then has: fast, immediate, not asked.

The last loses nothing either: what is committed is on the disk, and is recovered at the next start.
"""


def mark(data: Path) -> str:
    """The name of the cluster that the titles of all its processes carry."""
    return f"auricle-{hashlib.sha256(bytes(data)).hexdigest()[:16]}"


def clear(data: Path) -> None:
    """End all processes of the cluster and forget its last server. Raises :class:`Unavailable`.

    To be called by the owner alone. What ``postmaster.pid`` says does not matter: its number may
    belong to anybody by now, and PostgreSQL would not start beside a living one.
    """
    for number, patience_s in STEPS:
        if not (left := _find(data)):
            break
        log.warning("ending %d processes that an earlier server has left", len(left))
        _tell(left, data, number)
        _wait_until_gone(data, patience_s)
    else:
        raise Unavailable(
            f"An earlier database server on {data} cannot be ended. Restart the machine."
        )
    (data / "postmaster.pid").unlink(missing_ok=True)


def _find(data: Path) -> list[psutil.Process]:
    """Processes of the cluster. ``/proc/PID/cwd`` would say so too, but not to every root."""
    owner, name = data.stat().st_uid, mark(data)
    return [
        process
        for process in psutil.process_iter(["name", "uids", "cmdline"])
        if process.info["name"] == "postgres"
        and process.info["uids"].real == owner
        and (_is_postmaster(process, data) or name in " ".join(process.info["cmdline"] or ()))
    ]


def _is_postmaster(process: psutil.Process, data: Path) -> bool:
    return str(data) in (process.info["cmdline"] or ())


def _tell(left: list[psutil.Process], data: Path, number: signal.Signals) -> None:
    """Tell the server, which tells its children; or the children, when they are orphans."""
    postmasters = [process for process in left if _is_postmaster(process, data)]
    if number == signal.SIGINT and not postmasters:
        number = signal.SIGQUIT  # to an orphan, SIGINT means to end its query and wait for another
    everybody = number == signal.SIGKILL or not postmasters
    for process in left if everybody else postmasters:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _wait_until_gone(data: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while _find(data) and time.monotonic() < deadline:
        time.sleep(0.05)
