# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test a pass over many gateways, without Ansible: the failure of one gateway does not affect the others."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from converging import Bench, Screen, Shell, stored

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, internal
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _fleet
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet import (
    Fleet,
    LeftToTask,
    Member,
    Unreachable,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import (
    asked_for,
    earlier,
    fleet_result,
    too_many_failures,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import Places, Target
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import Progress

JSON = Any
OPTIONS: JSON = {
    **{"state": None, "register": None, "lease_time": None, "recover": False, "report": "changed", "keep_right": False},
    **{"looked": {}, "continues": {}, "refused": {}, "withdraw": []},
    **{"most_failed": 100, "fleet_size": 0, "look_only": False},
}


class Site:
    """Benches by host, and the function that opens them."""

    def __init__(self, tmp_path: Path, hosts: list[str], **options: JSON) -> None:
        self.benches = {}
        for host in hosts:
            folder = tmp_path / host
            folder.mkdir(mode=0o700)
            self.benches[host] = Bench(folder)
        self.options = options
        self.own: dict[str, JSON] = {}
        self.names = {host: host for host in hosts}
        self.troubles: dict[str, Callable[[], JSON]] = {}
        self.screen = Screen()

    def open(self, host: str) -> JSON:
        if host in self.troubles:
            return self.troubles[host]()
        options = {**self.options, **self.own.get(host, {})}
        return self.benches[host].convergence(device_name=self.names[host], **options)

    def run(self, **keywords: JSON) -> dict[str, Member]:
        keywords = {"interval": NEVER, **keywords}
        others = keywords.pop("others", ())
        fleet = Fleet(self.open, self.screen, keywords.pop("at_once", 3), keywords.pop("at_most", 5), **keywords)
        return {member.host: member for member in fleet.run(list(self.benches), others)}

    def issued(self) -> dict[str, int]:
        return {host: bench.device.issued for host, bench in self.benches.items()}


def raising(error: Exception) -> Callable[[], JSON]:
    def trouble() -> JSON:
        raise error

    return trouble


NEVER = 1e9  # seconds


@pytest.fixture(autouse=True)
def _however_slow_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fleet, "SLOW", NEVER)


HOSTS = [f"gw-{number:04}" for number in range(1, 9)]


def test_a_pass_and_another_one(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS)
    members = site.run()
    assert {host: member.outcome() for host, member in members.items()} == dict.fromkeys(HOSTS, "changed")
    assert site.issued() == dict.fromkeys(HOSTS, 1)
    assert all(bench.is_right() for bench in site.benches.values())
    again = site.run()
    assert {host: (member.outcome(), member.result["reason"]) for host, member in again.items() if member.result} == (
        dict.fromkeys(HOSTS, ("ok", "up_to_date"))
    )
    assert site.issued() == dict.fromkeys(HOSTS, 1)
    assert [bench.shell.runs for bench in site.benches.values()] == [1] * len(HOSTS)
    assert all(bench.shell.closed for bench in site.benches.values())
    assert site.screen.lines == []


def test_every_trouble_is_that_of_one_gateway(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS)
    site.troubles = {
        "gw-0001": raising(Unreachable("no route")),
        "gw-0002": raising(FleetopsError("no key", kind="invalid_option")),
        "gw-0003": raising(LeftToTask("it has no such plugin")),
        "gw-0004": raising(KeyError("our mistake")),
    }
    members = site.run()
    assert [member.outcome() for member in members.values()] == ["unreachable", "failed", "left", "left"] + 4 * [
        "changed"
    ]
    assert members["gw-0003"].left == "it has no such plugin"
    assert members["gw-0004"].left.startswith("KeyError at ")
    assert "our mistake" not in members["gw-0004"].left
    assert (members["gw-0002"].result or {})["error"]["kind"] == "invalid_option"


class Named:
    """Devices and files that an inventory names for hosts, as Hosts returns them."""

    def __init__(self, devices: dict[str, str], places: dict[str, Places] | None = None) -> None:
        self.devices = devices
        self.files = places

    def device(self, host_name: str) -> tuple[str, str]:
        return "a1IoKTestP1", self.devices[host_name]

    def places(self, host_name: str) -> Places | None:
        if self.files is None:
            raise KeyError("a connection plugin's mistake")
        return self.files[host_name]


NOT_OPENED = [
    LeftToTask("its password is the one that was typed in"),
    FleetopsError("gateway_mode is wrong", kind="invalid_option"),
    KeyError("our mistake"),
]


@pytest.mark.parametrize("error", NOT_OPENED, ids=repr)
def test_a_device_of_a_gateway_that_is_not_opened_is_for_no_other(tmp_path: Path, error: Exception) -> None:
    """Its variables name a device that may be in service; a registration for another host would invalidate its credential."""
    site = Site(tmp_path, HOSTS[:4])
    site.troubles = {"gw-0001": raising(error)}
    members = site.run(claims=Named({"gw-0001": "gw-0002"}))
    [warning] = site.screen.warnings
    assert warning.startswith(
        "gw-0001: its device or its files were not compared with those of the other hosts: KeyError"
    )
    assert [member.outcome() for member in members.values()] == ["failed", "failed", "changed", "changed"]
    assert site.issued() == {"gw-0001": 0, "gw-0002": 0, "gw-0003": 1, "gw-0004": 1}
    for host in ("gw-0001", "gw-0002"):
        assert (members[host].result or {})["error"]["kind"] == "shared_name"


@pytest.mark.parametrize("error", [*NOT_OPENED, Unreachable("no route")], ids=repr)
@pytest.mark.parametrize("option", ["path", "link", "export"])
def test_a_file_of_a_gateway_that_is_not_looked_at_is_for_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, option: str
) -> None:
    """The path of the second host leads to it, directly or over a symbolic link that both name."""
    site = Site(tmp_path, HOSTS[:4])
    for bench in site.benches.values():
        bench.machine = Target("local")
    first, second = (site.benches[host] for host in HOSTS[:2])
    path = first.path
    if option == "link":
        (tmp_path / "link").symlink_to(path.parent)
        path = second.path = tmp_path / "link" / path.name
    elif option == "path":
        second.path = path
    else:
        site.own["gw-0002"] = {"exports": [{"dest": str(path), "format": "env"}]}
    assert first.run(device_name="gw-0001")["changed"]
    text = path.read_text()
    site.troubles = {"gw-0001": raising(error)}
    if isinstance(error, Unreachable):
        first.path = path

        def silent() -> JSON:
            convergence = first.convergence(device_name="gw-0001")
            monkeypatch.setattr(convergence.remote, "execute", lambda *_arguments: raising(error)())
            return convergence

        site.troubles = {"gw-0001": silent}
    places = Places(Target("local"), None, (("path", str(path)),))
    members = site.run(claims=Named({"gw-0001": "gw-0001"}, {"gw-0001": places}))
    outcomes = ["unreachable" if isinstance(error, Unreachable) else "failed", "failed", "changed", "changed"]
    assert [member.outcome() for member in members.values()] == outcomes
    assert path.read_text() == text
    assert (members["gw-0002"].result or {})["error"]["kind"] == "shared_place"


