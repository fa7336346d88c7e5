# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test look, decision and change without Ansible: every reason, and a fault between every two steps."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from converging import PRODUCT_KEY, Bench, Broken, Recovery, stored
from gateways import end_lease

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError, FleetopsError, Refused
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _convergence

JSON = Any
EXPORTS = [{"dest": "", "format": "env"}]


def other(bench: Bench, **fields: str) -> None:
    bench.path.write_text(json.dumps({**stored(bench.path), **fields}, separators=(",", ":"), sort_keys=True) + "\n")


def reason(bench: Bench, prepared: str) -> str:
    """Prepare the gateway; return the reason that the next run must report."""
    if prepared == "missing":
        return prepared
    bench.run()
    if prepared == "unreadable":
        bench.path.write_text("{\n")
    elif prepared == "identity_changed":
        other(bench, deviceName="gw-0002")
    elif prepared == "attributes":
        bench.path.chmod(0o640)
    return prepared


@pytest.mark.parametrize(
    ("prepared", "issues"),
    [("missing", 1), ("unreadable", 1), ("identity_changed", 1), ("attributes", 0), ("up_to_date", 0)],
)
def test_reasons(bench: Bench, prepared: str, issues: int) -> None:
    expected = reason(bench, prepared)
    before = bench.device.issued
    foreseen = bench.run(check_mode=True)
    assert (foreseen["reason"], bench.device.issued) == (expected, before)
    done = bench.run()
    assert (done["reason"], done["registered"]) == (expected, bool(issues))
    assert done["changed"] == foreseen["changed"] == (expected != "up_to_date")
    assert bench.device.issued == before + issues
    assert bench.is_right()
    assert bench.run()["reason"] == "up_to_date"


def test_an_export_is_written_and_repaired(bench: Bench, tmp_path: Path) -> None:
    dest = tmp_path / "iot/agent.env"
    exports = [{"dest": str(dest), "format": "env"}]
    assert bench.run()["reason"] == "missing"
    for _again in range(2):
        done = bench.run(exports=exports)
        assert (done["reason"], done["registered"]) == ("export", False)
        assert f"ALIYUN_IOT_DEVICE_SECRET={bench.device.secret}\n" in dest.read_text()
        dest.write_text("other\n")


def test_forced(bench: Bench) -> None:
    bench.run()
    assert bench.run(register="always")["reason"] == "forced"
    assert bench.device.issued == 2
    assert bench.is_right()


def test_never(bench: Bench) -> None:
    convergence = bench.convergence(register="never")
    with pytest.raises(FleetopsError) as caught:
        convergence.run()
    assert caught.value.kind == "registration_needed"
    assert convergence.known["reason"] == "missing"
    assert bench.device.issued == 0


def test_removal(bench: Bench) -> None:
    bench.run()
    assert bench.run(state="absent")["changed"]
    assert not bench.path.exists()
    assert not bench.run(state="absent")["changed"]


def test_a_reset_under_one_lease(bench: Bench) -> None:
    bench.run()
    bench.device.activated = True
    proven = bench.run(state="reset_intended", lease_time=60)
    assert proven["lease"]
    bench.device.activated = False
    done = bench.run(lease=proven["lease"])
    assert done["registered"]
    assert bench.device.issued == 2
    assert bench.is_right()


@pytest.mark.parametrize(("reset", "hint"), [(True, "Run provision, which only"), (False, "Run again, which only")])
def test_a_login_after_a_reset_is_repeated_by_another_playbook(bench: Bench, reset: bool, hint: str) -> None:
    """Repeating reprovision would reset the device again."""
    lease = bench.run(state="reset_intended", lease_time=60)["lease"] if reset else None
    bench.login.outcome = "failed"
    with pytest.raises(FleetopsError) as caught:
        bench.run(lease=lease, verify="login")
    assert (caught.value.kind, (caught.value.hint or "")[: len(hint)]) == ("not_proven", hint)


def test_a_lease_that_is_given_back(bench: Bench) -> None:
    bench.run()
    proven = bench.run(state="reset_intended", lease_time=60)
    assert bench.run(state="reset_withdrawn", lease=proven["lease"])["reason"] == "withdrawn"
    assert bench.run(state="reset_intended")["lease"] != proven["lease"]  # without waiting


def test_a_lease_that_nobody_holds(bench: Bench) -> None:
    bench.run()
    for state in ("present", "absent"):
        for check_mode in (True, False):
            with pytest.raises(BusyError, match=r"does not have this lease: .* or it was never taken there"):
                bench.run(check_mode=check_mode, lease="0" * 16, state=state)
    assert bench.device.issued == 1
    assert bench.is_right()


