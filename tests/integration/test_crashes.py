# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever dies, and whenever: the next plain run brings the gateway to the one credential that is valid."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from playbook import PRODUCT_KEY, Run, gateway_play, inventory, names, run_playbook, start_playbook
from processes import wait_for
from shells import stopping_shell

WAYS = ("gateway", "controller")
LONG = 600  # seconds; no test waits so long
EXPORT = [{"dest": "{{ root }}/agent.env", "format": "env"}]
# One folder a gateway, all at once; and no temporary files of modules in between.
ENV = {"ANSIBLE_FORKS": "100", "ANSIBLE_PIPELINING": "1"}

Hosts = dict[str, dict[str, Any]]


def play(platform: Emulator, **options: Any) -> Any:
    """The task of all these tests: host variables say what differs between gateways."""
    hosts = {
        "register_from": "{{ way }}",
        "register": "{{ when | default('if_needed') }}",
        "path": "{{ root }}/etc/device.json",
        "timeout": 60,
        "exports": EXPORT,
    }
    return gateway_play(platform, **{**hosts, **options})


def both_ways() -> Hosts:
    return {name: {"way": way} for name, way in zip(names(2), WAYS, strict=True)}


def start(platform: Emulator, hosts: Hosts, tmp_path: Path, **options: Any) -> Any:
    return start_playbook(play(platform, **options), inventory(hosts, tmp_path), tmp_path, env=ENV)


def run(platform: Emulator, hosts: Iterable[str], tmp_path: Path, way: str = "controller", **options: Any) -> Run:
    """A plain run: nothing forced, every tool at work."""
    plain = options.pop("plain", None) or dict.fromkeys(hosts, {"way": way})
    return run_playbook(play(platform, **options), inventory(plain, tmp_path), tmp_path, env=ENV)


def stored(tmp_path: Path, host: str) -> Any:
    return json.loads((tmp_path / host / "etc" / "device.json").read_text())


def journal(tmp_path: Path, host: str) -> str:
    file = tmp_path / host / "etc" / ".device.json.journal"
    return file.read_text() if file.exists() else ""


def assert_converged(platform: Emulator, tmp_path: Path, hosts: Iterable[str]) -> None:
    """Each gateway holds the platform's secret, where it belongs and nowhere else, and nothing is left to do."""
    for host in hosts:
        secret = platform.admin.device(PRODUCT_KEY, host)["device_secret"]
        root = tmp_path / host
        assert stored(tmp_path, host) == {"deviceName": host, "deviceSecret": secret, "productKey": PRODUCT_KEY}
        assert f"ALIYUN_IOT_DEVICE_SECRET={secret}\n" in (root / "agent.env").read_text()
        assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == [
            "agent.env",
            "etc",
            "etc/device.json",
        ]
        assert [path.stat().st_mode & 0o777 for path in (root / "etc/device.json", root / "agent.env")] == [0o600] * 2
    platform.admin.clear_requests()
    again = run(platform, hosts, tmp_path)
    assert (again.rc, again.changed) == (0, 0), again
    assert platform.admin.requests() == []


STEPS = 36  # more than any run makes calls of the counted tools


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("when", ["if_needed", "always"])
def test_a_kill_at_every_step(platform: Emulator, tmp_path: Path, way: str, when: str) -> None:
    """One gateway for each call of a tool: there its script stops, and then everything dies."""
    hosts = [f"step-{number:02}" for number in range(1, STEPS + 1)]
    for host in hosts:
        platform.admin.put_device(PRODUCT_KEY, host)
    if when == "always":
        assert run(platform, hosts, tmp_path).rc == 0
    before = {host: stored(tmp_path, host) for host in hosts} if when == "always" else {}
    stops = {host: stopping_shell(tmp_path / "shells" / host, number) for number, host in enumerate(hosts, 1)}
    stopping = {host: {"way": way, "when": when, "ansible_shell_executable": stops[host].shell} for host in hosts}
    with start(platform, stopping, tmp_path) as started:
        last = stops[hosts[-1]]
        wait_for(lambda: hosts[-1] in started.finished, "the gateway that is not stopped")
        reached = hosts[: len(last.calls)]
        wait_for(lambda: all(stops[host].reached for host in reached), "every call")
        started.kill()
    assert len(reached) < STEPS, "raise STEPS: the last gateways are to come through"
    assert {call for call in last.calls if when == "if_needed" or call != "mkdir"} >= {"flock", "rm", "mv", "sync"}

    registrations = {host: platform.admin.device(PRODUCT_KEY, host)["registrations"] for host in hosts}
    safe = [host for host in hosts if "stored" in journal(tmp_path, host)]
    assert safe, "some died with the new secret in the journal"
    for host in before:
        now = stored(tmp_path, host)
        assert now == before[host] or now["deviceSecret"] == platform.admin.device(PRODUCT_KEY, host)["device_secret"]

    mended = run(platform, hosts, tmp_path, way)
    assert mended.rc == 0, mended
    for host in safe:
        assert mended.result(host)["reason"] == "interrupted"
        assert mended.result(host)["registered"] is False
        assert platform.admin.device(PRODUCT_KEY, host)["registrations"] == registrations[host]
    for host in hosts:
        assert platform.admin.device(PRODUCT_KEY, host)["registrations"] <= registrations[host] + 1
    assert_converged(platform, tmp_path, hosts)
