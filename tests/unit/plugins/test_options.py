# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the checks of options, many of which are passed to a gateway's shell."""

from __future__ import annotations

import shlex
from datetime import date

import pytest
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import (
    audit_report_spec,
    device_reset_spec,
    devices_spec,
    gateway_credential_spec,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    bad_options,
    check_interface,
    check_lease,
    check_lists,
    check_mode,
    check_numbers,
    check_owner,
    check_path,
    check_service,
    check_texts,
    plain_text,
    plain_types,
    text_options,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import assignments


@pytest.mark.parametrize(
    "path", ["/device.json", "/etc/aliyun-iot/device.json", "/srv/a b/c.d_e@f:g+h=i,j~k-l", "/a/...", "/a/.b", "/-/-"]
)
def test_paths(path: str) -> None:
    assert check_path("path", path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "device.json", "./device.json", "/etc/", "/etc//device.json", "//device.json", "/etc/./device.json"),
        *("/etc/../device.json", "/..", "/.", "/etc/device.json ", " /etc/device.json", "/etc/device.json\n"),
        *(
            "/etc/a\nb",
            "/etc/a\tb",
            "/etc/$HOME",
            "/etc/`id`",
            "/etc/a'b",
            '/etc/a"b',
            "/etc/a;b",
            "/etc/a*",
            "/etc/\u00e4",
        ),
        *("/etc/a\\b", "/etc/a|b", "/etc/a\0", "~/device.json"),
    ],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(InvalidOption, match="dest: "):
        check_path("dest", path)


@pytest.mark.parametrize("path", ["/d" * 500, "/etc/" + "n" * 180])
def test_the_longest_paths(path: str) -> None:
    assert check_path("path", path) == path


@pytest.mark.parametrize("path", ["/d" * 501, "/d" * 100000, "/etc/" + "n" * 181, "/" + "n" * 181 + "/device.json"])
def test_a_path_that_is_too_long_is_refused_with_a_short_message(path: str) -> None:
    with pytest.raises(InvalidOption, match=r"^path: '/.*' .*is too long") as caught:
        check_path("path", path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "value",
    ["x" * 5000, "\x1b" * 5000, ["x" * 5000], 10**4000, {"x" * 5000: 1}],
    ids=["text", "control", "list", "number", "dictionary"],
)
def test_a_message_shows_the_beginning_of_a_long_value(value: object) -> None:
    text = str(InvalidOption("product_key", value, "is not a ProductKey", "Use the one of the console"))
    assert len(text) < 1200
    assert text.startswith("product_key: ")
    assert "characters) is not a ProductKey. Use the one" in text


def test_a_message_shows_a_short_value_as_it_is() -> None:
    assert InvalidOption("path", "x" * 200, "is wrong", "").msg == f"path: '{'x' * 200}' is wrong"


@pytest.mark.parametrize(
    "value", [True, False, "inf", "-Infinity", " nan ", float("inf"), float("nan"), 10**400, "9" * 5000, "1e400"]
)
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(InvalidOption, match=r"^timeout: is ") as caught:
        check_numbers(["timeout"], {"timeout": value})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [0, -1, 2.5, "30", "1e3", None, "soon", "{{ soon }}", [1]])
def test_numbers_and_what_ansible_core_reports_itself(value: object) -> None:
    check_numbers(["timeout", "retry_time"], {"timeout": value})


@pytest.mark.parametrize("value", [date(2020, 1, 1), 5, True, "", '[{"dest": "/x"}]', {"dest": "/x"}, ["x"], [None]])
def test_what_is_no_list_of_dictionaries(value: object) -> None:
    """ansible-core crashes on a date, and does not name the option if its value is text."""
    for option, spec in (("exports", gateway_credential_spec()), ("findings", audit_report_spec())):
        with pytest.raises(InvalidOption, match=f"^{option}: is not a list of dictionaries"):
            check_lists(spec, {option: value})


