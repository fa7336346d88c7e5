# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""report_merge: make one report of those of slices, on the controller, in this process. The options are documented in the module."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import report_merge_spec
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import note_report, rebuilt
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_files import ReportFiles
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_merge import merge_reports, report_names
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import as_json, compose_report


class ActionModule(ControllerAction):
    """Merge reports."""

    _spec = staticmethod(report_merge_spec)
    _of_playbooks: t.ClassVar[t.Mapping[str, str]] = {"reports": "gateway_report_from", "dest": "gateway_report_to"}

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        note_report(self._variables)
        files = ReportFiles.at(options["dest"])
        names = report_names(options["reports"], files.kept)
        groups = self._variables["groups"]
        run, rows = merge_reports(names, lambda row, playbook: rebuilt(row, playbook, groups))
        earlier = files.earlier()
        report = compose_report(run, rows, earlier)
        changed = not all(file.exists() for file in files) or _content(files.kept) != as_json(report).encode()
        if changed and not self._task.check_mode:
            files.write(report)
        return {"changed": changed, "path": str(files.page), "counts": report["counts"], "slices": len(names)}


def _content(file: Path) -> bytes | None:
    """Return what is in a file, None if it cannot be read: it is replaced then, as one that holds no report."""
    try:
        return file.read_bytes()
    except OSError:
        return None