def test_a_device_and_a_file_of_a_host_that_failed_before_are_for_no_other(tmp_path: Path) -> None:
    """Ansible leaves hosts that failed earlier in the run out of its batches."""
    site = Site(tmp_path, HOSTS[:3])
    for bench in site.benches.values():
        bench.machine = Target("local")
    shared = Places(Target("local"), None, (("path", str(site.benches["gw-0002"].path)),))
    claims = Named({"a": "gw-0001", "b": "other-device", "c": ""}, {"a": None, "b": shared, "c": None})
    members = site.run(claims=claims, others=["a", "b", "c"])
    assert list(members) == HOSTS[:3], "the others have no result"
    kinds = {host: ((member.result or {}).get("error") or {}).get("kind") for host, member in members.items()}
    assert kinds == {"gw-0001": "shared_name", "gw-0002": "shared_place", "gw-0003": None}
    assert "gw-0001, a" in (members["gw-0001"].result or {})["msg"]
    assert site.issued() == {"gw-0001": 0, "gw-0002": 0, "gw-0003": 1}


def test_a_pass_that_ends_before_the_comparison_leaves_no_host_to_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tasks would register one device for several hosts."""
    site = Site(tmp_path, HOSTS[:3])
    site.names["gw-0002"] = "gw-0001"
    site.troubles = {"gw-0001": raising(LeftToTask("it has no such plugin"))}

    def submit(pool: ThreadPoolExecutor, work: JSON, act: JSON, member: Member) -> JSON:
        if member.host == when or (when == "later" and act.__name__ == "_change"):
            raise RuntimeError("can't start new thread")
        return begin(pool, work, act, member)

    begin = ThreadPoolExecutor.submit
    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    for when, outcomes in (("gw-0003", ["failed"] * 3), ("later", ["failed", "failed", "left"])):
        fleet = Fleet(
            site.open, site.screen, 1, 1, interval=NEVER, claims=Named({"gw-0001": "gw-0001"}, {"gw-0001": None})
        )
        with pytest.raises(RuntimeError):
            fleet.run(list(site.benches))
        members = fleet.abandon(internal(RuntimeError()))
        assert [member.outcome() for member in members] == outcomes
        kinds = {((member.result or {}).get("error") or {}).get("kind") for member in members}
        assert kinds == ({"internal"} if when == "gw-0003" else {"shared_name", None})
    assert site.issued() == dict.fromkeys(HOSTS[:3], 0)


@pytest.mark.parametrize("kind", ["shared_name", "shared_place"])
def test_a_gateway_that_does_not_answer_is_refused_too(tmp_path: Path, kind: str) -> None:
    """Otherwise a command would process it alone, although another host has its device or its file."""
    site = Site(tmp_path, HOSTS[:2])
    for bench in site.benches.values():
        bench.machine = Target("local")
    site.troubles = {"gw-0001": raising(Unreachable("no route"))}
    named = kind == "shared_name"
    places = Places(Target("local"), None, (("path", str(site.benches["gw-0002"].path)),))
    members = site.run(
        claims=Named({"gw-0001": "gw-0002" if named else "gw-0001"}, {"gw-0001": None if named else places})
    )
    assert [member.outcome() for member in members.values()] == ["unreachable", "failed"]
    for member in members.values():
        assert (member.result or {})["error"]["kind"] == kind
    silent = members["gw-0001"].result or {}
    assert silent["msg"] == "no route"
    assert silent["error"]["message"].startswith("no route. Besides, 2 hosts have the ")


@pytest.mark.parametrize("error", [OSError("gone"), AttributeError("no library")])
def test_a_connection_that_cannot_be_closed_changes_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A connection plugin can raise anything in close(), also for a host that is refused."""
    site = Site(tmp_path, HOSTS[:4])
    site.names["gw-0004"] = "gw-0003"
    monkeypatch.setattr(Shell, "close", staticmethod(raising(error)))
    members = site.run()
    assert [member.outcome() for member in members.values()] == ["changed", "changed", "failed", "failed"]
    assert [(members[host].result or {})["error"]["kind"] for host in ("gw-0003", "gw-0004")] == ["shared_name"] * 2


