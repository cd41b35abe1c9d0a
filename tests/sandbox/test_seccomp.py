"""The filter of system calls, by an interpreter of its program, on both machines."""

from __future__ import annotations

import errno
import struct

import pytest

from aster_sidecar.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def refused(number: int) -> int:
    return 0x00050000 | number


def verdict(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the program answers. Source: the kernel's documentation, networking/filter.rst."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, MACHINES[machine] if arch is None else arch, 0, *given)
    program = list(struct.iter_unpack("HBBI", seccomp.program(machine)))
    assert len(program) < 4096
    place, value = 0, 0
    while True:
        operation, if_true, if_false, operand = program[place]
        place += 1
        if operation == 0x06:
            return operand
        if operation == 0x20:
            value = struct.unpack_from("=I", data, operand)[0]
        elif operation == 0x54:
            value &= operand
        else:
            true = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[operation]
            place += if_true if true else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_only_this_machine_s_system_calls_are_known(machine: str) -> None:
    assert verdict(machine, 0) == ALLOW
    assert verdict(machine, 0, arch=0x40000003) == KILL
    assert seccomp.machine_known(machine)
    assert not seccomp.machine_known("riscv64")


def test_x32_is_refused() -> None:
    assert verdict("x86_64", 0x40000000 | 39) == refused(errno.ENOSYS)


@pytest.mark.parametrize(
    ("x86_64", "aarch64"),
    [(101, 117), (310, 270), (165, 40), (166, 39), (155, 41), (304, 265), (321, 280), (298, 241), (323, 282),
     (250, 219), (248, 217), (249, 218), (246, 104), (175, 105), (425, 425), (308, 268), (430, 430), (438, 438)],
)  # fmt: skip
def test_what_reaches_out_of_the_sandbox_is_refused(x86_64: int, aarch64: int) -> None:
    assert verdict("x86_64", x86_64) == verdict("aarch64", aarch64) == refused(errno.EPERM)


@pytest.mark.parametrize(("machine", "clone", "unshare"), [("x86_64", 56, 272), ("aarch64", 220, 97)])
def test_no_namespace_can_be_made(machine: str, clone: int, unshare: int) -> None:
    thread = 0x003D0F00  # the flags of a thread
    assert verdict(machine, clone, thread) == verdict(machine, clone, 17) == ALLOW
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, clone, flag | 17) == verdict(machine, unshare, flag) == refused(errno.EPERM)
    assert verdict(machine, unshare, 0x80) == refused(errno.EPERM)
    assert verdict(machine, unshare, 0x200) == ALLOW
    assert verdict(machine, 435) == refused(errno.ENOSYS)


@pytest.mark.parametrize(("machine", "opening", "pair"), [("x86_64", 41, 53), ("aarch64", 198, 199)])
def test_only_sockets_of_the_network_can_be_opened(machine: str, opening: int, pair: int) -> None:
    families = [family for family in range(64) if verdict(machine, opening, family, 1) == ALLOW]
    assert families == [2, 10, 16]
    assert verdict(machine, opening, 1, 1) == refused(errno.EAFNOSUPPORT)
    kinds = [kind for kind in range(1, 7) if verdict(machine, pair, 1, kind | 0o2004000) == ALLOW]
    assert kinds == [1, 5]


@pytest.mark.parametrize(
    ("machine", "number", "before"),
    [("x86_64", 90, 1), ("x86_64", 91, 1), ("x86_64", 268, 2), ("x86_64", 257, 3), ("x86_64", 2, 2), ("x86_64", 85, 1),
     ("aarch64", 52, 1), ("aarch64", 53, 2), ("aarch64", 56, 3), ("aarch64", 33, 2)],
)  # fmt: skip
def test_no_file_is_made_set_user_id(machine: str, number: int, before: int) -> None:
    assert verdict(machine, number, *[0] * before, 0o755) == ALLOW
    assert verdict(machine, number, *[0] * before, 0o4755) == refused(errno.EPERM)


@pytest.mark.parametrize(("machine", "ioctl"), [("x86_64", 16), ("aarch64", 29)])
def test_no_input_is_put_into_a_terminal(machine: str, ioctl: int) -> None:
    assert verdict(machine, ioctl, 0, 0x5401) == ALLOW
    assert verdict(machine, ioctl, 0, 0x5412) == verdict(machine, ioctl, 0, 1 << 32 | 0x541C) == refused(errno.EPERM)
