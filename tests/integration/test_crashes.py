# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Crashes at any point: the next plain run leaves the gateway with the one valid credential."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import processes
import pytest
from emulator import Emulator
from gateways import credential_text, end_lease
from playbook import (
    PRODUCT_KEY,
    Run,
    Started,
    gateway_play,
    inventory,
    mqtt_endpoint,
    run_playbook,
    seed,
    start_playbook,
)
from processes import wait_for
from shells import stopping_shell, write_script, write_shell

WAYS = ("gateway", "controller")
RENAME = "*.device.json.new*"  # the argument of mv when it stores the credential
LONG = 600  # seconds; no test waits this long
# All gateways in parallel, and no temporary files of modules in between.
ENV = {"ANSIBLE_FORKS": "100", "ANSIBLE_PIPELINING": "1"}
WAYS_OF = {
    "gw-0001": {"way": "gateway"},
    "gw-0002": {"way": "controller"},
    "gw-0003": {"way": "gateway", "transport": "mqtt"},
    "gw-0004": {"way": "controller", "transport": "mqtt"},
}

Hosts = dict[str, dict[str, Any]]


pytestmark = pytest.mark.usefixtures("new_platform")


# Helpers: one task, whose gateways differ in their variables.


def play(platform: Emulator, **options: Any) -> Any:
    return gateway_play(
        platform,
        **{
            "mqtt_endpoint": mqtt_endpoint(platform),
            "transport": "{{ transport | default('https') }}",
            "register_from": "{{ way }}",
            "register": "{{ when | default('if_needed') }}",
            "path": "{{ root }}/etc/device.json",
            "exports": [{"dest": "{{ root }}/agent.env", "format": "env"}],
            "timeout": 60,
            **options,
        },
    )


def start(platform: Emulator, hosts: Hosts, tmp_path: Path, **options: Any) -> Started:
    return start_playbook(play(platform, **options), inventory(hosts, tmp_path), tmp_path, env=ENV)


def run(platform: Emulator, hosts: Iterable[str] | Hosts, tmp_path: Path, **options: Any) -> Run:
    """Run to the end; `hosts` as names means a plain run from the controller."""
    if not isinstance(hosts, dict):
        hosts = {host: {"way": "controller"} for host in hosts}
    return run_playbook(play(platform, **options), inventory(hosts, tmp_path), tmp_path, env=ENV)


def stored(tmp_path: Path, host: str) -> Any:
    return json.loads((tmp_path / host / "etc" / "device.json").read_text())


def store(platform: Emulator, tmp_path: Path, host: str) -> None:
    """Store the valid credential and its export, as a run does."""
    secret = platform.admin.device(PRODUCT_KEY, host)["device_secret"]
    identity = f"ALIYUN_IOT_PRODUCT_KEY={PRODUCT_KEY}\nALIYUN_IOT_DEVICE_NAME={host}\n"
    texts = {
        "etc/device.json": credential_text(PRODUCT_KEY, host, secret),
        "agent.env": f"{identity}ALIYUN_IOT_DEVICE_SECRET={secret}\n",
    }
    (tmp_path / host / "etc").mkdir(mode=0o755, parents=True)
    for name, text in texts.items():
        (tmp_path / host / name).write_text(text)
        (tmp_path / host / name).chmod(0o600)


def journal_file(tmp_path: Path, host: str) -> Path:
    return tmp_path / host / "etc" / ".device.json.journal"


def journal(tmp_path: Path, host: str) -> str:
    file = journal_file(tmp_path, host)
    return file.read_text() if file.exists() else ""


def end_leases(tmp_path: Path, hosts: Iterable[str]) -> None:
    """End the leases, as if no run and no request were left, so that the next run need not wait."""
    for host in hosts:
        if journal_file(tmp_path, host).exists():
            end_lease(journal_file(tmp_path, host))


def registrations(platform: Emulator, host: str) -> int:
    return int(platform.admin.device(PRODUCT_KEY, host)["registrations"])


