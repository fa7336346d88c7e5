# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever dies, and whenever: the next plain run brings the gateway to the one credential that is valid."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import processes
import pytest
from emulator import Emulator
from playbook import (
    PRODUCT_KEY,
    Run,
    Started,
    as_new,
    gateway_play,
    inventory,
    mqtt_endpoint,
    run_playbook,
    seed,
    start_playbook,
)
from processes import wait_for
from shells import stopping_shell, write_shell

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._holder import holder, started

WAYS = ("gateway", "controller")
RENAME = "*.device.json.new*"  # what mv is told when it stores the credential
LONG = 600  # seconds; no test waits so long
# All gateways at once, and no temporary files of modules in between.
ENV = {"ANSIBLE_FORKS": "100", "ANSIBLE_PIPELINING": "1"}
WAYS_OF = {
    "gw-0001": {"way": "gateway"},
    "gw-0002": {"way": "controller"},
    "gw-0003": {"way": "gateway", "transport": "mqtt"},
    "gw-0004": {"way": "controller", "transport": "mqtt"},
}

Hosts = dict[str, dict[str, Any]]


@pytest.fixture
def platform(platform: Emulator) -> Emulator:
    return as_new(platform)


# What the tests have in common: one task, whose gateways differ in their variables.


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
    """A run to its end: a plain one, from the controller, where `hosts` are names."""
    if not isinstance(hosts, dict):
        hosts = {host: {"way": "controller"} for host in hosts}
    return run_playbook(play(platform, **options), inventory(hosts, tmp_path), tmp_path, env=ENV)


def stored(tmp_path: Path, host: str) -> Any:
    return json.loads((tmp_path / host / "etc" / "device.json").read_text())


def journal_file(tmp_path: Path, host: str) -> Path:
    return tmp_path / host / "etc" / ".device.json.journal"


def journal(tmp_path: Path, host: str) -> str:
    file = journal_file(tmp_path, host)
    return file.read_text() if file.exists() else ""


def registrations(platform: Emulator, host: str) -> int:
    return int(platform.admin.device(PRODUCT_KEY, host)["registrations"])


def processed(platform: Emulator) -> list[Any]:
    """The requests that the platform has done with, whether or not it has answered."""
    return [entry for entry in platform.admin.requests() if entry["code"] is not None]


def fault(platform: Emulator, hosts: Hosts, **effect: Any) -> None:
    """What happens to the next registration of each of them."""
    for host, variables in hosts.items():
        action = "register_mqtt" if variables.get("transport") == "mqtt" else "register"
        platform.admin.fault(action, device_name=host, **effect)


def assert_converged(platform: Emulator, tmp_path: Path, hosts: Iterable[str], device: str | None = None) -> None:
    """Each gateway holds the platform's secret, where it belongs and nowhere else, and nothing is left to do."""
    for host in hosts:
        name, root = device or host, tmp_path / host
        secret = platform.admin.device(PRODUCT_KEY, name)["device_secret"]
        assert stored(tmp_path, host) == {"deviceName": name, "deviceSecret": secret, "productKey": PRODUCT_KEY}, host
        assert f"ALIYUN_IOT_DEVICE_SECRET={secret}\n" in (root / "agent.env").read_text(), host
        assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == [
            "agent.env",
            "etc",
            "etc/device.json",
        ], host
        assert [path.stat().st_mode & 0o777 for path in (root / "etc/device.json", root / "agent.env")] == [0o600] * 2
    platform.admin.clear_requests()
    again = run(platform, hosts, tmp_path, **({"device_name": device} if device else {}))
    assert (again.rc, again.changed) == (0, 0), again
    assert platform.admin.requests() == []


# Every step


STEPS = 40  # more calls of the counted tools than any change makes


def die_at_every_step(platform: Emulator, variables: dict[str, Any], tmp_path: Path, **options: Any) -> list[str]:
    """Start the gateways step-01, step-02, ..., stop the first at its first call and so on, then end everything.

    :returns: the tools that were called, in their order
    """
    hosts = steps()
    stops = {host: stopping_shell(tmp_path / "shells" / host, number) for number, host in enumerate(hosts, 1)}
    own = {host: {**variables, "ansible_shell_executable": stops[host].shell} for host in hosts}
    with start(platform, own, tmp_path, **options) as run:
        wait_for(lambda: hosts[-1] in run.finished, "the gateway that is not stopped")
        calls = stops[hosts[-1]].calls
        assert len(calls) < STEPS, "raise STEPS: the last gateway is to come through"
        wait_for(lambda: all(stops[host].reached for host in hosts[: len(calls)]), "every call")
        run.kill()
    shutil.rmtree(tmp_path / "shells")
    return calls


