# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the shell scripts exactly as they are sent, on a gateway that is a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from openwrt import link_applets

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import (
    PREAMBLE,
    Issued,
    ScriptAnswer,
    read_answer,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import client_placeholder
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity, Look, read_look
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import ScriptBuilder

KEY, NAME = "a1IoKTestP1", "gw_1@x.y:z-1"
SECRET, NEW_SECRET = "0123456789abcdef0123456789abcdef", "AZaz09-_.+/=AZaz09-_.+/=AZaz0123"
PLACEHOLDER = "fedcba9876543210fedcba98"
CLIENT = client_placeholder(PLACEHOLDER)
TOOLS = [
    "awk",
    "cat",
    "chmod",
    "chown",
    "date",
    "ln",
    "readlink",
    "rmdir",
    "id",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "sha256sum",
    "sleep",
    "sync",
    "tr",
]
ROOT = os.geteuid() == 0


def line(secret: str = SECRET, key: str = KEY, name: str = NAME) -> str:
    return f'{{"deviceName":"{name}","deviceSecret":"{secret}","productKey":"{key}"}}\n'


def fingerprint(secret: str, key: str = KEY, name: str = NAME) -> str:
    return hashlib.sha256(f"fleetops:{key}:{name}:{secret}".encode()).hexdigest()[:16]


def identity(secret: str = SECRET) -> Identity:
    return Identity(fingerprint(secret), KEY, NAME)


# Gateways


@dataclass(frozen=True)
class Shell:
    """The command that runs a script, and the PATH of its tools."""

    command: tuple[str, ...]
    path: str

    def has(self, name: str) -> bool:
        """Return whether there is a tool of this name."""
        return shutil.which(name, path=self.path) is not None

    def tool(self, name: str) -> str:
        """Return the path of a tool."""
        real = shutil.which(name, path=self.path)
        assert real, f"no {name} in {self.path}"
        return real


def busybox(applets: Path) -> Shell:
    """Return a shell with BusyBox alone, as Debian builds it."""
    program = shutil.which("busybox")
    assert program
    built_in = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    for name in [*TOOLS, "ash"]:
        assert name in built_in, f"BusyBox has no {name}"
        (applets / name).symlink_to(program)
    return Shell((str(applets / "ash"),), str(applets))


def openwrt(applets: Path) -> Shell:
    """Return a shell with the tools of a stock OpenWrt: without stat and setsid, and with a sync that takes no files."""
    program = shutil.which("busybox")
    assert program
    link_applets(applets, program)
    return Shell((str(applets / "ash"),), str(applets))


@dataclass
class Box:
    """A gateway: a folder, a shell, and the values that the controller stores between its steps."""

    shell: Shell
    folder: Path
    exports: tuple[Export, ...] = ()
    attributes: dict[str, Any] = field(default_factory=lambda: {"owner": None, "group": None, "mode": "0600"})
    environment: dict[str, str] = field(default_factory=dict)
    device_name_from: tuple[str, str | None] = ("inventory_hostname", None)
    kind: str = "secret"

    @property
    def path(self) -> Path:
        return self.folder / "iot" / "device.json"

    @property
    def journal(self) -> Path:
        return self.path.with_name(".device.json.journal")

    @property
    def lock(self) -> Path:
        return self.path.with_name(".device.json.lock")

    @property
    def new(self) -> Path:
        return self.path.with_name(".device.json.new")

    @property
    def gateway(self) -> ScriptBuilder:
        return ScriptBuilder(str(self.path), self.exports, PLACEHOLDER, *self.device_name_from)

    def values(self, found: Look | None = None) -> dict[str, Any]:
        expected = {"expected": found.expected} if found else {}
        return {"product_key": KEY, "device_name": NAME, "wanted_kind": self.kind, **self.attributes, **expected}

    def files(self) -> list[str]:
        """Return all paths, relative to the folder."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def output(self, script: str) -> str:
        done = subprocess.run(
            self.shell.command,
            check=False,
            input=script.encode(),
            capture_output=True,
            env={"PATH": self.shell.path, **self.environment},
            timeout=60,
        )
        # The collection ignores standard error, but a mistake in the script would appear there.
        for mistake in (
            b"not found",
            b"yntax error",
            b"parameter not set",
            b"unbound",
            b"bad substitution",
            SECRET.encode(),
        ):
            assert mistake not in done.stderr, done.stderr
        return done.stdout.decode()

    def run(self, script: str) -> ScriptAnswer:
        return read_answer(self.output(script))

    def look(self) -> Look:
        return read_look(self.run(self.gateway.script("look")))

    def begin_script(self, found: Look, token: str = "token1", **values: Any) -> str:
        lease = {"ttl": 80, "intent": "register", "token": token}
        return self.gateway.beginning(**{**self.values(found), **lease, **values})

    def begin(self, found: Look, token: str = "token1", **values: Any) -> ScriptAnswer:
        return self.run(self.begin_script(found, token, **values))

    def store_script(self, issued: Issued, token: str = "token1") -> str:
        every = tuple(range(1, len(self.exports) + 1))
        script = self.gateway.changing("store", every, token=token, **self.values())
        return PREAMBLE + issued.assignments() + script

    def store(self, secret: str = SECRET, token: str = "token1", doubt: bool = False) -> ScriptAnswer:
        return self.run(self.store_script(Issued(secret, doubt=doubt), token))

    def finish(self, found: Look, stored: Identity | None = None, token: str = "token9") -> ScriptAnswer:
        every = tuple(range(1, len(self.exports) + 1))
        lease = {"token": token, "intent": "register", "ttl": 80}
        return self.run(self.gateway.changing("finish", every, stored=stored or "-", **lease, **self.values(found)))

    def settle(self, stored: Identity, end: str = "closed", token: str = "token9") -> ScriptAnswer:
        return self.run(self.gateway.changing("settle", (), stored=stored, end=end, token=token, **self.values()))

    def repair(self, found: Look, *exports: int) -> ScriptAnswer:
        return self.run(self.gateway.changing("repair", exports, **self.values(found)))

    def abandon(self, token: str = "token1") -> ScriptAnswer:
        return self.run(self.gateway.script("abandon", token=token, **self.values()))

    def remove(self, found: Look) -> ScriptAnswer:
        return self.run(self.gateway.script("remove", **self.values(found)))

    def provision(self, secret: str = SECRET) -> None:
        """Write a valid credential by hand."""
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(line(secret))
        self.path.chmod(0o600)


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def as_nobody(shell: Shell) -> Shell:
    """Return the same shell run as another user, which only root can do."""
    return Shell(
        (shutil.which("setpriv") or "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *shell.command),
        shell.path,
    )


@contextmanager
def on_small_disk(box: Box, folder: Path, limits: str) -> Iterator[None]:
    """Put the box on a very small file system; skip the test where none can be mounted.

    :param limits: options of tmpfs, such as size=16k
    """
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"{limits},mode=0755", "tmpfs", str(folder)]
    if not ROOT or subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root can mount a small file system, and not everywhere")
    box.folder = folder
    yield
    subprocess.run(["umount", str(folder)], check=True)
