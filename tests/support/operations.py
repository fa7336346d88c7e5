# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the collection's playbooks as an operator with an AccessKey does, on gateways that are already in service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from account import KEY, SEED
from emulator import Emulator
from gateways import credential_text, end_lease, fingerprint
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, Started, connection, start_playbook

JSON = Any

# The seed of a platform; the tests add devices.
PLATFORM: JSON = {**SEED, "products": [{"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET}]}
# All gateways at once, and no temporary files for modules.
ENV = {"ANSIBLE_FORKS": "100", "ANSIBLE_PIPELINING": "1"}


def role_variables(platform: Emulator) -> dict[str, JSON]:
    return {f"gateway_{name}": value for name, value in connection(platform).items()}


def account(platform: Emulator) -> dict[str, JSON]:
    return {
        "platform_access_key_id": KEY.id,
        "platform_access_key_secret": KEY.secret,
        "platform_openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "platform_ca_path": platform.endpoints["ca_file"],
    }


def start_operation(name: str, platform: Emulator, hosts: JSON, home: Path, *arguments: str, **extra: JSON) -> Started:
    """Start one of the collection's playbooks with the account's variables and `extra` as -e; report gateways without findings, too.

    Few gateways of tests have an MQTT endpoint, so no gateway logs in unless `extra` requires a login.
    """
    said = ["-e", json.dumps({**account(platform), "gateway_report": "all", "gateway_verify": "none", **extra})]
    return start_playbook(f"fleetops.aliyun_iot.{name}", hosts, home, *said, *arguments, env=ENV)


def operate(name: str, platform: Emulator, hosts: JSON, home: Path, *arguments: str, **extra: JSON) -> Run:
    with start_operation(name, platform, hosts, home, *arguments, **extra) as run:
        return run.wait()


def provision(platform: Emulator, hosts: JSON, home: Path, *arguments: str) -> Run:
    """Run the playbook provision without an account, as in daily use, but report gateways without findings, too."""
    said = ["-e", "gateway_report=all", *arguments]
    with start_playbook("fleetops.aliyun_iot.provision", hosts, home, *said, env=ENV) as run:
        return run.wait()


def in_service(platform: Emulator, tmp_path: Path, host: str, product_key: str = PRODUCT_KEY) -> str:
    """Add the device, activated, store its credential on its gateway, and return the credential."""
    platform.admin.put_device(product_key, host)
    platform.admin.activate(product_key, host)
    text = valid_text(platform, host, product_key)
    file = credential_file(tmp_path, host)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)
    return text


def credential_file(tmp_path: Path, host: str) -> Path:
    return tmp_path / host / "device.json"


def journal(tmp_path: Path, host: str) -> str:
    file = tmp_path / host / ".device.json.journal"
    return file.read_text() if file.exists() else ""


def valid_text(platform: Emulator, host: str, product_key: str = PRODUCT_KEY) -> str:
    return credential_text(product_key, host, platform.admin.device(product_key, host)["device_secret"])


def valid_fingerprint(platform: Emulator, host: str, product_key: str = PRODUCT_KEY) -> str:
    return fingerprint(product_key, host, platform.admin.device(product_key, host)["device_secret"])


def stored_fingerprint(tmp_path: Path, host: str) -> str:
    stored = json.loads(credential_file(tmp_path, host).read_text())
    return fingerprint(stored["productKey"], stored["deviceName"], stored["deviceSecret"])


def called(platform: Emulator, action: str, processed: bool = False) -> list[str]:
    """Return the devices of an action's calls, in order; with `processed`, only of the calls that the platform has processed."""
    entries = platform.admin.requests(action=action)
    return [entry["device_name"] for entry in entries if entry["code"] or not processed]


def results(run: Run, host: str, action: str = "fleet_report") -> list[JSON]:
    """Return the results of the host's tasks of this action, in order; by default, the playbook's report on the host."""
    return [each["result"] for each in run.results[host] if each["action"] == f"fleetops.aliyun_iot.{action}"]


def typed(command: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder where the playbooks are started."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1", **ENV}
    return subprocess.run(["sh", "-c", command], cwd=tmp_path, env=env, text=True, capture_output=True, check=False)


def left_over(tmp_path: Path, hosts: Iterable[str]) -> dict[str, list[str]]:
    """Return the files in the gateways' folders except the credential."""
    folders = {host: {path.name for path in (tmp_path / host).iterdir()} - {"device.json"} for host in hosts}
    return {host: sorted(names) for host, names in folders.items() if names}


def end_leases(tmp_path: Path, hosts: Iterable[str]) -> None:
    """End the leases of runs that are dead and whose requests have all ended."""
    for host in hosts:
        if journal(tmp_path, host):
            end_lease(tmp_path / host / ".device.json.journal")
