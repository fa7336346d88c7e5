# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The output of a run over a fleet: its progress, its failures, and a table of the outcomes at the end."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_progress
type: stdout
short_description: Shows the progress of a run over a fleet, its failures, and the next commands
version_added: 1.0.0
description:
  - On a terminal, it shows a pass over the fleet as a live view with a progress bar, the number of gateways by outcome, the rate, the time
    left, and the last failures. Elsewhere, and for other long tasks, it prints a line every few seconds.
  - A failure of a gateway is one block of lines. A success prints nothing, unless Ansible runs with C(-v), or the task always prints, such
    as M(ansible.builtin.debug). Warnings, diffs, and failures of other tasks are shown as usual.
  - The run ends with a table of the hosts by outcome and cause, with the next command to type for each of them. Hosts that have the same
    device or file as another host get advice instead, since a command for one of them alone would not be refused.
  - It works for any playbook.
requirements:
  - set as stdout in the configuration (C(ANSIBLE_STDOUT_CALLBACK=fleetops.aliyun_iot.fleet_progress))
  - the Python package rich, on the controller, for the live view
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  interval:
    description: Seconds between two lines of progress, more than 0.
    type: float
    default: 5
    env:
      - name: FLEET_PROGRESS_INTERVAL
    ini:
      - section: callback_fleet_progress
        key: interval
  limit_path:
    description:
      - A directory for the files that the commands at the end give to C(--limit) where a group has more than five hosts. It is created if
        it does not exist. The newest 20 of these files are kept.
    type: path
    default: ~/.ansible/fleet_progress
    env:
      - name: FLEET_PROGRESS_LIMIT_PATH
    ini:
      - section: callback_fleet_progress
        key: limit_path
author:
  - fleetops contributors (@fleetops)
