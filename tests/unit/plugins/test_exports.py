# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files made of a credential, before the gateway puts the secret in."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible.errors import AnsibleError
from jinja2 import Environment

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import credential_parts, render_exports

KEY, NAME, PLACEHOLDER = "a1IoKTestP1", "gw:1@x.y", "0123456789abcdef01234567"
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
            "ALIYUN_IOT_CLIENT_ID=client-0123456789abcdef01234567\nALIYUN_IOT_DEVICE_TOKEN=0123456789abcdef01234567\n",
        ),
        (
            "properties",
            "productKey=a1IoKTestP1\ndeviceName=gw:1@x.y\nclientId=client-0123456789abcdef01234567\n"
            "deviceToken=0123456789abcdef01234567\n",
        ),
        (
            "json",
            '{\n  "productKey": "a1IoKTestP1",\n  "deviceName": "gw:1@x.y",\n'
            '  "clientId": "client-0123456789abcdef01234567",\n  "deviceToken": "0123456789abcdef01234567"\n}\n',
        ),
    ],
)
def test_a_device_token(name: str, content: str) -> None:
    [export] = render(option(format=name), kind="token")
    assert export.content == content


def test_a_template_with_a_device_token() -> None:
    text = templated("{{ client_id }} {{ device_token }}\n", "token")
    assert text == "client-0123456789abcdef01234567 0123456789abcdef01234567\n"


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
    with pytest.raises(InvalidOption, match="differs from one rendering to the next"):
        templated(lambda variables: f"{next(count)} {variables['device_secret']}\n")


def test_a_template_that_renders_to_no_text_is_refused() -> None:
    with pytest.raises(InvalidOption, match="NUL"):
        templated(lambda variables: "a\0b\n")


def test_a_template_that_cannot_be_rendered() -> None:
    def missing(_variables: dict[str, str]) -> str:
        raise AnsibleError("no such file")

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
    with pytest.raises(InvalidOption, match=r"exports\[1\]\.dest.*twice"):
        render(option(format="env"), option(format="json"))


def test_no_exports() -> None:
    assert render() == ()
