# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device's whole life: added, provisioned, reprovisioned, recovered, decommissioned."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from account import KEY
from emulator import Emulator
from operations import (
    account,
    called,
    credential_file,
    end_leases,
    in_service,
    journal,
    left_over,
    operate,
    provision,
    results,
    role_variables,
    start_operation,
    stored_fingerprint,
    valid_fingerprint,
    valid_text,
)
from playbook import PRODUCT_KEY, Run, inventory, names, run_playbook
from processes import wait_for
from shells import write_script

JSON = Any

LONG = 600  # seconds; no test waits this long
WAYS = ("gateway", "controller")
NEXT = ("provision", "reprovision")
# Queries, which change nothing.
LOOKS = {"QueryProduct", "QueryDevice", "BatchQueryDeviceDetail", "GetThingTopo"}


pytestmark = pytest.mark.usefixtures("new_platform")


def gateways(platform: Emulator, hosts: Any, tmp_path: Path, **variables: JSON) -> JSON:
    return inventory(hosts, tmp_path, **role_variables(platform), **variables)


def assert_valid(platform: Emulator, tmp_path: Path, hosts: Iterable[str]) -> None:
    """Check that each gateway stores the platform's secret and nothing else, and that an everyday run finds nothing to do."""
    hosts = list(hosts)
    for host in hosts:
        assert stored_fingerprint(tmp_path, host) == valid_fingerprint(platform, host), host
        assert credential_file(tmp_path, host).read_text() == valid_text(platform, host)
    assert left_over(tmp_path, hosts) == {}
    platform.admin.clear_requests()
    again = provision(platform, gateways(platform, hosts, tmp_path), tmp_path)
    assert (again.rc, again.changed) == (0, 0), again
    assert platform.admin.requests() == []


# The whole life


def test_a_product_is_created_and_the_console_named(platform: Emulator, tmp_path: Path) -> None:
    hosts = inventory(2, tmp_path, **{**role_variables(platform), "gateway_product_key": ""})
    told = []
    for arguments in (["--check"], [], []):
        run = operate("provision", platform, hosts, tmp_path, *arguments, platform_product_name="Bakeries")
        assert run.rc == 2, run
        told.append(run.result("gw-0001")["msg"])
    products = {each["product_name"]: each["product_key"] for each in platform.admin.products()}
    assert [products["Bakeries"] in message for message in told] == [False, True, True]
    assert "Dynamic Registration" in told[1]
    assert platform.admin.devices(products["Bakeries"]) == []  # the next run adds the devices that it registers
    assert [each["action"] for each in platform.admin.requests()].count("CreateProduct") == 1
    assert platform.admin.requests(action="register") == []


def test_a_product_key_that_some_hosts_lack(platform: Emulator, tmp_path: Path) -> None:
    """A product key that some hosts lack is reported before any registration, even if the first host has one."""
    own = {
        "gw-0001": {},
        "gw-0002": {"gateway_product_key": ""},
        "gw-0003": {"gateway_product_key": None},
        "gw-0004": {},
    }
    run = operate("provision", platform, gateways(platform, own, tmp_path), tmp_path, platform_product_name="Bakeries")
    assert run.rc == 2, run
    assert "gateway_product_key is not set for gw-0002, gw-0003" in run.result("gw-0001")["msg"]
    assert called(platform, "register") == []


