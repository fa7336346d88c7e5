# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role gateway, included as users do and by the collection's playbook."""

from __future__ import annotations

import json
import os
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from playbook import (
    PRODUCT_KEY,
    PRODUCT_SECRET,
    Run,
    as_new,
    connection,
    inventory,
    mqtt_endpoint,
    names,
    run_playbook,
)

JSON = Any

PROVISION = "fleetops.aliyun_iot.provision"
NOBODY = "nobody"


@pytest.fixture
def fresh(platform: Emulator) -> Emulator:
    return as_new(platform)


def variables(platform: Emulator) -> dict[str, JSON]:
    return {f"gateway_{name}": value for name, value in connection(platform).items()}


def play(**keywords: JSON) -> JSON:
    role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
    return {"hosts": "gateways", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": role}], **keywords}


def result(run: Run, host: str) -> JSON:
    """Return the result of the role's task, whatever the handlers did after it."""
    actions = [f"fleetops.aliyun_iot.{name}" for name in ("gateway_credential", "fleet_report")]
    [task] = [each for each in run.results[host] if each["action"] in actions and not each["handler"]]
    return task["result"]


def registered(platform: Emulator) -> list[str]:
    """Return the devices that registered, in order."""
    return [entry["device_name"] for entry in platform.admin.requests(action="register")]


def secret(platform: Emulator, device: str) -> str:
    return platform.admin.device(PRODUCT_KEY, device)["device_secret"]


def test_variables_reach_the_gateway(fresh: Emulator, tmp_path: Path) -> None:
    (tmp_path / "agent.j2").write_text(
        "[{{ site }}]\nid = {{ product_key }}.{{ device_name }}\nkey = {{ device_secret }}\n"
    )
    cases = {
        "gw-0001": {"gateway_exports": [{"dest": "{{ root }}/agent.conf", "template": "agent.j2"}], "site": "north"},
        "gw-0002": {"gateway_device_name": "gw-0012", "gateway_mode": "0640", "gateway_register_from": "controller"},
        "gw-0003": {"gateway_sign_method": "hmacmd5", "gateway_exports": [{"dest": "{{ root }}/env", "format": "env"}]},
        "gw-0004": {"gateway_endpoint": "https://127.0.0.1:9", "gateway_retry_time": 0, "gateway_timeout": 1},
        "gw-0005": {"gateway_ca_path": "", "gateway_validate_certs": False, "gateway_region": ""},
        "gw-0006": {"gateway_register": "never"},
        "gw-0007": {"gateway_state": "absent", "gateway_product_secret": ""},
    }
    fleet = inventory(cases, tmp_path)
    for host, own in cases.items():
        fleet["gateways"]["hosts"][host] = {**fleet["gateways"]["hosts"][host], **variables(fresh), **own}
    right = ["gw-0001", "gw-0002", "gw-0003", "gw-0005"]

    def pass_(check: bool) -> dict[str, JSON]:
        run = run_playbook(play(), fleet, tmp_path, "-vvv", "--diff", check=check)
        results = {host: result(run, host) for host in cases}
        assert PRODUCT_SECRET not in run.stdout + run.stderr + json.dumps(run.results)
        assert results["gw-0006"]["error"]["kind"] == "registration_needed"
        assert results["gw-0007"]["reason"] == "up_to_date"
        return results

    foreseen = pass_(check=True)
    assert [foreseen[host]["changed"] for host in right] == [True] * 4
    assert registered(fresh) == []
    done = pass_(check=False)
    assert [done[host]["reason"] for host in right] == ["missing"] * 4
    assert done["gw-0004"]["error"]["kind"] == "network"
    assert sorted(registered(fresh)) == ["gw-0001", "gw-0003", "gw-0005", "gw-0012"]
    for check in (True, False):
        again = pass_(check)
        assert [again[host]["changed"] for host in right] == [False] * 4
    assert len(registered(fresh)) == 4

    key = secret(fresh, "gw-0001")
    assert (tmp_path / "gw-0001/agent.conf").read_text() == f"[north]\nid = {PRODUCT_KEY}.gw-0001\nkey = {key}\n"
    stored = json.loads((tmp_path / "gw-0002/device.json").read_text())
    assert (stored["deviceName"], stored["deviceSecret"]) == ("gw-0012", secret(fresh, "gw-0012"))
    assert (tmp_path / "gw-0002/device.json").stat().st_mode & 0o7777 == 0o640
    assert f"ALIYUN_IOT_DEVICE_SECRET={secret(fresh, 'gw-0003')}\n" in (tmp_path / "gw-0003/env").read_text()


class Services:
    """Gateways with OpenRC, whose rc-service records its calls."""

    def __init__(self, folder: Path) -> None:
        self.broken = folder / "broken"  # as long as it exists, no service starts
        self._record = folder / "services"
        tools = folder / "tools"
        tools.mkdir()
        record = f'[ "$1" = --exists ] && {{ [ "$2" != misspelt ]; exit; }}; echo "$@" >> {self._record}'
        record += f'; [ "$2" != restart ] || [ ! -e {self.broken} ]'
        (tools / "rc-service").write_text(f"#!/bin/sh\n{record}\n")
        (tools / "rc-service").chmod(0o755)
        self.env = {"PATH": f"{tools}:{os.environ['PATH']}"}

    def restarted(self) -> list[str]:
        """Return the services restarted since the last call."""
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        self._record.unlink(missing_ok=True)
        return sorted(line.removesuffix(" restart") for line in lines if line.endswith(" restart"))


def test_the_service_is_restarted_for_a_new_credential_or_export_alone(fresh: Emulator, tmp_path: Path) -> None:
    services = Services(tmp_path)
    exports = [{"dest": "{{ root }}/env", "format": "env"}]
    fleet = inventory(
        5, tmp_path, **variables(fresh), gateway_exports=exports, gateway_service="of-{{ inventory_hostname }}"
    )
    fleet["gateways"]["hosts"]["gw-0005"]["gateway_service"] = ""
    told = tmp_path / "told"
    tell = {
        "ansible.builtin.raw": f"echo {{{{ inventory_hostname }}}} >> {told}",
        "listen": "Gateway credential changed",
    }

    def restarted(**more: JSON) -> list[str]:
        run = run_playbook(play(handlers=[tell], vars=more), fleet, tmp_path, env=services.env)
        assert run.rc == 0, run
        handlers = {task["action"] for task in run.results["gw-0005"] if task["handler"]}
        note = "fleetops.aliyun_iot.gateway_credential"
        assert handlers <= {"ansible.builtin.raw", note}, "a handler with nothing to do costs time all the same"
        return services.restarted()

    assert restarted() == ["of-gw-0001", "of-gw-0002", "of-gw-0003", "of-gw-0004"]
    assert sorted(told.read_text().split()) == names(5)
    told.unlink()

    assert restarted() == []
    assert not told.exists()

    (tmp_path / "gw-0001/device.json").chmod(0o640)
    (tmp_path / "gw-0002/env").write_text("ALIYUN_IOT_DEVICE_SECRET=other\n")
    (tmp_path / "gw-0003/device.json").unlink()
    assert restarted() == ["of-gw-0002", "of-gw-0003"]
    assert sorted(told.read_text().split()) == ["gw-0001", "gw-0002", "gw-0003"]

    assert restarted(gateway_state="absent") == []
    assert not (tmp_path / "gw-0004/device.json").exists()


EVERY_WAY = {
    "gw-0001": {"gateway_register_from": "gateway"},
    "gw-0002": {"gateway_register_from": "controller"},
    "gw-0003": {"gateway_register_from": "gateway", "gateway_transport": "mqtt"},
    "gw-0004": {"gateway_register_from": "controller", "gateway_transport": "mqtt"},
}


@pytest.mark.parametrize("playbook", [None, PROVISION], ids=["role", "playbook"])
def test_a_restart_that_did_not_happen_is_made_up_for(fresh: Emulator, tmp_path: Path, playbook: str | None) -> None:
    """The next plain run restarts once, without a registration; until then every run fails, and check mode reports it."""
    services = Services(tmp_path)
    common = {**variables(fresh), "gateway_mqtt_endpoint": mqtt_endpoint(fresh), "gateway_verify": "login"}
    # The role calls the same module for each way, in a process for each host and task.
    ways = EVERY_WAY if playbook else {host: EVERY_WAY[host] for host in ("gw-0001", "gw-0004")}
    fleet = inventory(ways, tmp_path, **common, gateway_service="of-{{ inventory_hostname }}")
    every = [f"of-{host}" for host in ways]

    def pass_(check: bool = False) -> tuple[int, set[str], list[str]]:
        run = run_playbook(
            playbook or play(), fleet, tmp_path, "-e", "gateway_report=all", env=services.env, check=check
        )
        return run.rc, {result(run, host)["reason"] for host in ways}, services.restarted()

    assert pass_(check=True) == (0, {"missing"}, [])
    services.broken.touch()
    assert pass_() == (2, {"missing"}, every)
    assert pass_(check=True) == (0, {"unfinished"}, [])
    assert pass_() == (2, {"unfinished"}, every)
    services.broken.unlink()
    assert pass_() == (0, {"unfinished"}, every)
    assert pass_(check=True) == (0, {"up_to_date"}, [])
    assert pass_() == (0, {"up_to_date"}, [])
    for host in ways:
        assert {path.name for path in (tmp_path / host).iterdir()} <= {"device.json"}
        device = fresh.admin.device(PRODUCT_KEY, host)
        assert (device["registrations"], device["activated"]) == (1, True)


def test_a_handler_of_the_users_that_fails_is_run_again(fresh: Emulator, tmp_path: Path) -> None:
    fleet = inventory(1, tmp_path, **variables(fresh))
    broken, told = tmp_path / "broken", tmp_path / "told"
    handler = {
        "ansible.builtin.raw": f"echo told >> {told}; [ ! -e {broken} ]",
        "listen": "Gateway credential changed",
    }
    broken.touch()
    for times in (1, 2):
        assert run_playbook(play(handlers=[handler]), fleet, tmp_path).rc == 2
        assert told.read_text().split() == ["told"] * times
    broken.unlink()
    for _again in range(2):
        assert run_playbook(play(handlers=[handler]), fleet, tmp_path).rc == 0
        assert told.read_text().split() == ["told"] * 3
    assert registered(fresh) == ["gw-0001"]


def test_a_failed_restart_is_not_ignored_with_the_rest_of_a_play(fresh: Emulator, tmp_path: Path) -> None:
    services = Services(tmp_path)
    fleet = inventory(1, tmp_path, **variables(fresh), gateway_service="of-gw-0001")
    services.broken.touch()
    assert run_playbook(play(ignore_errors=True), fleet, tmp_path, env=services.env).rc == 2
    services.broken.unlink()
    services.restarted()
    again = run_playbook(play(ignore_errors=True), fleet, tmp_path, env=services.env)
    assert (again.rc, result(again, "gw-0001")["reason"], services.restarted()) == (0, "unfinished", ["of-gw-0001"])


@pytest.mark.parametrize(
    "broken", [{"gateway_product_key": "a1Wrongkey1"}, {"ansible_connection": "ssh", "ansible_port": 9}]
)
def test_one_gateway_ends_no_restart_of_the_others(fresh: Emulator, tmp_path: Path, broken: JSON) -> None:
    services, env = Services(tmp_path), {"ANSIBLE_ANY_ERRORS_FATAL": "1", "ANSIBLE_SSH_RETRIES": "0"}
    fleet = inventory(
        {"gw-0001": {}, "gw-0002": {"ansible_host": "127.0.0.1", **broken}, "gw-0003": {}}, tmp_path, **variables(fresh)
    )
    fleet["gateways"]["vars"]["gateway_service"] = "of-{{ inventory_hostname }}"
    run = run_playbook(PROVISION, fleet, tmp_path, env={**services.env, **env})
    assert services.restarted() == ["of-gw-0001", "of-gw-0003"], run
    assert [run.stats[host]["changed"] for host in ("gw-0001", "gw-0003")] == [2, 2]


def test_what_any_errors_fatal_prevents_is_made_up_for(fresh: Emulator, tmp_path: Path) -> None:
    """In a play of the users' own; the next run over all gateways restarts what this one has not."""
    services = Services(tmp_path)
    common = {**variables(fresh), "gateway_service": "of-{{ inventory_hostname }}"}
    wrong = {"gw-0001": {}, "gw-0002": {"gateway_product_key": "a1Wrongkey1"}, "gw-0003": {}}
    ended = run_playbook(play(any_errors_fatal=True), inventory(wrong, tmp_path, **common), tmp_path, env=services.env)
    assert (ended.rc, services.restarted()) == (2, [])
    again = run_playbook(play(), inventory(3, tmp_path, **common), tmp_path, env=services.env)
    assert (again.rc, services.restarted()) == (0, ["of-gw-0001", "of-gw-0002", "of-gw-0003"])
    assert sorted(registered(fresh)) == ["gw-0001", "gw-0002", "gw-0002", "gw-0003"]  # one was refused


def test_two_credentials_of_one_host_in_one_play(fresh: Emulator, tmp_path: Path) -> None:
    """The handlers of the first credential run between the two, as the README of the role advises."""
    fleet, services = inventory(1, tmp_path, **variables(fresh)), Services(tmp_path)
    told = tmp_path / "told"
    handler = {
        "ansible.builtin.raw": f"echo {{{{ gateway_result.device_name }}}} >> {told}",
        "listen": "Gateway credential changed",
    }
    role = {"name": "fleetops.aliyun_iot.gateway", "rolespec_validate": False}
    ours = [
        {"gateway_device_name": name, "gateway_path": f"{tmp_path}/{name}.json", "gateway_service": f"of-{name}"}
        for name in names(2)
    ]
    # The handlers of an imported role have the variables of its last import.
    first, second = ({"ansible.builtin.include_role": role, "vars": each} for each in ours)
    flush = {"ansible.builtin.meta": "flush_handlers"}
    twice = {"hosts": "gateways", "gather_facts": False, "handlers": [handler], "tasks": [first, flush, second]}
    for changed in (2, 0):
        run = run_playbook(twice, fleet, tmp_path, env=services.env)
        assert (run.rc, told.read_text().split()) == (0, names(2)), run
        assert services.restarted() == (["of-gw-0001", "of-gw-0002"] if changed else [])
        tasks = [
            each["result"] for each in run.results["gw-0001"] if not each["handler"] and "reason" in each["result"]
        ]
        assert [each["reason"] for each in tasks] == 2 * (["missing"] if changed else ["up_to_date"])
    assert registered(fresh) == names(2)


def test_a_removal_forgets_a_restart_that_did_not_happen(fresh: Emulator, tmp_path: Path) -> None:
    services = Services(tmp_path)
    fleet = inventory(1, tmp_path, **variables(fresh), gateway_service="agent")
    services.broken.touch()
    assert run_playbook(play(), fleet, tmp_path, env=services.env).rc == 2
    assert services.restarted() == ["agent"]
    for _again in range(2):
        run = run_playbook(play(vars={"gateway_state": "absent"}), fleet, tmp_path, env=services.env)
        assert run.rc == 0, run
        assert services.restarted() == []
    assert list((tmp_path / "gw-0001").iterdir()) == []


# Variables of steps after a registration, the kind of the error, and a part of the message.
WRONG = {
    "service": ({"gateway_service": "misspelt"}, "no_service", "OpenRC has no service misspelt"),
    "no-host": ({"gateway_verify": "login"}, "invalid_option", "mqtt_endpoint"),
    "bad-host": (
        {"gateway_verify": "login", "gateway_mqtt_endpoint": "a host"},
        "invalid_option",
        "mqtt_endpoint",
    ),
    "another-host": (
        {"gateway_verify": "login", "gateway_mqtt_endpoint": "127.0.0.1:9"},
        "network",
        "the login that is to verify",
    ),
}


@pytest.mark.parametrize("playbook", [None, PROVISION], ids=["role", "playbook"])
def test_what_follows_is_proved_before_a_registration(fresh: Emulator, tmp_path: Path, playbook: str | None) -> None:
    """The steps after a registration are checked before it, in check mode and in a run, whoever registers."""
    services = Services(tmp_path)
    hosts = {f"{name}-{way}": (way, *case) for name, case in WRONG.items() for way in ("gateway", "controller")}
    own = {host: {"gateway_register_from": way, **wrong} for host, (way, wrong, *_error) in hosts.items()}
    for host in hosts:
        fresh.admin.put_device(PRODUCT_KEY, host)
    fleet = inventory(own, tmp_path, **variables(fresh), gateway_retry_time=0, gateway_timeout=5)
    for check in (True, False):
        run = run_playbook(playbook or play(), fleet, tmp_path, env=services.env, check=check)
        assert run.rc == 2, run
        for host, (_way, _wrong, kind, says) in hosts.items():
            assert (host, result(run, host)["error"]["kind"]) == (host, kind)
            assert says in result(run, host)["msg"]
            assert list((tmp_path / host).iterdir()) == []
    assert registered(fresh) == []


@pytest.mark.parametrize(
    ("arguments", "hosts", "what"),
    [
        (["-e", "target=gatways"], 2, "No host matches gatways"),
        (["--limit", "elsewhere"], 2, "No host matches gateways"),
        ([], 0, "No host matches gateways"),
    ],
    ids=["misspelt", "limited to others", "empty inventory"],
)
def test_a_run_over_nothing_fails(fresh: Emulator, tmp_path: Path, arguments: list[str], hosts: int, what: str) -> None:
    fleet = inventory(hosts, tmp_path, **variables(fresh))
    if hosts:
        fleet["others"] = {"hosts": {"elsewhere": {}}}
    run = run_playbook(PROVISION, fleet, tmp_path, *arguments)
    assert run.rc != 0
    assert what in run.stderr
    assert run.stats == {}, "no host is to blame"
    assert registered(fresh) == []


def test_a_run_over_some_of_them_does_not(fresh: Emulator, tmp_path: Path) -> None:
    run = run_playbook(
        PROVISION, inventory(3, tmp_path, **variables(fresh)), tmp_path, "--limit", "gw-0002", "-e", "target=all"
    )
    assert run.rc == 0, run
    assert registered(fresh) == ["gw-0002"]
    some = json.dumps({"target": ["gw-0001", "gw-0003"]})
    listed = run_playbook(PROVISION, inventory(3, tmp_path, **variables(fresh)), tmp_path, "-e", some)
    assert (listed.rc, sorted(registered(fresh))) == (0, names(3)), listed


def test_too_many_failures_end_the_run_after_the_restarts(fresh: Emulator, tmp_path: Path) -> None:
    services = Services(tmp_path)
    fleet = inventory(6, tmp_path, **variables(fresh), gateway_service="of-{{ inventory_hostname }}")
    fleet["gateways"]["hosts"]["gw-0002"]["gateway_device_name"] = NOBODY

    def provision(limit: int) -> tuple[int, list[str]]:
        batches = json.dumps({"gateway_serial": [3, "100%"], "gateway_max_fail_percentage": limit})
        run = run_playbook(PROVISION, fleet, tmp_path, "-e", batches, env=services.env)
        assert result(run, "gw-0002")["error"]["code"] == 6100
        return run.rc, services.restarted()

    # One of six is 16.7 %.
    assert provision(limit=16) == (2, ["of-gw-0001", "of-gw-0003"])
    assert sorted(registered(fresh)) == ["gw-0001", "gw-0003", NOBODY]
    assert provision(limit=17) == (2, ["of-gw-0004", "of-gw-0005", "of-gw-0006"])


def test_throttle_keeps_registrations_apart(fresh: Emulator, tmp_path: Path) -> None:
    fresh.admin.fault(delay=0.5, times="forever")
    run = run_playbook(PROVISION, inventory(4, tmp_path, **variables(fresh)), tmp_path, "-e", "gateway_throttle=1")
    assert run.rc == 0, run
    came = [datetime.fromisoformat(entry["time"]) for entry in fresh.admin.requests(action="register")]
    assert len(came) == 4
    assert all((later - earlier).total_seconds() >= 0.5 for earlier, later in pairwise(came))
