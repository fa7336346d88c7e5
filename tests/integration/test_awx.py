# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflow of AWX's sample configuration, as AWX runs it: its templates in order, with one job for each slice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from account import KEY
from awx import PROJECT, TEMPLATES, WORKFLOW, order, types_of
from emulator import Emulator
from operations import ENV, role_variables
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, inventory, run_playbook

JSON = Any

INPUTS = {
    "product_secret": PRODUCT_SECRET,
    "access_key_id": KEY.id,
    "access_key_secret": KEY.secret,
    "security_token | default('')": "",
}
SURVEY = {"target": "gateways", "report_name": "CHG-7"}


@pytest.mark.usefixtures("new_platform")
def test_the_workflow_of_the_sample(platform: Emulator, tmp_path: Path) -> None:
    for device in platform.admin.devices(PRODUCT_KEY):
        platform.admin.delete_device(PRODUCT_KEY, device["device_name"])
    variables = {name: value for name, value in role_variables(platform).items() if name != "gateway_product_secret"}
    endpoint = {
        "platform_openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "platform_ca_path": platform.endpoints["ca_file"],
    }
    hosts = inventory(["gw-0001", "gw-0002", "gw-0003"], tmp_path, **variables, **endpoint)
    hosts["others"] = {"hosts": {"elsewhere": {"ansible_connection": "local"}}}
    reports = tmp_path / "reports"
    reports.mkdir()
    runs: list[Run] = []
    for name in order(WORKFLOW["simplified_workflow_nodes"]):
        template = TEMPLATES[name]
        slices = ["gw-0001", "gw-0002:gw-0003", "elsewhere"] if template.get("job_slice_count", 1) > 1 else ["all"]
        for limit in slices:
            runs.append(job(template, limit, len(runs), hosts, tmp_path, reports))
        assert [run.rc for run in runs] == [0] * len(runs), runs[-1]
    assert sorted(path.name for path in reports.glob("*.html")) == [
        *("CHG-7-audit.html", "CHG-7-provision-1.html", "CHG-7-provision-2.html", "CHG-7.html")
    ]
    assert json.loads((reports / "CHG-7.json").read_text())["counts"]["changed"] == 3
    assert json.loads((reports / "CHG-7-audit.json").read_text())["counts"]["ok"] == 3
    said = "".join(run.stdout + run.stderr + json.dumps(run.results) for run in runs)
    assert PRODUCT_SECRET not in said
    assert KEY.secret not in said


def job(template: JSON, limit: str, number: int, hosts: JSON, home: Path, reports: Path) -> Run:
    """Run a job. As in AWX, the variables of credentials and all others are in a file."""
    injected = {
        name: INPUTS[text.removeprefix("{{ ").removesuffix(" }}")]
        for kind in types_of(template)
        for name, text in kind["injectors"]["extra_vars"].items()
    }
    given = {**json.loads(json.dumps(template.get("extra_vars", {})).replace("/reports/", f"{reports}/")), **SURVEY}
    file = home / "extravars"
    file.write_text(json.dumps({**given, **injected, "awx_job_id": number}))
    arguments = ["-e", f"@{file}", *(["--limit", limit] if limit != "all" else [])]
    return run_playbook(str(PROJECT / template["playbook"]), hosts, home, *arguments, env=ENV)
