# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the progress of a pass, from the pass to the screen, and the outcomes of the hosts of a run."""

from __future__ import annotations

import io
import multiprocessing
import os
import pty
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest
from ansible.errors import AnsibleError
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from rich.console import Console, ConsoleOptions

from ansible_collections.fleetops.aliyun_iot.plugins.callback.fleet_progress import CallbackModule
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _progress
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._limit_file import limit_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._live import LiveView, frame, terminal
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._outcomes import (
    Group,
    Outcome,
    Outcomes,
    failed_outcome,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import (
    Failure,
    Progress,
    failure_of,
    received,
    sender,
    word_of,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._summary import block, counted, table
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._watcher import Watcher

JSON = Any

HOSTILE = "no\x1b[2Jway\x9b31m\r\n\u202eout\x07"
RIGHT = {"changed": False, "reason": "up_to_date"}
REGISTERED = {"changed": True, "registered": True, "reason": "missing"}
SILENT = {"unreachable": True, "changed": False, "msg": "no route"}
HALF = Progress("processed", 10, 5, 2, 10.0, {"registered": 4, "failed": 1}, (Failure("gw-1", "no room", "Make room"),))


def failed(kind: str, code: object = None) -> JSON:
    error = {"kind": kind, "code": code, "message": f"{kind} happened", "hint": "Repair it"}
    return {"failed": True, "changed": False, "msg": f"{kind} happened. Repair it", "error": error}


# One gateway


@pytest.mark.parametrize(
    ("result", "check_mode", "word"),
    [
        (RIGHT, False, "up to date"),
        (failed("registration_needed"), True, "needs a change"),
        (failed("registration_needed"), False, "failed"),
        (RIGHT, True, "up to date"),
        (REGISTERED, False, "registered"),
        ({"changed": True, "registered": False, "reason": "attributes"}, False, "repaired"),
        ({"changed": True, "registered": False, "reason": "interrupted"}, False, "repaired"),
        ({"changed": True, "registered": False, "reason": "missing"}, False, "recovered"),
        ({"changed": True, "registered": False, "reason": "forced"}, False, "recovered"),
        ({"changed": True, "registered": False, "reason": "missing"}, True, "needs a change"),
        ({"changed": True, "registered": False, "reason": "exists"}, False, "removed"),
        ({"changed": True, "registered": False, "reason": "reset_intended"}, False, "prepared"),
        ({"changed": True, "registered": False, "reason": "unfinished"}, False, "handlers run"),
        ({"changed": True, "registered": False, "reason": "unfinished", "diff": {"before": {}}}, False, "repaired"),
        ({**RIGHT, "changed": True, "device_change": "disabled"}, False, "device disabled"),
        ({**RIGHT, "changed": True, "device_change": "deleted"}, True, "needs a change"),
        ({"changed": True, "reason": "exists", "device_change": "disabled"}, False, "removed"),
        ({**REGISTERED, "device_change": "added"}, False, "registered"),
        ({**SILENT, "changed": True, "device_change": "disabled"}, False, "not answering"),
        ({"changed": False, "device_name": "gw-1"}, True, "not reached"),
        (failed("tls"), False, "failed"),
        ({**failed("tls"), "changed": True, "registered": True}, False, "failed"),
        (SILENT, True, "not answering"),
    ],
)
def test_the_word_for_a_result(result: JSON, check_mode: bool, word: str) -> None:
    assert word_of(result, check_mode) == word


def test_what_a_gateway_says_is_fit_for_a_terminal() -> None:
    told = {**SILENT, "msg": HOSTILE}
    error = {"error": {"kind": HOSTILE, "code": HOSTILE, "message": HOSTILE, "hint": HOSTILE}, "failed": True}
    lines = [*block("failed", failure_of(HOSTILE, told)), *block("failed", failure_of("gw", error))]
    groups = [Group(failed_outcome(error), [HOSTILE]), Group(failed_outcome(told, task=HOSTILE), ["gw"])]
    lines += [line for line, _about in table(groups, lambda group: "")]
    drawn = io.StringIO()
    progress = Progress("processed", 2, 1, 1, 1.0, {}, (failure_of(HOSTILE, told), failure_of("gw", error)))
    Console(file=drawn, width=80, markup=False).print(frame("title", progress))
    lines += drawn.getvalue().splitlines()
    assert len([line for line in lines if "no[2Jway31m" in line]) >= 6
    assert [line for line in lines if not line.isprintable()] == []


def test_a_long_message_is_cut() -> None:
    assert len(failure_of("gw", {"msg": "x" * 10_000}).message) < 500


# Transfer


@pytest.fixture
def end() -> Iterator[socket.socket]:
    opened = _progress.open_channel()
    opened.settimeout(60)
    yield opened
    _progress.close_channel()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_snapshot_comes_from_a_process_that_was_forked(end: socket.socket) -> None:
    def work() -> None:
        send = sender("task-1")
        assert send
        send(HALF)

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    try:
        assert received(end) == ("task-1", HALF)
    finally:
        worker.join()
    assert worker.exitcode == 0


def test_nobody_has_to_watch() -> None:
    assert sender("task-1") is None


def test_a_pass_never_waits_for_who_watches(end: socket.socket) -> None:
    send = sender("task-1")
    assert send
    for _number in range(10_000):
        send(HALF)
    assert received(end) == ("task-1", HALF)


def test_a_line_of_progress() -> None:
    assert HALF.line() == (
        "5 of 10 gateways processed, 2 under way, 4 registered, 1 failed, 0.5 a second, about 10 s left"
    )
    assert "left" not in Progress("processed", 10, 10, 0, 10.0).line()
    assert Progress("looked at", 10, 0, 3, 0.0).line() == "0 of 10 gateways looked at, 3 under way, 0.0 a second"


class View:
    """A view that records its calls."""

    def __init__(self, title: str) -> None:
        self.title, self.shown, self.stopped = title, [], 0
        self.drawn = threading.Event()
        VIEWS.append(self)

    def show(self, progress: Progress) -> None:
        self.shown.append(progress)
        self.drawn.set()

    def stop(self) -> None:
        self.stopped += 1


VIEWS: list[View] = []


def made_view() -> View:
    for _turn in range(600):
        if VIEWS:
            return VIEWS[0]
        threading.Event().wait(0.1)
    raise AssertionError("no view was made")


def test_what_another_thread_prints_leaves_no_line_of_an_older_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """The view grows while the other output is drawn above it."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    view = LiveView("The title", out := io.StringIO())
    view.show(Progress("looked at", 9, 1, 1, 1.0))
    failures = (Failure("gw-0001", "broken", ""), Failure("gw-0002", "broken", ""))
    grows = threading.Thread(target=view.show, args=(Progress("looked at", 9, 3, 1, 1.0, failures=failures),))

    class Slow:
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[str]:
            grows.start()
            grows.join(0.5)
            yield "a warning"

    view._live.console.print(Slow())
    grows.join()
    screen = pyte.Screen(100, 30)
    pyte.Stream(screen).feed(out.getvalue().replace("\n", "\r\n"))
    view.stop()
    shown = [line.strip() for line in screen.display if line.strip()]
    assert [line for line in shown if line in ("a warning", "The title")] == ["a warning", "The title"]
    assert shown[-1] == "gw-0002 broken"


def test_a_view_waits_for_no_thread_that_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """While ansible-core prints a warning, it holds the lock that each write to standard output takes, and waits for the view."""
    ours, its = pty.openpty()
    printing = threading.Lock()
    with open(its, "w", encoding="utf-8") as out:
        buffer: Any = out.buffer
        for name in ("write", "flush"):
            monkeypatch.setattr(buffer, name, locked(getattr(buffer, name), printing))
        monkeypatch.setattr("sys.stdout", out)
        view = LiveView("The title", terminal())
        draws = threading.Thread(target=view.show, args=(Progress("looked at", 9, 1, 1, 1.0),), daemon=True)
        with printing:
            draws.start()
            draws.join(10)
            assert not draws.is_alive()
        view.stop()
    os.close(ours)


def locked(function: Callable[..., Any], lock: threading.Lock) -> Callable[..., Any]:
    def with_lock(*arguments: Any) -> Any:
        with lock:
            return function(*arguments)

    return with_lock


def test_a_view_lives_as_long_as_its_pass() -> None:
    VIEWS.clear()
    lines: list[str] = []
    watcher = Watcher(lines.append, 1e6, View)
    try:
        watcher.begin("task-1", "The pass")
        late, other = sender("task-1"), sender("task-2")
        assert late
        assert other
        other(HALF)
        late(HALF)
        view = made_view()
        assert view.drawn.wait(60)
        assert (view.title, view.shown[0], view.stopped) == ("The pass", HALF, 0)
        watcher.finish()
        assert view.stopped == 1
        late(HALF)  # after the result of the pass
    finally:
        watcher.close()
    watcher.close()
    assert (len(VIEWS), len(view.shown), lines) == (1, 1, [])
    assert sender("task-1") is None


def test_without_a_view_there_are_lines() -> None:
    told = threading.Event()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        told.set()

    watcher = Watcher(say, 0.01, None)
    try:
        watcher.begin("task-1", "The pass")
        send = sender("task-1")
        assert send
        send(HALF)
        assert told.wait(60)
        told.clear()
        watcher.begin("task-2", "Another task")
        watcher.count()
        assert told.wait(60)
    finally:
        watcher.close()
    assert HALF.line() in lines
    assert "Another task: 1 hosts done" in lines


@pytest.mark.parametrize("interval", [0.01, float("nan"), float("inf"), 0.0, -1.0])
def test_the_time_between_two_lines_is_one(monkeypatch: pytest.MonkeyPatch, interval: float) -> None:
    callback = CallbackModule()
    monkeypatch.setattr(DefaultCallback, "set_options", lambda _callback, **_options: None)
    monkeypatch.setattr(callback, "get_option", {"interval": interval}.get)
    if interval == 0.01:
        callback.set_options()
        return
    with pytest.raises(AnsibleError, match=r"^interval: \S+ is no number of seconds above 0\. Correct FLEET_PROGRESS_"):
        callback.set_options()


# Outcomes of hosts


def fleet(**results: JSON) -> JSON:
    right = [host for host, result in results.items() if result == RIGHT]
    gateways = {host: result for host, result in results.items() if host not in right}
    return {"hosts": [*results], "gateways": gateways, "left": {}, "check_mode": False}


def stats(**hosts: str) -> JSON:
    return {
        host: {word: int(word == what) for word in ("failures", "unreachable", "changed")}
        for host, what in hosts.items()
    }


def of(outcomes: Outcomes, **hosts: str) -> dict[str, str]:
    return {host: group.outcome.word for group in outcomes.groups(stats(**hosts)) for host in group.hosts}


def test_outcomes_of_a_pass() -> None:
    outcomes = Outcomes()
    told = fleet(a=RIGHT, b=REGISTERED, c=failed("refused", 6288), d=SILENT)
    assert outcomes.note_pass(told) == {"up to date": 1, "registered": 1, "failed": 1, "not answering": 1}
    assert outcomes.note_pass(told) == {}, "a pass that takes over says nothing new"
    groups = outcomes.groups(stats(a="", b="changed", c="failures", d="unreachable"))
    assert [(group.outcome.word, group.outcome.cause, group.hosts) for group in groups] == [
        ("registered", "", ["b"]),
        ("up to date", "", ["a"]),
        ("failed", "refused, code 6288", ["c"]),
        ("not answering", "", ["d"]),
    ]


def test_the_last_word_on_a_host() -> None:
    outcomes = Outcomes()
    outcomes.note_pass(
        {**fleet(a=REGISTERED, b=REGISTERED, c=RIGHT), "left": {"d": "no plugin"}, "hosts": list("abcd")}
    )
    outcomes.note_task("d", REGISTERED, False)
    outcomes.note_task("c", REGISTERED, False)  # a pass has reported it
    for host in "ab":
        outcomes.note_broken(host, Outcome("failed", "Restart the service"))
    found = of(outcomes, a="failures", b="changed", c="", d="changed", e="failures", f="changed", g="")
    assert found == {
        **{"a": "failed", "b": "registered", "c": "up to date", "d": "registered"},
        **{"e": "failed", "f": "changed", "g": "ok"},
    }, "b was rescued"


def test_a_failure_that_the_playbook_ignores_is_the_outcome_until_a_later_task() -> None:
    outcomes = Outcomes()
    outcomes.note_pass(fleet(b=REGISTERED, c=failed("tls"), d={**failed("tls"), "device_change": "reset"}))
    outcomes.note_task("a", failed("tls"), False)
    outcomes.note_task("b", SILENT, False)
    outcomes.note_task("c", REGISTERED, False)  # a rescue
    outcomes.note_task("d", failed("tls"), False, is_report=True)
    outcomes.note_task("e", {**failed("tls"), "failed": False}, False)  # by failed_when
    groups = outcomes.groups(stats(a="", b="changed", c="changed", d="", e=""))
    assert {host: (group.outcome.word, group.outcome.cause) for group in groups for host in group.hosts} == {
        **{"a": ("failed", "tls"), "b": ("not answering", ""), "c": ("registered", "")},
        **{"d": ("failed", "tls, device reset"), "e": ("failed", "tls")},
    }
    outcomes.note_task("a", RIGHT, False)
    assert of(outcomes)["a"] == "up to date"


def test_a_loop_has_one_outcome() -> None:
    outcomes, skipped = Outcomes(), {"changed": False, "skipped": True}
    repaired = {**RIGHT, "changed": True, "reason": "attributes"}
    outcomes.note_task("a", {"changed": True, "results": [repaired, REGISTERED, RIGHT]}, False)
    outcomes.note_task("b", {"changed": False, "results": [skipped, RIGHT]}, False)
    outcomes.note_task("c", {"changed": True, "failed": True, "results": [failed("tls"), REGISTERED]}, False)
    outcomes.note_task("d", {"changed": False, "skipped": True, "results": [skipped]}, False)
    outcomes.note_task("e", {"changed": True, "failed": True}, False)  # by failed_when
    found = of(outcomes, a="changed", b="", c="", d="", e="changed")
    assert found == {"a": "registered", "b": "up to date", "c": "failed", "d": "ok", "e": "changed"}


def test_what_only_a_look_has_said_is_not_done() -> None:
    outcomes = Outcomes()
    looked = {**fleet(a=REGISTERED, b=RIGHT), "check_mode": True}
    assert outcomes.note_pass(looked) == {"needs a change": 1, "up to date": 1}
    assert of(outcomes) == {"a": "needs a change", "b": "up to date"}
    outcomes.note_pass(fleet(a=REGISTERED))
    assert of(outcomes) == {"a": "registered", "b": "up to date"}


def test_a_look_before_the_batches_settles_nothing() -> None:
    """If the first batch fails, Ansible ends the run; a failure of the look, or a change that it found necessary, is an outcome anyway."""
    outcomes = Outcomes()
    looked = fleet(a=RIGHT, b=RIGHT, c=failed("tls"), d={"changed": True, "reason": "missing"}, e=RIGHT)
    outcomes.note_pass({**looked, "check_mode": True})
    outcomes.note_unreached(list("bcdef"))
    outcomes.note_pass(fleet(a=failed("refused")))
    words = {"a": "failed", "b": "not reached", "c": "failed", "d": "not reached", "e": "not reached"}
    assert of(outcomes, a="failures", e="") == {**words, "f": "not reached"}


def test_hosts_whose_batches_have_not_begun() -> None:
    outcomes = Outcomes()
    outcomes.note_batch("a", "abcd")
    outcomes.note_batch("b")
    outcomes.note_pass({**fleet(c={"changed": True, "reason": "missing"}), "check_mode": True})
    found = {"a": "ok", "b": "failed", "c": "not reached", "d": "not reached"}
    assert of(outcomes, a="", b="failures") == found


def test_a_pass_whose_result_is_hidden_settles_nothing() -> None:
    """With no_log, a gateway could have failed, or the pass could have ended before it."""
    outcomes = Outcomes()
    outcomes.note_pass(fleet(c=failed("tls")))
    outcomes.note_hidden("abc")
    outcomes.note_task("b", {"changed": False, "reason": "up_to_date"}, check_mode=False, is_report=True)
    assert of(outcomes, a="", b="", c="failures") == {"a": "left to a task", "b": "up to date", "c": "failed"}


def test_a_failed_task_for_all_hosts_is_of_all_of_them() -> None:
    """The task is a part of their work, so the result of a look is no outcome; a host that had failed before keeps its outcome."""
    outcomes, error = Outcomes(), failed_outcome(failed("throttled"))
    outcomes.note_pass({**fleet(a=RIGHT, b=RIGHT, c=SILENT), "check_mode": True})
    outcomes.note_broken("a", error)
    outcomes.note_run_failed("a", "abcd", error, settles=True)
    assert of(outcomes, a="failures") == {"a": "failed", "b": "failed", "c": "not answering", "d": "failed"}
    rescued = of(outcomes, a="")
    assert {host: rescued[host] for host in "ab"} == {"a": "up to date", "b": "up to date"}


def test_a_failed_task_for_all_hosts_that_does_nothing_to_them() -> None:
    """If, for example, the report cannot be written, hosts keep their outcomes, and hosts without an outcome have failed."""
    outcomes, error = Outcomes(), Outcome("failed", "Write the report")
    outcomes.note_pass(fleet(a=RIGHT, b=REGISTERED))
    outcomes.note_broken("a", error)
    outcomes.note_run_failed("a", "abc", error, settles=False)
    assert of(outcomes, a="failures", b="") == {"a": "up to date", "b": "registered", "c": "failed"}


def test_a_task_for_all_hosts_is_no_change_of_the_first() -> None:
    outcomes = Outcomes()
    outcomes.note_for_all("a", changed=True)
    outcomes.note_for_all("b", changed=True)
    outcomes.note_devices(devices(c="added"))
    counted = {host: {"ok": ok, "changed": 1} for host, ok in (("a", 1), ("b", 2))}
    assert {host: group.outcome.word for group in outcomes.groups(counted) for host in group.hosts} == {
        "b": "ok",
        "c": "device added",
    }


@pytest.mark.parametrize(
    ("result", "check_mode", "outcome"),
    [
        ({**RIGHT, "changed": True, "device_change": "disabled"}, False, ("device disabled", "")),
        ({**RIGHT, "changed": True, "device_change": "disabled"}, True, ("needs a change", "device would be disabled")),
        ({"changed": True, "reason": "exists", "device_change": "deleted"}, False, ("removed", "device deleted")),
        (
            {"changed": True, "reason": "exists", "device_change": "deleted"},
            True,
            ("needs a change", "exists, device would be deleted"),
        ),
        ({**REGISTERED, "device_change": "reset"}, False, ("registered", "device reset")),
        ({**failed("tls"), "device_change": "reset"}, False, ("failed", "tls, device reset")),
        ({**SILENT, "device_change": "disabled"}, False, ("not answering", "device disabled")),
        ({**SILENT, "device_change": "disabled"}, True, ("not answering", "device would be disabled")),
    ],
)
def test_what_became_of_the_device_is_told_with_the_gateway(
    result: JSON, check_mode: bool, outcome: tuple[str, str]
) -> None:
    outcomes = Outcomes()
    outcomes.note_pass({**fleet(a=result), "check_mode": check_mode})
    [group] = outcomes.groups({})
    assert (group.outcome.word, group.outcome.cause) == outcome


def devices(check_mode: bool = False, refused: JSON = None, **changes: JSON) -> JSON:
    """Return the result of fleet_devices over hosts, each with the change of its device, if any."""
    done = {host: change for host, change in changes.items() if change}
    product = {"product_key": "a1", "hosts": [*changes], "changed": bool(done), "devices": [], "diff": {}}
    return {"products": [product], "device_changes": done, "check_mode": check_mode, "refused": refused or {}}


def test_outcomes_of_devices_alone() -> None:
    outcomes = Outcomes()
    counts = outcomes.note_devices(devices(a="added", b=None, c=None, refused={"c": "the product is full"}))
    assert counts == {"device added": 1, "up to date": 1}
    assert of(outcomes, c="failures") == {"a": "device added", "b": "up to date", "c": "failed"}
    check = Outcomes()
    check.note_devices(devices(check_mode=True, a="added"))
    assert [(each.outcome.word, each.outcome.cause) for each in check.groups({})] == [
        ("needs a change", "device would be added")
    ]


def test_a_list_of_devices_is_no_outcome() -> None:
    listed = devices(a=None)
    del listed["products"][0]["diff"]
    outcomes = Outcomes()
    assert outcomes.note_devices(listed) == {}
    assert outcomes.groups({}) == []


def test_devices_that_were_changed_before_a_run_was_cut_off() -> None:
    """The pass over their gateways, which would have reported the changes, has not run."""
    outcomes = Outcomes()
    outcomes.note_pass({**fleet(a=RIGHT, b=SILENT, c=RIGHT), "check_mode": True})
    outcomes.note_devices(devices(a="disabled", b="disabled", c=None))
    assert {host: (each.outcome.word, each.outcome.cause) for each in outcomes.groups({}) for host in each.hosts} == {
        "a": ("device disabled", ""),
        "b": ("not answering", "device disabled"),
        "c": ("up to date", ""),
    }


@pytest.mark.parametrize(
    ("kind", "code", "playbook"),
    [
        ("refused", 6289, "fleetops.aliyun_iot.recover"),
        ("not_accepted", None, "fleetops.aliyun_iot.recover"),
        ("registration_needed", None, "fleetops.aliyun_iot.provision"),
        ("refused", 6100, "fleetops.aliyun_iot.provision"),
        ("refused", 6204, "enable"),
        ("disabled", None, "enable"),
        ("storage", None, None),
    ],
)
def test_the_playbook_that_helps(kind: str, code: object, playbook: str | None) -> None:
    assert failed_outcome(failed(kind, code)).repair == playbook


@pytest.mark.parametrize("device_change", [None, "reset"])
def test_a_credential_of_another_kind_is_replaced_in_any_case(device_change: str | None) -> None:
    """Recover alone would keep a device token."""
    changed = {**failed("refused", 6289), "reason": "identity_changed", "device_change": device_change}
    assert failed_outcome(changed).repair == "fleetops.aliyun_iot.recover -e gateway_recovery_force=true"
    assert failed_outcome({**changed, "reason": "missing"}).repair == "fleetops.aliyun_iot.recover"
    unknown = {**failed("refused", 6100), "reason": "identity_changed"}
    assert failed_outcome(unknown).repair == "fleetops.aliyun_iot.provision"


@pytest.mark.parametrize(
    ("kind", "code", "first"),
    [
        *(("refused", 6289, "account"), ("refused", 6100, "account"), ("refused", 6204, "by mistake")),
        *(("credential", None, "account"), ("invalid_option", None, "Correct the option"), ("network", None, "")),
    ],
)
def test_a_command_that_needs_something_first_has_advice(kind: str, code: object, first: str) -> None:
    """Typed as it is printed, the command would fail as the run did."""
    outcome = failed_outcome(failed(kind, code))
    assert (first in outcome.first, bool(outcome.first)) == (True, bool(first))
    lines = [line for line, _about in table([Group(outcome, ["gw-1"])], lambda group: "a command")]
    assert lines[2:] == [*(["    " + outcome.first] if first else []), "    a command"]


@pytest.mark.parametrize("kind", ["throttled", "network", "timeout", "refused", "not_restarted"])
def test_no_failure_after_a_reset_leads_to_another_reset(kind: str) -> None:
    after = {**failed(kind, 503 if kind == "throttled" else None), "device_change": "reset"}
    assert failed_outcome(after).repair == "fleetops.aliyun_iot.provision"
    active = {**failed("refused", 6289), "device_change": "reset"}
    assert failed_outcome(active).repair == "fleetops.aliyun_iot.recover"


def test_a_login_after_a_reset_is_repeated_without_another_reset() -> None:
    unproven = failed("not_proven")
    assert failed_outcome(unproven).repair is None
    assert failed_outcome({**unproven, "device_change": "reset"}).repair == "fleetops.aliyun_iot.provision"


def test_a_gateway_that_no_longer_answers_after_a_reset_is_not_reset_again() -> None:
    outcomes = Outcomes()
    outcomes.note_pass(fleet(a={**SILENT, "device_change": "reset"}, b=SILENT))
    found = {host: group.outcome for group in outcomes.groups({}) for host in group.hosts}
    assert (found["a"].word, found["a"].repair) == ("not answering", "fleetops.aliyun_iot.provision")
    assert (found["b"].word, found["b"].repair) == ("not answering", None)


@pytest.mark.parametrize("ended", ["failures", "unreachable"])
def test_a_handler_that_fails_after_a_reset_is_repeated_without_another_reset(ended: str) -> None:
    """The gateway has its new credential, and only the handlers have still to run, which provision does."""
    outcomes = Outcomes()
    outcomes.note_pass(fleet(a={**REGISTERED, "device_change": "reset"}, b=REGISTERED))
    for host in "ab":
        outcomes.note_broken(host, failed_outcome(failed("not_restarted")))
    groups = outcomes.groups(stats(a=ended, b=ended))
    assert {host: (group.outcome.cause, group.outcome.repair) for group in groups for host in group.hosts} == {
        "a": ("not_restarted", "fleetops.aliyun_iot.provision"),
        "b": ("not_restarted", None),
    }


def test_hosts_that_were_refused_together_have_advice_in_place_of_a_command() -> None:
    device = {"product_key": "a1", "device_name": "gw-3"}
    refused = {"error": failed("shared_name")["error"]}
    outcomes = Outcomes()
    outcomes.note_pass(
        fleet(
            a={**failed("shared_name"), **device}, b={**SILENT, **device, **refused}, c=SILENT, d=failed("shared_place")
        )
    )
    groups = outcomes.groups({})
    assert [(group.hosts, bool(group.outcome.advice)) for group in groups] == [
        (["a"], True),
        (["d"], True),
        (["b"], True),
        (["c"], False),
    ]
    lines = [line for line, _about in table(groups, lambda group: group.outcome.advice or "a command")]
    assert lines[1:3] == [
        "failed              1  shared_name: a",
        "    Correct the inventory so that each host has a device of its own, then run again for all of them",
    ]


def test_a_host_that_failed_before_and_shares_its_file_has_advice_in_place_of_a_command() -> None:
    """Ansible leaves it out of the pass that compares it, and alone it would not be refused."""
    outcomes = Outcomes()
    for host in "ab":
        outcomes.note_broken(host, failed_outcome({}, "a task of the user's own"))
    outcomes.note_pass({**fleet(c=failed("shared_place")), "sharing": {"a": "shared_place"}})
    groups = outcomes.groups(stats(a="failures", b="unreachable"))
    assert {host: bool(group.outcome.advice) for group in groups for host in group.hosts} == {
        "a": True,
        "b": False,
        "c": True,
    }


def test_a_host_that_was_not_reached_and_shares_its_device_has_advice_in_place_of_a_command() -> None:
    """Its batch would refuse it, beside the other one. Alone it would not be refused."""
    outcomes = Outcomes()
    named = {"device_name": "gw-3", "error": "2 hosts"}
    alone = {"device_name": "gw-4", "error": None}
    outcomes.note_names({"a": named, "b": named, "c": alone, "d": alone})
    outcomes.note_batch(["a"], "abcd")
    outcomes.note_unreached("bd")
    groups = outcomes.groups({})
    found = {host: (group.outcome.word, bool(group.outcome.advice)) for group in groups for host in group.hosts}
    assert found == {host: ("not reached", host == "b") for host in "bcd"}


def test_a_table_names_a_few_hosts_and_the_next_command() -> None:
    hosts = [f"gw-{number}" for number in range(8)]
    groups = [Group(Outcome("registered"), ["ok-1"]), Group(Outcome("failed", "tls"), hosts)]
    lines = [line for line, _about in table(groups, lambda group: "repair it" if group.outcome.cause else "")]
    assert lines == [
        "OUTCOME      HOSTS  CAUSE: NAMES",
        "registered       1",
        "failed           8  tls: gw-0, gw-1, gw-2, gw-3, gw-4 and 3 more",
        "    repair it",
    ]


def test_counts_on_one_line() -> None:
    assert counted({"failed": 1}) == "1 gateway: 1 failed"
    assert counted({"failed": 1, "registered": 3}) == "4 gateways: 3 registered, 1 failed"
    assert counted({"device added": 2, "device reset": 1}) == "3 gateways: 2 devices added, 1 device reset"


def test_few_hosts_are_named_and_many_are_in_a_file(tmp_path: Path) -> None:
    folder, hosts = tmp_path / "new" / "limits", [f"gw-{number}" for number in range(30)]
    assert limit_of(hosts[:5], str(folder), "provision") == "gw-0,gw-1,gw-2,gw-3,gw-4"
    assert not folder.exists()
    named = limit_of(hosts[:6], str(folder), "provision")
    assert named.startswith(f"@{folder}/provision-")
    assert Path(named[1:]).read_text().split() == hosts[:6]
    assert limit_of(hosts[1:7], str(folder), "provision") != named, "an older command keeps its hosts"
    assert [path.stat().st_mode & 0o777 for path in (folder, Path(named[1:]))] == [0o700, 0o600]
    for number in range(6, 31):
        newest = limit_of(hosts[:number], str(folder), "provision")
        os.utime(newest[1:], (number, number))
    assert len(list(folder.iterdir())) == 20
    assert Path(newest[1:]).exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    """Files with similar names and directories are not removed either."""
    theirs = [
        tmp_path / f"{name}.hosts" for name in ("site", "site-20260101", "-01234567", "a-b", *map(str, range(25)))
    ]
    for path in theirs:
        path.write_text("gw-1\n")
        os.utime(path, (0, 0))
    (tmp_path / "folder-01234567.hosts").mkdir()
    named = {limit_of([f"gw-{number}" for number in range(most)], str(tmp_path), "provision") for most in range(6, 30)}
    ours = {path for path in tmp_path.glob("provision-*") if f"@{path}" in named}
    assert len(ours) == 20
    assert {*tmp_path.iterdir()} == {*theirs, *ours, tmp_path / "folder-01234567.hosts"}


def test_names_that_utf_8_cannot_represent_are_in_no_file(tmp_path: Path) -> None:
    hosts = [os.fsdecode(b"gw-\xe4%d" % number) for number in range(9)]
    assert limit_of(hosts, str(tmp_path), "provision") == ",".join(hosts)
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_for_the_file_all_hosts_are_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    hosts = [f"gw-{number}" for number in range(9)]
    assert limit_of(hosts, str(tmp_path / "taken"), "provision") == ",".join(hosts)
