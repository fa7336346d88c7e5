# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the variables of the role and the playbooks: known ones, refused ones, and the users' own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import CODES
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import no_credential
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_options import credential_options
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._playbook_variables import note_run
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import (
    NAMES,
    OF_ACCOUNT,
    OF_CREDENTIAL,
    OF_DEVICE,
    OF_RECOVERY,
    REGISTERED,
    check_host,
    check_names,
    check_run,
    distance,
    naming_variables,
)

JSON = Any

ROOT = Path(__file__).parents[3]
OURS = re.compile(r"\b(?:gateway|platform|audit|decommission)_[a-z_]*[a-z]\b")


def test_every_variable_of_the_role_is_known() -> None:
    specs = yaml.safe_load((ROOT / "roles/gateway/meta/argument_specs.yml").read_text())["argument_specs"]
    documented = {name for entry in specs.values() for name in entry["options"]}
    assert len(documented) > 30
    assert documented <= NAMES


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").rglob("*.yml")), ids=lambda path: path.name)
def test_every_variable_of_a_playbook_is_known(path: Path) -> None:
    """These are the variables that its tasks read and register, and those that its head documents."""
    modules = {file.stem for file in (ROOT / "plugins/modules").iterdir()}
    filters = {file.stem for file in (ROOT / "plugins/filter").iterdir()}
    text = path.read_text()
    named = set(OURS.findall(text)) - modules - filters - {"gateway_names.gateways"}
    own = set(re.findall(r"^ +(\w+): ", text, re.MULTILINE))
    assert named - own <= NAMES | REGISTERED
    for name in named:
        check_names([name])


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").rglob("*.yml")), ids=lambda path: path.name)
def test_every_pass_of_a_playbook_obeys_the_throttle(path: Path) -> None:
    def passes(found: JSON) -> Iterator[JSON]:
        if isinstance(found, dict) and "fleetops.aliyun_iot.fleet_credentials" in found:
            yield found["fleetops.aliyun_iot.fleet_credentials"]
        for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else []:
            yield from passes(each)

    for options in passes(yaml.safe_load(path.read_text())):
        assert options["at_once"] == "{{ gateway_throttle | default(omit, true) }}"


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").rglob("*.yml")), ids=lambda path: path.name)
def test_what_a_playbook_sets_cannot_be_given_for_a_run(path: Path) -> None:
    def names(found: JSON) -> Iterator[str]:
        if isinstance(found, dict) and "name" in found:
            yield from found.get("ansible.builtin.set_fact", {})
            yield from [found["register"]] if "register" in found else []
        for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else []:
            yield from names(each)

    for name in names(yaml.safe_load(path.read_text())):
        with pytest.raises(InvalidOption, match=f"^{name}: is set by the playbooks themselves"):
            check_run({name: {}})


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("gateway_servise", "gateway_service"),
        ("gateway_moode", "gateway_mode"),
        ("gateway_mod", "gateway_mode"),
        ("gatway_service", "gateway_service"),
        ("gateway_regoin", "gateway_region"),
        ("gateway_verfy", "gateway_verify"),
        ("gateway_product_keys", "gateway_product_key"),
        ("gateway_registerfrom", "gateway_register_from"),
        ("platform_acces_key_id", "platform_access_key_id"),
        ("audit_reprot", "audit_report"),
        ("decomission_platform", "decommission_platform"),
        ("gateway_max_fail_percentge", "gateway_max_fail_percentage"),
    ],
)
def test_a_misspelt_variable(misspelt: str, meant: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        check_names(["ansible_host", misspelt])
    assert misspelt in str(caught.value)
    assert re.search(rf"\b{meant}\b", str(caught.value)), caught.value


@pytest.mark.parametrize(
    "name",
    [
        *("gateway_site", "gateway_port", "gateway_name", "gateway_user", "gateway_agent_version", "gateway_zone"),
        *("gateway_serial_number", "gateway_vpn", "platform", "region", "mode", "target", "audit_file", "tags"),
        *sorted(REGISTERED),
    ],
)
def test_other_variables_are_the_users_own(name: str) -> None:
    check_names([name])


@pytest.mark.parametrize(
    "typed",
    ['{\\"target\\": \\"gw 1,\\"}', '{\\"gateway_throttle\\": 3}', '{"my-site": 1}', "{1: 2}"],
)
def test_the_name_of_a_variable_of_a_run_is_one_for_ansible(typed: str) -> None:
    """The first two are commands as a task's output shows them, in JSON: YAML reads the names with their quotes."""
    with pytest.raises(InvalidOption, match=r"^--extra-vars: .* is not the name of a variable"):
        check_run(yaml.safe_load(typed))


@pytest.mark.parametrize("suffix", [".html", ".json", ".csv"])
def test_a_report_does_not_replace_the_findings_of_an_audit(suffix: str, tmp_path: Path) -> None:
    page = {"gateway_report_to": str(tmp_path / "audit.html")}
    check_run({"audit_report": str(tmp_path / "findings.json"), **page})
    with pytest.raises(InvalidOption, match=r"audit_report: .*gateway_report_to"):
        check_run({"audit_report": f"{tmp_path}/../{tmp_path.name}/audit{suffix}", **page})


@pytest.mark.parametrize(
    "variables",
    [
        {"gateway_serial": "ten"},
        {"gateway_serial": 0},
        {"gateway_serial": [1, "110%"]},
        {"gateway_serial": []},
        {"gateway_serial": "10.5%"},
        {"gateway_serial": "10% "},
        {"gateway_max_fail_percentage": "half"},
        {"gateway_max_fail_percentage": "101%"},
        {"gateway_max_fail_percentage": -1},
        {"gateway_max_fail_percentage": True},
        {"gateway_throttle": "many"},
        {"gateway_throttle": -1},
        {"gateway_report": "al"},
        {"gateway_verify": "logn"},
        {"gateway_service": ["agent"]},
        {"gateway_reset_topology": "maybe"},
        {"gateway_recovery_force": "yess"},
        {"audit_fail": "ture"},
        {"decommission_platform": "remove"},
        {"traget": "gateways"},
        {"fleetops_target": "all"},
        *({name: {}} for name in sorted(REGISTERED)),
    ],
    ids=str,
)
def test_a_run_is_refused(variables: JSON) -> None:
    with pytest.raises(InvalidOption) as caught:
        check_run(variables)
    assert next(iter(variables)) in str(caught.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"gateway_serial": "ten percent of {{ all }}"},
        {"gateway_serial": [1, "10%", "100%"]},
        {"gateway_serial": "5"},
        {"gateway_max_fail_percentage": "50%"},
        {"gateway_max_fail_percentage": 12.5},
        {"gateway_throttle": "0"},
        {"gateway_verify": ""},
        {"gateway_verify": "login", "gateway_service": "agent", "audit_fail": "true"},
        {"target": "gw-0001:gw-0002"},
    ],
    ids=str,
)
def test_a_run_is_not_refused(variables: JSON) -> None:
    check_run(variables)


