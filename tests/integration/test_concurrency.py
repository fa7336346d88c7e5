# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two simultaneous runs over the same gateways: each gateway ends with the one secret that is valid on the platform."""

from __future__ import annotations

import json
import random
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from playbook import PRODUCT_KEY, Run, Started, gateway_play, inventory, names, start_playbook
from processes import wait_for
from script_box import SECRET, Box, identity, line
from shells import stopping_shell, write_script

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import lease_left

ENV = {"ANSIBLE_PIPELINING": "1"}
# The ways in which the first and the second run register each gateway.
PAIRS = dict(
    zip(
        names(4),
        [("gateway", "gateway"), ("gateway", "controller"), ("controller", "gateway"), ("controller", "controller")],
        strict=True,
    )
)

Hosts = dict[str, dict[str, Any]]


pytestmark = pytest.mark.usefixtures("new_platform")


def start(platform: Emulator, hosts: Hosts, tmp_path: Path, number: int) -> Started:
    home = tmp_path / f"run-{number}"
    home.mkdir(exist_ok=True)
    when = "{{ when | default('if_needed') }}"
    play = gateway_play(platform, path="{{ root }}/etc/device.json", register_from="{{ way }}", register=when)
    return start_playbook(play, inventory(hosts, tmp_path), home, env=ENV)


def assert_valid(platform: Emulator, tmp_path: Path, host: str, *ended: Run) -> None:
    """Check that the gateway stores the platform's secret, and nothing else."""
    folder = tmp_path / host / "etc"
    secret = platform.admin.device(PRODUCT_KEY, host)["device_secret"]
    assert json.loads((folder / "device.json").read_text())["deviceSecret"] == secret, (host, ended)
    assert {path.name for path in folder.iterdir()} == {"device.json"}, (host, ended)


def registrations(platform: Emulator, host: str) -> int:
    return int(platform.admin.device(PRODUCT_KEY, host)["registrations"])


def test_a_run_that_has_looked_before_the_other_began_waits_for_it(platform: Emulator, tmp_path: Path) -> None:
    """The second run is stopped after a look that has seen no lease, goes on during the first run's request, and waits for it."""
    stops = {host: stopping_shell(tmp_path / "shells" / host, 2, ["id"]) for host in PAIRS}
    ways: list[Hosts] = [{host: {"way": pair[number]} for host, pair in PAIRS.items()} for number in range(2)]
    for host, stop in stops.items():
        ways[1][host]["ansible_shell_executable"] = stop.shell
        (tmp_path / host / "etc").mkdir(parents=True)
    with start(platform, ways[1], tmp_path, 2) as second:
        wait_for(lambda: all(stop.reached for stop in stops.values()), "the second run to have looked")
        platform.admin.fault(hold_after=4, times=len(PAIRS))
        with start(platform, ways[0], tmp_path, 1) as first:
            wait_for(lambda: len(platform.admin.requests()) == len(PAIRS), "the first run's requests")
            for stop in stops.values():
                stop.proceed()
            ended = first.wait(), second.wait()
    assert [run.rc for run in ended] == [0, 0], ended
    for host in PAIRS:
        assert registrations(platform, host) == 1, (host, ended)
        assert [run.result(host)["registered"] for run in ended] == [True, False], (host, ended)
        assert_valid(platform, tmp_path, host, *ended)


@pytest.mark.parametrize("luck", range(3))
def test_two_runs_at_once(platform: Emulator, tmp_path: Path, luck: int) -> None:
    """Each gateway ends with the valid secret: half of them have no credential, and both runs force the others to register."""
    delays = random.Random(luck)
    ways = {**PAIRS, **{f"forced-{host}": pair for host, pair in PAIRS.items()}}
    forced = [host for host in ways if host not in PAIRS]
    for host in ways:
        platform.admin.put_device(PRODUCT_KEY, host)
        platform.admin.fault(delay=delays.random(), device_name=host)
        platform.admin.fault(hold_after=delays.random(), device_name=host)
    with ExitStack() as runs:
        started = [
            runs.enter_context(
                start(
                    platform,
                    {
                        host: {"way": pair[number], **({"when": "always"} if host in forced else {})}
                        for host, pair in ways.items()
                    },
                    tmp_path,
                    number,
                )
            )
            for number in range(2)
        ]
        ended = [run.wait() for run in started]
    assert [run.rc for run in ended] == [0, 0], ended
    for host in ways:
        assert_valid(platform, tmp_path, host, *ended)
        told = [run.result(host)["registered"] for run in ended]
        if host in forced:
            assert (told, registrations(platform, host)) == ([True, True], 2), (host, ended)
        else:
            assert (sorted(told), registrations(platform, host)) == ([False, True], 1), (host, ended)


