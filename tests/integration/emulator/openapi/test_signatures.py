# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures that others computed: published ones, and requests recorded from the vendor's SDKs."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from account import KEY, PRODUCT_KEY
from emulator import Emulator
from multidict import CIMultiDict
from platform_emulator.openapi.message import Message
from platform_emulator.openapi.openapi_signatures import encoded, signed
from vectors import vectors

VECTORS = vectors("openapi")

# https://www.alibabacloud.com/help/doc-detail/30563.htm
PUBLISHED_V1 = {
    "AccessKeyId": "testid",
    "Action": "Pub",
    "Format": "XML",
    "MessageContent": "aGVsbG93b3JsZA=",
    "ProductKey": "12345abcdeZ",
    "Qos": "0",
    "RegionId": "cn-shanghai",
    "ServiceCode": "iot",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "0715a395-aedf-4a41-bab7-746b43d38d88",
    "SignatureVersion": "1.0",
    "Timestamp": "2017-10-02T09:39:41Z",
    "TopicFullName": "/productKey/testdevice/get",
    "Version": "2017-04-20",
}
# The signature of alibabacloud-openapi-util 0.2.4.
RESET_V1 = {
    "AccessKeyId": "testid",
    "Action": "ResetThing",
    "DeviceName": "gw-0001",
    "Format": "JSON",
    "IotInstanceId": "iot-cn-0pp1n8t0001",
    "ProductKey": "a1Example01",
    "RegionId": "cn-shanghai",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "0123456789abcdef0123456789abcdef",
    "SignatureVersion": "1.0",
    "Timestamp": "2026-01-02T03:04:05Z",
    "Version": "2018-01-20",
}


@pytest.mark.parametrize(
    ("method", "parameters", "signature"),
    [
        ("GET", PUBLISHED_V1, "Y9eWn4nF8QPh3c4zAFkM/k/u7eA="),
        ("POST", RESET_V1, "xkdeVw/pl7uCnaPZWYGNvd09hc0="),
        ("POST", {**RESET_V1, "DeviceName": "gw:00@a.b_c-d"}, "jRvMUMqIe0gLUcSrQKEa8AeDUdM="),
    ],
)
def test_published_signatures_v1(method: str, parameters: dict[str, str], signature: str) -> None:
    message = Message(method, {**parameters, "Signature": signature}, CIMultiDict(), b"")
    assert signed(message).right_signature("testsecret") == signature


@pytest.mark.parametrize(
    ("headers", "query", "secret", "signature"),
    [
        # https://help.aliyun.com/document_detail/2593177.html
        (
            {
                "host": "ecs.cn-shanghai.aliyuncs.com",
                "x-acs-action": "RunInstances",
                "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "x-acs-date": "2023-10-26T10:22:32Z",
                "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
                "x-acs-version": "2014-05-26",
            },
            {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"},
            "YourAccessKeySecret",
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
        ),
        # The signature of alibabacloud-tea-openapi 0.4.6.
        (
            {
                "accept": "application/json",
                "host": "iot.cn-shanghai.aliyuncs.com",
                "user-agent": "test",
                "x-acs-action": "ResetThing",
                "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "x-acs-date": "2026-01-02T03:04:05Z",
                "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
                "x-acs-version": "2018-01-20",
            },
            {"ProductKey": "a1Example01", "DeviceName": "gw-0001", "IotInstanceId": "iot-cn-0pp1n8t0001"},
            "testsecret",
            "03169132cb0b102bd905b0e48fca46baa010d78e66a9f6e27402fe81c4d0bc94",
        ),
    ],
)
def test_published_signatures_v3(headers: dict[str, str], query: dict[str, str], secret: str, signature: str) -> None:
    names = ";".join(sorted(headers))
    authorization = f"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={names},Signature={signature}"
    message = Message("POST", query, CIMultiDict({**headers, "Authorization": authorization}), b"")
    assert signed(message).right_signature(secret) == signature


def test_a_hash_of_another_body_is_refused(platform: Emulator) -> None:
    """The header and the body are both signed, and the header must be the hash of the body."""
    wrong = hashlib.sha256(b"another body").hexdigest()
    now = datetime.now(UTC)
    headers = {
        "host": platform.endpoints["openapi_endpoint"],
        "x-acs-action": "QueryProductList",
        "x-acs-content-sha256": wrong,
        "x-acs-date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
        "x-acs-version": "2018-01-20",
    }
    for digest, accepted in ((wrong, False), (hashlib.sha256(b"").hexdigest(), True)):
        headers["x-acs-content-sha256"] = digest
        names = ";".join(sorted(headers))
        query = {"CurrentPage": "1", "PageSize": "10"}
        canonical = "\n".join(
            (
                *("POST", "/", urlencode(query)),
                "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)),
                *(names, hashlib.sha256(b"").hexdigest()),
            )
        )
        content = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(KEY.secret.encode(), content.encode(), "sha256").hexdigest()
        authorization = f"ACS3-HMAC-SHA256 Credential={KEY.id},SignedHeaders={names},Signature={signature}"
        answer = requests.post(
            f"https://{platform.endpoints['openapi_endpoint']}/?{urlencode(query)}",
            headers={**headers, "Authorization": authorization, "Accept": "application/json"},
            verify=platform.endpoints["ca_file"],
            timeout=60,
        )
        assert (answer.status_code == 200) == accepted, answer.text
        assert ("SignatureDoesNotMatch" in answer.text) != accepted


@pytest.mark.parametrize(
    "vector", VECTORS, ids=lambda vector: f"{vector['client']}-{vector['kind']}-{vector['action']}"
)
def test_recorded_requests_are_accepted(platform: Emulator, vector: dict[str, Any]) -> None:
    asked = vector.get("params") or vector["query"]
    platform.admin.settings(timestamp_tolerance=0, nonce_reuse="allow", instance_id=asked.get("IotInstanceId", ""))
    platform.admin.put_device(PRODUCT_KEY, asked["DeviceName"])
    if vector["action"] == "RegisterDevice":
        platform.admin.delete_device(PRODUCT_KEY, asked["DeviceName"])
    answer = replay(platform, vector)
    assert answer.status_code == 200, answer.text
    assert answer.json()["Success"] is True
    if vector["action"] == "RegisterDevice":
        assert platform.admin.device(PRODUCT_KEY, asked["DeviceName"])["nickname"] == asked["Nickname"]


@pytest.mark.parametrize(
    "vector", VECTORS, ids=lambda vector: f"{vector['client']}-{vector['kind']}-{vector['action']}"
)
def test_the_server_signs_the_same_string_as_the_client(vector: dict[str, Any]) -> None:
    query = {**vector.get("params", {}), "Signature": vector["signature"]} if "params" in vector else vector["query"]
    headers = vector.get("headers", {})
    claim = signed(Message(vector["method"], query, CIMultiDict(headers), vector.get("body", "").encode()))
    assert claim.string_to_sign == vector["stringToSign"]
    assert claim.signature == claim.right_signature(KEY.secret) == vector["signature"]


def replay(platform: Emulator, vector: dict[str, Any]) -> requests.Response:
    """Send a recorded request to the emulator without changing a signed part."""
    if "raw" in vector:
        query = vector["raw"]
    elif "params" in vector:
        query = urlencode({**vector["params"], "Signature": vector["signature"]})
    else:
        query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in vector["query"].items())
    return requests.request(
        vector["method"],
        f"https://{platform.endpoints['openapi_endpoint']}/?{query}",
        headers=vector.get("headers"),
        verify=platform.endpoints["ca_file"],
        timeout=60,
    )