def test_the_variables_of_a_host() -> None:
    def filled(values: JSON) -> None:
        check_host(values, lambda name: str(values[name]).replace("{{ how }}", "logn"))

    filled({"gateway_verify": "login", "site": "north"})
    for variables, said in (
        ({"gateway_verify": "logn"}, "none or login"),
        ({"gateway_verify": "{{ how }}"}, "none or login"),
        ({"gateway_moode": "0600"}, "gateway_mode"),
    ):
        with pytest.raises(InvalidOption, match=said):
            filled(variables)


@pytest.mark.parametrize(
    ("of_run", "variables", "said"),
    [
        ({}, {"gateway_serial": 1}, "gateway_serial: 1 is set for this host, but is for the whole run. Set it with -e"),
        ({"gateway_serial": ""}, {"gateway_serial": "10%"}, "gateway_serial"),
        ({"gateway_serial": 1}, {"gateway_serial": 1}, None),
        ({}, {"gateway_max_fail_percentage": 0}, "gateway_max_fail_percentage"),
        ({"gateway_max_fail_percentage": 0}, {"gateway_max_fail_percentage": 0}, None),
        ({}, {"gateway_serial": ""}, None),
        (
            {},
            {"gateway_state": "absent"},
            "gateway_state: 'absent' is not for this playbook. Set it to present, or leave",
        ),
        ({}, {"gateway_state": "{{ how }}"}, "gateway_state: 'absent' is not for this playbook"),
        ({}, {"gateway_state": "present"}, None),
        ({}, {"gateway_state": ""}, None),
    ],
    ids=str,
)
def test_a_playbook_refuses_what_it_cannot_obey(of_run: JSON, variables: JSON, said: str | None) -> None:
    def check(**more: JSON) -> None:
        values = {**variables, **more}
        check_host(values, lambda name: str(values[name]).replace("{{ how }}", "absent"))

    note_run(of_run)
    check()  # in a play of the user
    if said is None:
        check(fleetops_states=["present"])
        return
    with pytest.raises(InvalidOption, match=f"^{re.escape(said)}"):
        check(fleetops_states=["present"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("", ""), 0),
        (("abc", "abc"), 0),
        (("abc", "acb"), 1),
        (("abc", "ab"), 1),
        (("abc", "xyz"), 3),
        (("ca", "abc"), 3),
    ],
)
def test_the_distance_of_two_words(words: tuple[str, str], expected: int) -> None:
    """The order of the words does not matter."""
    assert (distance(*words), distance(*reversed(words))) == (expected, expected)


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ("mode: 'rw' is not an octal mode. Use '0600'", "gateway_mode: 'rw' is not an octal mode. Use '0600'"),
        ("exports[0].dest: 'a' is no path", "gateway_exports[0].dest: 'a' is no path"),
        ("missing required arguments: product_key", "missing required arguments: gateway_product_key"),
        ("value of state must be one of: absent", "value of gateway_state must be one of: absent"),
        ("argument 'timeout' is of type str", "argument 'gateway_timeout' is of type str"),
        ("auth_type: regnwl needs transport: mqtt", "gateway_auth_type: regnwl needs gateway_transport: mqtt"),
        (
            "Check product_key and region: they must be those of the product",
            "Check gateway_product_key and gateway_region: they must be those of the product",
        ),
        ("Correct service, or install the service first", "Correct gateway_service, or install the service first"),
        ("Correct proxy, or https_proxy of the host", "Correct gateway_proxy, or https_proxy of the host"),
        # Words that are no options, or are variables already.
        ("Correct the owner and mode of the directory", "Correct the owner and mode of the directory"),
        ("at https://host/auth/register/device: the device", "at https://host/auth/register/device: the device"),
        ("expected (gateway_expected_names)", "expected (gateway_expected_names)"),
        # No variable twice.
        (
            "Set device_name or expected_names for this host (gateway_device_name, gateway_expected_names) to the right one",
            "Set gateway_device_name or gateway_expected_names for this host to the right one",
        ),
        ("Set mqtt_endpoint (gateway_mqtt_endpoint); or", "Set gateway_mqtt_endpoint; or"),
        ("/srv/product_key/mode: no such file", "/srv/product_key/mode: no such file"),
    ],
)
def test_messages_name_variables(told: str, named: str) -> None:
    assert naming_variables(told, OF_CREDENTIAL) == named
    assert naming_variables(named, OF_CREDENTIAL) == named