def test_a_life(platform: Emulator, tmp_path: Path) -> None:
    platform.admin.settings(reset_revokes="at_registration")
    known = {name.removeprefix("platform_"): value for name, value in account(platform).items()}
    product = {"product_name": "Ovens", "node_type": "gateway", **known}
    create = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"name": "Create the product", "fleetops.aliyun_iot.product": product}],
    }
    created = run_playbook(create, {}, tmp_path)
    assert created.rc == 0, created
    key = created.result("localhost")["product_key"]

    # Steps in the console: copy ProductSecret and, later, switch on Dynamic Registration.
    [shown] = [each for each in platform.admin.products() if each["product_key"] == key]
    ours = {"gateway_product_key": key, "gateway_product_secret": shown["product_secret"]}
    hosts = inventory(3, tmp_path, **{**role_variables(platform), **ours})

    early = operate("provision", platform, hosts, tmp_path)
    assert {each["error"]["code"] for host in names(3) for each in results(early, host)} == {6288}, early
    platform.admin.patch_product(key, dynamic_registration=True)
    platform.admin.clear_requests()
    first = operate("provision", platform, hosts, tmp_path)
    assert first.rc == 0, first
    assert [device["device_name"] for device in platform.admin.devices(key)] == names(3)
    for host in names(3):
        assert stored_fingerprint(tmp_path, host) == valid_fingerprint(platform, host, key)

    platform.admin.activate(key, "gw-0001")
    before = credential_file(tmp_path, "gw-0001").read_bytes()
    forced = provision(platform, hosts, tmp_path, "--limit", "gw-0001", "-e", "gateway_register=always")
    [refused] = results(forced, "gw-0001")
    assert (forced.rc, refused["error"]["code"]) == (2, 6289), forced
    assert credential_file(tmp_path, "gw-0001").read_bytes() == before

    # Reprovision one gateway; then nothing is left to do.
    old = stored_fingerprint(tmp_path, "gw-0001")
    platform.admin.clear_requests()
    renewed = operate("reprovision", platform, hosts, tmp_path, target="gw-0001")
    assert renewed.rc == 0, renewed
    assert called(platform, "ResetThing") == called(platform, "register") == ["gw-0001"]
    assert stored_fingerprint(tmp_path, "gw-0001") == valid_fingerprint(platform, "gw-0001", key) != old
    platform.admin.clear_requests()
    again = operate("provision", platform, hosts, tmp_path)
    assert (again.rc, again.changed) == (0, 0), again
    assert called(platform, "register") == []
    assert left_over(tmp_path, names(3)) == {}

    # Recover one gateway, without a reset.
    platform.admin.activate(key, "gw-0001")
    current = credential_file(tmp_path, "gw-0001").read_bytes()
    credential_file(tmp_path, "gw-0001").unlink()
    platform.admin.clear_requests()
    recovered = operate("recover", platform, hosts, tmp_path)
    assert (recovered.rc, recovered.changed) == (0, 1), recovered
    assert results(recovered, "gw-0001")[0]["reason"] == "missing"
    assert credential_file(tmp_path, "gw-0001").read_bytes() == current
    assert {entry["action"] for entry in platform.admin.requests()} == {"BatchQueryDeviceDetail"}

    # Decommission each gateway in another way.
    for host, fate in zip(names(3), ("disable", "delete", "keep"), strict=True):
        ended = operate("decommission", platform, hosts, tmp_path, target=host, decommission_platform=fate)
        assert ended.rc == 0, ended
        assert not credential_file(tmp_path, host).exists()
        again = operate("decommission", platform, hosts, tmp_path, target=host, decommission_platform=fate)
        assert (again.rc, again.changed) == (0, 0), again
        assert results(again, host)[0]["path"] == str(credential_file(tmp_path, host)), "gateway_report is all"
    left = {device["device_name"]: device["status"] for device in platform.admin.devices(key)}
    assert left == {"gw-0001": "DISABLE", "gw-0003": "UNACTIVE"}
    assert left_over(tmp_path, names(3)) == {}
    for told in (created, early, first, renewed, recovered):
        assert KEY.secret not in told.stdout + told.stderr
    platform.admin.delete_product(key)


def test_decommission_wants_to_be_told_whom(platform: Emulator, tmp_path: Path) -> None:
    before = in_service(platform, tmp_path, "gw-0001")
    hosts = gateways(platform, 1, tmp_path)
    destroyed = {"target": "gateways", "decommission_platform": "destroy"}
    for extra, what in (({}, "-e target="), (destroyed, "disable or delete or keep")):
        run = operate("decommission", platform, hosts, tmp_path, **extra)
        assert run.rc != 0, run
        assert what in run.stderr, run
    assert platform.admin.requests() == []
    assert credential_file(tmp_path, "gw-0001").read_text() == before


def test_a_gateway_whose_device_was_deleted(platform: Emulator, tmp_path: Path) -> None:
    """If the device was deleted, nothing is left to disable, and the error names the options that remove the credential."""
    hosts = gateways(platform, names(2), tmp_path)
    assert provision(platform, hosts, tmp_path).rc == 0
    for host in names(2):
        platform.admin.delete_device(PRODUCT_KEY, host)
    for arguments in (["--check"], [], []):
        run = operate("decommission", platform, hosts, tmp_path, *arguments, target="gateways")
        assert run.rc == 2, run
        for host in names(2):
            told = run.result(host)["msg"]
            assert "does not exist" in told, told
            assert "decommission_platform=delete" in told, told
            assert "decommission_platform=keep" in told, told
            assert "state=" not in told, told
            assert credential_file(tmp_path, host).exists()
    for host, fate in zip(names(2), ("delete", "keep"), strict=True):
        run = operate("decommission", platform, hosts, tmp_path, target=host, decommission_platform=fate)
        assert (run.rc, credential_file(tmp_path, host).exists()) == (0, False), run