def steps() -> list[str]:
    return [f"step-{number:02}" for number in range(1, STEPS + 1)]


@pytest.mark.parametrize(
    ("way", "transport", "when"),
    [
        ("controller", "https", "if_needed"),
        ("gateway", "https", "always"),
        ("controller", "mqtt", "always"),
        ("gateway", "mqtt", "if_needed"),
    ],
)
def test_a_kill_at_every_step_of_a_registration(
    platform: Emulator, tmp_path: Path, way: str, transport: str, when: str
) -> None:
    hosts = steps()
    for host in hosts:
        platform.admin.put_device(PRODUCT_KEY, host)
    before = {}
    if when == "always":
        assert run(platform, hosts, tmp_path).rc == 0
        before = {host: stored(tmp_path, host) for host in hosts}

    calls = die_at_every_step(platform, {"way": way, "transport": transport, "when": when}, tmp_path)
    assert {"awk", "chmod", "flock", "mv", "rm", "stat", "sync"} <= set(calls)
    after = {host: platform.admin.device(PRODUCT_KEY, host) for host in hosts}
    for host in before:
        assert stored(tmp_path, host) in (before[host], {**before[host], "deviceSecret": after[host]["device_secret"]})
    safe = [host for host in hosts if "\nstored " in journal(tmp_path, host)]
    lost = [host for host in hosts if after[host]["registrations"] > len(before) // STEPS and host not in safe]
    assert safe, "some died with the new secret safe on the gateway"
    assert lost, "some died with the new secret under way"

    mended = run(platform, {host: {"way": way, "transport": transport} for host in hosts}, tmp_path)
    assert mended.rc == 0, mended
    for host in hosts:
        again = registrations(platform, host) - after[host]["registrations"]
        assert again == mended.result(host)["registered"] <= (host not in safe), host
    assert_converged(platform, tmp_path, hosts)


def test_a_kill_at_every_step_of_finishing(platform: Emulator, tmp_path: Path) -> None:
    """One gateway dies with the new secret staged and journalled; each copy of it dies once more while that is finished."""
    platform.admin.settings(reregistration="same")
    assert run(platform, ["gw-0001"], tmp_path).rc == 0
    stop = stopping_shell(tmp_path / "shell", 1, ["mv"], RENAME)
    hosts = {"gw-0001": {"way": "controller", "when": "always", "ansible_shell_executable": stop.shell}}
    with start(platform, hosts, tmp_path) as first:
        wait_for(lambda: stop.reached, "the rename")
        first.kill()
    assert "\nstored " in journal(tmp_path, "gw-0001")
    for host in steps():
        shutil.copytree(tmp_path / "gw-0001", tmp_path / host)

    platform.admin.clear_requests()
    calls = die_at_every_step(platform, {"way": "controller"}, tmp_path, device_name="gw-0001")
    assert {"flock", "mv", "rm", "sync"} <= set(calls)
    mended = run(platform, steps(), tmp_path, device_name="gw-0001")
    assert mended.rc == 0, mended
    assert platform.admin.requests() == []
    assert_converged(platform, tmp_path, steps(), "gw-0001")


# Lost answers


def test_a_kill_while_the_platform_answers(platform: Emulator, tmp_path: Path) -> None:
    fault(platform, WAYS_OF, hold_after=LONG)
    with start(platform, WAYS_OF, tmp_path) as first:
        wait_for(lambda: len(processed(platform)) == len(WAYS_OF), "every request")
        first.kill()
    assert {registrations(platform, host) for host in WAYS_OF} == {1}
    mended = run(platform, WAYS_OF, tmp_path)
    assert {mended.result(host)["reason"] for host in WAYS_OF} == {"interrupted"}, mended
    assert {registrations(platform, host) for host in WAYS_OF} == {2}
    assert_converged(platform, tmp_path, WAYS_OF)


def test_a_lost_answer_is_asked_for_again(platform: Emulator, tmp_path: Path) -> None:
    fault(platform, WAYS_OF, drop_after=True)
    first = run(platform, WAYS_OF, tmp_path)
    assert (first.rc, first.changed) == (0, len(WAYS_OF)), first
    assert sorted(entry["device_name"] for entry in processed(platform)) == sorted([*WAYS_OF, *WAYS_OF])
    assert_converged(platform, tmp_path, WAYS_OF)


def test_an_answer_lost_for_good_is_mended_by_the_next_run(platform: Emulator, tmp_path: Path) -> None:
    assert run(platform, WAYS_OF, tmp_path).rc == 0
    before = {host: stored(tmp_path, host) for host in WAYS_OF}
    fault(platform, WAYS_OF, drop_after=True)
    forced = {host: {**WAYS_OF[host], "when": "always"} for host in WAYS_OF}
    failed = run(platform, forced, tmp_path, retry_time=0)
    assert {failed.result(host)["error"]["kind"] for host in WAYS_OF} == {"network"}, failed
    assert {host: stored(tmp_path, host) for host in WAYS_OF} == before
    mended = run(platform, WAYS_OF, tmp_path)
    assert {mended.result(host)["reason"] for host in WAYS_OF} == {"interrupted"}, mended
    assert_converged(platform, tmp_path, WAYS_OF)


@pytest.mark.parametrize("effect", ["hold_after", "delay"], ids=["after_it_stored", "before_it_stored"])
def test_the_platform_dies_over_a_request(tmp_path: Path, effect: str) -> None:
    with Emulator(tmp_path / "platform", seed(len(WAYS_OF))) as platform:
        fault(platform, WAYS_OF, **{effect: LONG})
        with start(platform, WAYS_OF, tmp_path) as first:
            wait_for(lambda: len(platform.admin.requests()) == len(WAYS_OF), "every request")
            if effect == "hold_after":
                wait_for(lambda: len(processed(platform)) == len(WAYS_OF), "every secret")
            platform.kill()
            platform.start()
            ended = first.wait()
        assert (ended.rc, ended.changed) == (0, len(WAYS_OF)), ended
        assert {registrations(platform, host) for host in WAYS_OF} == {2 if effect == "hold_after" else 1}
        assert_converged(platform, tmp_path, WAYS_OF)


# One of two sides dies


def worker(run: Started, pid: int) -> int:
    """The process of ansible-playbook that waits for the process `pid`."""
    while (parent := int(processes.read(pid, "stat").rpartition(b")")[2].split()[1])) != run.process.pid:
        pid = parent
    return pid


@pytest.mark.parametrize("way", WAYS)
def test_the_controller_dies_alone(platform: Emulator, tmp_path: Path, way: str) -> None:
    """The gateway is about to rename; the next run is under way before it has done so."""
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
        [pid] = [word[4:] for word in journal(tmp_path, "gw-0001").split() if word.startswith("pid=")]
        os.kill(int(pid), signal.SIGKILL)
        ended = first.wait()
    assert ended.result("gw-0001")["error"]["kind"] == "module", ended
    mended = run(platform, {"gw-0001": {"way": "gateway"}}, tmp_path)
    assert mended.result("gw-0001")["reason"] == "interrupted", mended
    assert_converged(platform, tmp_path, ["gw-0001"])


# Leases


@pytest.fixture
def corpse() -> Iterator[int]:
    """A process that has ended, and that nobody has asked how."""
    with subprocess.Popen(["true"]) as process:
        wait_for(lambda: started(process.pid) == "-", "true to end")
        yield process.pid


NOBODY = "0" * 16


def lease(**fields: Any) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = {"token": NOBODY, "product_key": PRODUCT_KEY, "device_name": "gw", "boot": boot, "taken": uptime()}
    return "1 " + " ".join(f"{name}={value}" for name, value in {**known, **fields}.items()) + "\n"


def uptime() -> int:
    return int(float(Path("/proc/uptime").read_text().split()[0]))


def start_of(pid: int) -> str:
    """When a process was started, whether it lives or is dead."""
    return processes.read(pid, "stat").rpartition(b")")[2].split()[19].decode()


def open_journal(tmp_path: Path, host: str, text: str) -> None:
    journal_file(tmp_path, host).parent.mkdir(parents=True, exist_ok=True)
    journal_file(tmp_path, host).write_text(text)


def test_the_lease_of_a_dead_process_is_taken_over_at_once(platform: Emulator, tmp_path: Path, corpse: int) -> None:
    """Were it waited for, the run would give up: the lease lasts longer than its patience."""
    dead = {
        "gw-0001": lease(holder=holder(), pid=2**22 + 1, start=1, ttl=LONG),
        "gw-0002": lease(holder=holder(), pid=os.getpid(), start=1, ttl=LONG),
        "gw-0003": lease(holder=holder(), pid=corpse, start=start_of(corpse), ttl=LONG),
        "gw-0004": lease(holder="gateway", pid=2**22 + 1, start=1, ttl=LONG),
        "gw-0005": lease(holder="gateway", pid=os.getpid(), start=1, ttl=LONG),
        "gw-0006": lease(holder="gateway", pid=corpse, start=start_of(corpse), ttl=LONG),
    }
    for host, text in dead.items():
        open_journal(tmp_path, host, text)
    mended = run(platform, list(dead), tmp_path, timeout=10)
    assert mended.rc == 0, mended
    assert [mended.result(host)["reason"] for host in dead] == ["interrupted"] * 6
    assert_converged(platform, tmp_path, list(dead))


def test_another_lease_is_waited_for(platform: Emulator, tmp_path: Path) -> None:
    """The lease that follows, as each gateway had it when it was synced, begins after the end of the one before."""
    pid = os.getpid()
    others = {
        "gw-0001": {"holder": "0123456789abcdef", "pid": 1, "start": 1},
        "gw-0002": {"holder": holder(), "pid": pid, "start": start_of(pid)},
        "gw-0003": {"holder": "gateway", "pid": pid, "start": start_of(pid)},
    }
    hosts: Hosts = {}
    for host in others:
        folder = tmp_path / "shells" / host
        spy = f'cat {journal_file(tmp_path, host)} >>{folder}/journals 2>/dev/null\nexec {shutil.which("sync")} "$@"'
        shell = write_shell(folder, {"sync": spy})
        hosts[host] = {"way": "controller", "ansible_shell_executable": str(shell)}
    end = uptime() + 8
    for host, fields in others.items():
        open_journal(tmp_path, host, lease(**fields, taken=end - 8, ttl=8))
    ended = run(platform, hosts, tmp_path)
    assert ended.rc == 0, ended
    for host in hosts:
        seen = (tmp_path / "shells" / host / "journals").read_text().splitlines()
        line = next(line for line in seen if f"token={NOBODY}" not in line)
        assert int(dict(word.split("=") for word in line.split()[1:])["taken"]) >= end, host
    assert_converged(platform, tmp_path, hosts)


# What a power cut leaves, and what the platform refuses


def test_journals_that_were_torn(platform: Emulator, tmp_path: Path) -> None:
    line = lease(holder="gateway", pid=2**22 + 1, start=1, ttl=LONG)
    torn = {
        "gw-0001": "",
        "gw-0002": "1 tok",
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
    mended = run(platform, [*torn, "gw-0009"], tmp_path)
    assert mended.rc == 0, mended
    assert {mended.result(host)["reason"] for host in [*torn, "gw-0009"]} == {"interrupted"}
    assert registrations(platform, "gw-0009") == before, "nothing was sent before the journal was open"
    assert_converged(platform, tmp_path, [*torn, "gw-0009"])


def test_an_activated_device_keeps_its_credential(platform: Emulator, tmp_path: Path) -> None:
    """A forced registration, which the platform refuses, dies before it hears that: the next plain run settles it.

    Over MQTT, which does not say why it refuses, by a login.
    """
    assert run(platform, WAYS_OF, tmp_path).rc == 0
    before = {host: stored(tmp_path, host) for host in WAYS_OF}
    for host in WAYS_OF:
        platform.admin.activate(PRODUCT_KEY, host)
    platform.admin.clear_requests()
    # Over MQTT a refusal cannot be held back: there the request itself is.
    over_mqtt = {host: own for host, own in WAYS_OF.items() if "transport" in own}
    fault(platform, {host: own for host, own in WAYS_OF.items() if host not in over_mqtt}, hold_after=LONG)
    fault(platform, over_mqtt, delay=LONG)
    with start(platform, {host: {**WAYS_OF[host], "when": "always"} for host in WAYS_OF}, tmp_path) as first:
        wait_for(lambda: len(platform.admin.requests()) == len(WAYS_OF), "every request")
        wait_for(lambda: len(processed(platform)) == len(WAYS_OF) - len(over_mqtt), "every refusal")
        first.kill()
    assert {entry["code"] for entry in processed(platform)} == {6289}
    assert all(journal(tmp_path, host) for host in WAYS_OF)

    settled = run(platform, WAYS_OF, tmp_path)
    assert (settled.rc, settled.changed) == (0, len(WAYS_OF)), settled
    for host in WAYS_OF:
        result = settled.result(host)
        assert (result["reason"], result["registered"]) == ("interrupted", False)
        assert f"{host}: an interrupted registration was settled" in " ".join(settled.stderr.split())
    assert {host: stored(tmp_path, host) for host in WAYS_OF} == before
    assert_converged(platform, tmp_path, WAYS_OF)