@pytest.mark.parametrize("variables", [{"dest": "audit_report"}, {"the_dest": "audit_report"}, {}], ids=str)
def test_messages_of_a_few_options_name_variables(variables: dict[str, str]) -> None:
    [option] = variables or ["dest"]
    told = f"{option}: 'x' is in a directory that does not exist"
    assert naming_variables(told, variables) == told.replace(option, variables.get(option, option))


@pytest.mark.parametrize(
    "advice",
    [
        "Check product_key, and that region and instance_id are the product's",
        "Check product_key, region and instance_id.",
    ],
)
def test_advice_about_a_product_names_variables(advice: str) -> None:
    named = advice.replace("product_key", "gateway_product_key").replace("region", "gateway_region")
    assert naming_variables(advice, OF_DEVICE) == named.replace("instance_id", "platform_instance_id")


def test_the_account_has_variables_of_its_own() -> None:
    told = "access_key_id: is missing. Check region"
    assert naming_variables(told, OF_RECOVERY) == "platform_access_key_id: is missing. Check gateway_region"


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_advice_of_the_platforms_codes_names_variables(code: int) -> None:
    advice = naming_variables(CODES[code][1], OF_CREDENTIAL)
    assert not re.findall(r"(?<![\w.])(?:product_key|product_secret|device_name|sign_method|region|endpoint)\b", advice)


def test_the_advice_without_an_account_names_variables() -> None:
    advice = naming_variables(no_credential("no AccessKey is set").quoted, OF_ACCOUNT)
    words = (
        "platform_access_key_id",
        "platform_access_key_secret",
        "platform_profile: ",
        "platform_credentials: default_chain",
    )
    assert [advice.count(word) for word in words] == [1, 1, 1, 1], advice


# Text that YAML reads as something else


