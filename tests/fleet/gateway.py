# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a gateway: an sshd in its own namespaces and in its own root, which keeps all writes in memory."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import stat
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or "/usr/sbin/sshd"

# Directories that are empty in a gateway, with their modes. All other files are those of the lower root, copied on write.
PRIVATE = {
    "dev": 0o755,
    "dev/pts": 0o755,
    "dev/shm": 0o1777,
    "home": 0o755,
    "root": 0o700,
    "run": 0o755,
    "run/sshd": 0o755,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
}
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}

# From <linux/sched.h> and <linux/mount.h>.
NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_PIDS = 0x0002_0000, 0x0400_0000, 0x0800_0000, 0x2000_0000
READ_ONLY, RECURSIVE_PRIVATE = 1, 1 << 14 | 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Gateway:
    """A gateway, with the root ``lower``, the files of ``own`` over it, and a home for ``user``."""

    name: str
    address: str
    port: int
    lower: str
    own: str
    user: str
    uid: int


def start(gateway: Gateway, directory: Path, record: Callable[[int], None]) -> int:
    """Start the gateway, call ``record`` with its process id, and return the id.

    The new process waits until ``record`` has returned, and ends if this process dies before, so that every running gateway is recorded.
    When the new process ends, the kernel ends all processes inside and removes all mounts.
    """
    recorded, report = os.pipe()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    _check(_libc.unshare(NEW_PIDS), "unshare")
    process = os.fork()
    if process == 0:
        os.close(report)
        _child(gateway, directory, recorded)
    try:
        # The next fork is to be in the namespace of this process again.
        _check(_libc.setns(own, NEW_PIDS), "setns")
        record(process)
        os.write(report, b".")
    finally:
        for descriptor in (recorded, report, own):
            os.close(descriptor)
    return process


def library_closure(programs: list[str]) -> set[Path]:
    """Return the programs and the shared libraries that they load."""
    files = {Path(program) for program in programs}
    for program in programs:
        # ldd fails for a static program, which needs no libraries.
        listed = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
        files.update(Path(word) for word in listed.split() if word.startswith("/"))
    return files


def _child(gateway: Gateway, directory: Path, recorded: int) -> NoReturn:
    try:
        if os.read(recorded, 1):
            os.setsid()
            os.chdir(directory)
            _redirect(f"log/{gateway.name}")
            _enter_root(gateway)
            os.execv(SSHD, [SSHD, "-D", "-e", "-o", f"ListenAddress={gateway.address}:{gateway.port}"])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _redirect(log: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _enter_root(gateway: Gateway) -> None:
    """Create the root in mount/ of the current directory, visible to this process only, and change into it."""
    os.umask(0)
    _check(_libc.unshare(NEW_MOUNTS | NEW_UTS | NEW_IPC), "unshare")
    _mount("none", "/", None, RECURSIVE_PRIVATE)
    _mount("tmpfs", "mount", "tmpfs", options="mode=0755,size=64m")
    for name in ("upper", "upper/var", "work", "root"):
        os.mkdir(f"mount/{name}", 0o755)
    for name, mode in PRIVATE.items():
        os.mkdir(f"mount/upper/{name}", mode)
        os.setxattr(f"mount/upper/{name}", "trusted.overlay.opaque", b"y")
    for name, number in DEVICES.items():
        os.mknod(f"mount/upper/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(*number))
    os.symlink("pts/ptmx", "mount/upper/dev/ptmx")
    os.symlink("/proc/self/fd", "mount/upper/dev/fd")
    os.mkdir(f"mount/upper/home/{gateway.user}", 0o700)
    os.chown(f"mount/upper/home/{gateway.user}", gateway.uid, gateway.uid)
    shutil.copytree(gateway.own, "mount/upper", dirs_exist_ok=True)
    layers = f"lowerdir={gateway.lower},upperdir=mount/upper,workdir=mount/work"
    _mount("overlay", "mount/root", "overlay", options=layers)
    os.chroot("mount/root")
    os.chdir("/")
    # Read-only, because these two are shared with the machine.
    _mount("proc", "proc", "proc", READ_ONLY)
    _mount("sysfs", "sys", "sysfs", READ_ONLY)
    _mount("devpts", "dev/pts", "devpts", options="newinstance,ptmxmode=0666,mode=0620,gid=5")
    socket.sethostname(gateway.name)
    Path("etc/hostname").write_text(f"{gateway.name}\n")
    Path("etc/hosts").write_text(f"127.0.0.1 localhost\n{gateway.address} {gateway.name}\n")


def _mount(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind and kind.encode(), flags, options.encode())
    _check(_libc.mount(*arguments), f"mount {kind} on {target}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
