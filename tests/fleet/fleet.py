# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a fleet of SSH gateways on this machine, for tests, measurements and trying things out.

    python tests/fleet/fleet.py up 100
    ansible-playbook -i .fleet/inventory.yml ...
    python tests/fleet/fleet.py down

Each gateway is an sshd with its own loopback address and root file system. It sees the files of this machine, except for /dev, /home,
/root, /run and /tmp, and writes to memory only. With --busybox, some gateways have only BusyBox; with --openwrt, only the commands of a
stock OpenWrt. On the machine itself, only the directory of the fleet is written. The fleet needs root, openssh-server and sudo. It does not
protect the machine from its gateways.
"""

from __future__ import annotations

import argparse
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import yaml
from gateway import SSHD, Gateway, library_closure, start
from openwrt import busybox, link_applets

DIRECTORY = Path(".fleet")
USER, UID = "fleet", 6400
MOST = 1000
START_SECONDS = 60.0

# The key exchange that OpenSSH 9 prefers costs the client of each connection 90 ms of CPU time, this one 10 ms.
SSHD_CONFIG = """\
KexAlgorithms curve25519-sha256
HostKey /etc/ssh/fleet_host_key
AuthorizedKeysFile /etc/ssh/fleet_authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
PidFile none
MaxStartups 1000
"""
SSHD_CONFIG_OF = {"python": "Subsystem sftp internal-sftp\n", "busybox": "SetEnv PATH=/bin\n"}
BUSYBOX_USERS = "root:x:0:0::/root:/bin/sh\nsshd:x:100:100::/run/sshd:/bin/false\n"
BUSYBOX_GROUPS = "root:x:0:\nsshd:x:100:\n"
SUDOERS = f"root ALL=(ALL:ALL) ALL\n{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n"


@dataclass(frozen=True)
class Size:
    """The number of all gateways, and of those with BusyBox or OpenWrt's commands only, which are the last ones."""

    gateways: int
    busybox: int = 0
    openwrt: int = 0

    def __post_init__(self) -> None:
        small = self.busybox + self.openwrt
        if not 1 <= self.gateways <= MOST or min(self.busybox, self.openwrt) < 0 or small > self.gateways:
            raise SystemExit(f"a fleet has 1 to {MOST} gateways, including those of --busybox and --openwrt")

    def kind(self, number: int) -> str:
        """Return python, busybox or openwrt for the gateway of this number, counted from 1."""
        if number > self.gateways - self.openwrt:
            return "openwrt"
        return "busybox" if number > self.gateways - self.openwrt - self.busybox else "python"


class Fleet:
    """The fleet with its state in ``directory``, so that another process can end it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.inventory = self.directory / "inventory.yml"
        # A line for each gateway: its name, and the identity() of its process.
        self._processes = self.directory / "processes"

    def up(self, size: Size, become: bool = False) -> None:
        """Start the gateways, and return when each of them answers.

        :raises SystemExit: this is not possible, or a gateway did not start; then no gateway runs
        """
        if self.directory.exists():
            raise SystemExit(f"{self.directory} exists already: end that fleet first, or choose another --dir")
        if problem := unusable(size):
            raise SystemExit(problem)
        self.directory.mkdir(mode=0o700, parents=True)
        try:
            self._start(size, become)
        except BaseException:
            self.down()
            raise

    def down(self) -> int:
        """End every process of the fleet and remove its directory; return the number of gateways that ran."""
        running = self._running()
        for process in running:
            # The kernel ends all other processes of the gateway's namespace before this one.
            signal.pidfd_send_signal(process, signal.SIGKILL)
        for process in running:
            select.select([process], [], [])
            os.close(process)
        if self._processes.exists():
            shutil.rmtree(self.directory)
        return len(running)

    def process(self, name: str) -> int:
        """Return the process id of the gateway's sshd."""
        [number] = [line.split()[1] for line in self._recorded() if line.startswith(f"{name} ")]
        return int(number)

    def root(self, name: str) -> Path:
        """Return the root of the gateway's files, as this process can read and write them."""
        return Path(f"/proc/{self.process(name)}/root")

    def _start(self, size: Size, become: bool) -> None:
        self._processes.touch()
        os.umask(0o022)
        for name in ("log", "mount"):
            (self.directory / name).mkdir()
        port = free_port()
        gateways = [gateway(number, size, port) for number in range(1, size.gateways + 1)]
        for name in ("id", "host_key"):
            make_key(self.directory / name)
        write_own(self.directory, "python", Path("/etc/passwd").read_text(), Path("/etc/group").read_text())
        write_own(self.directory, "busybox", BUSYBOX_USERS, BUSYBOX_GROUPS)
        if size.busybox:
            write_busybox(self.directory / "busybox")
        if size.openwrt:
            write_openwrt(self.directory / "openwrt")
        write_known_hosts(self.directory, gateways)
        document = inventory(gateways, self.directory, become)
        self.inventory.write_text(yaml.safe_dump(document, sort_keys=False))
        with self._processes.open("a") as processes:
            started = {each: start(each, self.directory, partial(record, processes, each.name)) for each in gateways}
        deadline = time.monotonic() + START_SECONDS
        for each, process in started.items():
            while not answers(each):
                if time.monotonic() > deadline or os.waitpid(process, os.WNOHANG) != (0, 0):
                    log = self.directory / "log" / each.name
                    raise SystemExit(f"{each.name} did not start:\n{log.read_text() if log.exists() else ''}")
                time.sleep(0.02)

    def _running(self) -> list[int]:
        """Return descriptors of the running gateways' processes, which stay valid if the kernel uses a process id again."""
        running = []
        for line in self._recorded():
            _name, number, *_start = line.split()
            try:
                process = os.pidfd_open(int(number))
            except ProcessLookupError:
                continue
            if identity(int(number)) == line.partition(" ")[2]:
                running.append(process)
            else:
                os.close(process)
        return running

    def _recorded(self) -> list[str]:
        return self._processes.read_text().splitlines() if self._processes.exists() else []


