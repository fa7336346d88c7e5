# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet like fleet.py's, of containers: a gateway for each of some Debian releases, one with BusyBox alone, and one with
what the BusyBox of a stock OpenWrt has.

    python tests/fleet/containers.py up
    ansible-playbook -i .fleet/inventory.yml ...
    python tests/fleet/containers.py down

The images are made here, by debootstrap, at the first time. The containers use the machine's network: each sshd has a
loopback address of its own. Needs root, podman, debootstrap, busybox and openssh-server.
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

# Their Pythons are 3.9, 3.11 and 3.13.
RELEASES = ("bullseye", "bookworm", "trixie")
BUSYBOX = "busybox"
OPENWRT = "openwrt"
IMAGES = (*RELEASES, BUSYBOX, OPENWRT)
IMAGE = "localhost/aliyun-iot-gateway"
LABEL = "aliyun-iot-fleet"
PROGRAMS = ("podman", "debootstrap", "busybox", "ssh", SSHD)
UNUSED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists")

# podman's own defaults can be above what the machine allows.
CONTAINERS_CONF = '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]\n'


class Containers:
    """The containers whose keys and inventory are in ``directory``; any process can end what another has started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.inventory = self.directory / "inventory.yml"
        self._settings = self.directory / "containers.conf"

    def up(self) -> None:
        """Start the containers and return when each of them answers; whatever fails, nothing is left."""
        if self.directory.exists():
            raise SystemExit(f"{self.directory} is there already: end that fleet first, or choose another --dir")
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
        """End every container of the fleet, and return how many there were; the directory goes with them."""
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
            # A Debian has users of its own.
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
    """Return why there can be no containers here, in one line."""
    if os.geteuid() != 0:
        return "a fleet of containers needs root"
    if lacking := [program for program in PROGRAMS if not shutil.which(program)]:
        return f"a fleet of containers needs {', '.join(lacking)}"
    denied = subprocess.run(["podman", "info"], check=False, capture_output=True, text=True)
    return f"podman: {denied.stderr.strip()}" if denied.returncode else no_namespaces("a fleet of containers")


def make_image(tag: str, write: Callable[[Path], None]) -> None:
    """Make the image of what ``write`` puts into a directory, unless it is there."""
    name = f"{IMAGE}:{tag}"
    if subprocess.run(["podman", "image", "exists", name], check=False).returncode == 0:
        return
    print(f"Making the image {name}", flush=True)
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
    """Make a Debian of its packages for SSH and Python, and no more than these need."""
    packages = "--include=openssh-server,python3"
    subprocess.run(["debootstrap", "--variant=minbase", packages, release, root], check=True, stdout=subprocess.DEVNULL)
    for name in UNUSED:
        shutil.rmtree(root / name)


def podman(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Return what podman says; by runc where it is, as crun fails on machines with mixed cgroups."""
    runtime = ["--runtime=runc"] if shutil.which("runc") else []
    done = subprocess.run(["podman", *runtime, *arguments], check=False, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"podman {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("up", "down"))
    parser.add_argument("--dir", type=Path, default=DIRECTORY, help="the fleet's own directory (%(default)s)")
    arguments = parser.parse_args()
    containers = Containers(arguments.dir)
    if arguments.command == "up":
        containers.up()
        print(f"{len(IMAGES)} containers: {containers.inventory}")
    else:
        print(f"{containers.down()} containers ended")


if __name__ == "__main__":
    main()
