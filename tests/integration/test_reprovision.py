# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""reprovision: the checks before a reset, their limits, and the end of a run when no gateway of a batch is left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from operations import (
    ENV,
    account,
    called,
    credential_file,
    in_service,
    left_over,
    results,
    role_variables,
    valid_text,
)
from playbook import PRODUCT_KEY, Run, inventory, mqtt_endpoint, names, run_playbook

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
AT_ONCE = {"gateway_serial": "100%", "gateway_max_fail_percentage": 100}


def fleet(platform: Emulator, hosts: JSON, tmp_path: Path, **variables: JSON) -> JSON:
    """Return gateways, each with the account among its variables."""
    return inventory(hosts, tmp_path, **{**role_variables(platform), **account(platform), **variables})


def reprovision(hosts: JSON, home: Path, *arguments: str, **extra: JSON) -> Run:
    extra = {"gateway_report": "all", **extra}
    return run_playbook("fleetops.aliyun_iot.reprovision", hosts, home, "-e", json.dumps(extra), *arguments, env=ENV)


def said(run: Run) -> str:
    return " ".join((run.stdout + run.stderr).split())


class Untouched:
    """Gateways in whose folders nothing may be created, not even for a moment."""

    def __init__(self, tmp_path: Path, hosts: Iterable[str]) -> None:
        self._folders = [tmp_path / host for host in hosts]
        self._before = self._now()

    def __bool__(self) -> bool:
        return self._now() == self._before

    def _now(self) -> JSON:
        return [(folder.stat().st_mtime_ns, (folder / "device.json").read_text()) for folder in self._folders]


def test_what_could_not_register_afterwards_is_neither_marked_nor_reset(platform: Emulator, tmp_path: Path) -> None:
    for host in names(7):
        in_service(platform, tmp_path, host)
    platform.admin.patch_device(PRODUCT_KEY, "gw-0002", status="DISABLE")
    platform.admin.delete_device(PRODUCT_KEY, "gw-0003")
    own: dict[str, JSON] = {
        "gw-0001": {"gateway_product_secret": "NotTheSecret0001"},
        "gw-0002": {},
        "gw-0003": {},
        "gw-0004": {"platform_access_key_id": "", "platform_access_key_secret": ""},
        "gw-0005": {"platform_access_key_secret": "NotTheSecret0002"},
        "gw-0006": {"gateway_register": "never"},
        "gw-0007": {},
    }
    hosts = fleet(platform, own, tmp_path, gateway_verify="none")
    untouched = Untouched(tmp_path, names(6))
    for arguments in (["--check"], []):
        run = reprovision(hosts, tmp_path, *arguments, **AT_ONCE)
        assert run.rc == 2, run
        told = {host: results(run, host)[0]["msg"] for host in names(6)}
        assert f"gateway_product_secret: is not the ProductSecret of {PRODUCT_KEY}" in told["gw-0001"]
        assert "is disabled" in told["gw-0002"]
        assert "does not exist" in told["gw-0003"]
        assert "platform_access_key_id and platform_access_key_secret" in told["gw-0004"]
        assert "SignatureDoesNotMatch" in told["gw-0005"]
        assert "gateway_register: 'never' cannot be combined with a reset" in told["gw-0006"]
        assert not run.stats["gw-0007"]["failures"]
        assert untouched, "no lease was taken, no journal written"
        assert "NotTheSecret000" not in run.stdout + run.stderr + json.dumps(run.results)
    assert called(platform, "ResetThing") == called(platform, "register") == ["gw-0007"]
    assert left_over(tmp_path, own) == {}
    assert credential_file(tmp_path, "gw-0007").read_text() == valid_text(platform, "gw-0007")


def test_what_cannot_be_proved_is_said(platform: Emulator, tmp_path: Path) -> None:
    """A run names what it cannot check: no API shows Dynamic Registration, and a platform may not return its ProductSecret."""
    in_service(platform, tmp_path, "gw-0001")
    hosts = fleet(platform, 1, tmp_path, gateway_verify="none")
    run = reprovision(hosts, tmp_path)
    assert run.rc == 0, run
    assert said(run).count("the platform does not report whether Dynamic Registration is switched on") == 1
    assert "is its ProductSecret" not in said(run)


# The login


