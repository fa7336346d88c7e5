# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a fleet of containers: a gateway for each of three Debian releases, one with BusyBox only, and one with a stock OpenWrt's commands.

    python tests/fleet/containers.py up
    ansible-playbook -i .fleet/inventory.yml ...
    python tests/fleet/containers.py down

The first start builds the images with debootstrap. The containers use the network of the machine, and each sshd has its own loopback
address. The fleet needs root, podman, debootstrap, busybox and openssh-server.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml
from fleet import (
    BUSYBOX_GROUPS,
    BUSYBOX_USERS,
    DIRECTORY,
    START_SECONDS,
    Size,
    answers,
    free_port,
    gateway,
    inventory,
    make_key,
    no_namespaces,
    write_busybox,
    write_known_hosts,
    write_openwrt,
    write_own,
)
from gateway import PRIVATE, SSHD

# With Python 3.9, 3.11 and 3.13.
RELEASES = ("bullseye", "bookworm", "trixie")
BUSYBOX = "busybox"
OPENWRT = "openwrt"
IMAGES = (*RELEASES, BUSYBOX, OPENWRT)
IMAGE = "localhost/aliyun-iot-gateway"
LABEL = "aliyun-iot-fleet"
PROGRAMS = ("podman", "debootstrap", "busybox", "ssh", SSHD)
UNUSED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists")

# The default limits of podman can be higher than those of the machine, which podman then refuses.
CONTAINERS_CONF = '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]\n'


class Containers:
    """The containers with their keys and inventory in ``directory``, so that another process can end them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.inventory = self.directory / "inventory.yml"
        self._settings = self.directory / "containers.conf"

    def up(self) -> None:
        """Start the containers, and return when each of them answers.

        :raises SystemExit: this is not possible, or a container did not start; then no container runs
        """
        if self.directory.exists():
            raise SystemExit(f"{self.directory} exists already: end that fleet first, or choose another --dir")
        if problem := unusable():
            raise SystemExit(problem)
        for release in RELEASES:
            make_image(release, partial(bootstrap, release))
        make_image(BUSYBOX, write_busybox)
        make_image(OPENWRT, write_openwrt)
        self.directory.mkdir(mode=0o700, parents=True)
        self._settings.write_text(CONTAINERS_CONF)
        try:
            self._start()
        except BaseException:
            self.down()
            raise

    def down(self) -> int:
        """Remove every container of the fleet, and its directory; return the number of containers."""
        if not self._settings.exists():
            return 0
        running = self._podman("ps", "--all", "--quiet", "--filter", f"label={LABEL}={self.directory}").split()
        if running:
            self._podman("rm", "--force", "--time=0", *running)
        shutil.rmtree(self.directory)
        return len(running)

    def _start(self) -> None:
        size, port = Size(len(IMAGES), busybox=1, openwrt=1), free_port()
        gateways = [gateway(number, size, port) for number in range(1, size.gateways + 1)]
        for name in ("id", "host_key"):
            make_key(self.directory / name)
        for kind in ("python", BUSYBOX):
            write_own(self.directory, kind, BUSYBOX_USERS, BUSYBOX_GROUPS)
        write_known_hosts(self.directory, gateways)
        self.inventory.write_text(yaml.safe_dump(inventory(gateways, self.directory, become=False), sort_keys=False))
        for each, image in zip(gateways, IMAGES, strict=True):
            container = self._podman(
                *("create", "--network=host", f"--label={LABEL}={self.directory}", f"{IMAGE}:{image}"),
                *(SSHD, "-D", "-e", "-o", f"ListenAddress={each.address}:{each.port}"),
            )
            # Debian's image has its own users and groups.
            own = "etc/ssh/" if image in RELEASES else ""
            self._podman("cp", f"{self.directory / each.own}/{own}.", f"{container}:/{own}")
            self._podman("start", container)
            deadline = time.monotonic() + START_SECONDS
            while not answers(each):
                if time.monotonic() > deadline:
                    raise SystemExit(f"{each.name} ({image}) did not start:\n{self._podman('logs', container)}")
                time.sleep(0.02)

    def _podman(self, *arguments: str) -> str:
        return podman(*arguments, env={**os.environ, "CONTAINERS_CONF": str(self._settings)})


def unusable() -> str | None:
    """Return the reason why this machine cannot run the containers, in one line; None if it can."""
    if os.geteuid() != 0:
        return "a fleet of containers needs root"
    if lacking := [program for program in PROGRAMS if not shutil.which(program)]:
        return f"a fleet of containers needs {', '.join(lacking)}"
    denied = subprocess.run(["podman", "info"], check=False, capture_output=True, text=True)
    return f"podman: {denied.stderr.strip()}" if denied.returncode else no_namespaces("a fleet of containers")


def make_image(tag: str, write: Callable[[Path], None]) -> None:
    """Build the image of the files that ``write`` writes into a folder, if it does not exist."""
    name = f"{IMAGE}:{tag}"
    if subprocess.run(["podman", "image", "exists", name], check=False).returncode == 0:
        return
    print(f"Building the image {name}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        root, archive = Path(directory, "root"), Path(directory, "root.tar")
        root.mkdir(mode=0o755)
        write(root)
        for place, mode in PRIVATE.items():
            (root / place).mkdir(parents=True, exist_ok=True)
            (root / place).chmod(mode)
        subprocess.run(["tar", "--create", f"--file={archive}", f"--directory={root}", "."], check=True)
        podman("import", str(archive), name)


def bootstrap(release: str, root: Path) -> None:
    """Install a minimal Debian with SSH and Python."""
    packages = "--include=openssh-server,python3"
    subprocess.run(["debootstrap", "--variant=minbase", packages, release, root], check=True, stdout=subprocess.DEVNULL)
    for name in UNUSED:
        shutil.rmtree(root / name)


def podman(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Run podman, with runc if it is installed, because crun fails on machines with cgroups v1 and v2; return its output."""
    runtime = ["--runtime=runc"] if shutil.which("runc") else []
    done = subprocess.run(["podman", *runtime, *arguments], check=False, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"podman {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("up", "down"))
    parser.add_argument("--dir", type=Path, default=DIRECTORY, help="directory of the fleet (%(default)s)")
    arguments = parser.parse_args()
    containers = Containers(arguments.dir)
    if arguments.command == "up":
        containers.up()
        print(f"{len(IMAGES)} containers: {containers.inventory}")
    else:
        print(f"{containers.down()} containers ended")


if __name__ == "__main__":
    main()