def test_a_stolen_gateway_is_disabled_though_nobody_reaches_it(platform: Emulator, tmp_path: Path) -> None:
    for host in names(2):
        in_service(platform, tmp_path, host)
    hosts = gateways(platform, {"gw-0001": unreachable(), "gw-0002": {}}, tmp_path)
    run = operate("decommission", platform, hosts, tmp_path, target="gateways")
    assert run.rc == 4, run
    assert [platform.admin.device(PRODUCT_KEY, host)["status"] for host in names(2)] == ["DISABLE"] * 2
    assert [credential_file(tmp_path, host).exists() for host in names(2)] == [True, False]


def unreachable() -> dict[str, JSON]:
    """Return the variables of a host that does not answer."""
    return {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}


# Crashes during a reprovision


STEPS = ("prepare", "reset", "register", "clear")


def mixed(prefix: str = "") -> dict[str, dict[str, JSON]]:
    """Return two gateways for each playbook that may run next: one registers itself, the other is registered by the controller."""
    return {
        f"{prefix}{after}-{way}": {"gateway_register_from": way, "after": after, "way": way}
        for after in NEXT
        for way in WAYS
    }


def go_on(platform: Emulator, hosts: JSON, tmp_path: Path) -> dict[str, Run]:
    """Run both playbooks as the next run, each over its share of the gateways."""
    ended = {}
    for after in NEXT:
        share = [host for host, own in hosts.items() if own["after"] == after]
        fleet = gateways(platform, {host: hosts[host] for host in share}, tmp_path)
        ended[after] = operate(after, platform, fleet, tmp_path, gateway_serial="100%")
        assert ended[after].rc == 0, ended[after]
    return ended


def test_runs_killed_after_each_step(platform: Emulator, tmp_path: Path) -> None:
    """A run of each step's gateways is killed after the step; then all gateways go on."""
    hosts: dict[str, dict[str, JSON]] = {}
    before: dict[str, str] = {}
    for step in STEPS:
        own = mixed(f"{step}-")
        before |= {host: in_service(platform, tmp_path, host) for host in own}
        kill_after(step, platform, own, tmp_path, before)
        hosts |= own

    go_on(platform, hosts, tmp_path)
    for host, own in hosts.items():
        kept = credential_file(tmp_path, host).read_text() == before[host]
        assert kept == (host.startswith("prepare-") and own["after"] == "provision"), host
    assert_valid(platform, tmp_path, hosts)


def kill_after(step: str, platform: Emulator, hosts: JSON, tmp_path: Path, before: dict[str, str]) -> None:
    """Reprovision the hosts, and kill the run after this step."""
    if step == "prepare":
        platform.admin.fault("ResetThing", delay=LONG)
    elif step == "reset":
        platform.admin.fault("ResetThing", device_name=list(hosts)[-1], hold_after=LONG)
    elif step == "register":
        platform.admin.fault("register", hold_after=LONG, times=len(hosts))
    platform.admin.clear_requests()
    fleet = gateways(platform, hosts, tmp_path, gateway_timeout=60)
    with start_operation("reprovision", platform, fleet, tmp_path, gateway_serial="100%") as run:
        if step == "prepare":
            wait_for(lambda: called(platform, "ResetThing"), "the first reset")
        elif step == "reset":
            wait_for(lambda: all(is_reset(platform, host) for host in hosts), "the last reset")
        elif step == "register":
            wait_for(lambda: len(called(platform, "register", processed=True)) == len(hosts), "all registrations")
        else:
            wait_for(lambda: all(cleared(tmp_path, host, before[host]) for host in hosts), "all new credentials")
        run.kill()

    intent = {"prepare": "reset", "reset": "reset", "register": "renew"}
    for host in hosts:
        if step == "clear":
            assert credential_file(tmp_path, host).read_text() == valid_text(platform, host) != before[host]
        else:
            assert f" intent={intent[step]} " in journal(tmp_path, host), host
            assert credential_file(tmp_path, host).read_text() == before[host]
        changed_there = valid_text(platform, host) != before[host]
        assert changed_there == (step in ("register", "clear")), "a reset does not end the secret yet"
    platform.admin.clear_faults()
    end_leases(tmp_path, hosts)