def test_a_login_that_is_still_to_be_repeated_is_in_the_result_of_a_look(tmp_path: Path) -> None:
    """The next batches consist of the gateways in this result."""
    looked = {"changed": False, "reason": "up_to_date", "product_key": "a", "device_name": "gw-0001", "proven": False}
    members = [Member("gw-0001", result=looked), Member("gw-0002", result={**looked, "proven": None})]
    for look_only in (True, False):
        result = fleet_result(HOSTS[:2], {}, members, {**OPTIONS, "look_only": look_only}, {})
        assert list(result["gateways"]) == (["gw-0001"] if look_only else [])


def test_one_device_on_two_gateways_is_refused_for_both(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS[:4])
    site.names["gw-0002"] = "gw-0001"
    members = site.run()
    assert [member.outcome() for member in members.values()] == ["failed", "failed", "changed", "changed"]
    for host in ("gw-0001", "gw-0002"):
        assert "gw-0001, gw-0002" in (members[host].result or {})["msg"]
    assert site.issued() == {"gw-0001": 0, "gw-0002": 0, "gw-0003": 1, "gw-0004": 1}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("how", ["path", "link", "export", "exports"])
def test_one_file_of_two_gateways_is_refused_for_both(tmp_path: Path, how: str, check_mode: bool) -> None:
    """Each gateway would replace the other's credential, or the file that the other's agent reads."""
    site = Site(tmp_path, HOSTS[:4])
    first, second = (site.benches[host] for host in HOSTS[:2])
    for bench in site.benches.values():
        bench.machine = Target("local")
    assert first.run(device_name="gw-0001")["changed"]
    text = first.path.read_text()
    options = ("gateway_path", "gateway_path")
    if how == "path":
        second.path = first.path
    elif how == "link":
        (tmp_path / "link").symlink_to(first.path.parent)
        second.path = tmp_path / "link" / first.path.name
    else:
        common = first.path if how == "export" else tmp_path / "gw-0001" / "agent.env"
        site.own["gw-0002"] = {"exports": [{"dest": str(common), "format": "env"}]}
        options = ("gateway_path", "gateway_exports[0].dest")
        if how == "exports":
            site.own["gw-0001"] = {"exports": [{"dest": str(common), "format": "json"}]}
            options = ("gateway_exports[0].dest", "gateway_exports[0].dest")
    for bench in site.benches.values():
        bench.device.issued = 0
    members = site.run(check_mode=check_mode)
    assert [member.outcome() for member in members.values()] == ["failed", "failed", "changed", "changed"]
    for host in HOSTS[:2]:
        error = (members[host].result or {})["error"]
        assert error["kind"] == "shared_place"
        assert f"gw-0001 ({options[0]}), gw-0002 ({options[1]})" in error["message"]
    assert site.issued() == {"gw-0001": 0, "gw-0002": 0, "gw-0003": 1, "gw-0004": 1}
    assert first.path.read_text() == text
    assert site.screen.warnings == [], "it was not copied"


