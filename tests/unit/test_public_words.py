# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that each module documents exactly the values of ``error.kind`` and ``reason`` that it can return: users' conditions use them."""

from __future__ import annotations

import ast
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from raised import PLUGINS, Node, Sites, everywhere, of_action, reached

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import change
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import Kind
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Reason
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote_python import REPORTS

ROOT = Path(__file__).parents[2]
# Functions that take a kind from a table: read_answer() from that of failed scripts, _error() from that of a program.
READ_ANSWER: Node = ("module_utils._device.change", "read_answer")
ERROR: Node = ("plugin_utils._remote_python", "_error")
REFUSAL: Node = ("plugin_utils._fleet_result", "_refusal")
REFUSED: Node = ("plugin_utils._fleet_result", "refused_device")
ACTIONS = sorted(path.stem for path in (PLUGINS / "action").glob("*.py"))
PROOF = "the login that proves a credential ends with an outcome, not with an error"
NO_PURGE = "it purges nothing"
NO_LEASE = "only device_reset sends a call under a lease"
# Kinds that the search finds for an action although the action cannot fail with them, and the reason.
NEVER: dict[str, dict[str, str]] = {
    "device_login": {
        "busy": "it takes no lease, and no lock on the gateway",
        "no_service": "it prepares no restart",
        "permission": "the script says that the file cannot be read, which is unreadable",
        "unsafe_path": "it writes nothing",
    },
    "devices": {"busy": NO_LEASE},
    "fleet_credentials": {
        **dict.fromkeys(("disabled", "has_sub_devices", "in_service"), "of devices, it only adds them"),
        "purge_maximum": NO_PURGE,
        "unreadable": PROOF,
    },
    "fleet_devices": {
        "storage": "the page of a report is a variable of a run, not of its hosts",
        "purge_maximum": NO_PURGE,
    },
    "fleet_report": {"unreadable": PROOF},
    "devices_info": {"busy": NO_LEASE},
    "gateway_credential": {"unreadable": PROOF},
    "gateway_recovery": {
        "not_proven": "it takes no verify",
        "registration_needed": "it never registers",
        **dict.fromkeys(("ended_early", "no_python", "unreadable"), PROOF),
    },
    "service_restart": {
        **dict.fromkeys(("busy", "permission", "unsafe_path"), "it touches no file"),
        "missing_tool": "it needs no tool but what restarts services",
    },
    "product": {"busy": NO_LEASE},
    "product_info": {"busy": NO_LEASE},
}
# Actions that also return the errors of other actions.
PASSED_ON = {"fleet_credentials": ("fleet_devices",), "fleet_report": ("fleet_credentials", "fleet_devices")}


def kinds(sites: Sites) -> set[str]:
    """Return the kinds of these sites, including computed ones."""
    assert sites.computed <= {READ_ANSWER, ERROR, REFUSAL, REFUSED}
    found = set(sites.kinds)
    if READ_ANSWER in sites.computed:
        found |= set(change._HINTS)
    if ERROR in sites.computed:
        found |= {kind for entry in sites.constants & set(REPORTS) for kind in REPORTS[entry]}
    return found


def returned(name: str) -> t.Any:
    """Return the parsed RETURN block of a module."""
    tree = ast.parse((PLUGINS / f"modules/{name}.py").read_text(encoding="utf-8"))
    [text] = [
        ast.literal_eval(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "RETURN"
    ]
    return yaml.safe_load(text)


def values(described: t.Mapping[str, t.Any]) -> set[str]:
    return set(re.findall(r"V\((\w+)\)", "".join(described["description"])))


def test_every_error_has_one_of_the_kinds_and_every_kind_an_error() -> None:
    sites = everywhere()
    assert sites.bare == []
    assert kinds(sites) == set(t.get_args(Kind))


@pytest.mark.parametrize("name", ACTIONS)
def test_a_module_documents_the_kinds_that_it_can_fail_with(name: str) -> None:
    found: set[str] = set()
    for each in (name, *PASSED_ON.get(name, ())):
        own, never = kinds(of_action(each)), set(NEVER.get(each, {}))
        assert own >= never
        found |= own - never
    assert values(returned(name)["error"]["contains"]["kind"]) == found


@pytest.mark.parametrize("entry", REPORTS)
def test_a_program_on_a_gateway_reports_the_kinds_that_it_raises(entry: str) -> None:
    assert kinds(reached([(f"module_utils.{entry}", "perform")])) == set(REPORTS[entry])


def test_the_scripts_fail_with_kinds_that_are_read() -> None:
    scripts = (PLUGINS / "plugin_utils/shell").glob("*.sh")
    code = "\n".join(
        line for path in scripts for line in path.read_text().splitlines() if not line.strip().startswith("#")
    )
    failed = set(re.findall(r"(?<![\w-])fail (\w+) ", code))
    assert failed == {*change._HINTS, "busy"}


def test_every_reason_is_documented() -> None:
    reasons = set(t.get_args(Reason))
    assert values(returned("gateway_credential")["reason"]) == reasons | {"followed_up", "withdrawn"}
    assert values(returned("gateway_recovery")["reason"]) == reasons - {"exists", "reset", "reset_intended"}
    rows = (PLUGINS.parent / "roles/gateway/README.md").read_text().split("| reason |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` ", rows, re.MULTILINE)) == reasons | {"followed_up", "withdrawn"}


