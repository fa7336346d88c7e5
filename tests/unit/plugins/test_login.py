# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the outcome of a login that verifies a credential, by the kind of its error."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, Kind
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _login
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._login import Login, TokenStays

OPTIONS = {
    "path": "/x",
    "region": "cn-shanghai",
    "instance_id": None,
    "mqtt_endpoint": None,
    "ca_path": None,
    "timeout": 1,
}


def outcome(monkeypatch: pytest.MonkeyPatch, error: FleetopsError | None, **options: Any) -> tuple[str, str]:
    """Return the outcome of a login that ends with this error, or without one."""

    def log_in(_options: Any, _remote: Any) -> dict[str, str]:
        if error:
            raise error
        return {}

    monkeypatch.setattr(_login, "log_in", log_in)
    remote: Any = None
    return Login({**OPTIONS, **options}, remote, "gateway").attempt()


def test_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(monkeypatch, None) == ("accepted", "")
    assert outcome(monkeypatch, FleetopsError("no", kind="refused", code=5)) == ("refused", "no")
    assert outcome(monkeypatch, FleetopsError("no", kind="refused", code=2)) == ("failed", "no")


def test_a_token_is_tested_from_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery logs in from the controller, to which a token, being the password itself, is not sent."""
    places = []

    def log_in(options: Any, _remote: Any) -> dict[str, str]:
        places.append(options["login_from"])
        if options["login_from"] == "controller":
            raise TokenStays("login_from", "controller", "would send it", "")
        return {}

    monkeypatch.setattr(_login, "log_in", log_in)
    remote: Any = None
    assert Login(OPTIONS, remote, "controller").attempt() == ("accepted", "")
    assert places == ["controller", "gateway"]


LASTING = ["invalid_option", "missing_library", "missing_tool", "no_python"]


@pytest.mark.parametrize("kind", sorted(set(get_args(Kind)) - set(LASTING)))
def test_what_says_nothing_of_the_credential_leaves_the_doubt(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    assert outcome(monkeypatch, FleetopsError("why", kind=kind)) == ("failed", "why")


@pytest.mark.parametrize("kind", LASTING)
def test_what_stays_as_it_is_ends_it(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    assert outcome(monkeypatch, FleetopsError("why", kind=kind)) == ("impossible", "why")


@pytest.mark.parametrize(
    ("options", "possible"),
    [
        ({}, True),
        ({"endpoint": "127.0.0.1"}, False),
        ({"openapi_endpoint": "127.0.0.1"}, False),
        ({"endpoint": "127.0.0.1", "mqtt_endpoint": "127.0.0.1"}, True),
        ({"region": None}, False),
        ({"region": None, "instance_id": "iot-cn-0"}, True),
    ],
)
def test_where_the_address_is_known(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], possible: bool) -> None:
    assert outcome(monkeypatch, None, **options)[0] == ("accepted" if possible else "impossible")


@pytest.mark.parametrize(("login_from", "method"), [("gateway", "hmacsha1"), ("controller", "hmacsha256")])
def test_a_gateway_needs_no_other_digest_than_the_one_that_it_has(
    monkeypatch: pytest.MonkeyPatch, login_from: str, method: str
) -> None:
    """A stock OpenWrt has no sha1sum, and the lack would only show after the registration."""
    signed = []
    monkeypatch.setattr(_login, "log_in", lambda options, _remote: signed.append(options["sign_method"]))
    remote: Any = None
    assert Login({**OPTIONS, "sign_method": "hmacsha1"}, remote, login_from).attempt() == ("accepted", "")
    assert signed == [method]