@pytest.mark.parametrize("trouble", ["registration_needed", "unsafe_path"])
def test_one_file_is_found_whatever_its_second_gateway_lacks(tmp_path: Path, trouble: str) -> None:
    """A look with an error has found the file anyway, and no message suggests storing a second credential there."""
    site = Site(tmp_path, HOSTS[:2])
    first, second = list(site.benches.values())
    assert first.run(device_name="gw-0001")["changed"]
    for bench in site.benches.values():
        bench.machine = Target("local")
    second.path = first.path
    site.options = {"register": "never"}
    if trouble == "unsafe_path":
        (tmp_path / "folder").mkdir()
        site.own["gw-0002"] = {"exports": [{"dest": str(tmp_path / "folder"), "format": "env"}]}
    seen: list[Progress] = []
    members = site.run(check_mode=True, watch=seen.append)
    assert [(member.result or {})["error"]["kind"] for member in members.values()] == ["shared_place"] * 2
    assert all(
        "gw-0001 (gateway_path), gw-0002 (gateway_path)" in (each.result or {})["msg"] for each in members.values()
    )
    assert [each.host for each in seen[-1].failures] == ["gw-0002", "gw-0001"], "each of them once"


def test_one_device_in_one_file_is_one_gateway_twice(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS[:2])
    for bench in site.benches.values():
        bench.machine, bench.path = Target("local"), tmp_path / "gw-0001" / "device.json"
    site.names["gw-0002"] = "gw-0001"
    assert [(member.result or {})["error"]["kind"] for member in site.run().values()] == ["shared_name"] * 2