def asked(platform: Emulator) -> list[Any]:
    """Return the registrations that have reached the platform."""
    return [entry for entry in platform.admin.requests() if entry["action"] in ("register", "register_mqtt")]


def processed(platform: Emulator) -> list[Any]:
    """Return the registrations that the platform has processed, answered or not."""
    return [entry for entry in asked(platform) if entry["code"] is not None]


def proven(platform: Emulator, ended: Run, hosts: Iterable[str]) -> bool:
    """Return whether a login has proved each credential, so that a late request no longer matters."""
    return all(
        ended.result(host)["proven"] is True and platform.admin.device(PRODUCT_KEY, host)["activated"] for host in hosts
    )


def fault(platform: Emulator, hosts: Hosts, **effect: Any) -> None:
    """Set the fault of each gateway's next registration."""
    for host, variables in hosts.items():
        action = "register_mqtt" if variables.get("transport") == "mqtt" else "register"
        platform.admin.fault(action, device_name=host, **effect)


def assert_converged(platform: Emulator, tmp_path: Path, hosts: Iterable[str], device: str | None = None) -> None:
    """Check that each gateway stores the platform's secret, only where it belongs, and that nothing is left to do."""
    for host in hosts:
        name, root = device or host, tmp_path / host
        secret = platform.admin.device(PRODUCT_KEY, name)["device_secret"]
        assert stored(tmp_path, host) == {"deviceName": name, "deviceSecret": secret, "productKey": PRODUCT_KEY}, host
        assert f"ALIYUN_IOT_DEVICE_SECRET={secret}\n" in (root / "agent.env").read_text(), host
        left = {str(path.relative_to(root)) for path in root.rglob("*")}
        assert left == {"agent.env", "etc", "etc/device.json"}, host
        assert [path.stat().st_mode & 0o777 for path in (root / "etc/device.json", root / "agent.env")] == [0o600] * 2
    platform.admin.clear_requests()
    again = run(platform, hosts, tmp_path, **({"device_name": device} if device else {}))
    assert (again.rc, again.changed) == (0, 0), again
    assert platform.admin.requests() == []


# Every step


@dataclass(frozen=True)
class Steps:
    """The calls of the counted tools at which gateways are killed, from `first` on; the last gateway comes through.

    A change of a credential begins with calls that only read. A kill at one of them leaves the same state as at the call `first`.
    """

    first: int
    calls: int

    @property
    def hosts(self) -> list[str]:
        return [f"step-{number:02}" for number in range(self.first, self.calls + 2)]


STEPS = {"if_needed": Steps(1, 24), "always": Steps(5, 29)}
STEPS_OF_FINISHING = Steps(4, 33)


def die_at_every_step(platform: Emulator, steps: Steps, variables: Hosts, tmp_path: Path, **options: Any) -> None:
    """Start the gateways, stop the first at its first step, the second at its second and so on, then kill all."""
    hosts = list(variables)
    stops = {host: stopping_shell(tmp_path / "shells" / host, number) for number, host in enumerate(hosts, steps.first)}
    own = {host: {**variables[host], "ansible_shell_executable": stops[host].shell} for host in hosts}
    with start(platform, own, tmp_path, **options) as run:
        wait_for(lambda: hosts[-1] in run.finished, "the gateway that is not stopped")
        calls = stops[hosts[-1]].calls
        assert len(calls) <= steps.calls, "more steps are needed: the last gateway is to come through"
        assert set(calls[: steps.first - 1]) <= {"awk"}, "they read"
        wait_for(lambda: all(stops[host].reached for host in hosts[: len(calls) - steps.first + 1]), "every call")
        run.kill()
    shutil.rmtree(tmp_path / "shells")


