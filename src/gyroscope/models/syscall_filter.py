"""The system calls that a throwaway process may not make, as a seccomp program.

The sandbox loads it. It is data and a small assembler: nothing here calls the kernel.
A refused call fails with EPERM, so that a library that only tries (`lscpu`) goes on without.
"""

from __future__ import annotations

import struct

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

REFUSED: dict[str, tuple[int, int]] = {
    # The network. io_uring can open sockets without asking `socket`.
    "socket": (41, 198), "io_uring_setup": (425, 425),
    # Other programs and processes.
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1), "ptrace": (101, 117),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    # Ways around or out of the walls.
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218),
    # Landlock does not guard these: truncating (before Linux 6.2), modes, owners, attributes.
    "truncate": (76, 45), "chmod": (90, -1), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, -1),
    "lchown": (94, -1), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6), "openat2": (437, 437),
    "removexattr": (197, 14), "lremovexattr": (198, 15),
}  # fmt: skip
"""Name -> (number on x86-64, number on ARM64); -1 where there is none."""

CLONE = (56, 220)
CLONE3 = (435, 435)
OPEN = (2, -1)
OPENAT = (257, 56)
CLONE_THREAD = 0x00010000
FIRST_X32 = 0x40000000

LOAD, AND = 0x20, 0x54
IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, RETURN = 0x15, 0x35, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
EPERM, ENOSYS = 1, 38
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
TRUNCATING, ACCESS_OR_TRUNCATE = 0o1000, 0o1003


def filter_program(machine: str) -> bytes:
    """The program for an architecture, 8 bytes per instruction; empty for one that is not known here.

    >>> len(filter_program("x86_64")) % 8, filter_program("z80")
    (0, b'')
    """
    if machine not in ARCHITECTURE:
        return b""
    column = 0 if machine == "x86_64" else 1
    steps = [
        _step(LOAD, ARCHITECTURE_AT),
        _step(IF_EQUAL, ARCHITECTURE[machine], then=1),
        _step(RETURN, ERROR | EPERM),
        _step(LOAD, NUMBER_AT),
        *_refuse(IF_AT_LEAST, FIRST_X32, EPERM),  # the same calls by other numbers
        *_refuse(IF_EQUAL, CLONE3[column], ENOSYS),  # its flags cannot be read here; libraries then use `clone`
        *_threads_only(CLONE[column]),
    ]
    # Opening for reading with O_TRUNC empties a file and is no write to Landlock before Linux 6.2.
    for number, flags_at in ((OPEN[column], 1), (OPENAT[column], 2)):
        steps += _no_hidden_truncate(number, flags_at) if number >= 0 else []
    for numbers in REFUSED.values():
        steps += _refuse(IF_EQUAL, numbers[column], EPERM) if numbers[column] >= 0 else []
    return b"".join([*steps, _step(RETURN, ALLOW)])


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One instruction; `then` and `otherwise` are how many to skip."""
    return struct.pack("=HBBI", code, then, otherwise, value)


def _refuse(condition: int, value: int, error: int) -> list[bytes]:
    return [_step(condition, value, otherwise=1), _step(RETURN, ERROR | error)]


def _threads_only(number: int) -> list[bytes]:
    return [
        _step(IF_EQUAL, number, otherwise=4),
        _step(LOAD, ARGUMENTS_AT),
        _step(IF_ANY_BIT, CLONE_THREAD, then=1),
        _step(RETURN, ERROR | EPERM),
        _step(RETURN, ALLOW),
    ]


def _no_hidden_truncate(number: int, flags_at: int) -> list[bytes]:
    return [
        _step(IF_EQUAL, number, otherwise=5),
        _step(LOAD, ARGUMENTS_AT + 8 * flags_at),
        _step(AND, ACCESS_OR_TRUNCATE),
        _step(IF_EQUAL, TRUNCATING, otherwise=1),
        _step(RETURN, ERROR | EPERM),
        _step(RETURN, ALLOW),
    ]