def test_a_copied_credential_is_named(tmp_path: Path) -> None:
    """Each clone of an image gets its own credential, and a warning names the gateways with copies."""
    site = Site(tmp_path, HOSTS[:4])
    site.run()
    assert site.screen.warnings == []
    for host in ("gw-0002", "gw-0003"):
        shutil.copy(site.benches["gw-0001"].path, site.benches[host].path)
    members = site.run()
    [warning] = site.screen.warnings
    assert "gw-0001, gw-0002, gw-0003" in warning
    assert "gw-0004" not in warning
    assert [(members[host].result or {})["reason"] for host in HOSTS[:4]] == [
        *("up_to_date", "identity_changed", "identity_changed", "up_to_date")
    ]
    assert all(bench.is_right() for bench in site.benches.values())
    site.run()
    assert len(site.screen.warnings) == 1


def test_a_gateway_that_is_right_is_refused_beside_its_twin(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS[:2])
    assert site.run()["gw-0001"].outcome() == "changed"
    site.names["gw-0002"] = "gw-0001"
    assert [member.outcome() for member in site.run().values()] == ["failed", "failed"]
    assert site.issued() == {"gw-0001": 1, "gw-0002": 1}


def test_devices_are_prepared_before_they_are_registered(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS[:3])
    site.benches["gw-0001"].run(device_name="gw-0001")
    asked: list[list[str]] = []

    def prepare(members: Any) -> dict[str, FleetopsError]:
        asked.append(sorted(member.host for member in members))
        assert site.issued() == {"gw-0001": 1, "gw-0002": 0, "gw-0003": 0}
        return {"gw-0003": FleetopsError("the product is full", kind="refused")}

    members = site.run(prepare=prepare)
    assert asked == [["gw-0002", "gw-0003"]]
    assert [member.outcome() for member in members.values()] == ["ok", "changed", "failed"]
    assert site.issued() == {"gw-0001": 1, "gw-0002": 1, "gw-0003": 0}


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_done_to_devices_is_in_the_results(tmp_path: Path, check_mode: bool) -> None:
    """Gateways that were right, failed or did not answer are included, also in the counts during the pass."""
    site = Site(tmp_path, HOSTS[:4])
    site.options["state"] = "absent"
    site.troubles = {
        "gw-0002": raising(Unreachable("no route")),
        "gw-0003": raising(FleetopsError("no key", kind="invalid_option")),
    }
    changes = dict.fromkeys(HOSTS[:3], "disabled")
    shown: list[Progress] = []
    members = site.run(watch=shown.append, check_mode=check_mode, device_changes=changes)
    result = fleet_result(HOSTS[:4], {}, [*members.values()], OPTIONS, {}, check_mode, device_changes=changes)
    assert {word: number for word, number in result["counts"].items() if number} == {
        **{"ok": 1, "changed": 1, "failed": 1, "unreachable": 1}
    }
    assert {host: each["device_change"] for host, each in result["gateways"].items()} == changes
    word = "needs a change" if check_mode else "device disabled"
    assert shown[-1].counts == {word: 1, "up to date": 1, "failed": 1, "not answering": 1}


def test_a_device_that_was_added_before_its_gateway_failed(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS[:2])
    changes: dict[str, str] = {}

    def prepare(members: Any) -> dict[str, FleetopsError]:
        changes.update(dict.fromkeys((member.host for member in members), "added"))
        return {"gw-0001": FleetopsError("the platform hands it to nobody", kind="refused")}

    members = [*site.run(prepare=prepare, device_changes=changes).values()]
    result = fleet_result(HOSTS[:2], {}, members, OPTIONS, {}, device_changes=changes)
    assert [(each.get("failed"), each["device_change"]) for each in result["gateways"].values()] == [
        *((True, "added"), (None, "added"))
    ]


def test_what_hangs_gives_its_place_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fleet, "SLOW", 0.01)
    monkeypatch.setattr(_fleet, "_TICK", 0.01)
    site = Site(tmp_path, HOSTS)
    others = threading.Event()
    waiting = set(HOSTS[2:])

    def hangs() -> JSON:
        assert others.wait(30)
        raise Unreachable("at last")

    def seen(host: str) -> Callable[[], JSON]:
        def opened() -> JSON:
            waiting.discard(host)
            if not waiting:
                others.set()
            return site.benches[host].convergence(device_name=host)

        return opened

    site.troubles = {**dict.fromkeys(HOSTS[:2], hangs), **{host: seen(host) for host in HOSTS[2:]}}
    members = site.run(at_once=1, at_most=4)
    assert [member.outcome() for member in members.values()] == 2 * ["unreachable"] + 6 * ["changed"]