@pytest.mark.parametrize("when", ["if_needed", "always"])
def test_a_kill_at_every_step_of_a_registration(platform: Emulator, tmp_path: Path, when: str) -> None:
    """A run after a kill at any step converges; with `always`, each step has the other way and the other transport."""
    ways = list(WAYS_OF.values()) if when == "if_needed" else list(reversed(WAYS_OF.values()))
    hosts = STEPS[when].hosts
    plain = dict(zip(hosts, cycle(ways), strict=False))
    before = {}
    for host in hosts:
        platform.admin.put_device(PRODUCT_KEY, host)
        if when == "always":
            store(platform, tmp_path, host)
            before[host] = stored(tmp_path, host)

    die_at_every_step(platform, STEPS[when], {host: {**plain[host], "when": when} for host in hosts}, tmp_path)
    after = {host: platform.admin.device(PRODUCT_KEY, host) for host in hosts}
    for host in before:
        assert stored(tmp_path, host) in (before[host], {**before[host], "deviceSecret": after[host]["device_secret"]})
    was_open = [host for host in hosts if journal(tmp_path, host)]
    staged = [host for host in hosts if is_staged(tmp_path, host, after[host]["device_secret"])]
    safe = {*staged, *(host for host in hosts if "\nstored " in journal(tmp_path, host))}
    issued = [host for host in hosts if after[host]["registrations"]]
    assert set(staged) - {host for host in hosts if "\nstored " in journal(tmp_path, host)}, (
        "some died before they noted it"
    )
    assert safe - set(staged), "some died with the new secret in its place"
    assert set(issued) & set(was_open) - safe, "some died with the new secret under way"

    end_leases(tmp_path, hosts)
    repaired = run(platform, plain, tmp_path)
    assert repaired.rc == 0, repaired
    for host in hosts:
        again = registrations(platform, host) - after[host]["registrations"]
        needed = host not in safe and (host in was_open or not (before or host in issued))
        assert again == repaired.result(host)["registered"] == needed, host
    assert proven(platform, repaired, was_open)
    assert_converged(platform, tmp_path, hosts)


def is_staged(tmp_path: Path, host: str, secret: str) -> bool:
    staged = tmp_path / host / "etc" / ".device.json.new"
    return staged.exists() and staged.read_text() == credential_text(PRODUCT_KEY, host, secret)


def test_a_kill_at_every_step_of_finishing(platform: Emulator, tmp_path: Path) -> None:
    """A run converges after one gateway dies with the new secret staged and journalled, and each copy of it while finishing."""
    platform.admin.settings(reregistration="same")
    assert run(platform, ["gw-0001"], tmp_path).rc == 0
    stop = stopping_shell(tmp_path / "shell", 1, ["mv"], RENAME)
    hosts = {"gw-0001": {"way": "controller", "when": "always", "ansible_shell_executable": stop.shell}}
    with start(platform, hosts, tmp_path) as first:
        wait_for(lambda: stop.reached, "the rename")
        first.kill()
    assert "\nstored " in journal(tmp_path, "gw-0001")
    end_leases(tmp_path, ["gw-0001"])
    copies = STEPS_OF_FINISHING.hosts
    for host in copies:
        shutil.copytree(tmp_path / "gw-0001", tmp_path / host)

    platform.admin.clear_requests()
    plain: Hosts = {host: {"way": "controller"} for host in copies}
    die_at_every_step(platform, STEPS_OF_FINISHING, plain, tmp_path, device_name="gw-0001")
    was_open = [host for host in copies if journal(tmp_path, host)]
    assert was_open
    end_leases(tmp_path, copies)
    repaired = run(platform, copies, tmp_path, device_name="gw-0001")
    assert repaired.rc == 0, repaired
    assert [repaired.result(host)["proven"] for host in was_open] == [True] * len(was_open)
    assert asked(platform) == [], "what is stored is never registered again"
    assert_converged(platform, tmp_path, copies, "gw-0001")


# Lost answers


