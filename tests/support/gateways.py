# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways of tests: the folder, the files in it, and the device on the platform.

Many cases share one play, each case as a host with its own options, since a start of ansible-playbook takes longer than a host.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator import Emulator
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, connection, inventory, mqtt_connection, run_playbook

JSON = Any

IS_ROOT = os.geteuid() == 0

WAYS = ("gateway", "controller")
# The same ways in a region without HTTPS.
MQTT_WAYS = ("gateway-mqtt", "controller-mqtt")
# A product for each way to register, so that each can register a device of the same name.
PRODUCTS = {
    "gateway": (PRODUCT_KEY, PRODUCT_SECRET),
    "controller": ("a1IoKTestP2", "Zp4Xw8sD2kTest02"),
    "gateway-mqtt": ("a1IoKTestP3", "Zp4Xw8sD2kTest03"),
    "controller-mqtt": ("a1IoKTestP4", "Zp4Xw8sD2kTest04"),
}


def end_lease(journal: Path) -> None:
    """End the lease of an open change without waiting for it. The run must be dead, and no request under way."""
    text, found = re.subn(r" ttl=[0-9]+$", " ttl=0", journal.read_text(), count=1, flags=re.MULTILINE)
    assert found, f"{journal} holds no lease: {text!r}"
    journal.write_text(text)


def credential_text(product_key: str, device_name: str, device_secret: str) -> str:
    """Return a credential as it is stored, byte by byte."""
    return f'{{"deviceName":"{device_name}","deviceSecret":"{device_secret}","productKey":"{product_key}"}}\n'


def fingerprint(product_key: str, device_name: str, device_secret: str) -> str:
    return hashlib.sha256(f"fleetops:{product_key}:{device_name}:{device_secret}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Found:
    """A file or folder at one moment. If two are equal, neither the content nor the file itself was replaced."""

    mode: int
    uid: int
    gid: int
    content: bytes | str | None = field(repr=False)
    inode: int = 0
    written: int = 0

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)


@dataclass
class Gateway:
    """The gateway of one case: an inventory host, its folder, and its device on the platform."""

    host: str
    root: Path
    platform: Emulator
    product_key: str
    device_name: str
    options: dict[str, JSON] = field(default_factory=dict)
    variables: dict[str, JSON] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The path of the credential."""
        return Path(self.options["path"])

    @property
    def beside(self) -> set[str]:
        """The other files in the credential's folder."""
        return {entry.name for entry in self.path.parent.iterdir()} - {self.path.name}

    @property
    def device(self) -> JSON:
        """The device's state on the platform."""
        return self.platform.admin.device(self.product_key, self.device_name)

    @property
    def calls(self) -> list[JSON]:
        """The registrations that have reached the platform."""
        names = {"product_key": self.product_key, "device_name": self.device_name}
        entries = self.platform.admin.requests(**names)
        return [entry for entry in entries if entry["action"] in ("register", "register_mqtt", "regnwl")]

    @property
    def valid_text(self) -> str:
        """The one credential that the platform accepts."""
        return credential_text(self.product_key, self.device_name, self.device["device_secret"])

    @property
    def valid_fingerprint(self) -> str:
        return fingerprint(self.product_key, self.device_name, self.device["device_secret"])

    def store(self, text: str | bytes, mode: int = 0o600) -> None:
        """Write this to the credential's path."""
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.path.chmod(mode)

    def journal(self, *further: str, intent: str = "register") -> None:
        """Write the journal of a run that has died and whose lease is over, with these lines after its first."""
        line = f"2 token=0123456789abcdef intent={intent} over=no product_key={self.product_key}"
        line += f" device_name={self.device_name} boot=00000000-0000-0000-0000-000000000000 taken=1 ttl=1"
        self.journal_path.write_text("".join(f"{text}\n" for text in (line, *further)))
        self.journal_path.chmod(0o600)

    @property
    def journal_path(self) -> Path:
        return self.path.with_name(f".{self.path.name}.journal")

    @property
    def staged_path(self) -> Path:
        return self.path.with_name(f".{self.path.name}.new")

    def files(self) -> dict[str, Found]:
        """Return everything in the folder."""
        return {str(path.relative_to(self.root)): _found(path) for path in sorted(self.root.rglob("*"))}

    def contents(self) -> dict[str, tuple[int, int, int, bytes | str | None]]:
        """Return the attributes and contents in the folder, which are equal for files that were rewritten unchanged."""
        return {name: (file.mode, file.uid, file.gid, file.content) for name, file in self.files().items()}


def new_gateway(
    platform: Emulator, directory: Path, host: str, way: str, device_name: str | None = None, /, **options: JSON
) -> Gateway:
    """Create a gateway, its folder, and its device on the platform.

    In `options`, which are added to those of the connection, {root} is replaced with the folder, and None removes an option.
    """
    root = directory / host
    root.mkdir(mode=0o700)
    product_key, product_secret = PRODUCTS[way]
    gateway = Gateway(host, root, platform, product_key, device_name or host)
    gateway.options = {
        **(mqtt_connection(platform) if way in MQTT_WAYS else connection(platform)),
        **{"product_key": product_key, "product_secret": product_secret, "register_from": way.partition("-")[0]},
        **{"path": f"{root}/device.json", "retry_time": 10},
    }
    gateway.options = changed(gateway.options, options, root=root)
    platform.admin.put_device(product_key, gateway.device_name)
    return gateway


def changed(options: dict[str, JSON], changes: dict[str, JSON], **names: object) -> dict[str, JSON]:
    """Return the options after changes in which names in braces are filled in, and None removes an option."""
    together = {**options, **filled(changes, names)}
    return {name: value for name, value in together.items() if value is not None}


def filled(value: JSON, names: Mapping[str, object]) -> JSON:
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    return value.format_map(names) if isinstance(value, str) else value


def _found(path: Path) -> Found:
    now = path.lstat()
    content: bytes | str | None = None
    if stat.S_ISLNK(now.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(now.st_mode):
        content = path.read_bytes()
    return Found(now.st_mode, now.st_uid, now.st_gid, content, now.st_ino, now.st_mtime_ns)


def run_task(
    gateways: Iterable[Gateway],
    directory: Path,
    *arguments: str,
    check: bool = False,
    module: str = "gateway_credential",
    env: dict[str, str] | None = None,
    **keywords: JSON,
) -> Run:
    """Run a play of one task on the gateways, each with its own options; `keywords` are the task's (no_log, ...)."""
    everyone = list(gateways)
    # Secrets are passed to the task as variables, as users pass them.
    task = {"name": "The task", f"fleetops.aliyun_iot.{module}": {}, "args": "{{ wanted }}", **keywords}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [task]}
    hosts = inventory(
        {gateway.host: {"wanted": gateway.options, **gateway.variables} for gateway in everyone}, directory
    )
    return run_playbook(play, hosts, directory, *arguments, check=check, env=env)


def told(run: Run) -> str:
    """Return everything that a run has printed or passed to callbacks."""
    return f"{run.stdout}\n{run.stderr}\n{json.dumps(run.results)}"


Prepare = Callable[[Gateway], None]
