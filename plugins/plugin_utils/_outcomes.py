# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of every host of a run, from the results of passes and of tasks. PRIVATE to the collection.

Knows no Ansible: results are dictionaries, and the statistics of the run are numbers by host.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._claims import advice_for
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import (
    is_of_device_alone,
    shown,
    with_change,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import (
    BROKEN,
    FINE,
    LENGTH,
    UNFINISHED,
    word_of,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._repairs import repair_of

# For hosts without a result of this collection.
PLAIN = ("changed", "ok")
NOT_REACHED = "not reached"
ORDER = (*FINE, *PLAIN, *UNFINISHED, *BROKEN)
AFTER_RESET = repair_of("not_restarted", None, "reset").name

Result = t.Mapping[str, t.Any]
# By host, how many of its tasks ended in which way.
Stats = t.Mapping[str, t.Mapping[str, int]]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a host: a word, its cause, and the repair if running the same playbook again does not help.

    ``advice`` is what to do in place of a command, ``first`` what to do before it.
    """

    word: str
    cause: str = ""
    repair: str | None = None
    advice: str = ""
    first: str = ""


@dataclass
class Group:
    """Hosts with the same outcome, in the order in which the run reported them."""

    outcome: Outcome
    hosts: list[str] = field(default_factory=list)


def outcome_of_result(result: Result, check_mode: bool) -> Outcome:
    """Return the outcome of a result of gateway_credential, as it is or as a pass has it."""
    word, alone = word_of(result, check_mode), is_of_device_alone(result)
    outcome = failed_outcome(result) if word == "failed" else Outcome(word)
    if word == "not answering":  # with an error if another host has its device or its file
        after = failed_outcome(result)
        outcome = replace(outcome, repair=after.repair, advice=after.advice)
    if word == "needs a change" and not alone:
        outcome = replace(outcome, cause=clean(str(result.get("reason") or ""), LENGTH))
    device = shown(result.get("device_change"), check_mode)
    if not device or (alone and word not in ("needs a change", *BROKEN)):
        return outcome
    return _with_device(outcome, device)


def _with_device(outcome: Outcome, change: str | None) -> Outcome:
    return replace(outcome, cause=", ".join(filter(None, [outcome.cause, "device %s" % change])))


def failed_outcome(result: Result, task: str = "") -> Outcome:
    """Return the outcome of a failed result: its cause is the kind of the error and the platform's code.

    :param task: the name of the task, which is the cause if the result has no error of this collection
    """
    error = result.get("error")
    if not isinstance(error, dict) or not error.get("kind"):
        return Outcome("failed", clean(task, LENGTH), repair_of(None, None, result.get("device_change")).name)
    kind, code = str(error["kind"]), error.get("code")
    cause = kind if code is None else "%s, code %s" % (kind, code)
    repair = repair_of(kind, None if code is None else str(code), result.get("device_change"), result.get("reason"))
    return Outcome("failed", clean(cause, LENGTH), repair.name, advice_for(kind), repair.first)


def _deciding(result: Result) -> Result | None:
    """Return the item of a loop that decides on the outcome: one that failed, or else one that did most; None if all were skipped."""
    items = [item for item in result.get("results", [result]) if not item.get("skipped")]
    return max(
        items,
        key=lambda item: [bool(item.get(name)) for name in ("error", "unreachable", "registered", "changed")],
        default=None,
    )


class Outcomes:
    """The outcomes of a run so far, the last one of each host."""

    def __init__(self) -> None:
        self._settled: dict[str, Outcome] = {}
        self._broken: dict[str, Outcome] = {}
        # Hosts whose devices were reset, and which have their new credentials.
        self._renewed: set[str] = set()
        # Hosts that share their devices or files with others, as far as it is known without a pass over them, each with the kind of error.
        self._sharing: dict[str, str] = {}
        # Hosts whose batches have not begun.
        self._waiting: dict[str, None] = {}
        # By host, a failed task for all hosts: see note_run_failed().
        self._of_run: dict[str, tuple[str, Outcome, bool]] = {}
        # By host, the tasks for all hosts that Ansible counts for it, and how many of them changed something.
        self._for_all: Counter[str] = Counter()
        self._changed_for_all: Counter[str] = Counter()

    def note_batch(self, batch: t.Iterable[str], every: t.Iterable[str] = ()) -> None:
        """Record that a batch begins.

        :param every: with the first batch of a play, the hosts of all batches
        """
        self._waiting.update(dict.fromkeys(every))
        for host in batch:
            self._waiting.pop(host, None)

    def note_unreached(self, hosts: t.Iterable[str]) -> None:
        """Record hosts that a pass has still to process: an earlier look at them, which only read, has settled nothing."""
        for host in hosts:
            if self._is_open(host):
                self._settled[host] = self._not_reached(host)

    def note_names(self, names: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """Record the result of the filter device_names: no command may process a host alone that shares its device."""
        self._sharing.update((host, "shared_name") for host, named in names.items() if named["error"])

    def _not_reached(self, host: str) -> Outcome:
        return Outcome(NOT_REACHED, advice=advice_for(self._sharing.get(host)))

    def _is_open(self, host: str) -> bool:
        """Return whether a host has no outcome, one that needs no action, or that of a look before its batch."""
        return host not in self._settled or self._settled[host].word in (*FINE, "needs a change")

    def note_hidden(self, hosts: t.Iterable[str]) -> None:
        """Record hosts of a pass whose result is hidden by the keyword no_log; a task of the host may report it."""
        for host in hosts:
            if self._is_open(host):
                self._settled[host] = Outcome("left to a task", "no_log hides the result of the pass")

    def note_pass(self, result: Result) -> dict[str, int]:
        """Record the result of fleet_credentials; return the number of its hosts by word, empty if they were recorded before."""
        counts: dict[str, int] = {}
        self._sharing.update(result.get("sharing", {}))
        before = dict(self._settled)
        gateways, check_mode = {**result.get("right", {}), **result["gateways"]}, bool(result["check_mode"])
        for host in result["hosts"]:
            if host in result["left"]:
                outcome = Outcome("left to a task")
            elif host in gateways:
                outcome = outcome_of_result(gateways[host], check_mode)
                if gateways[host].get("device_change") == "reset" and outcome.word in FINE:
                    self._renewed.add(host)
            else:
                outcome = Outcome("up to date")
            self._settled[host] = outcome
            counts[outcome.word] = counts.get(outcome.word, 0) + 1
        return {} if self._settled == before else counts

    def note_devices(self, result: Result) -> dict[str, int]:
        """Record the result of fleet_devices; return the number of its hosts by word, empty if no device was changed."""
        counts: dict[str, int] = {}
        for product in result["products"]:
            for host in product["hosts"] if "diff" in product else ():  # a list is about nothing that is done
                change = result["device_changes"].get(host)
                if host in result["refused"] or (not change and host in self._settled):
                    continue
                reported = with_change({"changed": False, "reason": "up_to_date"}, change)
                outcome, before = outcome_of_result(reported, bool(result["check_mode"])), self._settled.get(host)
                if before and before.word in BROKEN:
                    outcome = _with_device(before, shown(change, bool(result["check_mode"])))
                self._settled[host] = outcome
                counts[outcome.word] = counts.get(outcome.word, 0) + 1
        return counts if result["device_changes"] else {}

    def note_task(self, host: str, result: Result, check_mode: bool, is_report: bool = False) -> None:
        """Record the result of a task of this collection for one gateway, unless a pass or an earlier task has reported it.

        A failure, also one that the playbook ignores, is recorded in any case, and replaced by the result of a later task.

        :param result: that of the task; of a loop, it has those of the items as ``results``
        :param is_report: whether the task repeats what a pass has reported
        """
        deciding = _deciding(result)
        if not deciding:
            return
        if deciding.get("error"):  # the keyword failed_when changes no other field than failed
            deciding = dict(deciding, failed=True)
        elif deciding.get("failed"):  # a failure that is not the gateway's
            return
        outcome, before = outcome_of_result(deciding, check_mode), self._settled.get(host, Outcome("left to a task"))
        if before.word == "left to a task" or (not is_report and {before.word, outcome.word} & {*BROKEN}):
            self._settled[host] = outcome

    def note_broken(self, host: str, outcome: Outcome) -> None:
        """Record that a task failed or its host did not answer; the statistics show whether it was rescued."""
        self._broken[host] = outcome

    def note_for_all(self, host: str, changed: bool) -> None:
        """Record that a task for all hosts ended well, which Ansible counts for the first one of them."""
        self._for_all[host] += 1
        self._changed_for_all[host] += changed

    def note_run_failed(self, host: str, batch: t.Iterable[str], outcome: Outcome, settles: bool) -> None:
        """Record that a task for all hosts failed, after which Ansible does nothing more on any of them.

        :param host: the first one of them, for which Ansible counts it
        :param outcome: of each host that has no other
        :param settles: whether the task was a part of the work on the gateways, so that an outcome so far, such as of a look, is none
        """
        for each in (host, *batch):
            self._of_run[each] = (host, outcome, settles)

    def groups(self, stats: Stats) -> list[Group]:
        """Return the hosts by outcome, the worst last.

        :param stats: how many tasks of each host were ``failures``, ``unreachable`` and ``changed``; a failure that was rescued is none
        """
        groups: dict[Outcome, Group] = {}
        for host in {**self._settled, **self._of_run, **stats, **self._waiting}:
            if self._is_known(host, stats):
                outcome = self._final(host, stats)
                groups.setdefault(outcome, Group(outcome)).hosts.append(host)
        return sorted(groups.values(), key=lambda group: (ORDER.index(group.outcome.word), group.outcome.cause))

    def _is_known(self, host: str, stats: Stats) -> bool:
        """Return whether there is anything about a host, beside tasks for all hosts that Ansible has counted for it."""
        counted = stats.get(host, {})
        return (
            host not in self._for_all
            or any(host in noted for noted in (self._settled, self._of_run, self._waiting))
            or bool(counted.get("failures") or counted.get("unreachable"))
            or counted.get("ok", 0) > self._for_all[host]
        )

    def _final(self, host: str, stats: Stats) -> Outcome:
        settled, counted = self._settled.get(host), stats.get(host, {})
        if settled and settled.word in BROKEN:
            return settled
        first, of_run, settles = self._of_run.get(host, ("", Outcome("ok"), False))
        if stats.get(first, {}).get("failures"):  # which was not rescued
            if settles or not settled:
                return of_run
            if host != first or (counted["failures"] == 1 and not counted.get("unreachable")):
                return settled
        if counted.get("failures") or counted.get("unreachable"):
            broken = self._broken.get(host, Outcome("failed" if counted.get("failures") else "not answering"))
            # Only the handlers have still to run. reprovision would reset the device again.
            broken = replace(broken, advice=broken.advice or advice_for(self._sharing.get(host)))
            return replace(broken, repair=AFTER_RESET) if host in self._renewed else broken
        if host in self._waiting and self._is_open(host):
            return self._not_reached(host)
        changed = counted.get("changed", 0) > self._changed_for_all[host]
        return settled or Outcome("changed" if changed else "ok")
