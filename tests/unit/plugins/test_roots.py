# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the choice of the root certificate that a login needs, and the messages about gateways without it."""

from __future__ import annotations

import hashlib
import re
import ssl
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._roots import (
    GLOBALSIGN,
    OWN,
    lacking_roots,
    needed_root,
)

OPTIONS: dict[str, Any] = {
    **{"mqtt_port": None, "mqtt_ca_path": None, "ca_path": None, "validate_certs": True},
    **{"endpoint": None, "mqtt_endpoint": None, "register_from": "gateway"},
}
# GlobalSign Root CA, and the file with Debian's certificate authorities, which contains it.
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
EXPECTED_SHA256 = "ebd41040e4bb3ec742c9e381d31ef2a41a48b6685c96e7cef3c1df6cd4331c99"


@pytest.mark.parametrize(
    ("options", "root"),
    [
        ({}, (GLOBALSIGN.name, 443, "")),
        ({"mqtt_port": 443}, (GLOBALSIGN.name, 443, "")),
        ({"mqtt_port": 1883}, (GLOBALSIGN.name, 1883, "")),
        ({"register_from": "controller"}, (GLOBALSIGN.name, 443, "")),
        ({"mqtt_port": 8883, "mqtt_ca_path": "/own.pem"}, (OWN.name, 8883, "/own.pem")),
        ({"mqtt_port": 8883, "mqtt_ca_path": "/own.pem", "register_from": "controller"}, None),
        ({"mqtt_port": 8883, "mqtt_ca_path": "~/own.pem"}, None),
        ({"mqtt_port": 8883}, None),
        ({"mqtt_port": 8884}, None),
        ({"mqtt_ca_path": "/own.pem"}, None),
        ({"ca_path": "/all.pem"}, None),
        ({"endpoint": "127.0.0.1"}, None),
        ({"mqtt_endpoint": "127.0.0.1"}, None),
        ({"validate_certs": False}, None),
    ],
    ids=str,
)
def test_which_one(options: dict[str, Any], root: tuple[str, int, str] | None) -> None:
    found = needed_root({**OPTIONS, **options})
    assert (found and (found.name, found.port, found.path)) == root


def test_the_line_is_one_of_the_root_certificate() -> None:
    """No other certificate contains the line, and the date that users see is the end of its validity."""
    if not BUNDLE.exists():
        pytest.skip("this system has no bundle of authorities")
    authorities = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", BUNDLE.read_text(), re.DOTALL)
    known = {hashlib.sha256(ssl.PEM_cert_to_DER_cert(each)).hexdigest(): each for each in authorities}
    if EXPECTED_SHA256 not in known:
        pytest.skip("this system leaves GlobalSign Root CA out")
    having = [name for name, each in known.items() if GLOBALSIGN.line in each.split("\n")]
    assert having == [EXPECTED_SHA256]
    ends = x509.load_pem_x509_certificate(known[EXPECTED_SHA256].encode()).not_valid_after_utc
    assert date.fromisoformat(GLOBALSIGN.ends) == ends.date()


def test_gateways_that_lack_one_are_named_together() -> None:
    results = {
        "gw-0001": {"mqtt_root": GLOBALSIGN.report(found=False)},
        "gw-0002": {"mqtt_root": GLOBALSIGN.report(found=True)},
        "gw-0003": {},
        "gw-0004": {"mqtt_root": GLOBALSIGN.report(found=False)},
        "gw-0005": {"mqtt_root": {**OWN.report(found=False), "path": "/own.pem"}},
    }
    system, own = lacking_roots(results)
    assert "gw-0001, gw-0004." in system
    assert "2028-01-28" in system
    assert "gateway_mqtt_port: 8883" in system
    assert "gw-0005." in own
    assert "/own.pem (mqtt_ca_path)" in own
    assert "2053-07-04" in own
    assert lacking_roots({"gw-0002": results["gw-0002"], "gw-0003": {}}) == []


def test_a_message_about_many_stays_short() -> None:
    [message] = lacking_roots({f"gw-{n:05}": {"mqtt_root": GLOBALSIGN.report(found=False)} for n in range(10000)})
    assert "10000 gateways" in message
    assert "gw-00049 and 9950 more" in message
    assert "gw-00050" not in message