UNQUOTED = """
gateway_device_name: [52:54:00:12:34:56, 0012345, 0x1A2B, yes, 2026-01-31, 0, 1.5]
gateway_product_secret: [12345678]
platform_access_key_id: [0777]
gateway_group: [1000]
gateway_expected_names: [[gw-0001, 0012345]]
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in yaml.safe_load(UNQUOTED).items() for value in values],
    ids=repr,
)
def test_what_yaml_read_as_something_else(name: str, value: JSON) -> None:
    with pytest.raises(InvalidOption, match=f"^{name}: is .* as YAML or a template gives it.* quotes") as refused:
        check_host({name: value}, lambda _name: value)
    assert str(value) not in refused.value.msg, "it may be a secret"


NESTED = """
gateway_device_name: [[gw-0001], {name: gw-0001}]
gateway_product_secret: [[IKhJ3sDeLT9tVgqN], {secret: IKhJ3sDeLT9tVgqN}]
platform_access_key_secret: [[IKhJ3sDeLT9tVgqN]]
gateway_expected_names: [[[gw-0001]], {name: gw-0001}]
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in yaml.safe_load(NESTED).items() for value in values],
    ids=repr,
)
def test_lists_and_dictionaries_are_no_text(name: str, value: JSON) -> None:
    instead = "a list of texts" if name == "gateway_expected_names" else "one text"
    with pytest.raises(
        InvalidOption, match=f"^{name}: is a (list|dictionary), as YAML or a template gives it.* Use {instead}"
    ) as refused:
        check_host({name: value}, lambda _name: value)
    assert str(value) not in refused.value.msg, "it may be a secret"


@pytest.mark.parametrize(("part", "value"), [("group", 0o100), ("owner", True), ("dest", 5), ("template", ["x"])])
def test_what_yaml_read_as_something_else_in_an_export(part: str, value: JSON) -> None:
    right = {"dest": "/srv/agent.env", "format": "env", "mode": 0o600}  # another check has a message for mode
    check_host({"gateway_exports": [right]}, str)
    with pytest.raises(InvalidOption, match=rf"^gateway_exports\[1\]\.{part}: is .* and not text"):
        check_host({"gateway_exports": [right, {**right, part: value}]}, str)


@pytest.mark.parametrize("value", [date(2020, 1, 1), "[{}]", ["x"], {"dest": "/x"}], ids=repr)
def test_exports_that_are_no_list_of_dictionaries(value: JSON) -> None:
    variables = {"gateway_product_key": "a1IoKTestP1", "gateway_exports": value}
    with pytest.raises(InvalidOption, match=r"^gateway_exports: is not a list of dictionaries"):
        credential_options(variables, lambda text: text, {})


def test_the_text_of_options_is_plain() -> None:
    """The validation would take most of its time to copy ansible-core's own types for text."""
    written = {"gateway_product_key": "a1IoKTestP1", "gateway_path": "/etc/agent/device.json"}
    variables = DataLoader().load(json.dumps(written))
    assert str not in map(type, variables.values())
    options = credential_options(variables, lambda text: text, {})
    assert [type(options[name]) for name in ("product_key", "path")] == [str, str]


@pytest.mark.parametrize("name", ["gateway_lease_time", "gateway_throttle"])
def test_a_number_of_a_run(name: str) -> None:
    for value in (0, 5, "20", " 20 "):
        check_run({name: value})
    for value in ("-1", "1.5", "x", "5\x1f", "9" * 5000):
        with pytest.raises(InvalidOption, match=f"^{name}: .* is not a number"):
            check_run({name: value})


@pytest.mark.parametrize("name", ["gateway_timeout", "gateway_retry_time", "gateway_mqtt_port", "platform_qps_share"])
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number(name: str, value: bool) -> None:
    for variables in ({name: value}, {name: "{{ there }}", "there": value}):
        with pytest.raises(InvalidOption, match=f"^{name}: is yes or no, and not a number"):
            check_host(variables, str)
    for number in (1, 0, "1", 0.5, "{{ there }}"):
        check_host({name: number}, str)


@pytest.mark.parametrize("value", [5349, 0, True, ["gw-0001"], {"name": "gw-0001"}], ids=repr)
def test_a_variable_that_another_refers_to_is_no_text(value: JSON) -> None:
    """Before ansible-core 2.19 every evaluated template is text, so the variables that it refers to are checked."""
    variables = {"gateway_device_name": "{{ number }}", "number": "{{number_of_site}}", "number_of_site": value}
    with pytest.raises(InvalidOption, match=r"^gateway_device_name: is .* and not text"):
        check_host(variables, str)


@pytest.mark.parametrize(
    "variables",
    [
        {"number": "0012345"},
        {},
        {"number": "{{ number }}"},
        {"number": "{{ gateway_device_name }}"},
        {"number": "{{ ours }}-{{ site }}", "ours": 1, "site": 2},
    ],
    ids=repr,
)
def test_text_that_another_variable_refers_to(variables: JSON) -> None:
    """A template whose variables cannot be followed is left to Ansible."""
    check_host({"gateway_device_name": "{{ number }}", **variables}, str)


@pytest.mark.parametrize("value", [None, "", "0012345", "{{ hardware_number }}"])
def test_what_yaml_read_as_text(value: JSON) -> None:
    check_host(
        {"gateway_device_name": value, "gateway_timeout": 10, "gateway_validate_certs": True}, lambda _name: value
    )