"""

import atexit
import math
import os
import sys
import time
import typing as t
from functools import partial

from ansible import constants, context
from ansible.errors import AnsibleOptionsError
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

from ansible_collections.fleetops.aliyun_iot.plugins.lookup.fleet_hosts import NO_HOST
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _live
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import (
    AUDIT,
    lacks_of_plays,
    left_out,
    limited,
    note_written,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._limit_file import limit_of
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._outcomes import (
    Group,
    Outcome,
    Outcomes,
    failed_outcome,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._progress import (
    BROKEN,
    UNFINISHED,
    Failure,
    failure_of,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._summary import block, counted, table
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._watcher import Watcher

C: t.Any = constants
_OURS = "fleetops.aliyun_iot."
# Actions whose result reports the outcome for the gateway's credential.
_OF_ONE_GATEWAY = ("fleet_report", "gateway_credential", "gateway_recovery")
# Actions that write about the gateways, and do nothing to them, each with the variable that names the file.
_REPORTS = {
    "audit_report": "audit_report",
    "report_merge": "gateway_report_to",
    "run_report": "gateway_report_to",
}
# Characters of a message or a hint in a block.
_LENGTH = 2000
_TITLE = 100

Result = t.Any  # ansible-core's class, which is another one from 2.19 on


class CallbackModule(DefaultCallback):
    """The default callback, without the output of hosts that are up to date."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "fleetops.aliyun_iot.fleet_progress"

    def __init__(self) -> None:
        super().__init__()
        self._outcomes = Outcomes()
        self._failures: dict[str, Failure] = {}
        self._watcher: Watcher | None = None
        self._began = time.monotonic()
        self._reports: list[str] = []
        self._written: set[str] = set()
        self._playbook = ""
        self._play: t.Any = None
        # The hosts of all batches of the play, and of the present one.
        self._every: list[str] = []
        self._batch: list[str] = []
        self._has_pass = False

    def set_options(self, *args: t.Any, **keywords: t.Any) -> None:
        super().set_options(*args, **keywords)
        interval = self.get_option("interval")
        if not 0 < interval < math.inf:
            hint = "Correct FLEET_PROGRESS_INTERVAL, or interval in the configuration of Ansible"
            raise AnsibleOptionsError(str(InvalidOption("interval", interval, "is no number of seconds above 0", hint)))

    # Begin

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        super().v2_playbook_on_start(playbook)
        # Of several playbooks, Ansible starts each one, and ends it with the statistics.
        self._playbook = os.path.basename(str(playbook._file_name)).removesuffix(".yml")
        view = None
        if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            if _live.is_available():
                view = partial(_live.LiveView, file=_live.terminal())
            else:
                self._say(
                    "The live view needs the Python package rich, which is not installed: progress is lines.",
                    C.COLOR_WARN,
                )
        self._watcher = Watcher(self._say, self.get_option("interval"), view)
        # An interrupted run ends without statistics.
        atexit.register(self._watcher.close)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._end_task()
        if self._display.verbosity:
            super().v2_playbook_on_play_start(play)
        inventory = play.get_variable_manager()._inventory
        self._batch = [host.name for host in inventory.get_hosts(play.hosts)]
        if self._play is None or play._uuid != self._play._uuid:  # the first batch
            self._every = [host.name for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)]
            self._has_pass = False
            self._outcomes.note_batch(self._batch, self._every)
        else:
            self._outcomes.note_batch(self._batch)
        self._play = play

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if self._play is None or self._play.hosts != [NO_HOST]:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)

    def _task_start(self, task: t.Any, prefix: str | None = None) -> None:
        """Begin a task without its banner, which is printed before the first output of the task."""
        self._task_type_cache[task._uuid] = prefix or "TASK"
        self._last_task_name = task.get_name().strip()
        if self._watcher:
            self._watcher.begin(task._uuid, clean(self._last_task_name, _TITLE))

    # Results

    def v2_runner_on_ok(self, result: Result) -> None:
        content, action = result._result, self._ended_on_a_host(result)
        self._note_file(action)
        if result._task.resolved_action == "ansible.builtin.set_fact":  # by decommission; no facts of a gateway
            self._outcomes.note_names(content.get("ansible_facts", {}).get("fleetops_names") or {})
        if action and result._task.run_once is True:
            self._outcomes.note_for_all(_host(result), bool(content.get("changed")))
        if action == "fleet_credentials" and "hosts" in content:
            self._end_pass(content)
        elif action == "fleet_credentials" and "censored" in content:
            self._outcomes.note_hidden(self._batch)
        elif action == "fleet_devices" and "products" in content:
            if not content["check_mode"] or context.CLIARGS.get("check"):  # a look before the change is no outcome
                self._show_counts(self._outcomes.note_devices(content))
        elif action in _OF_ONE_GATEWAY:
            self._note_task(result, action)
        elif action == "run_report" and content.get("path"):
            self._reports = [*(path for path in self._reports if path != content["path"]), content["path"]]
        if self._is_quiet(result):
            self._show_warnings(result)
        else:
            super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result: Result, ignore_errors: bool = False) -> None:
        action, host = self._ended_on_a_host(result), _host(result)
        self._note_file(action)
        outcome = failed_outcome(result._result, result._task.get_name())
        is_of_run = result._task.run_once is True and action not in _OF_ONE_GATEWAY
        if action in _OF_ONE_GATEWAY:
            self._note_task(result, action)
        if not ignore_errors:
            self._outcomes.note_broken(host, outcome)
            if is_of_run:
                if settles := bool(action) and action not in _REPORTS:
                    self._begin_pass(self._batch)
                self._outcomes.note_run_failed(host, self._batch, outcome, settles)
        if not action or self._display.verbosity or "results" in result._result:
            super().v2_runner_on_failed(result, ignore_errors)
        else:
            everyone = len(self._batch) if is_of_run and action not in _REPORTS else 1
            self._show_block("failed", result, ignore_errors, action, everyone)

    def v2_runner_on_unreachable(self, result: Result) -> None:
        action = self._ended_on_a_host(result)
        ignored = bool(result._task.ignore_unreachable)
        if action in _OF_ONE_GATEWAY:
            self._note_task(result, action)
        if not ignored:
            self._outcomes.note_broken(_host(result), Outcome("not answering"))
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)
        else:
            self._show_block("not answering", result, ignored, action)

    def v2_runner_on_skipped(self, result: Result) -> None:
        self._ended_on_a_host(result)
        self._show_unless_quiet(result, super().v2_runner_on_skipped)

    def v2_runner_item_on_ok(self, result: Result) -> None:
        self._show_unless_quiet(result, super().v2_runner_item_on_ok)

    def v2_runner_item_on_skipped(self, result: Result) -> None:
        self._show_unless_quiet(result, super().v2_runner_item_on_skipped)

    def _ended_on_a_host(self, result: Result) -> str:
        """Count the host; return the name of the action if it is one of the collection's."""
        if self._watcher:
            self._watcher.count()
        task = result._task
        action = str(task.resolved_action or task.action)
        if action == _OURS + "fleet_credentials":
            self._end_task()
        return action[len(_OURS) :] if action.startswith(_OURS) else ""

    def _note_file(self, action: str) -> None:
        """Record that a task writes a file, so that no command writes over it."""
        if action in _REPORTS:
            self._written.add(_REPORTS[action])

    def _note_task(self, result: Result, action: str) -> None:
        if "censored" not in result._result:  # with no_log, nothing but changed is known
            check_mode = result._task.check_mode is True
            self._outcomes.note_task(_host(result), result._result, check_mode, is_report=action == "fleet_report")

    def _end_task(self) -> None:
        if self._watcher:
            self._watcher.finish()

    def _begin_pass(self, hosts: t.Collection[str]) -> None:
        """Record the hosts of this play that its first pass leaves to later batches.

        :param hosts: those of the present batch, if the pass processes it
        """
        if not self._has_pass:
            reached = set(hosts)
            self._outcomes.note_unreached(host for host in self._every if host not in reached)
        self._has_pass = True

    def _end_pass(self, fleet: dict[str, t.Any]) -> None:
        self._begin_pass(() if fleet["ended"] else self._batch)
        self._show_counts(self._outcomes.note_pass(fleet))
        for host, result in fleet["gateways"].items():
            if result.get("failed") or result.get("unreachable"):
                self._failures[host] = failure_of(host, result, _LENGTH)

    def _show_counts(self, counts: dict[str, int]) -> None:
        if counts:
            self._say(counted(counts))

    def _is_quiet(self, result: Result) -> bool:
        """Return whether a result that is no failure is not shown."""
        if self._display.verbosity or self._run_is_verbose(result):
            return False
        content = result._result
        return not (context.CLIARGS.get("diff") and content.get("changed") and content.get("diff"))

    def _show_unless_quiet(self, result: Result, show: t.Callable[[Result], None]) -> None:
        if self._is_quiet(result):
            self._show_warnings(result)
        else:
            show(result)

    def _show_warnings(self, result: Result) -> None:
        """Show the warnings of a result that is not shown itself; since ansible-core 2.19 they are no part of it."""
        if handle := getattr(self, "_handle_warnings_and_exception", None):
            handle(result)
        else:
            self._handle_warnings(result._result)

    def _show_block(self, word: str, result: Result, ignored: bool, action: str, everyone: int = 1) -> None:
        self._show_warnings(result)
        host = "all %d hosts" % everyone if everyone > 1 else _host(result)
        # What a pass says of a host is reported by that task alone, in short; any other one has an error of its own.
        reported = self._failures.pop(host, None) if action == "fleet_report" else None
        failure = reported or failure_of(host, result._result, _LENGTH)
        self._show_failure(word, failure, ignored)

    def _show_failure(self, word: str, failure: Failure, ignored: bool = False) -> None:
        for line in block(word, failure, ignored):
            self._display.display(line, color=C.COLOR_ERROR, stderr=self.get_option("display_failed_stderr"))

    # End

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        if self._watcher:
            self._watcher.close()
        if self._display.verbosity or (stats.custom and self.get_option("show_custom_stats")):
            super().v2_playbook_on_stats(stats)
        counted_tasks = {host: stats.summarize(host) for host in sorted(stats.processed)}
        groups = self._outcomes.groups(counted_tasks)
        for variable in self._written:
            note_written(variable)
        if self._playbook != AUDIT:
            self._show_unreported(groups)
        if groups:
            self._say("")
            for line, about in table(groups, self._next_step):
                self._say(line, _color(about) if about else None)
            self._show_left_out(groups)
        for path in self._reports:
            self._say("The report is in %s" % path)
        hosts = sum(len(group.hosts) for group in groups)
        mode = ", in check mode: nothing was changed" if context.CLIARGS.get("check") else ""
        noun = "host" if hosts == 1 else "hosts"
        self._say("%d %s in %d s%s" % (hosts, noun, round(time.monotonic() - self._began), mode))

    def _show_unreported(self, groups: t.Sequence[Group]) -> None:
        """Show the failures of a pass that no task of their hosts has reported, since the run ended before."""
        for group in groups:
            for host in group.hosts:
                if group.outcome.word in BROKEN and host in self._failures:
                    self._show_failure(group.outcome.word, self._failures.pop(host))

    def _show_left_out(self, groups: t.Sequence[Group]) -> None:
        """Name the options and variables that the commands of the table need from whoever types them."""
        options, having = left_out(), [group for group in groups if self._has_command(group)]
        if (lacks := lacks_of_plays()) and any(group.outcome.repair for group in having):
            self._say(lacks)
        if options and having:
            self._say(
                "These commands do not have all options of this run. Add those that are needed: %s" % ", ".join(options)
            )

    def _next_step(self, group: Group) -> str:
        """Return the command for a group that is not as it should be, or the advice if no command may process a host of it alone."""
        if not self._has_command(group):
            return group.outcome.advice
        hosts = limit_of(group.hosts, str(self.get_option("limit_path")), self._playbook)
        # An audit changes nothing, and shows its findings and the commands that repair them itself.
        repair = None if self._playbook == AUDIT else group.outcome.repair
        return limited(hosts, repair, as_now=group.outcome.word in BROKEN)

    def _has_command(self, group: Group) -> bool:
        words = BROKEN if self._playbook == AUDIT else (*BROKEN, *UNFINISHED)
        return group.outcome.word in words and not group.outcome.advice

    def _say(self, text: str, color: str | None = None) -> None:
        self._display.display(text, color=color)


def _host(result: Result) -> str:
    return str(result._host.get_name())


def _color(outcome: Outcome) -> str:
    if outcome.word in BROKEN:
        return str(C.COLOR_ERROR)
    return str(C.COLOR_WARN if outcome.word in UNFINISHED else C.COLOR_OK)
