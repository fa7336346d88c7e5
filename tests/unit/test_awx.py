# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the sample configuration of AWX: it uses existing names only, and secrets are in credentials only."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from awx import CONFIGURATION, CREDENTIALS, FOLDER, PROJECT, TEMPLATES, TYPES, WHEN, WORKFLOW, order, types_of

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import (
    gateway_credential_spec,
    openapi_spec,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import (
    NAMES,
    OF_ACCOUNT,
    OF_CREDENTIAL,
    check_run,
)

JSON = Any

SECRETS = {
    names[option]
    for spec, names in ((openapi_spec(), OF_ACCOUNT), (gateway_credential_spec(), OF_CREDENTIAL))
    for option in spec
    if spec[option].get("no_log")
}
ACCOUNT = {"platform_access_key_id", "platform_access_key_secret", "platform_security_token"}
SURVEYS = [template["survey"]["spec"] for template in [*TEMPLATES.values(), WORKFLOW]]
OF_AWX = {"awx_job_id"}


def injected(template: JSON) -> set[str]:
    return {name for kind in types_of(template) for name in kind["injectors"]["extra_vars"]}


def texts(value: JSON) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def used(template: JSON) -> set[str]:
    """Return the variables that a job template's extra_vars refer to."""
    return set(re.findall(r"{{ (\w+)", " ".join(texts(template.get("extra_vars", {})))))


def test_ansible_reads_it_without_a_warning() -> None:
    command = ["ansible", "localhost", "-m", "ansible.builtin.debug", "-a", "var=controller_templates[1].extra_vars"]
    done = subprocess.run([*command, "-e", f"@{FOLDER}/controller.yml"], check=True, capture_output=True, text=True)
    assert "{{ report_name }}-provision-{{ awx_job_id }}" in done.stdout, "it is AWX that fills it in"
    warnings = [line for line in done.stderr.splitlines() if "No inventory was parsed" not in line]
    assert not [line for line in warnings if "implicit localhost" not in line]


def test_there_is_what_a_fleet_needs() -> None:
    assert {name: template.get("job_slice_count", 1) > 1 for name, template in TEMPLATES.items()} == {
        **dict.fromkeys(("Add devices", "Merge reports of provision", "Audit", "Reprovision"), False),
        **dict.fromkeys(("Provision", "Recover"), True),
    }
    assert {"gateway_product_secret", *ACCOUNT - {"platform_access_key_id"}} <= SECRETS


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_playbook_exists_and_is_ours(template: JSON) -> None:
    [play] = yaml.safe_load((PROJECT / template["playbook"]).read_text())
    name = play["ansible.builtin.import_playbook"].removeprefix("fleetops.aliyun_iot.")
    assert (PROJECT.parents[2] / f"playbooks/{name}.yml").is_file()


def test_every_playbook_of_the_project_has_a_template() -> None:
    assert {path.name for path in PROJECT.iterdir()} == {template["playbook"] for template in TEMPLATES.values()}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_variable_is_one_of_ours(template: JSON) -> None:
    asked = {question["variable"] for question in template["survey"]["spec"]}
    own = {"target", "report_name"}
    assert asked == own, "report_name is for the names of reports alone"
    assert injected(template) | template.get("extra_vars", {}).keys() <= NAMES
    assert used(template) <= own | OF_AWX
    check_run(template.get("extra_vars", {}))


def test_the_variables_of_the_inventory_are_ours() -> None:
    [inventory] = CONFIGURATION["controller_inventories"]
    assert inventory["variables"].keys() <= NAMES


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
def test_a_secret_is_an_input_that_is_kept_as_one(kind: JSON) -> None:
    """AWX passes extra_vars to ansible-playbook in a file; others could see env, and the name of a file that contains a secret."""
    assert set(kind["injectors"]) == {"extra_vars"}
    fields = {field["id"]: field.get("secret", False) for field in kind["inputs"]["fields"]}
    assert set(kind["inputs"]["required"]) <= set(fields)
    for variable, text in kind["injectors"]["extra_vars"].items():
        [field] = re.findall(r"{{ (\w+)", text)
        assert fields[field] is (variable in SECRETS)


def test_no_secret_is_anywhere_else() -> None:
    given = [*TEMPLATES.values(), *CONFIGURATION["controller_inventories"], WORKFLOW]
    set_there = {name for each in given for name in {**each.get("extra_vars", {}), **each.get("variables", {})}}
    asked = {question["variable"] for survey in SURVEYS for question in survey}
    assert not SECRETS & (set_there | asked)
    for credential in CREDENTIALS.values():
        for name, value in credential["inputs"].items():
            assert name == "username" or re.fullmatch(r"{{ vault_\w+ }}", value), name


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_what_is_named_is_there(template: JSON) -> None:
    for field in ("project", "execution_environment", "inventory"):
        group = {"project": "projects", "execution_environment": "execution_environments", "inventory": "inventories"}
        assert template[field] in [each["name"] for each in CONFIGURATION[f"controller_{group[field]}"]]
    assert set(template["credentials"]) <= set(CREDENTIALS)
    assert {credential["credential_type"] for credential in CREDENTIALS.values()} == {"Machine", *TYPES}


def test_slices_share_the_account_or_have_none() -> None:
    for name, template in TEMPLATES.items():
        slices = template.get("job_slice_count", 1)
        share = template.get("extra_vars", {}).get("platform_qps_share", 1)
        assert slices == 1 or not ACCOUNT & injected(template) or slices * share == 1, name
        own = "awx_job_id" in used(template)
        assert own == (slices > 1), f"{name}: each slice has a report of its own"
        assert template.get("extra_vars", {}).get("gateway_allow_empty", False) == (slices > 1), name


def test_the_workflow_provisions_merges_and_audits() -> None:
    nodes = WORKFLOW["simplified_workflow_nodes"]
    assert order(nodes) == ["Add devices", "Provision", "Merge reports of provision", "Audit"]
    identifiers = {node["identifier"] for node in nodes}
    assert {name for node in nodes for when in WHEN for name in node.get(f"{when}_nodes", [])} < identifiers
    # The answers to the workflow's survey reach a job only if the job has the same survey.
    assert all(survey == WORKFLOW["survey"]["spec"] for survey in SURVEYS)