# A look takes no lock, so files may appear and disappear during it. This is no failure of a tool, and the change that follows compares the
# files again.

FORESTALLED = """\
[ -e {once} ] || case "$*" in {arguments}) : >{once}; {event} ;; esac
exec {tool} "$@\""""
LATE = """\
{tool} "$@"
rc=$?
[ -e {once} ] || case "$*" in {arguments}) : >{once}; {event} ;; esac
exit $rc"""
# The tool finds no file, but the file exists before and after.
BETWEEN = """\
[ -e {once} ] && exec {tool} "$@"
case "$*" in {arguments}) : >{once}; {event} ;; esac
{tool} "$@"
rc=$?
[ ! -e {path}.away ] || mv {path}.away {new}
exit $rc"""


@pytest.mark.parametrize(
    ("tool", "arguments", "script", "event"),
    [
        ("ls", "nothing", FORESTALLED, ""),
        # The other run stages a credential in place of its probe.
        ("awk", "*./.device.json.new", BETWEEN, "mv {new} {path}.away"),
        # The other run renames its staged credential.
        ("awk", "*./.device.json.new", FORESTALLED, "mv {new} {path}"),
        ("ls", "*./.device.json.new", FORESTALLED, "mv {new} {path}"),
        ("ls", "*./.device.json.new", LATE, "mv {new} {path}"),
        # The other run installs the first credential.
        ("ls", "-ldn?./device.json", LATE, "cp -p {new} {path}"),
        ("ls", "-ld?./device.json", FORESTALLED, "mv {new} {path}"),
        # The other run closes or opens its journal.
        ("ls", "*.device.json.journal", FORESTALLED, "rm {journal}"),
        ("ls", "*.device.json.journal", LATE, "rm {journal}"),
        # The other run removes everything.
        ("awk", "*./device.json", FORESTALLED, "rm -f {path} {new} {journal}"),
        ("ls", "-ldn?./device.json", FORESTALLED, "rm -f {path} {new} {journal}"),
        ("ls", "-ld?./device.json", FORESTALLED, "rm -f {path} {new} {journal}"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_a_look_beside_a_change_is_no_failure(
    box: Box, tmp_path: Path, there: bool, tool: str, arguments: str, script: str, event: str
) -> None:
    box.path.parent.mkdir()
    for path in (box.new, *([box.path] if there else [])):
        path.write_text(line())
        path.chmod(0o600)
    box.journal.write_text("2 token=x intent=register over=no boot=b taken=1 ttl=80\n")
    paths = {"new": box.new, "path": box.path, "journal": box.journal}
    values = {"once": tmp_path / "once", "arguments": arguments, "event": event.format(**paths), **paths}
    tools = tmp_path / "tools"
    tools.mkdir()
    write_script(tools / tool, script.format(tool=box.shell.tool(tool), **values))
    box.environment = {"PATH": f"{tools}:{box.shell.path}"}
    found = box.look()
    for seen in (found.credential, found.staged):
        assert seen in (None, identity(SECRET))
    assert found.journal is None or found.journal.token == "x"
    box.environment = {}
    if found.expected != box.look().expected:
        assert box.begin(found).outcome == "stale"


# The other run takes its lease a second after the look has begun.
TAKES_A_LEASE = """\
[ -e {once} ] || case "$*" in -ldn*./device.json)
    : >{once}
    sleep 1
    read -r boot </proc/sys/kernel/random/boot_id
    read -r now rest </proc/uptime
    echo "2 token=x intent=register over=no boot=$boot taken=${{now%%.*}} ttl=80" >{journal} ;;
esac
exec {tool} "$@\""""


def test_a_lease_that_is_taken_during_a_look_is_not_over(box: Box, tmp_path: Path) -> None:
    box.provision()
    tools = tmp_path / "tools"
    tools.mkdir()
    values = {"once": tmp_path / "once", "journal": box.journal, "tool": box.shell.tool("ls")}
    write_script(tools / "ls", TAKES_A_LEASE.format(**values))
    box.environment = {"PATH": f"{tools}:{box.shell.path}"}
    found = box.look()
    assert found.journal is not None
    assert 60 < lease_left(found) <= 80
