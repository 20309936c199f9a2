"""Shuts the calling process in: no network, no files but its own, no other programs, bounded memory and time.

Only the throwaway child of a conversion calls this, before it opens what it was given; there is no way out again.
Linux only, by the kernel's own means (namespaces, Landlock, seccomp); what could not be had is said, never assumed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.models.syscall_filter import filter_program

LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
SIGKILL = 9

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION_3 = 0x20080522

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_FILE, REFER, TRUNCATE = 1 << 7, 1 << 8, 1 << 13, 1 << 14
READ = EXECUTE | READ_FILE | READ_DIR
# No links, sockets, pipes or devices: whoever collects the results must not be led elsewhere by one.
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_FILE | TRUNCATE
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE

SYSTEM_PATHS = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo")
CPU_PATHS = ("/sys/devices/system/cpu", "/dev/null", "/dev/zero", "/dev/urandom")


class Limits(msgspec.Struct, frozen=True):
    """What the process may use. A model that needs more is larger than one machine's replica can be."""

    cpu_s: int = 120
    wall_s: int = 180
    memory_bytes: int = 4 << 30
    file_bytes: int = 1 << 30


class Confinement(msgspec.Struct, frozen=True):
    """What was achieved. `level` is full when neither network nor foreign files nor programs are within reach."""

    level: Literal["full", "partial", "none"]
    has_network_namespace: bool
    has_landlock: bool
    has_syscall_filter: bool


def confine(folder: Path, limits: Limits) -> Confinement:
    """Shut this process in: it may write below `folder` and read the interpreter, libraries and little else.

    Call it with one thread: the walls stand around the calling thread and what it starts. With more, nothing counts.
    """
    _limit(limits)
    # Two die together: a killed parent leaves no orphan that goes on.
    LIBC.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    has_namespace = _leave_network()
    is_alone = len(list(Path("/proc/self/task").iterdir())) == 1
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    has_landlock = _landlock(_readable_paths(), folder) and is_alone
    _drop_capabilities()
    has_filter = _filter_syscalls() and is_alone
    walls = (has_namespace or has_filter, has_landlock, has_filter)
    level: Literal["full", "partial", "none"] = "full" if all(walls) else "partial" if any(walls) else "none"
    return Confinement(level, has_namespace, has_landlock, has_filter)


def _limit(limits: Limits) -> None:
    for kind, most in (
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def _leave_network() -> bool:
    """A network namespace of one's own, which has no interface; users other than root need a user namespace for it."""
    if LIBC.unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0:
        return True
    return bool(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0)


def _readable_paths() -> list[str]:
    own = Path(__file__).resolve().parents[1]
    return [*SYSTEM_PATHS, *CPU_PATHS, sys.prefix, sys.base_prefix, str(own), *sys.path, f"/proc/{os.getpid()}"]


def _landlock(readable: Iterable[str], folder: Path) -> bool:
    """Everything that is not named is out of reach, for reading too: keys and tokens lie in files."""
    abi = LIBC.syscall(LANDLOCK_CREATE, None, 0, 1)
    if abi < 1:
        return False
    handled = sum(1 << bit for bit in range(13)) | (REFER if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0)
    network = 0b11 if abi >= 4 else 0
    scoped = 0b11 if abi >= 6 else 0
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    rules = LIBC.syscall(LANDLOCK_CREATE, struct.pack("=QQQ", handled, network, scoped), size, 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow(rules, path, READ & handled)
        _allow(rules, str(folder), WRITE & handled)
        return bool(LIBC.syscall(LANDLOCK_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not every system has every path; what is not there needs no leave
    try:
        allowed = access if Path(path).is_dir() else access & ON_A_FILE
        LIBC.syscall(LANDLOCK_ADD, rules, 1, struct.pack("=Qi", allowed, handle), 0)
    finally:
        os.close(handle)


def _drop_capabilities() -> None:
    """Root without capabilities is a user who owns root's files; those are behind Landlock."""
    number = CAPSET.get(os.uname().machine)
    if number is not None:
        header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
        LIBC.syscall(number, header, struct.pack("=6I", 0, 0, 0, 0, 0, 0))


def _filter_syscalls() -> bool:
    program = filter_program(os.uname().machine)
    if not program:
        return False
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return bool(LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) == 0)
