# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test what an issuer sends to a gateway: requests that are signed once, and scripts without the text that all of them share."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Scripts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _issuers
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._issuers import GatewayIssuer
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Output, Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import SHARED, ScriptBuilder

OPTIONS = {
    **{name: option.get("default") for name, option in gateway_credential_spec().items()},
    **{"product_key": "a1Example01", "product_secret": "productsecret0001", "region": "cn-shanghai"},
}
BUILDER = ScriptBuilder("/etc/aliyun-iot/device.json", (), "0123456789abcdef", "device_name", None)
SCRIPTS = Scripts(BUILDER.beginning(), BUILDER.changing("store"), BUILDER.script("abandon"))


class Program(Remote):
    """A gateway that records what its programs are to do."""

    def __init__(self) -> None:
        super().__init__("/bin/sh")
        self.received: list[dict[str, Any]] = []

    def run_python(self, entry: str, todo: dict[str, Any], alternative: str, shared: str = "") -> dict[str, Any]:
        self.received.append({**todo, "shared": shared})
        return {"outcome": "installed", "lines": ()}

    def execute(self, command: str, standard_input: str) -> Output:
        raise NotImplementedError

    def python(self, candidates: Sequence[str] = ()) -> str:
        raise NotImplementedError


def random_of(todo: dict[str, Any]) -> str:
    [number] = parse_qs(todo["request"]["body"])["random"]
    return number


def test_a_registration_is_signed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[str] = []

    def prepare(options: Any, device_name: str) -> Any:
        signed.append(device_name)
        return original(options, device_name)

    original = _issuers.prepare
    monkeypatch.setattr(_issuers, "prepare", prepare)
    gateway = Program()
    issuer = GatewayIssuer(OPTIONS, gateway)
    issuer.check("gw-0001")
    issuer.check("gw-0001", needed=True)
    issuer.change(SCRIPTS, "gw-0001", 60)
    assert signed == ["gw-0001"]
    issuer.change(SCRIPTS, "gw-0001", 60)
    assert signed == ["gw-0001"] * 2
    assert len(set(map(random_of, gateway.received))) == 2


def test_the_secret_of_the_account_signs_what_is_sent() -> None:
    """Until a registration is needed, the options are checked with a ProductSecret of zeros, which must not sign the request."""
    asked: list[str] = []

    def read() -> str:
        asked.append("once")
        return "productsecret0001"

    gateway = Program()
    issuer = GatewayIssuer({**OPTIONS, "product_secret": None}, gateway, read)
    issuer.check("gw-0001")
    assert asked == []
    issuer.check("gw-0001", needed=True)
    issuer.change(SCRIPTS, "gw-0001", 60)
    assert asked == ["once"]
    [sent] = gateway.received
    fields = {name: values[0] for name, values in parse_qs(sent["request"]["body"]).items()}
    content = f"deviceNamegw-0001productKeya1Example01random{fields['random']}"
    assert fields["sign"] == hmac.new(b"productsecret0001", content.encode(), "sha256").hexdigest().upper()


def test_scripts_are_sent_without_what_they_share() -> None:
    gateway = Program()
    GatewayIssuer(OPTIONS, gateway).change(SCRIPTS, "gw-0001", 60)
    [todo] = gateway.received
    assert todo["shared"] == SHARED
    texts = {name: value for name, value in todo["scripts"].items() if name != "settles"}
    assert {name: len(parts) for name, parts in texts.items()} == {"begin": 2, "store": 2, "abandon": 2}
    assert sum(len(part) for parts in texts.values() for part in parts) < len(SHARED)
    assert Scripts.joined(todo["scripts"], todo["shared"]) == SCRIPTS


@pytest.mark.parametrize("scripts", [SCRIPTS, Scripts("begin", "", "", True), Scripts("a" + SHARED, SHARED * 2, "")])
def test_scripts_come_as_they_were(scripts: Scripts) -> None:
    assert Scripts.joined(scripts.split(SHARED), SHARED) == scripts