def test_it_logs_in_with_the_new_credential_unless_told_not_to(platform: Emulator, tmp_path: Path) -> None:
    own: dict[str, JSON] = {
        "gw-0001": {},
        "gw-0002": {"gateway_register_from": "controller"},
        "gw-0003": {"gateway_verify": "none", "gateway_mqtt_endpoint": ""},
        "gw-0004": {"gateway_mqtt_endpoint": ""},
        "gw-0005": {"gateway_mqtt_endpoint": "127.0.0.1:9"},
    }
    before = {host: in_service(platform, tmp_path, host) for host in own}
    platform.admin.clear_requests()
    hosts = fleet(platform, own, tmp_path, gateway_mqtt_endpoint=mqtt_endpoint(platform), gateway_timeout=2)
    run = reprovision(hosts, tmp_path, **AT_ONCE)
    assert run.rc == 2, run
    assert {host for host, stats in run.stats.items() if stats["failures"]} == {"gw-0004", "gw-0005"}
    assert sorted(called(platform, "connect")) == ["gw-0001", "gw-0002"], "one login of each"
    assert sorted(called(platform, "ResetThing")) == ["gw-0001", "gw-0002", "gw-0003"]
    # Without a host to log in to, or with one that does not answer, the old credential stays the valid one.
    assert "gateway_verify: none" in results(run, "gw-0004")[0]["msg"]
    assert "the login that is to verify" in results(run, "gw-0005")[0]["msg"]
    for host in ("gw-0004", "gw-0005"):
        assert credential_file(tmp_path, host).read_text() == before[host] == valid_text(platform, host)
    assert [results(run, host)[0]["proven"] for host in ("gw-0001", "gw-0002", "gw-0003")] == [True, True, False]


# The end of a run


def test_a_batch_in_which_nobody_answers_says_why_the_run_ends(platform: Emulator, tmp_path: Path) -> None:
    own = {host: GONE if host in ("gw-0002", "gw-0003") else {} for host in names(6)}
    for host in own:
        in_service(platform, tmp_path, host)
    hosts = fleet(platform, own, tmp_path, gateway_verify="none")
    run = reprovision(hosts, tmp_path, gateway_max_fail_percentage=100, gateway_serial=[1, 2, 2])
    assert run.rc == 4, run
    assert said(run).count("The run ends with this batch") == 1
    assert "of its 2 gateways 2 did not answer (gw-0002, gw-0003)" in said(run)
    assert "3 gateways were not reached: gw-0004, gw-0005, gw-0006" in said(run)


def test_a_provision_that_ends_with_a_batch_names_what_it_does_not_report(platform: Emulator, tmp_path: Path) -> None:
    """The run names gateways that could not be inspected: they come last, in a play that Ansible does not reach."""
    own: dict[str, JSON] = {host: {} for host in names(4)}
    own["gw-0001"] = {"gateway_product_secret": "NotTheSecret0001"}
    own["gw-0004"] = GONE
    hosts = fleet(platform, own, tmp_path)
    run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, "-e", '{"gateway_serial": [1, 1, 1]}', env=ENV)
    assert run.rc == 2, run
    assert called(platform, "register") == ["gw-0001"]
    assert "of its 1 gateway 1 failed. 2 gateways were not reached: gw-0002, gw-0003. 1 had failed before" in said(run)
    assert "will not be reported: gw-0004." in said(run)


def test_a_batch_that_fails_says_which_gateways_are_not_reached(platform: Emulator, tmp_path: Path) -> None:
    # Gateways on one machine are inspected before the first batch, so these fail at the check after the inspection.
    own: dict[str, JSON] = {host: {} for host in names(5)}
    for host in ("gw-0001", "gw-0003"):
        own[host] = {"gateway_path": f"/proc/nowhere/{host}/device.json"}
    extra = {"gateway_serial": [1, 4]}
    canary = reprovision(fleet(platform, own, tmp_path, gateway_verify="none"), tmp_path, **extra)
    assert canary.rc == 2, canary
    assert "of its 1 gateway 1 failed. 4 gateways were not reached: gw-0002," in said(canary)

    # The default limit of failures, 0 %, ends the run too.
    own["gw-0001"] = {}
    for host in names(5):
        in_service(platform, tmp_path, host)
    extra = {"gateway_serial": [3, 1, 1]}
    limited = reprovision(fleet(platform, own, tmp_path, gateway_verify="none"), tmp_path, **extra)
    assert limited.rc == 2, limited
    assert "2 gateways were not reached: gw-0004, gw-0005." in said(limited)
    assert "The run ends with this batch" not in said(limited)


def test_the_last_batch_needs_no_explanation(platform: Emulator, tmp_path: Path) -> None:
    own: dict[str, JSON] = {"gw-0001": {}, "gw-0002": {"gateway_mode": "rw"}}
    for host in own:
        in_service(platform, tmp_path, host)
    hosts = fleet(platform, own, tmp_path, gateway_verify="none")
    run = reprovision(hosts, tmp_path, gateway_serial=[1, 1], gateway_max_fail_percentage=100)
    assert run.rc == 2, run
    assert "The run ends" not in said(run)
