# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet in slices, on two workers of ansible-runner: the result of one run, in one report, with no more calls of the account."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account import SEED
from emulator import Emulator
from operations import ENV, credential_file, operate, role_variables, valid_fingerprint
from playbook import PRODUCT_KEY, PRODUCT_SECRET, inventory, names, run_playbook

JSON = Any

GATEWAYS = names(12)
SLICES = ("gateways[0:5]", "gateways[6:11]")
RUNNER = [sys.executable, "-m", "ansible_runner"]
SECONDS = 300
# Only files in this folder are returned from a worker to the controller.
REPORT = "{{ lookup('env', 'AWX_ISOLATED_DATA_DIR') }}/provision.html"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Emulator]:
    """Yield a platform whose product has no devices."""
    products = [{"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET}]
    with Emulator(tmp_path / "platform", {**SEED, "products": products}) as platform:
        yield platform


def fleet(platform: Emulator, home: Path) -> JSON:
    """Return gateways without Python, so that the test starts no Python for each."""
    home.mkdir()
    return inventory(GATEWAYS, home, **role_variables(platform), gateway_register_from="controller")


def in_slices(hosts: JSON, home: Path) -> list[Path]:
    """Provision each slice by transmit, worker and process, all at once; return the reports that were sent back."""
    processes: list[subprocess.Popen[bytes]] = []
    for number, limit in enumerate(SLICES):
        sent, worker, received = (home / f"{name}-{number}" for name in ("sent", "worker", "received"))
        for folder in (sent / "inventory", sent / "env", sent / "project", worker, received):
            folder.mkdir(parents=True)
        (sent / "inventory/hosts.json").write_text(json.dumps(hosts))
        (sent / "env/extravars").write_text(json.dumps({"gateway_report_to": REPORT}))
        (sent / "env/cmdline").write_text(f"--limit {limit}")
        # The worker has its own home, as on another machine.
        steps = [
            [*RUNNER, "transmit", sent, "--playbook", "fleetops.aliyun_iot.provision", "--ident", "slice"],
            [*RUNNER, "worker", "--private-data-dir", worker],
            [*RUNNER, "process", received, "--ident", "slice"],
        ]
        line = " | ".join(shlex.join(map(str, step)) for step in steps)
        with (home / f"output-{number}").open("wb") as output:
            processes.append(
                subprocess.Popen(
                    ["bash", "-o", "pipefail", "-c", line],
                    env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(worker), **ENV},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            )
    codes = [process.wait(SECONDS) for process in processes]
    assert codes == [0, 0], [(home / f"output-{number}").read_text() for number in range(2)]
    return [home / f"received-{number}/artifacts/slice/provision.json" for number in range(2)]


def account_calls(platform: Emulator) -> Counter[str]:
    """Return the calls of the OpenAPI; polls for a job count once, because their number depends on the platform's pace."""
    actions = [entry["action"] for entry in platform.admin.requests()]
    calls = Counter(action for action in actions if action[0].isupper())
    return Counter({action: 1 if action.startswith("QueryBatch") else count for action, count in calls.items()})


def outcomes(report: JSON, home: Path) -> JSON:
    fields = ("outcome", "reason", "device_name", "product_key", "error")
    return {
        row["gateway"]: ([row[name] for name in fields], str(Path(row["path"]).relative_to(home)))
        for row in report["gateways"]
    }


def test_two_workers_make_of_a_fleet_what_one_run_makes(empty: Emulator, tmp_path: Path) -> None:
    alone, apart = tmp_path / "alone", tmp_path / "apart"
    operate("provision", empty, fleet(empty, alone), alone, gateway_report_to=str(alone / "fleet.html"))
    expected = outcomes(json.loads((alone / "fleet.json").read_text()), alone)
    assert Counter(fields[0] for fields, _path in expected.values()) == {"changed": len(GATEWAYS)}
    calls = account_calls(empty)
    assert calls
    registrations = len(empty.admin.requests(action="register"))

    for host in GATEWAYS:
        empty.admin.delete_device(PRODUCT_KEY, host)
    empty.admin.clear_requests()
    hosts = fleet(empty, apart)
    assert operate("add_devices", empty, hosts, apart).rc == 0
    reports = in_slices(hosts, tmp_path)
    assert account_calls(empty) == calls, "the account's work is done once"
    assert len(empty.admin.requests(action="register")) == registrations

    said = {"gateway_report_from": list(map(str, reports)), "gateway_report_to": str(apart / "fleet.html")}
    merging = ["fleetops.aliyun_iot.report_merge", hosts, apart, "-e", json.dumps(said)]
    first, second = run_playbook(*merging, env=ENV), run_playbook(*merging, env=ENV)
    assert (first.changed, second.changed) == (1, 0), (first, second)
    merged = json.loads((apart / "fleet.json").read_text())
    assert outcomes(merged, apart) == expected
    assert (merged["counts"]["changed"], merged["run"]["slices"]) == (len(GATEWAYS), "2")
    for host in GATEWAYS[::5]:
        assert valid_fingerprint(empty, host) in credential_fingerprints(merged, host)
        assert credential_file(apart, host).stat().st_mode & 0o777 == 0o600
    assert (apart / "fleet.csv").read_text().count("\n") == len(GATEWAYS) + 1
    assert not secrets(empty) & set((apart / "fleet.json").read_text().split('"'))


def credential_fingerprints(report: JSON, host: str) -> list[str]:
    return [row["fingerprint"] for row in report["gateways"] if row["gateway"] == host]


def secrets(platform: Emulator) -> set[str]:
    return {platform.admin.device(PRODUCT_KEY, host)["device_secret"] for host in GATEWAYS[::5]}
