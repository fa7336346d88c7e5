# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""run_report: write the report of a run, on the controller, in this process. The options are documented in the module."""

from __future__ import annotations

import getpass
import os
import socket
import time
import typing as t

from ansible import context
from ansible.release import __version__

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import run_report_spec
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import (
    AUDIT,
    note_report,
    playbook_command,
    rebuilt,
    same_tasks,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import registered_pass
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_files import ReportFiles
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_gate import checked_rows
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import (
    Row,
    compose_report,
    rows_of_findings,
    rows_of_pass,
)

NO_RESULT = "no result: the run ended before or during its batch"


class ActionModule(ControllerAction):
    """Write one report."""

    _spec = staticmethod(run_report_spec)
    _of_playbooks: t.ClassVar[t.Mapping[str, str]] = {"dest": "gateway_report_to"}

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        note_report(self._variables)
        files = ReportFiles.at(options["dest"])
        playbooks = context.CLIARGS.get("args") or ()
        rows = self._rows(options, playbooks)
        report = compose_report(self._run(playbooks, self._is_of_check_mode(options)), rows, files.earlier())
        if not self._task.check_mode:
            files.write(report)
        return {"changed": True, "path": str(files.page), "counts": report["counts"]}

    def _rows(self, options: t.Mapping[str, t.Any], playbooks: t.Sequence[str]) -> list[Row]:
        if options["findings"] is not None:
            rows = checked_rows("findings", rows_of_findings(options["findings"]))
            groups = self._variables["groups"]
            return [dict(row, command=rebuilt(row, AUDIT, groups, may_name=True)) for row in rows]
        fleet = registered_pass(options["variable"], self._variables)
        rows = rows_of_pass(fleet, self._variables["ansible_play_batch"], playbook_command(), same_tasks(playbooks))
        rows = checked_rows("variable", rows)
        if options["looked_only"]:
            # The batch replaces these rows, unless the run ends before, also by Ctrl-C while the gateways are changed.
            open_rows = {"outcome": "left", "message": NO_RESULT}
            rows = [{**row, **open_rows} if row["outcome"] == "changed" else row for row in rows]
        return rows

    def _is_of_check_mode(self, options: t.Mapping[str, t.Any]) -> bool:
        """Return whether the run changes nothing. A look before the batches, and that of an audit, is in check mode in every run."""
        if options["looked_only"] or options["findings"] is not None:
            return bool(context.CLIARGS.get("check"))
        return bool(self._variables[options["variable"]]["check_mode"])

    def _run(self, playbooks: t.Sequence[str], check_mode: bool) -> dict[str, str]:
        identity, age = _process(os.getppid())
        names = [os.path.basename(playbook).removesuffix(".yml").rpartition(".")[2] for playbook in playbooks]
        return {
            "id": identity,
            "playbook": ", ".join(names),
            "mode": "check mode, nothing was changed" if check_mode else "",
            "begun": _date(time.time() - age),
            "ended": _date(time.time()),
            "user": _user(),
            "controller": socket.gethostname(),
            "ansible_core": __version__,
        }


def _user() -> str:
    """Return the name of the user, or the number of one without a name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "uid %d" % os.getuid()


def _process(number: int) -> tuple[str, float]:
    """Return a unique ID of a process and its age in seconds, if /proc has them; the process is the one that began the run."""
    try:
        with open("/proc/%d/stat" % number, encoding="utf-8") as file:
            start = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="utf-8") as file:
            uptime = float(file.read().split()[0])
    except (OSError, IndexError, ValueError):
        return str(number), 0.0
    return "%d/%d" % (number, start), uptime - start / os.sysconf("SC_CLK_TCK")


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
