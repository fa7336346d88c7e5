# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the role's variables are exactly the options of its one task."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import (
    gateway_credential_spec,
    gateway_recovery_spec,
    openapi_spec,
)

ROLE = Path(__file__).parents[2] / "roles" / "gateway"
# Types are compared with str in place of path: a module's paths are those of its own host, the role passes paths on as text. The role
# sets no no_log: with it, ansible-core before 2.19 refuses a secret that is encrypted in place, and the same values are shown without it.
KEYS = ("required", "choices", "default", "elements")
# Not default(omit, true), which would omit false as well.
FOLLOWS = "{{ omit if gateway_follow_up | default(none) in [none, ''] else gateway_follow_up }}"


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text())


def rule(option: dict[str, Any]) -> dict[str, Any]:
    kept = {key: option[key] for key in KEYS if option.get(key) not in (None, False)}
    suboptions = {name: rule(suboption) for name, suboption in option.get("options", {}).items()}
    return {"type": option["type"].replace("path", "str"), **kept, **({"options": suboptions} if suboptions else {})}


def specified() -> dict[str, Any]:
    return load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def test_the_variables_follow_the_rules_of_the_options() -> None:
    variables = {name: rule(option) for name, option in specified().items()}
    assert variables == {f"gateway_{name}": rule(option) for name, option in gateway_credential_spec().items()}


def test_a_secret_of_the_role_may_be_encrypted_in_place() -> None:
    for entry in load("meta/argument_specs.yml")["argument_specs"].values():
        assert not [name for name, option in entry["options"].items() if "no_log" in option]


def test_the_one_task_passes_every_variable_on() -> None:
    [task] = load("tasks/main.yml")
    options = task["fleetops.aliyun_iot.gateway_credential"]
    defaults = load("defaults/main.yml")
    assert options.pop("follow_up") == FOLLOWS
    assert options.pop("verify") == "{{ gateway_verify | default('none', true) }}"  # empty counts as not set
    for name in gateway_credential_spec().keys() - {"follow_up", "verify"}:
        known = f"gateway_{name}" in defaults or specified()[f"gateway_{name}"].get("required")
        value = f"gateway_{name}" if known else f"gateway_{name} | default(omit, true)"
        assert options.pop(name) == "{{ " + value + " }}"
    assert options == {}


def recovered() -> dict[str, str]:
    """Return the variables of the entry point recover by option, without qps_share, which is for modules that make one pass."""
    names = {
        name: f"platform_{name}" for name in openapi_spec().keys() - {"region", "timeout", "retry_time", "qps_share"}
    }
    options = {name: f"gateway_{name}" for name in gateway_recovery_spec().keys() - {"qps_share"}}
    return {**options, **names, "force": "gateway_recovery_force"}


def test_recover_documents_the_variables_that_its_task_takes() -> None:
    documented = load("meta/argument_specs.yml")["argument_specs"]["recover"]["options"]
    options = gateway_recovery_spec()
    expected = {variable: rule(options[name]) for name, variable in recovered().items()}
    assert {name: rule(option) for name, option in documented.items()} == expected


def test_recover_passes_every_variable_on() -> None:
    [task] = load("tasks/recover.yml")
    defaults = {**load("defaults/main.yml"), "gateway_product_key": None}
    passed = {
        name: "{{ %s }}" % (variable if variable in defaults else f"{variable} | default(omit, true)")
        for name, variable in recovered().items()
    }
    assert task["fleetops.aliyun_iot.gateway_recovery"] == {**passed, "follow_up": FOLLOWS}


def test_the_readme_lists_every_variable() -> None:
    rows = re.findall(r"^\| `gateway_.*", (ROLE / "README.md").read_text(), re.MULTILINE)
    assert re.findall(r"`(gateway_\w+)`", "".join(row.split("|")[1] for row in rows)) == list(specified())