@pytest.mark.parametrize("value", [None, [], [{}], [{"dest": "/x"}]])
def test_lists_of_dictionaries(value: object) -> None:
    check_lists(gateway_credential_spec(), {"exports": value})
    check_lists(gateway_credential_spec(), {})


@pytest.mark.parametrize(
    ("where", "values"),
    [
        (r"exports\[1\]\.group", {"exports": [{"group": "0100"}, {"group": 0o100}]}),
        (r"exports\[0\]\.owner", {"exports": [{"owner": True}]}),
        (r"exports\[0\]\.format", {"exports": [{"format": date(2020, 1, 1)}]}),
    ],
)
def test_no_text_in_parts_of_an_option(where: str, values: dict[str, object]) -> None:
    with pytest.raises(InvalidOption, match=f"^{where}: is .* and not text.* quotes"):
        check_texts(text_options(gateway_credential_spec()), values)


def test_no_text_in_a_dictionary_of_texts() -> None:
    texts = text_options(device_reset_spec())
    check_texts(texts, {"fingerprints": {"gw-0001": "0012345670", "gw-0002": None}, "leases": {"gw-0001": 1.5}})
    with pytest.raises(InvalidOption, match=r"^fingerprints\['gw-0001'\]: is a number, .* quotes"):
        check_texts(texts, {"fingerprints": {"gw-0001": 12345670}})


def test_what_to_use_in_place_of_a_dictionary() -> None:
    texts = text_options(devices_spec())
    for option, hint in (("names", "Use a list of texts"), ("product_key", "Use one text")):
        with pytest.raises(InvalidOption, match=f"^{option}: is a dictionary, .* {hint}"):
            check_texts(texts, {option: {}})


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("<class 'ansible.module_utils._internal._datatag._AnsibleTaggedDict'> cannot", "<class 'dict'> cannot"),
        ("is of type _AnsibleTaggedStr and", "is of type str and"),
        ("<class 'ansible.parsing.yaml.objects.AnsibleSequence'>", "<class 'list'>"),
        ("<class 'datetime.date'> of ansible.builtin.copy", "<class 'datetime.date'> of ansible.builtin.copy"),
    ],
)
def test_types_of_ansible_core_are_those_of_python(given: str, shown: str) -> None:
    assert plain_types(given) == shown


@pytest.mark.parametrize("name", ["root", "0", "www-data", "_agent", "a.b", "DOMAIN\\user", "user@domain", "svc$"])
def test_owners(name: str) -> None:
    assert check_owner("owner", name) == name


@pytest.mark.parametrize("name", [None, ""])
def test_no_owner(name: str | None) -> None:
    assert check_owner("owner", name) is None


@pytest.mark.parametrize("name", ["-R", "a b", "a:b", "root\n", ":", "a;b", "\u00e4", "--reference=/x", " "])
def test_what_is_no_owner(name: str) -> None:
    with pytest.raises(InvalidOption, match="group: "):
        check_owner("group", name)


@pytest.mark.parametrize(
    ("mode", "number"), [("0600", 0o600), ("0640", 0o640), ("0400", 0o400), ("0660", 0o660), ("0700", 0o700)]
)
def test_modes(mode: str, number: int) -> None:
    assert check_mode("mode", mode) == number


@pytest.mark.parametrize(
    "mode",
    [
        *(
            "",
            "600",
            "00600",
            "1600",
            "4600",
            "0800",
            "u=rw",
            "0600\n",
            "384",
            "0x180",
            "0o600",
        ),  # not four octal digits
        *("0644", "0604", "0602", "0601", "0607", "0666"),  # others get access
        *("0000", "0200", "0040", "0060"),  # the owner cannot read the file
    ],
)
def test_what_is_no_mode(mode: str) -> None:
    with pytest.raises(InvalidOption, match="mode: ") as caught:
        check_mode("mode", mode)
    assert "'0600'" in caught.value.hint


