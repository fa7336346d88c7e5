# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two playbooks over the same gateways at once; the first one is held during one of its requests.

Without any fault, two runs can lose a secret if one of them resets a device that the other has settled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import (
    called,
    in_service,
    left_over,
    operate,
    provision,
    results,
    role_variables,
    start_operation,
    stored_fingerprint,
    valid_fingerprint,
)
from playbook import PRODUCT_KEY, Started, inventory, mqtt_endpoint
from processes import wait_for

HOLD = 4  # seconds
HOSTS = {way: {"gateway_register_from": way} for way in ("gateway", "controller")}


pytestmark = pytest.mark.usefixtures("new_platform")


def start(platform: Emulator, operation: str, hosts: Any, home: Path) -> Started:
    home.mkdir()
    return start_operation(
        operation, platform, hosts, home, target="gateways", gateway_serial="100%", gateway_recovery_force=True
    )


# The three are tested in pairs; the model tests all three in every interleaving on every platform.
@pytest.mark.parametrize(
    ("beside", "held", "revokes"),
    [
        ("provision", "ResetThing", "at_once"),
        ("provision", "register", "at_registration"),
        ("recover", "ResetThing", "at_registration"),
        ("recover", "register", "at_once"),
        ("reprovision", "ResetThing", "at_once"),
        ("reprovision", "register", "at_registration"),
    ],
)
def test_a_run_beside_a_reprovision_waits_for_it(
    platform: Emulator, tmp_path: Path, beside: str, held: str, revokes: str
) -> None:
    platform.admin.settings(reset_revokes=revokes)
    before = {host: in_service(platform, tmp_path, host) for host in HOSTS}
    hosts = inventory(HOSTS, tmp_path, **role_variables(platform), gateway_mqtt_endpoint=mqtt_endpoint(platform))
    platform.admin.fault(held, hold_after=HOLD, times=len(HOSTS))
    with start(platform, "reprovision", hosts, tmp_path / "first") as first:
        wait_for(lambda: called(platform, held), held)
        with start(platform, beside, hosts, tmp_path / "second") as second:
            ended = first.wait(), second.wait()
    assert [run.rc for run in ended] == [0, 0], ended
    registered = len(called(platform, "register"))
    assert registered == len(HOSTS) * (2 if beside == "reprovision" else 1)
    for host in HOSTS:
        assert stored_fingerprint(tmp_path, host) == valid_fingerprint(platform, host), (host, ended)
        assert (tmp_path / host / "device.json").read_text() != before[host], host
        assert results(ended[0], host)[-1]["proven"] is True, ended[0]
    assert left_over(tmp_path, HOSTS) == {}
    platform.admin.clear_requests()
    again = provision(platform, hosts, tmp_path)
    assert (again.rc, again.changed, platform.admin.requests()) == (0, 0, []), again


def test_a_decommission_beside_a_reprovision_takes_the_devices_out_of_service(
    platform: Emulator, tmp_path: Path
) -> None:
    for host in HOSTS:
        in_service(platform, tmp_path, host)
    hosts = inventory(HOSTS, tmp_path, **role_variables(platform), gateway_mqtt_endpoint=mqtt_endpoint(platform))
    platform.admin.fault("ResetThing", hold_after=HOLD, times=len(HOSTS))
    with start(platform, "reprovision", hosts, tmp_path / "first") as first:
        wait_for(lambda: called(platform, "ResetThing"), "the first reset")
        with start(platform, "decommission", hosts, tmp_path / "second") as second:
            ended = first.wait(), second.wait()
    assert ended[1].rc == 0, ended
    for host in HOSTS:
        assert platform.admin.device(PRODUCT_KEY, host)["status"] == "DISABLE", (host, ended)
        assert not (tmp_path / host / "device.json").exists(), (host, ended)
    assert {host: names for host, names in left_over(tmp_path, HOSTS).items() if names} == {}
    again = operate("decommission", platform, hosts, tmp_path, target="gateways")
    assert again.rc == 0, again
