# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""audit_report: write findings into a file on the controller, in this process. The options are documented in the module."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import audit_report_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import message
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report_file import checked_destination, write_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import OF_AUDIT


class ActionModule(ControllerAction):
    """Write one report."""

    _spec = staticmethod(audit_report_spec)
    _of_playbooks: t.ClassVar[t.Mapping[str, str]] = {"dest": "audit_report"}

    def _perform(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        path = checked_destination(options["dest"])
        try:
            text = json.dumps(_printable(options["findings"]), indent=4, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError):
            raise InvalidOption(
                "findings", None, "hold a value or a key that JSON does not have, such as a date", OF_AUDIT
            ) from None
        if not self._task.check_mode:
            write_report(path, text + "\n")
        return {"changed": True, "path": str(path)}


def _printable(value: t.Any) -> t.Any:
    """Return a finding with each text as one printable line: whoever reads the JSON may show it on a terminal."""
    if isinstance(value, str):
        return message(value, 4 * len(value) + 1)  # without a cut
    if isinstance(value, list):
        return [_printable(each) for each in value]
    return {name: _printable(each) for name, each in value.items()} if isinstance(value, dict) else value