def test_playbooks_and_the_role_know_no_other_reason() -> None:
    known = {"followed_up", "withdrawn", *t.get_args(Reason)}
    for name in ("devices", "device_reset"):
        known |= values(returned(name)["devices"]["contains"]["reason"])
    root = PLUGINS.parent
    lines = [
        line
        for path in [
            *root.glob("playbooks/**/*.yml"),
            *root.glob("roles/gateway/**/*.yml"),
            root / "roles/gateway/README.md",
        ]
        for line in path.read_text().splitlines()
        if re.search(r"[.]reason\b", line)
    ]
    used = {word for line in lines for word in re.findall(r"'(\w+)'", line)}
    assert {"attributes", "exists"} <= used <= known


def test_no_hint_names_a_variable_beside_its_option() -> None:
    """Messages name the variable instead of the option if the option comes from a variable."""
    texts = [path.read_text(encoding="utf-8") for path in PLUGINS.rglob("*.py") if path.parent.name != "modules"]
    assert not [text for text in texts if "in the role)" in text]


NOUN_CLAUSE = re.compile(r"\s*(What|Who|Whose|Where|How|Whether|Which|When|Why)\b")


def test_no_docstring_begins_with_a_clause() -> None:
    """No docstring begins with a noun clause, because it delays the subject; ruff checks for the imperative."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    begun = [
        f"{name}:{node.body[0].lineno}"
        for name in listed.split()
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8")))
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and NOUN_CLAUSE.match(ast.get_docstring(node) or "")
    ]
    assert begun == []


# Former names, changed before the first release, of anything that users write, read or import: results, kinds of errors, variables,
# plugins and files. Each pattern matches only uses of the former name.
OLD_NAMES = (
    r"\bcarries:",
    r"RV\(carries\b",
    r"\.carries\b",
    r"\[[\"']carries[\"']\]",
    r"V\(module\)",
    r"kind: module\b",
    r"kind[\"']?\]? ?(==|:) ?[\"']module[\"']",
    r"\bgateway_login\b",
    r"\bgateway_reset_failure\b",
    r"\bfleet_outcome\b",
    r"\bgiven_playbooks\b",
    r"\bin_inventory\b",
    r"\bfind\.yml\b",
    r"\blimit_failures\b",
    r"\bannounce(s|d)?\b",
    r"\bmended(_by)?\b",
    r"\bmend\.sh\b",
    r"_openapi[./]device_list\b",
    r"plugin_utils[./]_(found|report|program|holder|on_controller)\b",
    r"platform_emulator[./](effects|mqtt[./](access|effects|replies)|openapi[./](access|effects|products|refusals|replies|signatures))\b",
)


def old_names(text: str) -> list[str]:
    """Return the old names that the text uses."""
    return [found[0] for pattern in OLD_NAMES for found in re.finditer(pattern, text)]


@pytest.mark.parametrize(
    "text",
    [
        "  carries:\n    description: the device",
        "when: gateway_result.carries.device_name == 'gw-0001'",
        'result["carries"]',
        "one of V(module), V(network)",
        'when: error.kind == "module"',
        "gateway_login.failed",
        "query('fleetops.aliyun_iot.fleet_outcome')",
        "include_tasks: tasks/limit_failures.yml",
        "from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._report import failed",
        "from platform_emulator.effects import Drop",
        "finding.mended_by == 'provision'",
    ],
)
def test_an_old_name_is_found(text: str) -> None:
    assert len(old_names(text)) == 1


def test_no_old_name_is_left() -> None:
    """Only the changelog may contain old names."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for name in listed
        if not name.startswith("changelogs/") and ROOT / name != Path(__file__).resolve() and (ROOT / name).is_file()
    }
    assert {name: found for name, text in texts.items() if (found := old_names(text))} == {}