def test_the_lease_of_another_run_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    bench.run(state="reset_intended", lease_time=60)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        journal = bench.path.parent / ".device.json.journal"
        if len(waits) == 2:  # the other run ends and releases its lease
            text = journal.read_text()
            journal.write_text(text.replace(text.split("ttl=")[1].split()[0], "0"))

    monkeypatch.setattr(_convergence, "sleep", sleep)
    done = bench.run(state="present", register="always")
    assert done["registered"]
    assert len(waits) == 2
    assert len([line for line in bench.screen.lines if "waiting for up to" in line]) == 1


@pytest.mark.parametrize("state", ["fresh", "reprovisioned", "token of another run"])
def test_a_fault_between_every_two_steps(tmp_path: Path, state: str) -> None:
    """After a broken connection at any step, plain runs end with the valid credential."""
    number = 0
    while True:
        broke = False
        for when in ("before", "after"):
            folder = tmp_path / f"{number}{when}"
            folder.mkdir(mode=0o700)
            bench = Bench(folder)
            options: JSON = {}
            if state != "fresh":
                bench.run()
                options = {"register": "always"} if state == "reprovisioned" else {"device_name": "gw-0002"}
            convergence = bench.convergence([(number, when)], **options)
            try:
                convergence.run()
            except Broken:
                broke = True
            options.pop("register", None)
            expire(bench)
            bench.run(**options)
            assert bench.is_right(), (number, when)
            assert bench.run(**options)["reason"] == "up_to_date"
        if not broke:
            break
        number += 1
    assert number >= 3


def expire(bench: Bench) -> None:
    """End the lease of a run that died."""
    journal = bench.path.parent / ".device.json.journal"
    if journal.exists() and " ttl=0" not in journal.read_text():
        end_lease(journal)


def test_a_lost_answer_is_proved_afterwards(bench: Bench) -> None:
    with pytest.raises(FleetopsError) as caught:
        bench.run(loses=1)
    assert caught.value.may_have_registered
    expire(bench)
    done = bench.run()
    assert (done["reason"], done["proven"]) == ("interrupted", True)
    assert bench.login.attempts == 1
    assert bench.is_right()


def test_what_no_login_proves_is_told(bench: Bench) -> None:
    with pytest.raises(FleetopsError):
        bench.run(loses=1)
    expire(bench)
    bench.login.outcome = "failed"
    assert bench.run()["proven"] is False
    assert any("was not verified by a login" in warning for warning in bench.screen.warnings)
    bench.login.outcome = ""
    assert bench.run()["proven"] is True
    assert bench.run()["proven"] is None


def test_what_a_login_refuses_is_registered_again(bench: Bench) -> None:
    with pytest.raises(FleetopsError):
        bench.run(loses=1)
    expire(bench)
    bench.login.outcome = "refused"
    convergence = bench.convergence()
    with pytest.raises(FleetopsError) as caught:
        convergence.run()
    assert (caught.value.kind, caught.value.registered) == ("not_accepted", True)
    assert convergence.known["proven"] is False
    bench.login.outcome = ""
    assert bench.run()["registered"]
    assert bench.is_right()


@pytest.mark.parametrize(("mode", "reason"), [(0o600, "up_to_date"), (0o644, "attributes")])
def test_the_run_whose_login_is_accepted_at_last_has_changed_the_credential(
    bench: Bench, mode: int, reason: str
) -> None:
    """The run whose required login failed has failed, so no handler has run since the credential was replaced."""
    bench.login.outcome = "failed"
    for _run in range(2):
        with pytest.raises(FleetopsError) as caught:
            bench.run(verify="login")
        assert caught.value.kind == "not_proven"
    bench.path.chmod(mode)
    assert bench.run(check_mode=True, verify="login", register="never")["reason"] == reason
    bench.login.outcome = ""
    for check_mode in (True, False):
        done = bench.run(check_mode=check_mode, verify="login")
        assert (done["changed"], done["reason"], done["registered"]) == (True, "interrupted", False)
    assert done["proven"]
    for check_mode in (True, False):
        done = bench.run(check_mode=check_mode, verify="login")
        assert (done["changed"], done["reason"]) == (False, "up_to_date")
    assert bench.device.issued == 1


def test_an_interruption_of_an_active_device_is_settled(bench: Bench) -> None:
    """The interrupted request was refused too, because the device is activated, so the stored credential is valid."""
    bench.run()
    bench.device.activated = True
    with pytest.raises(Broken):
        bench.run([(2, "before")], register="always")
    expire(bench)
    done = bench.run()
    assert (done["registered"], done["proven"]) == (False, True)
    assert bench.is_right()


def test_a_refusal_is_passed_on_and_gives_the_lease_back(bench: Bench) -> None:
    bench.device.activated = True
    with pytest.raises(Refused):
        bench.run()
    bench.device.activated = False
    assert bench.run()["registered"]  # without waiting


