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
    playbook_command,
    same_tasks,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import registered_pass
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_files import ReportFiles
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_gate import check_rows
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import (
    Row,
    compose_report,
    rows_of_findings,
    rows_of_pass,
)


class ActionModule(ControllerAction):
    """Write one report."""

    _spec = staticmethod(run_report_spec)
    _of_playbooks: t.ClassVar[t.Mapping[str, str]] = {"dest": "gateway_report_to"}

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        files = ReportFiles.at(options["dest"])
        playbooks = context.CLIARGS.get("args") or ()
        report = compose_report(self._run(playbooks), self._rows(options, playbooks), files.earlier())
        if not self._task.check_mode:
            files.write(report)
        return {"changed": True, "path": str(files.page), "counts": report["counts"]}

    def _rows(self, options: t.Mapping[str, t.Any], playbooks: t.Sequence[str]) -> list[Row]:
        if options["findings"] is not None:
            rows = rows_of_findings(options["findings"])
            check_rows("findings", rows)
            return rows
        fleet = registered_pass(options["variable"], self._variables)
        rows = rows_of_pass(fleet, self._variables["ansible_play_batch"], playbook_command(), same_tasks(playbooks))
        check_rows("variable", rows)
        if options["looked_only"]:
            rows = [dict(row, outcome="left") if row["outcome"] == "changed" else row for row in rows]
        return rows

    def _run(self, playbooks: t.Sequence[str]) -> dict[str, str]:
        identity, age = _process(os.getppid())
        names = [os.path.basename(playbook).removesuffix(".yml").rpartition(".")[2] for playbook in playbooks]
        return {
            "id": identity,
            "playbook": ", ".join(names),
            "mode": "check mode, nothing was changed" if context.CLIARGS.get("check") else "",
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