def test_a_kill_while_the_platform_answers(platform: Emulator, tmp_path: Path) -> None:
    fault(platform, WAYS_OF, hold_after=LONG)
    with start(platform, WAYS_OF, tmp_path) as first:
        wait_for(lambda: len(processed(platform)) == len(WAYS_OF), "every request")
        first.kill()
    assert {registrations(platform, host) for host in WAYS_OF} == {1}
    end_leases(tmp_path, WAYS_OF)
    repaired = run(platform, WAYS_OF, tmp_path)
    assert {repaired.result(host)["reason"] for host in WAYS_OF} == {"interrupted"}, repaired
    assert {registrations(platform, host) for host in WAYS_OF} == {2}
    assert proven(platform, repaired, WAYS_OF)
    assert_converged(platform, tmp_path, WAYS_OF)


def test_a_request_of_a_dead_run_is_waited_for(platform: Emulator, tmp_path: Path) -> None:
    """A run waits for the request of a dead run, for which the platform issues a secret only after the next run has begun."""
    short = {"timeout": 4, "retry_time": 0}
    fault(platform, WAYS_OF, delay=3)
    with start(platform, WAYS_OF, tmp_path, **short) as first:
        wait_for(lambda: len(asked(platform)) == len(WAYS_OF), "every request")
        first.kill()
    assert {registrations(platform, host) for host in WAYS_OF} == {0}
    repaired = run(platform, WAYS_OF, tmp_path, **short)
    assert repaired.rc == 0, repaired
    assert {repaired.result(host)["reason"] for host in WAYS_OF} == {"interrupted"}, repaired
    assert {registrations(platform, host) for host in WAYS_OF} == {2}
    assert proven(platform, repaired, WAYS_OF)
    assert_converged(platform, tmp_path, WAYS_OF)


def test_a_lost_answer_is_asked_for_again(platform: Emulator, tmp_path: Path) -> None:
    fault(platform, WAYS_OF, drop_after=True)
    first = run(platform, WAYS_OF, tmp_path)
    assert (first.rc, first.changed) == (0, len(WAYS_OF)), first
    assert sorted(entry["device_name"] for entry in processed(platform)) == sorted([*WAYS_OF, *WAYS_OF])
    assert proven(platform, first, WAYS_OF)
    assert_converged(platform, tmp_path, WAYS_OF)


def test_an_answer_lost_for_good_is_repaired_by_the_next_run(platform: Emulator, tmp_path: Path) -> None:
    assert run(platform, WAYS_OF, tmp_path).rc == 0
    before = {host: stored(tmp_path, host) for host in WAYS_OF}
    fault(platform, WAYS_OF, drop_after=True)
    forced = {host: {**WAYS_OF[host], "when": "always"} for host in WAYS_OF}
    failed = run(platform, forced, tmp_path, retry_time=0)
    assert {failed.result(host)["error"]["kind"] for host in WAYS_OF} == {"network"}, failed
    assert {host: stored(tmp_path, host) for host in WAYS_OF} == before
    end_leases(tmp_path, WAYS_OF)
    repaired = run(platform, WAYS_OF, tmp_path)
    assert {repaired.result(host)["reason"] for host in WAYS_OF} == {"interrupted"}, repaired
    assert proven(platform, repaired, WAYS_OF)
    assert_converged(platform, tmp_path, WAYS_OF)


@pytest.mark.parametrize("effect", ["hold_after", "delay"], ids=["after_it_stored", "before_it_stored"])
def test_the_platform_dies_over_a_request(tmp_path: Path, effect: str) -> None:
    with Emulator(tmp_path / "platform", seed(len(WAYS_OF))) as platform:
        fault(platform, WAYS_OF, **{effect: LONG})
        with start(platform, WAYS_OF, tmp_path) as first:
            wait_for(lambda: len(asked(platform)) == len(WAYS_OF), "every request")
            if effect == "hold_after":
                wait_for(lambda: len(processed(platform)) == len(WAYS_OF), "every secret")
            platform.kill()
            platform.start()
            ended = first.wait()
        assert (ended.rc, ended.changed) == (0, len(WAYS_OF)), ended
        assert {registrations(platform, host) for host in WAYS_OF} == {2 if effect == "hold_after" else 1}
        assert proven(platform, ended, WAYS_OF)
        assert_converged(platform, tmp_path, WAYS_OF)


