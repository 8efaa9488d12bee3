"""Runs a command in the root of an arm64 system under QEMU: `python chroot.py QEMU ROOT COMMAND …` (Linux 6.7, root).

QEMU is registered in a user namespace that ends with the command, so that nothing of this machine changes. `QEMU_CPU`
chooses the processor: cortex-a53 is a Raspberry Pi 3, cortex-a72 a 4, cortex-a76 a 5.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

NEW_MOUNTS, NEW_USERS, NEW_PROCESSES = 0x20000, 0x10000000, 0x20000000  # sched.h: CLONE_NEWNS, CLONE_NEWUSER, …
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18  # sys/mount.h: MS_BIND, MS_REC, MS_PRIVATE
EVERYBODY = "0 0 4294967295"
ARM64 = (
    rb":arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    rb":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:"
)
"""How the kernel knows such a program (Documentation/admin-guide/binfmt-misc.rst); the interpreter's path follows."""
DEVICES = ("null", "zero", "full", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def main(argv: list[str]) -> int:
    """Run it; its exit code."""
    qemu, root, command = argv[0], os.path.realpath(argv[1]), argv[2:]
    separated, mapped = os.pipe(), os.pipe()
    process = os.fork()
    if process == 0:
        _called(libc.unshare(NEW_USERS | NEW_MOUNTS | NEW_PROCESSES), "unshare")
        os.write(separated[1], b".")
        os.read(mapped[0], 1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        _first_of_all(qemu, root, command)
    os.read(separated[0], 1)
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{process}/{kind}").write_text(EVERYBODY)
    os.write(mapped[1], b".")
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) & 0xFF


def _first_of_all(qemu: str, root: str, command: list[str]) -> None:
    """Fork once more: the next process is the first of its namespace, and everything ends with it."""
    process = os.fork()
    if process:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) & 0xFF)
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    _mount("binfmt_misc", "/mnt", "binfmt_misc")
    Path("/mnt/register").write_bytes(ARM64 + os.fsencode(qemu) + b":OCF")
    _mount("tmpfs", f"{root}/dev", "tmpfs", data=b"mode=755")
    for name in DEVICES:
        Path(f"{root}/dev/{name}").touch()
        _mount(f"/dev/{name}", f"{root}/dev/{name}", None, BIND)
    shared = Path(root, "dev", "shm")
    shared.mkdir()
    _mount("tmpfs", str(shared), "tmpfs", data=b"mode=1777")
    _mount("proc", f"{root}/proc", "proc")
    os.chroot(root)
    os.chdir("/")
    kept = {name: value for name, value in os.environ.items() if name.startswith(("QEMU_", "PYTHON", "OMP_"))}
    os.execvpe(command[0], command, {"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **kept})  # noqa: S606


def _mount(source: str, target: str, kind: str | None, flags: int = 0, data: bytes | None = None) -> None:
    type_ = kind.encode() if kind else None
    _called(libc.mount(source.encode(), target.encode(), type_, flags, data), f"mount {target}")


def _called(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