def test_what_hangs_for_good_is_ended_when_all_others_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fleet, "SLOW", 0.01)
    monkeypatch.setattr(_fleet, "_TICK", 0.01)
    site = Site(tmp_path, HOSTS[:4])
    ended = threading.Event()

    def hangs() -> JSON:
        assert ended.wait(30)
        raise Unreachable("its connection was ended")

    # The others end immediately, however busy the machine is.
    right = {
        host: (lambda host=host: {"changed": False, "product_key": "a", "device_name": host}) for host in HOSTS[:4]
    }
    site.troubles = {**right, "gw-0002": hangs}
    members = site.run(at_once=2, end=ended.set, longest=0.5)
    assert [member.outcome() for member in members.values()] == ["ok", "failed", "ok", "ok"]
    assert (members["gw-0002"].result or {})["error"]["kind"] == "timeout"


@pytest.mark.parametrize("phase", ["look", "change"])
def test_as_many_hanging_gateways_as_connections_are_ended_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """They end one after the other, and the connections of those that begin then are not ended with them."""
    monkeypatch.setattr(_fleet, "SLOW", 0.01)
    monkeypatch.setattr(_fleet, "_TICK", 0.01)
    site = Site(tmp_path, HOSTS)
    ends, begun = {host: threading.Event() for host in HOSTS[:2]}, threading.Event()
    ended: list[set[str]] = []
    running: set[str] = set()

    def end() -> None:
        ended.append(set(running))
        if not ends["gw-0001"].is_set():
            ends["gw-0001"].set()
        elif begun.is_set():
            ends["gw-0002"].set()

    def work(host: str) -> Any:
        running.add(host)
        try:
            if host in ends:
                assert ends[host].wait(30)
                raise Unreachable("its connection was ended")
            begun.set()
            time.sleep(0.05)
        finally:
            running.discard(host)
        return {"changed": False, "reason": "up_to_date", "product_key": "a", "device_name": host}

    def opened(host: str) -> Callable[[], JSON]:
        if phase == "look":
            return lambda: work(host)
        convergence = SimpleNamespace(
            **{"is_looking": lambda: False, "device": lambda: ("a", host), "will_register": lambda: False},
            **{"run": lambda: work(host), "remote": site.benches[host].shell, "known": {}, "patience": lambda: 300},
        )
        return lambda: convergence

    site.troubles = {host: opened(host) for host in HOSTS}
    seen: list[Progress] = []
    members = site.run(at_once=1, at_most=2, longest=0.5, end=end, watch=seen.append)
    assert [member.outcome() for member in members.values()] == 2 * ["failed"] + 6 * ["ok"]
    for host in ends:
        assert (members[host].result or {})["error"]["kind"] == "timeout"
    assert set().union(*ended) <= ends.keys()
    assert [each.host for each in seen[-1].failures] == [*ends]
    assert seen[-1].counts == {"failed": 2, "up to date": 6}


@pytest.mark.parametrize("failure", [None, "refused"])
def test_what_ends_after_all_keeps_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str | None
) -> None:
    """A registration is reported even if it took place too late."""
    monkeypatch.setattr(_fleet, "_TICK", 0.01)
    site = Site(tmp_path, HOSTS[:1])
    ended = threading.Event()

    def late() -> JSON:
        assert ended.wait(30)
        result = {"changed": True, "registered": True, "product_key": "a", "device_name": "gw-0001"}
        return {**result, "failed": True, "error": {"kind": failure}} if failure else result

    site.troubles = {"gw-0001": late}
    member = site.run(end=ended.set, longest=0.1)["gw-0001"]
    assert member.outcome() == ("failed" if failure else "changed")
    result = member.result or {}
    assert (result["registered"], result["changed"]) == (True, True)
    assert not failure or result["error"]["kind"] == "timeout"