# One of two sides dies


def worker(run: Started, pid: int) -> int:
    """Return the worker process of ansible-playbook that waits for the process `pid`."""
    while (parent := int(processes.read(pid, "stat").rpartition(b")")[2].split()[1])) != run.process.pid:
        pid = parent
    return pid


@pytest.mark.parametrize("way", WAYS)
def test_the_controller_dies_alone(platform: Emulator, tmp_path: Path, way: str) -> None:
    """If the controller dies just before the gateway's rename, the gateway finishes, although the next run has already begun."""
    stop = stopping_shell(tmp_path / "shell", 1, ["mv"], RENAME)
    hosts = {"gw-0001": {"way": way, "ansible_shell_executable": stop.shell}}
    home = tmp_path / "next"
    home.mkdir()
    with start(platform, hosts, tmp_path) as first:
        wait_for(lambda: stop.reached, "the rename")
        os.kill(worker(first, int((tmp_path / "shell" / "reached").read_text())), signal.SIGKILL)
        assert first.process.wait(processes.SECONDS) != 0
        plain = inventory({"gw-0001": {"way": way}}, tmp_path)
        with start_playbook(play(platform), plain, home, env=ENV) as second:
            stop.proceed()
            ended = second.wait()
        wait_for(lambda: not processes.at_home(tmp_path), "the gateway to finish")
    assert ended.rc == 0, ended
    assert ended.result("gw-0001")["registered"] is False
    assert registrations(platform, "gw-0001") == 1
    assert_converged(platform, tmp_path, ["gw-0001"])


def test_the_module_dies_alone(platform: Emulator, tmp_path: Path) -> None:
    platform.admin.fault(hold_after=LONG)
    with start(platform, {"gw-0001": {"way": "gateway"}}, tmp_path) as first:
        wait_for(lambda: processed(platform), "the request")
        [pid] = [pid for pid in processes.at_home(tmp_path) if b"\0-I\0-S\0-\0" in processes.read(pid, "cmdline")]
        os.kill(pid, signal.SIGKILL)
        ended = first.wait()
    assert ended.result("gw-0001")["error"]["kind"] == "ended_early", ended
    end_leases(tmp_path, ["gw-0001"])
    repaired = run(platform, {"gw-0001": {"way": "gateway"}}, tmp_path)
    assert repaired.result("gw-0001")["reason"] == "interrupted", repaired
    assert proven(platform, repaired, ["gw-0001"])
    assert_converged(platform, tmp_path, ["gw-0001"])


@pytest.mark.parametrize("way", WAYS)
def test_the_run_dies_alone(platform: Emulator, tmp_path: Path, way: str) -> None:
    """The process of the task does not continue without the run that it belongs to."""
    platform.admin.fault(hold_after=LONG)
    with start(platform, {"gw-0001": {"way": way}}, tmp_path) as first:
        wait_for(lambda: processed(platform), "the request")
        first.process.kill()
        first.process.wait(processes.SECONDS)
        wait_for(lambda: not processes.at_home(tmp_path), "the task to end")
    end_leases(tmp_path, ["gw-0001"])
    repaired = run(platform, {"gw-0001": {"way": way}}, tmp_path)
    assert repaired.result("gw-0001")["reason"] == "interrupted", repaired
    assert proven(platform, repaired, ["gw-0001"])
    assert_converged(platform, tmp_path, ["gw-0001"])


# Leases


NOBODY = "0" * 16


def lease(**fields: Any) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = {"token": NOBODY, "intent": "register", "over": "no", "product_key": PRODUCT_KEY, "device_name": "gw"}
    words = {**known, "boot": boot, "taken": uptime(), **fields}
    return "2 " + " ".join(f"{name}={value}" for name, value in words.items()) + "\n"


def uptime() -> int:
    return int(float(Path("/proc/uptime").read_text().split()[0]))