@pytest.mark.parametrize("name", ["eth0", "wlan0.1", "br-lan", "eth0:1", "a" * 15, "enx0a_b@c"])
def test_interfaces(name: str) -> None:
    assert check_interface(name) == name


@pytest.mark.parametrize("name", [None, ""])
def test_no_interface(name: str | None) -> None:
    assert check_interface(name) is None


@pytest.mark.parametrize("name", [".", "..", "../lo", "a/b", "a b", "a" * 16, "eth0\n", "$(id)", "\u00e4"])
def test_what_is_no_interface(name: str) -> None:
    with pytest.raises(InvalidOption, match="device_name_interface"):
        check_interface(name)


@pytest.mark.parametrize("name", ["agent", "agent.service", "agent@1", "a_b-c", "systemd-\\x2d", "9"])
def test_services(name: str) -> None:
    assert check_service(name) == name


@pytest.mark.parametrize("name", [None, ""])
def test_no_service(name: str | None) -> None:
    assert check_service(name) is None


@pytest.mark.parametrize("name", ["-agent", "a b", "a/b", "$(id)", "a\n", "a" * 256, "\u00e4"])
def test_what_is_no_service(name: str) -> None:
    with pytest.raises(InvalidOption, match=r"^service: ") as caught:
        check_service(name)
    assert caught.value.hint


LEASE = "0123456789abcdef"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lease": None, "lease_time": 0},
        {"lease": "", "lease_time": 0},
        {"lease": LEASE, "lease_time": 86400},
        {"state": "reset_intended", "lease_time": 61},
        {"state": "reset_intended", "lease": LEASE},
        {"state": "reset_withdrawn", "lease": LEASE},
        {"register": "never"},
        {"state": "reset_intended", "register": "always"},
    ],
)
def test_leases(options: dict[str, object]) -> None:
    check_lease({"state": "present", **options})


@pytest.mark.parametrize(
    ("options", "option"),
    [
        *(
            ({"lease": lease}, "lease")
            for lease in (LEASE[:-1], LEASE + "0", LEASE.upper(), LEASE + "\n", "x" * 16, "$(id)")
        ),
        ({"state": "reset_withdrawn"}, "lease"),
        ({"state": "reset_withdrawn", "lease": ""}, "lease"),
        ({"lease_time": -1}, "lease_time"),
        ({"lease_time": 86401}, "lease_time"),
        ({"state": "reset_intended", "lease_time": 86401}, "lease_time"),
        ({"state": "reset_intended", "register": "never"}, "register"),
    ],
)
def test_what_is_no_lease(options: dict[str, object], option: str) -> None:
    with pytest.raises(InvalidOption, match=f"^{option}: ") as caught:
        check_lease({"state": "present", **options})
    assert caught.value.hint


@given(st.dictionaries(st.sampled_from(["path", "owner", "expected"]), st.none() | st.text(CHARACTERS) | st.integers()))
def test_assignments_are_one_word_each(values: dict[str, object]) -> None:
    words = shlex.split(assignments(values))
    assert words == [f"{name}={'' if value is None else value}" for name, value in values.items()]


def test_a_refusal_of_the_validation_names_the_action_as_users_do() -> None:
    module = "ansible_collections.fleetops.aliyun_iot.plugins.action.fleet_report"
    message = f"Unsupported parameters for ({module}) module: nope. Supported parameters include: if_skipped, variable."
    assert str(bad_options(message, "fleetops.aliyun_iot.fleet_report")).startswith(
        "Unsupported parameters for fleetops.aliyun_iot.fleet_report: nope. Supported parameters include: if_skipped, variable. "
        "See ansible-doc fleetops.aliyun_iot.fleet_report for the options. "
    )


def test_a_secret_that_is_encrypted_in_place_is_text() -> None:
    """The type of ansible-core before 2.19 is no text; `make matrix` tries it."""
    encrypted = type("AnsibleVaultEncryptedUnicode", (), {"__str__": lambda _self: "productsecret0001"})
    assert plain_text(encrypted()) == "productsecret0001"