def is_reset(platform: Emulator, host: str) -> bool:
    return bool(platform.admin.device(PRODUCT_KEY, host)["registration"] == "unregistered")


def cleared(tmp_path: Path, host: str, before: str) -> bool:
    return credential_file(tmp_path, host).read_text() != before and not journal(tmp_path, host)


CUTS = {
    "prepare_reset": 'grep -q "intent=reset " {journal}',
    "register": 'grep -q "intent=renew " {journal}',
    "clear": "! cmp -s {root}/device.json {root}/../{host}.before && ! [ -e {journal} ]",
}


def cut_shell(tmp_path: Path, host: str, step: str) -> str:
    """Return a shell that fails without a message once the gateway has completed this step."""
    (tmp_path / f"{host}.before").write_text(credential_file(tmp_path, host).read_text())
    root = tmp_path / host
    condition = CUTS[step].format(root=root, host=host, journal=f"{root}/.device.json.journal")
    gone = tmp_path / f"{host}.gone"
    script = f'if [ -e {gone} ] || {{ {condition}; }} 2>/dev/null; then touch {gone}; exit 1; fi\nexec /bin/sh "$@"'
    return str(write_script(tmp_path / f"{host}.sh", script))


def test_connections_cut_after_each_step(platform: Emulator, tmp_path: Path) -> None:
    """Gateways cut off after any step converge; of those cut off after prepare_reset, some are reset while unreachable."""
    hosts: dict[str, dict[str, JSON]] = {}
    for case in ("reset", "refused", "register", "clear"):
        hosts |= mixed(f"{case}-")
    before = {host: in_service(platform, tmp_path, host) for host in hosts}
    cut = {}
    for host, own in hosts.items():
        case = host.partition("-")[0]
        step = {"reset": "prepare_reset", "refused": "prepare_reset"}.get(case, case)
        cut[host] = {**own, "ansible_shell_executable": cut_shell(tmp_path, host, step)}
        if case == "refused":
            platform.admin.fault("ResetThing", device_name=host, code="iot.device.InvalidOperation", times="forever")
    everyone = {"gateway_serial": "100%", "gateway_max_fail_percentage": 100}
    run = operate("reprovision", platform, gateways(platform, cut, tmp_path), tmp_path, **everyone)
    assert run.rc == 2, run
    for host in hosts:
        case = host.partition("-")[0]
        assert (case != "clear") == bool(journal(tmp_path, host)) == run.stats[host]["failures"], (host, run)
        assert (case != "clear") == (credential_file(tmp_path, host).read_text() == before[host]), host
        assert is_reset(platform, host) == (case == "reset"), host
    registered = {host for host in hosts if platform.admin.device(PRODUCT_KEY, host)["registrations"]}
    assert registered == {host for host in hosts if host.startswith(("register", "clear"))}

    platform.admin.clear_faults()
    end_leases(tmp_path, hosts)
    go_on(platform, hosts, tmp_path)
    for host, own in hosts.items():
        kept = credential_file(tmp_path, host).read_text() == before[host]
        assert kept == (host.startswith("refused") and own["after"] == "provision"), host
    assert_valid(platform, tmp_path, hosts)


