# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access keys and topology in a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sdks
import yaml
from account import Key
from emulator import Emulator
from platform_emulator import seed
from platform_emulator.fields import Invalid
from sdks import Denied

SEED = """
access_keys:
  - {id: lasting, secret: lastingSecret}
  - {id: STS.fresh, secret: freshSecret, security_token: fresh+token/==, expires: 2999-01-01T00:00:00Z}
  - {id: STS.stale, secret: staleSecret, security_token: stale, expires: "2020-01-01T00:00:00"}
products:
  - product_key: a1Gateways1
    product_secret: productsecret0001
    node_type: gateway
    devices:
      - name: gw-0001
        sub_devices: [{product_key: a1Sensors01, name: sensor-1}, {name: sensor-2}, sensor-3]
  - {product_key: a1Sensors01, product_secret: productsecret0002, devices: [sensor-1]}
"""


def test_keys_and_topology_stand_on_the_platform(tmp_path: Path) -> None:
    with Emulator(tmp_path, yaml.safe_load(SEED.replace("2999-01-01T00:00:00Z", '"2999-01-01T00:00:00Z"'))) as platform:
        topology = platform.admin.device("a1Gateways1", "gw-0001")["sub_devices"]
        assert {(each["product_key"], each["name"]) for each in topology} == {
            ("a1Sensors01", "sensor-1"),
            ("a1Gateways1", "sensor-2"),
            ("a1Gateways1", "sensor-3"),
        }
        product = {"ProductKey": "a1Gateways1"}
        assert sdks.tea(platform.endpoints, Key("lasting", "lastingSecret"))("QueryDevice", **product)["Total"] == 3
        assert sdks.tea(platform.endpoints, Key("STS.fresh", "freshSecret", "fresh+token/=="))(
            "QueryProduct", **product
        )
        with pytest.raises(Denied, match=r"InvalidSecurityToken\.Expired"):
            sdks.core(platform.endpoints, Key("STS.stale", "staleSecret", "stale"))("QueryDevice", **product)


def test_yaml_may_read_the_time_by_itself() -> None:
    fresh, stale = seed.read(yaml.safe_load(SEED)).access_keys[1:]
    assert (fresh.expires, stale.expires) == ("2999-01-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00")
    assert "Secret" not in repr(fresh)
    assert "token/" not in repr(fresh)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"expires": "tomorrow"}, r"access_keys\[0\].expires: is not a time"),
        ({"security_token": "two words"}, r"access_keys\[0\].security_token: has the wrong form"),
        ({"token": "x"}, r"access_keys\[0\].token: is not a known key"),
    ],
)
def test_keys_that_cannot_be(key: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        seed.read({"access_keys": [{"id": "testKeyId", "secret": "testKeySecret", **key}]})


@pytest.mark.parametrize("own", ["gw-0001", {"product_key": "a1Gateways1", "name": "gw-0001"}])
def test_a_gateway_is_not_its_own_sub_device(tmp_path: Path, own: object) -> None:
    with (
        Emulator(tmp_path, {"products": [{"product_key": "a1Gateways1", "product_secret": "secret"}]}) as platform,
        pytest.raises(AssertionError, match="sub_devices of gw-0001: a gateway cannot be its own sub-device"),
    ):
        platform.admin.put_device("a1Gateways1", "gw-0001", sub_devices=[own])


def test_a_sub_device_of_a_product_that_is_not_there(tmp_path: Path) -> None:
    attached = [{"product_key": "a1Nothing01", "name": "sensor-1"}]
    with (
        Emulator(tmp_path, {"products": [{"product_key": "a1Gateways1", "product_secret": "secret"}]}) as platform,
        pytest.raises(AssertionError, match="sub_devices of gw-0001: there is no product a1Nothing01"),
    ):
        platform.admin.put_device("a1Gateways1", "gw-0001", sub_devices=attached)
    with Emulator(tmp_path) as platform:
        assert platform.admin.devices("a1Gateways1") == [], "all of it, or nothing"
