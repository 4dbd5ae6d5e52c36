"""Becomes another program, with few rights, that does not outlive the process that asked for it.

Run as a file, by the interpreter alone: ``launch.py ORDER PROGRAM ARGUMENT...`` where ``ORDER`` is
:class:`Order` as JSON. A process of its own, because code between fork and exec
(``preexec_fn``) can deadlock in a program with threads.

Where the account may not reach what the program needs, because the data or the Python environment
lie below a folder that only root may enter, the program keeps one capability, CAP_DAC_READ_SEARCH:
to read everything, as nobody in particular. That is less than opening folders for everybody.
CAP_DAC_OVERRIDE takes its place where containers hold it back, and where the program's file may
not be executed by others. See capabilities(7), "Ambient" and "SECBIT_NO_SETUID_FIXUP".
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import stat
import sys
from typing import TypedDict

_PR_SET_PDEATHSIG, _PR_CAPBSET_READ, _PR_SET_NO_NEW_PRIVS = 1, 23, 38
_PR_SET_KEEPCAPS, _PR_SET_SECUREBITS = 8, 28
_PR_CAP_AMBIENT, _AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 47, 2, 4
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class Order(TypedDict):
    """How to start the program."""

    owner: int
    """Process id of who asks; the program gets SIGINT when the asking thread ends."""
    uid: int
    gid: int
    reach: list[str]
    """Folders that the program has to be able to read."""


def main(order: Order, command: list[str]) -> None:
    """Become the program; never returns."""
    os.umask(0o077)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec keeps that
    if os.geteuid() == 0:
        _become(order, command[0])
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # Last: a change of credentials takes the death signal back.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != order["owner"]:
        sys.exit("the process that asked for this one has ended")
    os.execv(command[0], command)  # noqa: S606 (no shell is what we want)


def _become(order: Order, program: str) -> None:
    os.setgroups([])
    kept = _needed(order, program)
    os.setresgid(order["gid"], order["gid"], order["gid"])
    if kept:
        _prctl(_PR_SET_KEEPCAPS, 1)
        # access(2) forgets capabilities of whoever is not root, and PostgreSQL looks for its own
        # programs with it. Not permitted everywhere, and only needed where those are out of reach.
        _libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setresuid(order["uid"], order["uid"], order["uid"])
    _keep_only(kept)


def _needed(order: Order, program: str) -> int | None:
    """The capability without which the program could not run; None where it needs none."""
    executable = bool(os.stat(program).st_mode & stat.S_IXOTH)
    if executable and _reaches(order):
        return None
    if executable and _may_keep(_CAP_DAC_READ_SEARCH):
        return _CAP_DAC_READ_SEARCH
    if _may_keep(_CAP_DAC_OVERRIDE):
        return _CAP_DAC_OVERRIDE
    sys.exit(
        f"user {order['uid']} may not read {' or '.join(order['reach'])}, and no capability can "
        "be given to it: Permission denied"
    )


def _reaches(order: Order) -> bool:
    os.setegid(order["gid"])
    os.seteuid(order["uid"])
    try:
        return all(
            os.access(path, os.R_OK | os.X_OK, effective_ids=True) for path in order["reach"]
        )
    finally:
        os.seteuid(0)
        os.setegid(0)


def _may_keep(capability: int) -> bool:
    with open("/proc/self/status") as status:
        held = next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm"))
    bounding = _libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) == 1
    return bool(held >> capability & 1) and bounding


def _keep_only(kept: int | None) -> None:
    """Drop every capability but one, which stays across exec."""
    mask = 0 if kept is None else 1 << kept
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable: of capabilities 0-31, then of the others.
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    if kept is not None:
        _prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, kept)


def _prctl(option: int, value: int, argument: int = 0) -> None:
    if _libc.prctl(option, value, argument, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value})")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