# A device that could not be registered again is not reset


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small file system for gw-0002 alone."""
    if os.geteuid():
        pytest.skip("only root can mount a file system")
    folder = tmp_path / "gw-0002"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_refusals_before_the_reset(platform: Emulator, tmp_path: Path, full_disk: Path) -> None:
    platform.admin.patch_product(PRODUCT_KEY, node_type="gateway")
    before = {host: in_service(platform, tmp_path, host) for host in names(4)}
    with pytest.raises(OSError, match="No space"):
        (full_disk / "filler").write_bytes(bytes(1 << 20))
    platform.admin.put_device(PRODUCT_KEY, "sensor-1")
    platform.admin.put_device(PRODUCT_KEY, "gw-0003", sub_devices=["sensor-1"])
    own = {"gw-0001": {"gateway_endpoint": "https://127.0.0.1:9", "gateway_retry_time": 0}}
    hosts = gateways(platform, {host: own.get(host, {}) for host in names(4)}, tmp_path)
    everyone = {"gateway_serial": "100%", "gateway_max_fail_percentage": 100}
    run = operate("reprovision", platform, hosts, tmp_path, **everyone)

    assert run.rc == 2, run
    assert called(platform, "ResetThing") == called(platform, "register") == ["gw-0004"]
    assert {host: run.stats[host]["failures"] for host in names(4)} == dict(zip(names(4), [1, 1, 1, 0], strict=True))
    assert results(run, "gw-0001")[-1]["error"]["kind"] == "network"
    assert results(run, "gw-0002")[-1]["error"]["kind"] == "storage"
    assert "gateway_reset_topology" in run.result("gw-0003")["msg"]
    for host in names(3):
        assert credential_file(tmp_path, host).read_text() == before[host] == valid_text(platform, host)
    assert credential_file(tmp_path, "gw-0004").read_text() == valid_text(platform, "gw-0004") != before["gw-0004"]
    assert platform.admin.device(PRODUCT_KEY, "gw-0003")["sub_devices"]

    # Another host's consent does not count, although this host is the first of the batch.
    hosts["gateways"]["hosts"]["gw-0002"]["gateway_reset_topology"] = True
    refused = operate("reprovision", platform, hosts, tmp_path, target="gw-0002:gw-0003", **everyone)
    assert "gateway_reset_topology" in refused.result("gw-0003")["msg"], refused
    assert platform.admin.device(PRODUCT_KEY, "gw-0003")["sub_devices"]

    # With its own consent the gateway is reset, and the topology is removed.
    hosts["gateways"]["hosts"]["gw-0003"]["gateway_reset_topology"] = True
    consent = operate("reprovision", platform, hosts, tmp_path, target="gw-0003")
    assert consent.rc == 0, consent
    assert platform.admin.device(PRODUCT_KEY, "gw-0003")["sub_devices"] == []
    assert credential_file(tmp_path, "gw-0003").read_text() == valid_text(platform, "gw-0003") != before["gw-0003"]


def test_the_canary_ends_the_run(platform: Emulator, tmp_path: Path) -> None:
    before = {host: in_service(platform, tmp_path, host) for host in names(4)}
    own = {"gw-0001": {"gateway_endpoint": "https://127.0.0.1:9", "gateway_retry_time": 0}}
    hosts = gateways(platform, {host: own.get(host, {}) for host in names(4)}, tmp_path)
    run = operate("reprovision", platform, hosts, tmp_path)
    assert run.rc == 2, run
    assert {entry["action"] for entry in platform.admin.requests()} <= LOOKS
    assert {host: credential_file(tmp_path, host).read_text() for host in names(4)} == before
    assert left_over(tmp_path, names(4)) == {}

    # A failure in a later batch ends the run too, after this batch.
    order = "gw-0004:gw-0001:gw-0002:gw-0003"
    run = operate("reprovision", platform, hosts, tmp_path, gateway_serial=[1, 2, 1], target=order)
    assert run.rc == 2, run
    assert called(platform, "ResetThing") == ["gw-0004", "gw-0002"]
    for host in names(4):
        assert credential_file(tmp_path, host).read_text() == valid_text(platform, host)
        assert (credential_file(tmp_path, host).read_text() != before[host]) == (host in ("gw-0002", "gw-0004")), host


def test_check_mode_resets_nothing(platform: Emulator, tmp_path: Path) -> None:
    before = in_service(platform, tmp_path, "gw-0001")
    hosts = gateways(platform, 1, tmp_path)
    for name in ("reprovision", "recover", "decommission"):
        run = operate(name, platform, hosts, tmp_path, "--check", target="gateways", gateway_recovery_force=True)
        assert run.rc == 0, run
    assert {entry["action"] for entry in platform.admin.requests()} <= LOOKS
    assert credential_file(tmp_path, "gw-0001").read_text() == before == valid_text(platform, "gw-0001")
    assert left_over(tmp_path, names(1)) == {}


# Contradictions in the platform's documents


# test_platform_variants.py has all combinations, for the task alone.
@pytest.mark.parametrize(
    ("when", "again"), [("at_once", "same"), ("at_registration", "rotate"), ("never", "rotate"), ("never", "same")]
)
def test_whenever_a_reset_ends_the_old_secret(platform: Emulator, tmp_path: Path, when: str, again: str) -> None:
    platform.admin.settings(reset_revokes=when, reregistration=again)
    hosts = {way: {"gateway_register_from": way} for way in WAYS}
    before = {host: in_service(platform, tmp_path, host) for host in hosts}
    run = operate("reprovision", platform, gateways(platform, hosts, tmp_path), tmp_path, gateway_serial="100%")
    assert run.rc == 0, run
    for host in hosts:
        new = valid_text(platform, host) != before[host]
        assert new == (when != "never" or again == "rotate"), host
    assert_valid(platform, tmp_path, hosts)


def test_an_answer_lost_for_good_after_the_reset(platform: Emulator, tmp_path: Path) -> None:
    """The only answer with the new secret is lost: the old secret is dead, and no run may report it as valid."""
    platform.admin.settings(reregistration="refuse")
    hosts = {way: {"gateway_register_from": way, "gateway_retry_time": 0} for way in WAYS}
    before = {host: in_service(platform, tmp_path, host) for host in hosts}
    fleet = gateways(platform, hosts, tmp_path)
    platform.admin.fault(drop_after=True, times=2)
    run = operate("reprovision", platform, fleet, tmp_path, gateway_serial="100%")
    assert [results(run, host)[-1]["error"]["kind"] for host in hosts] == ["network"] * 2, run
    for attempt in range(2):
        if attempt:
            # Another reprovision that ends before its reset does not clear this state.
            platform.admin.fault("ResetThing", code="iot.device.InvalidOperation", times=2)
            end_leases(tmp_path, hosts)
            refused = operate("reprovision", platform, fleet, tmp_path, gateway_serial="100%")
            assert "InvalidOperation" in refused.result("gateway")["msg"], refused
        end_leases(tmp_path, hosts)
        stuck = provision(platform, fleet, tmp_path)
        assert stuck.rc == 2, stuck
        for host in hosts:
            [result] = results(stuck, host)
            assert (result["error"]["code"], result["changed"]) == (6289, False)
            assert "recover" in result["msg"]
            assert credential_file(tmp_path, host).read_text() == before[host] != valid_text(platform, host)
            assert journal(tmp_path, host)
    end_leases(tmp_path, hosts)
    recovered = operate("recover", platform, fleet, tmp_path)
    assert (recovered.rc, recovered.changed) == (0, 2), recovered
    assert_valid(platform, tmp_path, hosts)


def test_a_forced_recovery_that_dies_settles_nothing(platform: Emulator, tmp_path: Path) -> None:
    """A forced recovery that dies settles nothing: the stored secret is dead, and no later run may report it as valid."""
    valid = in_service(platform, tmp_path, "gw-0001")
    dead = valid.replace(platform.admin.device(PRODUCT_KEY, "gw-0001")["device_secret"], "0" * 32)
    credential_file(tmp_path, "gw-0001").write_text(dead)
    fleet = gateways(platform, 1, tmp_path)
    # A query without an answer leaves nothing behind.
    platform.admin.fault("BatchQueryDeviceDetail", code="iot.system.SystemException")
    asked = operate("recover", platform, fleet, tmp_path, target="gateways", gateway_recovery_force=True)
    assert (asked.rc, journal(tmp_path, "gw-0001")) == (2, ""), asked
    platform.admin.clear_requests()

    platform.admin.fault("BatchQueryDeviceDetail", delay=LONG)
    with start_operation("recover", platform, fleet, tmp_path, gateway_recovery_force=True) as run:
        wait_for(lambda: platform.admin.requests(action="BatchQueryDeviceDetail"), "the question")
        run.kill()
    platform.admin.clear_faults()
    end_leases(tmp_path, ["gw-0001"])
    stuck = provision(platform, fleet, tmp_path)
    assert stuck.result("gw-0001")["error"]["code"] == 6289, stuck
    assert credential_file(tmp_path, "gw-0001").read_text() == dead
    end_leases(tmp_path, ["gw-0001"])
    recovered = operate("recover", platform, fleet, tmp_path)
    assert recovered.rc == 0, recovered
    assert credential_file(tmp_path, "gw-0001").read_text() == valid
    assert journal(tmp_path, "gw-0001") == ""


def test_a_recovery_that_is_refused_says_so(platform: Emulator, tmp_path: Path) -> None:
    """A refused recovery fails, even on an interrupted gateway, where another operation might settle a refusal."""
    text = in_service(platform, tmp_path, "gw-0001")
    file = tmp_path / "gw-0001" / ".device.json.journal"
    file.write_text("1 token=0123456789abcdef intent=register holder=gateway pid=1 start=1 boot=- taken=1 ttl=0\n")
    fleet = gateways(platform, ["gw-0001"], tmp_path)
    run = operate("recover", platform, fleet, tmp_path, platform_access_key_secret="NotTheSecret0001")
    [told] = results(run, "gw-0001")
    assert (run.rc, told["error"]["kind"]) == (2, "refused"), run
    assert "SignatureDoesNotMatch" in str(told["error"]["code"])
    assert credential_file(tmp_path, "gw-0001").read_text() == text
    assert journal(tmp_path, "gw-0001")
