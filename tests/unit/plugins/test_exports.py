# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the rendering of exports, before the gateway inserts the secret."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.certificate import FIELDS
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    is_client_id,
    is_device_secret,
    is_device_token,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import (
    LONGEST_EXPORT,
    LONGEST_SECRET,
    client_placeholder,
    credential_parts,
    render_exports,
)

SHELL_SOURCE = Path(__file__).parents[3] / "plugins/plugin_utils/shell/credential.sh"
KEY, NAME, PLACEHOLDER = "a1IoKTestP1", "gw:1@x.y", "0123456789abcdef01234567"
CLIENT = client_placeholder(PLACEHOLDER)
INHERITED = ("gw", "iot", "0600")


def option(**values: Any) -> dict[str, Any]:
    names = ("dest", "format", "template", "owner", "group", "mode")
    return {**dict.fromkeys(names), "dest": "/etc/agent/iot.conf", **values}


def render(*options: dict[str, Any], template: Any = None, kind: str = "secret") -> tuple[Export, ...]:
    def rendered(_path: str, variables: dict[str, str]) -> str:
        if callable(template):
            return template(variables)
        return Environment(keep_trailing_newline=True, autoescape=False).from_string(template).render(variables)

    parts = credential_parts(kind, KEY, NAME, PLACEHOLDER)
    return render_exports(list(options), parts, PLACEHOLDER, INHERITED, rendered)


def templated(template: Any, kind: str = "secret") -> str:
    [export] = render(option(template="agent.j2"), template=template, kind=kind)
    return export.content


def test_env() -> None:
    [export] = render(option(format="env"))
    assert export.content == (
        "ALIYUN_IOT_PRODUCT_KEY=a1IoKTestP1\n"
        "ALIYUN_IOT_DEVICE_NAME=gw:1@x.y\n"
        "ALIYUN_IOT_DEVICE_SECRET=0123456789abcdef01234567\n"
    )


SECRETS = st.text("ABCXYZabcxyz0189-_.+/=", min_size=1, max_size=64)
TOKENS = st.text("ABCXYZabcxyz0189-_.+/=^@:,%", min_size=1, max_size=256)
SHELLS = [shell for shell in ("sh", "bash", "dash", "ksh", "busybox") if shutil.which(shell)]


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize(("kind", "values"), [("secret", SECRETS), ("token", TOKENS)])
def test_env_can_be_sourced_whatever_the_platform_issues(kind: str, values: Any, data: st.DataObject) -> None:
    """A thousand values that pass the gate are read back unchanged by every installed shell."""
    issued = data.draw(st.lists(values, min_size=100, max_size=100, unique=True))
    assert all(map({"secret": is_device_secret, "token": is_device_token}[kind], issued))
    [export] = render(option(format="env"), kind=kind)
    with tempfile.TemporaryDirectory() as folder:
        for number, value in enumerate(issued):
            Path(folder, f"{number:03}").write_text(export.content.replace(PLACEHOLDER, value))
        script = f'cd {folder} && for f in *; do . "./$f"; printf "%s\\n" "$ALIYUN_IOT_DEVICE_{kind.upper()}"; done'
        for shell in SHELLS:
            command = [shell, "sh", "-c", script] if shell == "busybox" else [shell, "-c", script]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert (done.stdout.splitlines(), done.stderr) == (issued, "")


@pytest.mark.parametrize("character", sorted(set(map(chr, range(32, 127))) - set(ascii_letters + digits + "-_.+/=")))
def test_what_a_shell_takes_for_more_is_no_secret(character: str) -> None:
    assert not is_device_secret("a" + character)
    assert is_device_token("a" + character) is (character in "^@:,%")
    assert is_client_id("a" + character) is (character in "^@:,%")


@pytest.mark.parametrize("character", ["\n", "\0", "\x7f", "\u0430", "\ud800"], ids=ascii)
def test_what_is_no_ascii_is_no_secret(character: str) -> None:
    """A trailing line break, which a pattern may overlook, is not allowed either."""
    assert not any(allowed("a" + character) for allowed in (is_device_secret, is_device_token, is_client_id))


@pytest.mark.parametrize(("allowed", "most"), [(is_device_secret, 64), (is_client_id, 64), (is_device_token, 256)])
def test_secrets_have_a_length(allowed: Callable[[object], bool], most: int) -> None:
    assert [allowed("a" * length) for length in (0, 1, most, most + 1)] == [False, True, True, False]
    assert not any(map(allowed, [None, 7, b"a", ["a"]]))


def test_properties() -> None:
    [export] = render(option(format="properties"))
    assert export.content == ("productKey=a1IoKTestP1\ndeviceName=gw:1@x.y\ndeviceSecret=0123456789abcdef01234567\n")


def test_json() -> None:
    [export] = render(option(format="json"))
    assert json.loads(export.content) == {"productKey": KEY, "deviceName": NAME, "deviceSecret": PLACEHOLDER}
    assert export.content.endswith("}\n")
    assert '\n  "productKey"' in export.content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "env",
            "ALIYUN_IOT_PRODUCT_KEY=a1IoKTestP1\nALIYUN_IOT_DEVICE_NAME=gw:1@x.y\n"
            f"ALIYUN_IOT_CLIENT_ID={CLIENT}\nALIYUN_IOT_DEVICE_TOKEN=0123456789abcdef01234567\n",
        ),
        (
            "properties",
            f"productKey=a1IoKTestP1\ndeviceName=gw:1@x.y\nclientId={CLIENT}\ndeviceToken=0123456789abcdef01234567\n",
        ),
        (
            "json",
            '{\n  "productKey": "a1IoKTestP1",\n  "deviceName": "gw:1@x.y",\n'
            f'  "clientId": "{CLIENT}",\n  "deviceToken": "0123456789abcdef01234567"\n}}\n',
        ),
    ],
)
def test_a_device_token(name: str, content: str) -> None:
    [export] = render(option(format=name), kind="token")
    assert export.content == content