def unusable(size: Size) -> str | None:
    """Return the reason why no fleet can be started on this machine, in one line; None if one can."""
    if os.geteuid() != 0:
        return "the loopback fleet needs root"
    programs = [SSHD, "ssh", "sudo", *(["busybox"] if size.busybox + size.openwrt else [])]
    lacking = [program for program in programs if not shutil.which(program)]
    if lacking:
        return f"the loopback fleet needs {', '.join(lacking)}"
    return no_namespaces("the loopback fleet")


def no_namespaces(what: str) -> str | None:
    """Return the reason why a process cannot have new namespaces, as in most containers; None if it can."""
    unshare = ["unshare", "--mount", "--pid", "--fork", "true"]
    denied = subprocess.run(unshare, check=False, capture_output=True, text=True)
    return f"{what} needs new namespaces: {denied.stderr.strip()}" if denied.returncode else None


def record(processes: TextIO, name: str, process: int) -> None:
    print(name, identity(process), file=processes, flush=True)


def identity(process: int) -> str | None:
    """Return the process id, the time of the start in ticks, and the id of the boot, which no other process has; None: no process."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return f"{process} {fields[19]} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"


def gateway(number: int, size: Size, port: int) -> Gateway:
    """Return the gateway of this number, counted from 1."""
    kind = size.kind(number)
    return Gateway(
        name=f"gw-{number:04}",
        address=f"127.77.{number // 250}.{number % 250 + 1}",
        port=port,
        lower="/" if kind == "python" else kind,
        own="own/python" if kind == "python" else "own/busybox",
        user=USER,
        uid=UID,
    )


def inventory(gateways: list[Gateway], directory: Path, become: bool) -> dict[str, Any]:
    """Return an inventory with the group gateways of the groups gateways_python, gateways_busybox and gateways_openwrt."""
    options = {
        "UserKnownHostsFile": str(directory / "known_hosts"),
        "GlobalKnownHostsFile": os.devnull,
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
    }
    common = {
        "ansible_port": gateways[0].port,
        "ansible_user": USER if become else "root",
        "ansible_become": become,
        "ansible_ssh_private_key_file": str(directory / "id"),
        "ansible_ssh_common_args": " ".join(f"-o {shlex.quote(f'{name}={value}')}" for name, value in options.items()),
    }
    # These gateways have no sudo, so only root can log in.
    small = {"ansible_user": "root", "ansible_become": False, "gateway_register_from": "controller"}
    kinds = {"/": {"ansible_python_interpreter": "/usr/bin/python3"}, "busybox": small, "openwrt": dict(small)}
    children = {
        f"gateways_{'python' if lower == '/' else lower}": {
            "hosts": {each.name: {"ansible_host": each.address} for each in gateways if each.lower == lower},
            "vars": variables,
        }
        for lower, variables in kinds.items()
    }
    return {"gateways": {"vars": common, "children": children}}


def write_known_hosts(directory: Path, gateways: list[Gateway]) -> None:
    """Write the host key, which all gateways have."""
    key = " ".join((directory / "host_key.pub").read_text().split()[:2])
    lines = [f"[{each.address}]:{each.port} {key}\n" for each in gateways]
    (directory / "known_hosts").write_text("".join(lines))


def write_own(directory: Path, kind: str, users: str, groups: str) -> None:
    """Write the files of a gateway that differ from those of its lower root: keys, users and sudoers."""
    users += f"{USER}:x:{UID}:{UID}::/home/{USER}:/bin/sh\n"
    names = [line.split(":")[0] for line in users.splitlines()]
    files = {
        "etc/ssh/sshd_config": (SSHD_CONFIG + SSHD_CONFIG_OF[kind], 0o644),
        "etc/ssh/fleet_host_key": ((directory / "host_key").read_text(), 0o600),
        "etc/ssh/fleet_authorized_keys": ((directory / "id.pub").read_text(), 0o644),
        "etc/passwd": (users, 0o644),
        "etc/group": (groups + f"{USER}:x:{UID}:\n", 0o644),
        # No password is accepted, but the accounts are not locked: a locked account cannot log in by key.
        "etc/shadow": ("".join(f"{name}:*:19000:0:99999:7:::\n" for name in names), 0o600),
        "etc/sudoers": (SUDOERS, 0o440),
        "var/log/lastlog": ("", 0o644),
    }
    for name, (text, mode) in files.items():
        path = directory / "own" / kind / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)


def write_busybox(root: Path) -> None:
    """Write a root with BusyBox, sshd and its libraries."""
    copy_programs(root, busybox())
    applets = subprocess.run([busybox(), "--list"], check=True, capture_output=True, text=True).stdout.split()
    for name in applets:
        (root / "bin" / name).unlink(missing_ok=True)
        (root / "bin" / name).symlink_to(busybox())


def write_openwrt(root: Path) -> None:
    """Write a root with the commands of a stock OpenWrt, sshd and its libraries."""
    copy_programs(root, busybox())
    link_applets(root / "bin", busybox())
    (root / "etc/init.d").mkdir(mode=0o755, parents=True)


def copy_programs(root: Path, *programs: str) -> None:
    """Write a root with sshd, these programs and their libraries."""
    for directory in ("bin", "proc", "sys"):
        (root / directory).mkdir(mode=0o755, parents=True)
    for file in library_closure([SSHD, *programs, *map(str, Path("/usr/lib/openssh").glob("sshd-*"))]):
        target = root / str(file).lstrip("/")
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copy(file, target)


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True)


def free_port() -> int:
    """Return a port that is free on every address."""
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])


def answers(gateway: Gateway) -> bool:
    try:
        with socket.create_connection((gateway.address, gateway.port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a fleet and print the path of its inventory")
    up.add_argument("gateways", type=int, metavar="N", help="number of gateways")
    up.add_argument(
        "--busybox", type=int, default=0, metavar="M", help="number of them with BusyBox only, without Python"
    )
    up.add_argument(
        "--openwrt", type=int, default=0, metavar="K", help="number of them with the commands of a stock OpenWrt"
    )
    up.add_argument("--become", action="store_true", help=f"log in as {USER}, and become root with sudo")
    down = commands.add_parser("down", help="end the fleet, also one that a crash has left")
    shown = commands.add_parser("inventory", help="print the path of the inventory")
    for command in (up, down, shown):
        command.add_argument("--dir", type=Path, default=DIRECTORY, help="directory of the fleet (%(default)s)")
    arguments = parser.parse_args()
    fleet = Fleet(arguments.dir)
    if arguments.command == "up":
        began = time.monotonic()
        fleet.up(Size(arguments.gateways, arguments.busybox, arguments.openwrt), arguments.become)
        seconds = time.monotonic() - began
        print(f"{arguments.gateways} gateways in {seconds:.1f} seconds: {fleet.inventory}")
    elif arguments.command == "down":
        print(f"{fleet.down()} gateways ended")
    else:
        print(fleet.inventory)


if __name__ == "__main__":
    main()