def test_recovery(bench: Bench) -> None:
    bench.run()
    bench.path.unlink()
    done = bench.run(issuer=Recovery)
    assert (done["registered"], done["changed"], bench.device.issued) == (False, True, 1)
    assert bench.is_right()
    assert not bench.run(issuer=Recovery, register="always")["changed"]


@pytest.mark.parametrize("wrong", ["missing", "mode"])
def test_a_forced_recovery_that_only_writes_an_export_is_a_change(bench: Bench, tmp_path: Path, wrong: str) -> None:
    dest = tmp_path / "agent.env"
    options: JSON = {"exports": [{"dest": str(dest), "format": "env"}]}
    bench.run(**options)
    if wrong == "missing":
        dest.unlink()
    else:
        dest.chmod(0o644)
    forced = {"issuer": Recovery, "register": "always", **options}
    assert [bench.run(**forced)["changed"] for _run in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("place", "mark", "login", "proven"),
    [
        ("device.json", "", "accepted", None),
        ("device.json", "unproven", "accepted", True),
        ("device.json", "unproven", "failed", False),
        ("device.json", "stored", "accepted", True),
        (".device.json.new", "stored", "accepted", True),
        (".device.json.new", "began", "accepted", True),
    ],
)
def test_a_recovery_keeps_a_complete_token(bench: Bench, place: str, mark: str, login: str, proven: bool) -> None:
    """The platform never returns a token, so the file is its only copy. Only a forced recovery replaces it."""
    bench.device.issue()
    text, shown = token_credential()
    bench.path.parent.mkdir(mode=0o700)
    (bench.path.parent / place).write_text(text)
    (bench.path.parent / place).chmod(0o600)
    if mark:
        lease = f"2 token=0123456789abcdef intent=register over=no product_key={PRODUCT_KEY} device_name=gw-0001"
        lines = [f"{lease} boot=- taken=0 ttl=0", *([f"{mark} {shown}"] if mark != "began" else [])]
        (bench.path.parent / ".device.json.journal").write_text("\n".join(lines) + "\n")
    bench.login.outcome = login
    done = bench.run(issuer=Recovery)
    assert done["proven"] is proven
    assert (bench.path.read_text(), done["credential"]["kind"]) == (text, "token")
    assert not (bench.path.parent / ".device.json.new").exists()
    assert (bench.path.parent / ".device.json.journal").exists() is (login == "failed")
    bench.login.outcome = ""
    assert bench.run(issuer=Recovery, register="always")["reason"] == "forced"
    assert bench.is_right()


def token_credential() -> tuple[str, str]:
    """Return the text of a credential with a device token, and its fingerprint."""
    fields = {"clientId": "client", "deviceName": "gw-0001", "deviceToken": "t" * 32, "productKey": PRODUCT_KEY}
    digest = hashlib.sha256(f"fleetops:{PRODUCT_KEY}:gw-0001:{'t' * 32}".encode()).hexdigest()
    return json.dumps(fields, separators=(",", ":")) + "\n", digest[:16]


def test_gateway_files_that_keep_changing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = type(bench.shell).execute
    writes = 0

    def disturbed(shell: JSON, command: str, script: str) -> JSON:
        nonlocal writes
        answer = execute(shell, command, script)
        writes += 1
        bench.path.parent.mkdir(mode=0o700, exist_ok=True)
        bench.path.write_text("x" * (writes % 7 + 1))
        os.chmod(bench.path, 0o600)
        return answer

    monkeypatch.setattr(type(bench.shell), "execute", disturbed)
    with pytest.raises(BusyError, match="keep changing"):
        bench.run()
    assert bench.device.issued == 0


def test_a_hardware_name_that_changes_between_two_looks(bench: Bench, tmp_path: Path) -> None:
    """Another name is refused, because only that of the first look was compared with those of other hosts."""
    sysfs = tmp_path / "sys/class/net/eth0"
    (sysfs / "device").mkdir(parents=True)
    address = sysfs / "address"
    execute = type(bench.shell).execute

    class Fickle(type(bench.shell)):  # type: ignore[misc]
        def execute(self, command: str, script: str) -> JSON:
            address.write_text(f"02:00:00:00:00:0{min(self.runs, 1)}\n")
            return execute(self, command, script.replace("sysfs=/sys", f"sysfs={tmp_path}/sys"))

    convergence = bench.convergence(device_name_from="mac", device_name_interface="eth0")
    bench.shell.__class__ = Fickle
    with pytest.raises(FleetopsError) as caught:
        convergence.run()
    assert caught.value.kind == "unexpected_name"
    assert bench.device.issued == 0


def test_the_product_is_in_the_credential(bench: Bench) -> None:
    bench.run()
    assert stored(bench.path)["productKey"] == PRODUCT_KEY
