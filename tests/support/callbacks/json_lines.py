# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the result of every task on every host, and the statistics of the run, as lines of JSON to the file $RESULTS_FILE."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.executor.stats import AggregateStats
from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.playbook.handler import Handler
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: json_lines
type: notification
short_description: Writes lines of JSON
description: One line for each task on each host, then one for the end.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "json_lines"

    def __init__(self) -> None:
        super().__init__()
        self._file = open(os.environ["RESULTS_FILE"], "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._task("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._task("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._task("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._task("unreachable", result)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        self._write({"stats": {host: stats.summarize(host) for host in sorted(stats.processed)}})

    def _task(self, status: str, result: Any) -> None:
        task = result._task
        told = {"task": task.get_name(), "action": task.action, "handler": isinstance(task, Handler), "status": status}
        self._write({"host": result._host.get_name(), **told, "result": result._result})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, cls=AnsibleJSONEncoder) + "\n")
        self._file.flush()