@pytest.mark.parametrize(("retry_time", "outcome"), [(60, "failed"), (600, "changed")])
def test_what_waits_for_a_long_lease_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retry_time: int, outcome: str
) -> None:
    """A run waits for the lease of another one for up to twice the length of its own."""
    monkeypatch.setattr(_fleet, "_TICK", 0.01)
    site = Site(tmp_path, HOSTS[:1], retry_time=retry_time)
    ended = threading.Event()

    def waits() -> JSON:
        convergence = site.benches["gw-0001"].convergence(device_name="gw-0001", **site.options)
        look = convergence.look

        def looks() -> None:
            if ended.wait(1):
                raise Unreachable("its connection was ended")
            look()

        monkeypatch.setattr(convergence, "look", looks)
        return convergence

    site.troubles = {"gw-0001": waits}
    member = site.run(end=ended.set, longest=0.1)["gw-0001"]
    assert member.outcome() == outcome, member.result


def test_what_hangs_again_after_its_connection_was_ended_is_ended_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ansible tries a connection again if ssh_retries is set, and the new one may hang too."""
    monkeypatch.setattr(_fleet, "_TICK", 0.01)
    site = Site(tmp_path, HOSTS[:2])
    ended, ends = threading.Semaphore(0), 0

    def hangs() -> JSON:
        nonlocal ends
        while ends < 3 and ended.acquire(timeout=5):
            ends += 1
        raise Unreachable("its connection was ended")

    site.troubles = {
        "gw-0001": lambda: {"changed": False, "product_key": "a", "device_name": "gw-0001"},
        "gw-0002": hangs,
    }
    members = site.run(end=ended.release, longest=0.5)
    assert ends == 3
    assert [member.outcome() for member in members.values()] == ["ok", "failed"]
    assert (members["gw-0002"].result or {})["error"]["kind"] == "timeout"


def test_a_pass_that_is_ended_ends_its_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass does not wait for connections that hang."""
    site = Site(tmp_path, HOSTS[:4])
    ended = threading.Event()

    def hangs() -> JSON:
        assert ended.wait(30)
        raise Unreachable("its connection was ended")

    def interrupted(*_arguments: JSON, **_keywords: JSON) -> JSON:
        raise KeyboardInterrupt

    site.troubles = dict.fromkeys(HOSTS[:4], hangs)
    monkeypatch.setattr(_fleet, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        site.run(end=ended.set)
    assert ended.is_set()


def test_no_more_at_once_than_asked_for(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS)
    lock, now, most = threading.Lock(), 0, 0

    def counted(host: str) -> Callable[[], JSON]:
        def opened() -> JSON:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            result = site.benches[host].run(device_name=host)
            with lock:
                now -= 1
            return dict(result)

        return opened

    site.troubles = {host: counted(host) for host in HOSTS}
    site.run(at_once=2, at_most=100)
    assert most == 2


def test_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fleet, "_TICK", 0.01)
    site = Site(tmp_path, HOSTS)
    site.troubles = {"gw-0001": raising(Unreachable("no route"))}
    site.run(interval=0.0, at_once=1)
    text = "\n".join(site.screen.lines)
    assert "of 8 gateways looked at" in text
    assert "of 7 gateways processed" in text
    assert "1 not answering" in text
    assert "a second" in text


def test_whoever_watches_sees_the_last_failures(tmp_path: Path) -> None:
    """Failures are in the order of their time, not of the hosts; the last ones are hosts that are refused after the look."""
    site = Site(tmp_path, HOSTS)
    site.troubles = {host: raising(Unreachable("no route")) for host in HOSTS[3:]}
    site.names["gw-0001"] = "gw-0002"
    seen: list[Progress] = []
    site.run(watch=seen.append, at_once=1)
    [*_others, looked] = [each for each in seen if each.verb == "looked at"]
    assert [failure.host for failure in looked.failures] == HOSTS[4:]
    assert [failure.host for failure in seen[-1].failures] == ["gw-0007", "gw-0008", "gw-0001", "gw-0002"]
    assert seen[-1].counts == {"registered": 1, "not answering": 5, "failed": 2}


