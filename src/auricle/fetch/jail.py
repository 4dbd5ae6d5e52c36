"""Shutting a process in: what is left to it is a folder, the processor, and the descriptors it has.

Everything here holds for good, and for the calling process alone, which must have one thread.

- Limits on memory, processor time, the size of files, open files, and no other processes.
- Where the process is root, it becomes nobody.
- Landlock (Linux 5.13, https://docs.kernel.org/userspace-api/landlock.html), where the kernel has
  it: files outside the folder and what Python needs do not exist for it.
- seccomp: no socket of its own, no connection, no program, no signal to others, no look at them.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from auricle.core.errors import BadMedia

MEMORY_BYTES = 2 << 30
_OPEN_FILES = 64
_NOBODY = 65534

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2

_libc = ctypes.CDLL(None, use_errno=True)


def shut_in(readable: Iterable[Path], max_bytes: int, cpu_s: int) -> None:
    """Shut this process into its current folder.

    ``readable`` are files and folders that may be read besides, ``max_bytes`` limits each file.
    Raises :class:`BadMedia` and ``OSError`` where that cannot be done.
    """
    filter_ = _program(_machine())
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _landlock(readable)
    for limit, most in {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: max_bytes,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }.items():
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))  # SIGXCPU says why, then SIGKILL
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _filter_calls(filter_)


def check_machine() -> None:
    """Raise :class:`BadMedia` where there is no such jail."""
    _machine()


def give(folder: Path) -> None:
    """Let the process that will be shut into a folder write there."""
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)


def _prctl(option: int, value: int, pointer: bytes | None = None) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), pointer, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


# Landlock

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System calls, of the same numbers on all machines."""

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_REG, _TRUNCATE = 1 << 5, 1 << 8, 1 << 14
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights a version knows; 16 since the fifth."""
_BIND_AND_CONNECT = 0b11
_SOCKETS_AND_SIGNALS = 0b11


def _landlock(readable: Iterable[Path]) -> None:
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:  # an older kernel, or switched off
        return
    handled = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = struct.pack("QQQ", handled, _BIND_AND_CONNECT, _SOCKETS_AND_SIGNALS)[:size]
    rules = _libc.syscall(_CREATE_RULESET, ruleset, ctypes.c_size_t(size), 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "Landlock cannot be set up")
    write = _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
    _allow(rules, Path(), write & handled)
    for path in readable:
        with suppress(FileNotFoundError):
            _allow(rules, path, _READ_FILE | (_READ_DIR if path.is_dir() else 0))
    if _libc.syscall(_RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), "Landlock cannot be switched on")
    os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", rights, file)
    if _libc.syscall(_ADD_RULE, rules, 1, rule, 0):
        raise OSError(ctypes.get_errno(), f"Landlock does not take {path}")
    os.close(file)


# seccomp: a program in classic BPF that judges each system call


@dataclass(frozen=True, slots=True)
class _Machine:
    """Numbers of a processor's kind, from Linux's ``audit.h`` and its tables of system calls."""

    arch: int
    refused: frozenset[int]
    sends: dict[int, int]
    """System calls that could connect by sending, and which argument holds their flags."""
    foreign: int | None = None
    """Where another table of system calls begins (x32)."""


_EVERYWHERE = frozenset(
    {
        424,  # pidfd_send_signal
        *(425, 426, 427),  # io_uring, which makes sockets of its own
        *(428, 429, 430, 431, 432, 433, 442),  # mounting
        *(434, 438),  # pidfd_open, pidfd_getfd
        435,  # clone3
        440,  # process_madvise
        447,  # memfd_secret
    }
)
_MACHINES = {
    "x86_64": _Machine(
        arch=0xC000003E,
        refused=_EVERYWHERE
        | {
            *(41, 53, 42, 49, 50, 43, 288),  # socket, socketpair, connect, bind, listen, accept
            *(56, 57, 58, 59, 322),  # clone, fork, vfork, execve, execveat
            *(62, 200, 234, 129, 297),  # kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
            *(101, 310, 311, 312),  # ptrace, process_vm_readv and _writev, kcmp
            *(29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 240),  # shared memory, semaphores, queues
            *(155, 161, 165, 166, 272, 308, 304),  # pivot_root, chroot, mounts, namespaces, handles
            *(248, 249, 250, 298, 302, 319, 321, 323),  # keys, perf, prlimit64, memfd, bpf, uffd
        },
        sends={44: 3, 46: 2, 307: 3},  # sendto, sendmsg, sendmmsg
        foreign=0x40000000,
    ),
    "aarch64": _Machine(
        arch=0xC00000B7,
        refused=_EVERYWHERE
        | {
            *(198, 199, 203, 200, 201, 202, 242),
            *(220, 221, 281),
            *(129, 130, 131, 138, 240),
            *(117, 270, 271, 272),
            *(194, 195, 196, 190, 191, 193, 186, 187, 188, 189, 180),
            *(41, 51, 40, 39, 97, 268, 265),
            *(217, 218, 219, 241, 261, 279, 280, 282),
        },
        sends={206: 3, 211: 2, 269: 3},
    ),
}
_NEWEST = 462
"""The last system call whose meaning was known when this was written."""

_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
"""Offsets in what a program looks at."""
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 0x00050001, 0x00050026
_MSG_FASTOPEN = 0x20000000


def _machine() -> _Machine:
    system = os.uname()
    if system.sysname != "Linux" or system.machine not in _MACHINES:
        raise BadMedia(
            f"Pages of video platforms cannot be read on {system.sysname} {system.machine}: the "
            "safeguards for it are written for Linux on x86_64 and aarch64. Give the address of "
            "the media file itself."
        )
    return _MACHINES[system.machine]


def _program(machine: _Machine) -> bytes:
    """The filter: wrong tables kill, what is refused fails, what is unknown does not exist."""
    steps = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, machine.arch), (_RETURN, 0, 0, _KILL)]
    steps += [(_LOAD, 0, 0, _NUMBER)]
    if machine.foreign is not None:
        steps += [(_AT_LEAST, 0, 1, machine.foreign), (_RETURN, 0, 0, _KILL)]
    steps += [(_GREATER, 0, 1, _NEWEST), (_RETURN, 0, 0, _ENOSYS)]
    for number in sorted(machine.refused):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    for number, argument in machine.sends.items():
        steps += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
            (_ANY_BIT, 0, 1, _MSG_FASTOPEN),
            (_RETURN, 0, 0, _EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    steps += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _filter_calls(program: bytes) -> None:
    steps = ctypes.create_string_buffer(program, len(program))
    pointed = struct.pack("HP", len(program) // 8, ctypes.addressof(steps))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointed)
