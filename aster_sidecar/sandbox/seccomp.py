"""The filter of system calls inside the sandbox, as a program of classic BPF that bubblewrap loads. Linux.

Sources: linux/seccomp.h, linux/filter.h, linux/audit.h; asm/unistd_64.h (x86_64), asm-generic/unistd.h (aarch64).
"""

from __future__ import annotations

import errno
import struct

# What the program reads: struct seccomp_data {int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6];}, of which
# the lower half of an argument comes first on both machines.
_NR, _ARCH, _ARG0, _ARG1, _ARG2, _ARG3 = 0, 4, 16, 24, 32, 40
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_X32 = 0x40000000
"""The bit in the number of each system call of x32, a second interface of x86_64 that the numbers here don't cover."""
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. Source: linux/sched.h."""
_NEW_TIME = 0x80
"""CLONE_NEWTIME, for unshare; in the flags of clone this bit belongs to a signal's number."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which put characters into the input of a terminal."""
_FAMILIES = (2, 10, 16)
"""AF_INET, AF_INET6 and AF_NETLINK."""
_SET_USER_ID = 0o4000
_STREAM, _SEQPACKET, _TYPES = 1, 5, 0xF

_MODES: dict[str, tuple[int, int, int]] = {
    "fchmod": (91, 52, _ARG1),
    "fchmodat": (268, 53, _ARG2),
    "fchmodat2": (452, 452, _ARG2),
    "openat": (257, 56, _ARG3),
    "mknodat": (259, 33, _ARG2),
}
"""The system calls that set permission bits: their numbers, and which argument has the bits."""
_MODES_OF_X86 = {"chmod": (90, _ARG1), "open": (2, _ARG2), "creat": (85, _ARG1), "mknod": (133, _ARG1)}
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_CALLS: dict[str, tuple[int, int]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    # what is mounted, and files past it
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "setns": (308, 268),
    # the kernel: programs in it, its memory, its modules, its clock
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "lookup_dcookie": (212, 18),
    "syslog": (103, 116),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "vhangup": (153, 58),
    # keys, which are the user's in every namespace
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
"""The system calls that are refused with EPERM, and their numbers on x86_64 and aarch64."""
_OF_X86 = {"uselib": 134, "ioperm": 173, "iopl": 172, "create_module": 174}
_ARGUMENTS: dict[str, tuple[int, int]] = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "openat2": (437, 437),
    "unshare": (272, 97),
    "ioctl": (16, 29),
    "socket": (41, 198),
    "socketpair": (53, 199),
}
"""The system calls that depend on their arguments."""


def machine_known(machine: str) -> bool:
    """Whether there is a filter for this machine (`platform.machine()`)."""
    return machine in AUDIT_ARCH


def program(machine: str) -> bytes:
    """The filter for `machine`: "x86_64" or "aarch64". Raises: KeyError for another machine.

    Programs of another machine (32 bit) are killed. clone3 and openat2 do not exist, because their flags are in memory,
    where a filter can't read them; programs then use clone and openat. No file can be made set-user-ID, which would act
    outside with the rights of the user. No socket of AF_UNIX can be opened, because such a socket leads
    to programs outside: by a path in a visible directory, and with the network "all" also by a name without a path. A
    pair of connected sockets can be opened, but not for datagrams, which such a pair can send to any socket.
    """
    column = list(AUDIT_ARCH).index(machine)
    refused = {numbers[column] for numbers in _CALLS.values()}
    judged = {name: numbers[column] for name, numbers in _ARGUMENTS.items()}
    code = [*_if_equal(_ARCH, AUDIT_ARCH[machine], otherwise=_KILL), _load(_NR)]
    if machine == "x86_64":
        refused |= set(_OF_X86.values())
        code += [(_AT_LEAST, 0, 1, _X32), _fail(errno.ENOSYS)]
    for number in sorted(refused):
        code += [(_EQUAL, 0, 1, number), _fail(errno.EPERM)]
    for name in ("clone3", "openat2"):
        code += [(_EQUAL, 0, 1, judged[name]), _fail(errno.ENOSYS)]
    for name, flags in (("clone", _NAMESPACES), ("unshare", _NAMESPACES | _NEW_TIME)):
        block = [_load(_ARG0), (_ANY_BIT, 0, 1, flags), _fail(errno.EPERM), _allow()]
        code += _for_call(judged[name], block)
    block = [_load(_ARG1)]
    for request in _TERMINAL_INPUT:
        block += [(_EQUAL, 0, 1, request), _fail(errno.EPERM)]
    code += _for_call(judged["ioctl"], [*block, _allow()])
    modes = [(numbers[column], numbers[2]) for numbers in _MODES.values()]
    for number, argument in (*modes, *(_MODES_OF_X86.values() if machine == "x86_64" else ())):
        block = [_load(argument), (_ANY_BIT, 0, 1, _SET_USER_ID), _fail(errno.EPERM), _allow()]
        code += _for_call(number, block)
    code += _for_call(judged["socket"], _only(_ARG0, _FAMILIES))
    code += _for_call(judged["socketpair"], _only(_ARG1, (_STREAM, _SEQPACKET), mask=_TYPES))
    return b"".join(struct.pack("HBBI", *one) for one in [*code, _allow()])


_Instruction = tuple[int, int, int, int]
"""Operation, how many instructions to skip if true, and if false, value."""


def _load(offset: int) -> _Instruction:
    return _LOAD, 0, 0, offset


def _allow() -> _Instruction:
    return _RETURN, 0, 0, _ALLOW


def _fail(number: int) -> _Instruction:
    return _RETURN, 0, 0, _ERRNO | number


def _if_equal(offset: int, value: int, otherwise: int) -> list[_Instruction]:
    return [_load(offset), (_EQUAL, 1, 0, value), (_RETURN, 0, 0, otherwise)]


def _for_call(number: int, block: list[_Instruction]) -> list[_Instruction]:
    """Run `block`, which decides, for this system call."""
    return [(_EQUAL, 0, len(block), number), *block]


def _only(offset: int, values: tuple[int, ...], mask: int = 0xFFFFFFFF) -> list[_Instruction]:
    """Allow these values of an argument. Others fail as a family of addresses does that the kernel does not have."""
    block = [_load(offset), (_AND, 0, 0, mask)]
    for value in values:
        block += [(_EQUAL, 0, 1, value), _allow()]
    return [*block, _fail(errno.EAFNOSUPPORT)]
