# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sample configuration of AWX, parsed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "docs/awx"
PROJECT = FOLDER / "project"

JSON = Any


class _Loader(yaml.SafeLoader):
    """A YAML loader that accepts text marked with !unsafe, which Ansible does not template."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def load() -> JSON:
    return yaml.load((FOLDER / "controller.yml").read_text(), _Loader)


CONFIGURATION = load()
TEMPLATES = {template["name"]: template for template in CONFIGURATION["controller_templates"]}
CREDENTIALS = {credential["name"]: credential for credential in CONFIGURATION["controller_credentials"]}
TYPES = {kind["name"]: kind for kind in CONFIGURATION["controller_credential_types"]}
[WORKFLOW] = CONFIGURATION["controller_workflows"]


def types_of(template: JSON) -> list[JSON]:
    """Return those credential types of the configuration that a job template has a credential of."""
    kinds = [CREDENTIALS[name]["credential_type"] for name in template["credentials"]]
    return [TYPES[kind] for kind in kinds if kind in TYPES]


def order(nodes: list[JSON]) -> list[str]:
    """Return the job templates of a workflow without branches, in order."""
    following = {
        node["identifier"]: [name for when in WHEN for name in node.get(f"{when}_nodes", [])] for node in nodes
    }
    [first] = following.keys() - {name for names in following.values() for name in names}
    names, current = [], [first]
    while current:
        [name] = current
        names.append(name)
        current = following[name]
    templates = {node["identifier"]: node["unified_job_template"] for node in nodes}
    return [templates[name] for name in names]


WHEN = ("success", "always", "failure")