def test_whoever_watches_gets_snapshots_in_place_of_lines(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS)
    site.troubles = {"gw-0001": raising(Unreachable("no route\x1b[2J"))}
    seen: list[Progress] = []
    site.run(watch=seen.append)
    looked, changed = [[each for each in seen if each.verb == verb][-1] for verb in ("looked at", "processed")]
    assert (looked.total, looked.finished, looked.counts) == (8, 8, {"not answering": 1})
    assert (changed.total, changed.finished, changed.running) == (7, 7, 0)
    assert changed.counts == {"registered": 7, "not answering": 1}
    assert [(failure.host, failure.message) for failure in changed.failures] == [("gw-0001", "no route[2J")]
    assert site.screen.lines == []


def test_what_is_taken_over_from_an_earlier_pass() -> None:
    lease = {"lease": "0123456789abcdef", "lease_ends": 1.0, "device_name": "gw-0001", "changed": True}
    gone = {"unreachable": True, "msg": "no route", "changed": False}
    options = {
        **OPTIONS,
        "continues": {"a": lease, "b": lease, "c": gone},
        "looked": {"d": {"device_name": "gw-0004"}, "e": gone},
        "refused": {"b": "it was not reset", "f": "its device is in doubt"},
        "withdraw": ["b"],
    }
    given, each = asked_for({**options, "state": "present"})
    assert given == {"state": "present"}
    assert each["a"] == {"reported_name": "gw-0001", "lease": "0123456789abcdef", "state": "present"}
    assert each["b"]["state"] == "reset_withdrawn"
    assert each["d"] == {"reported_name": "gw-0004"}
    known = earlier(options, list("abcdef"), False)
    assert known.keys() == {"b", "c", "e", "f"}
    assert known["b"]["error"]["message"] == "it was not reset"
    assert "lease" not in known["b"]
    assert earlier(options, ["a"], True) == {"a": lease}
    told = fleet_result(
        list("abcdef"), known, [Member("a", result={"changed": False}), Member("d", left="so")], options, given
    )
    assert told["counts"] == {"ok": 1, "changed": 0, "failed": 2, "unreachable": 2, "left": 1}
    assert told["gateways"].keys() == {"b", "c", "e", "f"}
    assert told["left"] == {"d": "so"}


@pytest.mark.parametrize(
    ("most", "hosts", "left", "looked", "size", "ended"),
    [
        (100, 10, 1, 0, 0, False),
        (10, 10, 9, 0, 0, False),
        ("10%", 10, 9, 0, 0, False),
        (" 10 %", 10, 8, 0, 0, True),
        ("9.9%", 10, 9, 0, 0, True),
        ("50%", 10, 5, 0, 0, False),
        ("50%", 10, 4, 0, 0, True),
        (0, 10, 10, 0, 0, False),
        ("0%", 10, 9, 0, 0, True),
        # The limit is of all gateways of the run; the play has only those that need a change.
        (10, 10, 9, 0, 100, False),
        # Gateways that an earlier look could not reach have failed too.
        (10, 10, 9, 10, 100, True),
    ],
)
def test_how_many_may_fail(most: JSON, hosts: int, left: int, looked: int, size: int, ended: bool) -> None:
    everyone = [f"gw-{number}" for number in range(hosts)]
    variables = {"ansible_play_hosts_all": everyone, "ansible_play_hosts": everyone[:left], "ansible_play_batch": []}
    looks = {f"other-{number}": {"unreachable": True} for number in range(looked)}
    options = {**OPTIONS, "most_failed": most, "fleet_size": size, "looked": looks}
    assert bool(too_many_failures(options, variables)) == ended


def test_results_hold_no_secret(tmp_path: Path) -> None:
    site = Site(tmp_path, HOSTS[:1])
    members = site.run()
    text = repr(
        fleet_result(HOSTS[:1], {}, list(members.values()), {**OPTIONS, "report": "all", "keep_right": False}, {})
    )
    assert stored(site.benches["gw-0001"].path)["deviceSecret"] not in text
    assert "fingerprint" in text