def open_journal(tmp_path: Path, host: str, text: str) -> None:
    journal_file(tmp_path, host).parent.mkdir(parents=True, exist_ok=True)
    journal_file(tmp_path, host).write_text(text)


# The changes that the lease of another run delays: all kinds.
HELD: dict[str, tuple[bool, dict[str, Any], str]] = {
    "gw-0001": (False, {}, "interrupted"),
    "gw-0002": (True, {}, "interrupted"),
    "gw-0003": (True, {"when": "always"}, "forced"),
    "gw-0004": (True, {"state": "reset_intended"}, "reset_intended"),
    "gw-0005": (True, {"state": "absent"}, "exists"),
    "gw-0006": (False, {"state": "absent"}, "exists"),
}


def held(platform: Emulator, tmp_path: Path, ttl: int) -> Hosts:
    """Return gateways with a new lease of another run; each shell records the times at which sync is called, as a change does."""
    assert run(platform, [host for host, (there, _own, _reason) in HELD.items() if there], tmp_path).rc == 0
    platform.admin.clear_requests()
    hosts: Hosts = {}
    for host, (_there, own, _reason) in HELD.items():
        folder = tmp_path / "shells" / host
        spy = f'read -r now _ </proc/uptime; echo "$now" >>{folder}/locked\nexec {shutil.which("sync")} "$@"'
        shell = write_shell(folder, {"sync": spy})
        hosts[host] = {"way": "controller", **own, "ansible_shell_executable": str(shell)}
        open_journal(tmp_path, host, lease(ttl=ttl))
    return hosts


def taken_when_asked(tmp_path: Path, host: str, shell: str) -> Path:
    """Return a wrapper of this shell that dates the lease to the first command on the gateway, however long the run took to start."""
    folder = tmp_path / "shells" / host
    script = f"""\
if ! [ -e {folder}/asked ]; then
    read -r now _ </proc/uptime
    echo "${{now%.*}}" >{folder}/asked
    sed -i "s/ taken=[0-9]*/ taken=${{now%.*}}/" {journal_file(tmp_path, host)}
fi
exec {shell} "$@\""""
    return write_script(folder / "asked-sh", script)


def test_no_lease_is_taken_over_before_its_end(platform: Emulator, tmp_path: Path) -> None:
    """No lease is taken over before its end: its owner may be dead, but its request still in progress."""
    hosts = held(platform, tmp_path, ttl=9)
    for host, own in hosts.items():
        own["ansible_shell_executable"] = str(taken_when_asked(tmp_path, host, own["ansible_shell_executable"]))
    ended = run(platform, hosts, tmp_path, state="{{ state | default('present') }}")
    assert ended.rc == 0, ended
    for host, (_there, _own, reason) in HELD.items():
        assert ended.result(host)["reason"] == reason
        locked = (tmp_path / "shells" / host / "locked").read_text().split()
        assert float(locked[0]) >= int((tmp_path / "shells" / host / "asked").read_text()) + 9, host
        assert f"{host}: another run holds the lease on this gateway; waiting" in ended.stdout
    assert f"token={NOBODY}" not in journal(tmp_path, "gw-0004").partition("\n")[0]
    assert "intent=reset" in journal(tmp_path, "gw-0004")
    assert_converged(platform, tmp_path, [host for host, (_fields, own, _reason) in HELD.items() if "state" not in own])