def test_a_template_with_a_device_token() -> None:
    text = templated("{{ client_id }} {{ device_token }}\n", "token")
    assert text == f"{CLIENT} {PLACEHOLDER}\n"


def test_no_placeholder_is_part_of_another() -> None:
    """No placeholder is part of another one or of the text before it in a template, because the secret would be lost."""
    assert (len(CLIENT), CLIENT in PLACEHOLDER, PLACEHOLDER in CLIENT) == (24, False, False)
    assert templated("password=client-{{ device_secret }}\n") == f"password=client-{PLACEHOLDER}\n"
    both = templated("client-{{ device_token }}{{ client_id }}{{ device_token }}\n", "token")
    assert both == f"client-{PLACEHOLDER}{CLIENT}{PLACEHOLDER}\n"


@pytest.mark.parametrize("template", ["{{ device_token | upper }}", "{{ client_id | length }}", "{{ client_id[:-1] }}"])
def test_a_template_that_changes_a_device_token(template: str) -> None:
    with pytest.raises(InvalidOption, match=r"changes client_id or device_token.*\{\{ device_token \}\}"):
        templated(template, "token")


def test_a_template() -> None:
    template = "{{ product_key }}\n{{ device_secret }}|{{ device_secret }}\n\u70e4\\1&%$'\"\n"
    assert templated(template) == f"{KEY}\n{PLACEHOLDER}|{PLACEHOLDER}\n\u70e4\\1&%$'\"\n"


def test_a_template_without_the_secret() -> None:
    assert templated("name={{ device_name }}\n") == "name=gw:1@x.y\n"


def test_a_last_line_gets_its_end() -> None:
    assert templated("{{ device_secret }}") == PLACEHOLDER + "\n"
    assert templated("") == "\n"


def test_digest() -> None:
    [export] = render(option(template="agent.j2"), template="\u70e4\n")
    assert export.digest == hashlib.sha256(b"\xe7\x83\xa4\n").hexdigest()


@pytest.mark.parametrize(
    "expression",
    [
        *("device_secret | upper", "device_secret | reverse", "device_secret[:8]", "device_secret | length"),
        *("device_secret | default('x') | first", "device_secret | e | replace('0', 'o')", "device_secret.split('a')"),
        "'%-40s' | format(device_secret)",
    ],
)
def test_a_template_that_changes_the_secret_is_refused(expression: str) -> None:
    with pytest.raises(InvalidOption, match=r"exports\[0\]\.template") as caught:
        templated("secret={{ " + expression + " }}\n")
    assert "without a filter" in caught.value.hint


def test_a_template_that_differs_each_time_is_refused() -> None:
    count = iter(range(10))
    with pytest.raises(InvalidOption, match="renders differently each time"):
        templated(lambda variables: f"{next(count)} {variables['device_secret']}\n")


def test_a_template_that_renders_to_no_text_is_refused() -> None:
    with pytest.raises(InvalidOption, match="NUL"):
        templated(lambda variables: "a\0b\n")
    with pytest.raises(InvalidOption, match=r"exports\[0\].template: .* UTF-8"):
        templated(lambda variables: "a\udce4b\n")
    with pytest.raises(InvalidOption, match=r"exports\[0\].template: '' is empty. Set template or format"):
        render(option(template=""))


def test_an_export_is_no_longer_than_a_gateway_compares() -> None:
    """A longer export would be written, and the service restarted, in every run."""
    shell = SHELL_SOURCE.read_text(encoding="utf-8")
    assert f"\nlongest_export={LONGEST_EXPORT}\n" in shell
    assert max(int(re.findall(r"\d+", field.pattern.pattern)[-1]) for field in FIELDS) == LONGEST_SECRET
    secret = "{{ device_secret }}\n"
    rest = LONGEST_EXPORT - LONGEST_SECRET - len(PLACEHOLDER) - 1
    assert len(templated(secret + "x" * (rest - 1) + "\n")) == LONGEST_EXPORT - LONGEST_SECRET
    with pytest.raises(InvalidOption, match=r"exports\[0\].template: .* renders to 1048321 bytes, more than 1048320"):
        templated(secret + "x" * rest + "\n")


def test_a_template_that_cannot_be_rendered() -> None:
    def missing(_variables: dict[str, str]) -> str:
        raise FleetopsError("no such file", kind="invalid_option")

    with pytest.raises(InvalidOption, match="cannot be rendered: no such file"):
        templated(missing)


def test_attributes_are_the_credentials_unless_given() -> None:
    first, second = render(
        option(format="env"), option(dest="/b", format="env", owner="agent", group="33", mode="0640")
    )
    assert (first.owner, first.group, first.mode) == ("gw", "iot", 0o600)
    assert (second.owner, second.group, second.mode) == ("agent", "33", 0o640)
    assert (first.dest, second.dest) == ("/etc/agent/iot.conf", "/b")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"dest": "relative"}, "dest"),
        ({"owner": "a b"}, "owner"),
        ({"group": "a:b"}, "group"),
        ({"mode": "0644"}, "mode"),
    ],
)
def test_the_option_at_fault_is_named(values: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidOption, match=rf"exports\[1\]\.{name}: "):
        render(option(dest="/a", format="env"), option(format="env", **values))


def test_one_destination_twice() -> None:
    with pytest.raises(InvalidOption, match=r"exports\[1\]\.dest.* is used by another export"):
        render(option(format="env"), option(format="json"))


def test_no_exports() -> None:
    assert render() == ()