def test_a_lease_that_outlasts_all_patience(platform: Emulator, tmp_path: Path) -> None:
    """A run ends at once, with nothing done, if a lease lasts too long to wait for, even for a removal."""
    hosts = held(platform, tmp_path, ttl=LONG)
    before = {path: path.read_text() for path in tmp_path.glob("gw-*/**/*") if path.is_file()}
    checked = run_playbook(
        play(platform, state="{{ state | default('present') }}"),
        inventory(hosts, tmp_path),
        tmp_path,
        env=ENV,
        check=True,
    )
    assert (checked.rc, {host: checked.result(host)["reason"] for host in hosts}) == (
        0,
        {host: reason for host, (_there, _own, reason) in HELD.items()},
    ), checked
    ended = run(platform, hosts, tmp_path, state="{{ state | default('present') }}", timeout=10)
    for host in hosts:
        result = ended.result(host)
        assert (result["error"]["kind"], result["changed"], result["registered"]) == ("busy", False, False), result
        assert "its lease ends in" in result["msg"]
        assert not (tmp_path / "shells" / host / "locked").exists()
    assert {path: path.read_text() for path in tmp_path.glob("gw-*/**/*") if path.is_file()} == before
    assert platform.admin.requests() == []


# Power cuts and refusals of the platform


def test_journals_that_were_torn(platform: Emulator, tmp_path: Path) -> None:
    line = lease(ttl=0)
    torn = {
        "gw-0001": "",
        "gw-0002": "2 tok",
        "gw-0003": line,
        "gw-0004": line.rstrip("\n"),
        "gw-0005": line + "stored ",
        "gw-0006": line + "stored 0123456789ab",
        "gw-0007": "\x00" * 512,
        "gw-0008": "\n\n",
    }
    assert run(platform, [*torn, "gw-0009"], tmp_path).rc == 0
    for host, text in torn.items():
        open_journal(tmp_path, host, text)
        (tmp_path / host / "etc" / ".device.json.new").write_text('{"deviceName":"gw-0001","devi')
    (tmp_path / "gw-0009" / "etc" / ".device.json.new").write_text("")
    before = registrations(platform, "gw-0009")
    repaired = run(platform, [*torn, "gw-0009"], tmp_path)
    assert repaired.rc == 0, repaired
    assert {repaired.result(host)["reason"] for host in [*torn, "gw-0009"]} == {"interrupted"}
    assert registrations(platform, "gw-0009") == before, "nothing was sent before the journal was open"
    assert repaired.result("gw-0009")["proven"] is None
    assert proven(platform, repaired, torn)
    assert_converged(platform, tmp_path, [*torn, "gw-0009"])


def test_an_activated_device_keeps_its_credential(platform: Emulator, tmp_path: Path) -> None:
    """The next plain run settles a refused registration whose run died before the refusal.

    Over MQTT, where a refusal has no reason, it does so by a login.
    """
    assert run(platform, WAYS_OF, tmp_path).rc == 0
    before = {host: stored(tmp_path, host) for host in WAYS_OF}
    for host in WAYS_OF:
        platform.admin.activate(PRODUCT_KEY, host)
    platform.admin.clear_requests()
    # A refusal over MQTT cannot be delayed, so the request is.
    over_mqtt = {host: own for host, own in WAYS_OF.items() if "transport" in own}
    fault(platform, {host: own for host, own in WAYS_OF.items() if host not in over_mqtt}, hold_after=LONG)
    fault(platform, over_mqtt, delay=LONG)
    with start(platform, {host: {**WAYS_OF[host], "when": "always"} for host in WAYS_OF}, tmp_path) as first:
        wait_for(lambda: len(asked(platform)) == len(WAYS_OF), "every request")
        wait_for(lambda: len(processed(platform)) == len(WAYS_OF) - len(over_mqtt), "every refusal")
        first.kill()
    assert {entry["code"] for entry in processed(platform)} == {6289}
    assert all(journal(tmp_path, host) for host in WAYS_OF)

    end_leases(tmp_path, WAYS_OF)  # every request in progress is refused
    settled = run(platform, WAYS_OF, tmp_path)
    assert (settled.rc, settled.changed) == (0, len(WAYS_OF)), settled
    for host in WAYS_OF:
        result = settled.result(host)
        assert (result["reason"], result["registered"], result["proven"]) == ("interrupted", False, True)
        assert f"{host}: the stored credential was kept" in " ".join(settled.stderr.split())
    assert {host: stored(tmp_path, host) for host in WAYS_OF} == before
    assert_converged(platform, tmp_path, WAYS_OF)
