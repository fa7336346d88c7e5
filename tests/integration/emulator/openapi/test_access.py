# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are refused before they reach the API, and the answers to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self
from xml.etree import ElementTree

import pytest
import requests
import sdks
from account import EXPIRED_KEY, GATEWAY_NAME, KEY, PRODUCT_KEY, TEMPORARY_KEY, Key
from alibabacloud_tea_openapi.utils import Utils
from darabonba.core import DaraCore
from emulator import Emulator
from platform_emulator import access_keys
from platform_emulator.access_keys import AccessKey
from platform_emulator.openapi import openapi_access
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal
from platform_emulator.openapi.openapi_signatures import SignedV1, canonical_query, encoded
from platform_emulator.settings import Settings
from platform_emulator.store import Store
from sdks import Denied, Sdk

HOUR = timedelta(hours=1)


def parameters(**changes: str | None) -> dict[str, str]:
    """Return the parameters of a signed V1 call without the signature; None omits a parameter."""
    values = {
        "Action": "QueryDevice",
        "Version": "2018-01-20",
        "Format": "JSON",
        "AccessKeyId": KEY.id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(uuid.uuid4()),
        "Timestamp": timestamp(),
        "ProductKey": PRODUCT_KEY,
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def timestamp(offset: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + offset).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_signature(method: str, values: dict[str, str], secret: str = KEY.secret) -> dict[str, str]:
    text = "&".join((method, "%2F", encoded(canonical_query(values))))
    signature = hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")
    return {**values, "Signature": base64.b64encode(signature).decode()}


def send(platform: Emulator, method: str = "POST", **kwargs: Any) -> requests.Response:
    url = f"https://{platform.endpoints['openapi_endpoint']}/"
    return requests.request(method, url, verify=platform.endpoints["ca_file"], timeout=60, **kwargs)


def refusal(answer: requests.Response) -> tuple[int, str]:
    """Return HTTP status and code of a refusal before the API; such an answer has exactly these four fields."""
    content = answer.json()
    assert set(content) == {"RequestId", "HostId", "Code", "Message"}
    return answer.status_code, content["Code"]


@pytest.mark.parametrize(
    ("method", "place"),
    [("GET", "params"), ("POST", "params"), ("POST", "data")],
    ids=["GET", "POST with all in the query", "POST with a form"],
)
def test_v1_in_each_place(platform: Emulator, method: str, place: str) -> None:
    answer = send(platform, method, **{place: with_signature(method, parameters(SignatureType=""))})
    assert answer.json()["Total"] == 1
    unsigned_type = {**with_signature(method, parameters()), "SignatureType": ""}
    assert refusal(send(platform, method, **{place: unsigned_type})) == (400, "SignatureDoesNotMatch")


def test_a_wrong_signature_is_answered_with_the_string_that_was_to_sign(platform: Emulator) -> None:
    values = parameters(ProductKey="a:b c")
    answer = send(platform, data=with_signature("POST", values, "another0Secret"))
    assert refusal(answer) == (400, "SignatureDoesNotMatch")
    string_to_sign = f"POST&%2F&{encoded(canonical_query(values))}"
    assert answer.json()["Message"].split(":") == [
        "Specified signature is not matched with our calculation. server string to sign is",
        string_to_sign,
    ]
    with pytest.raises(Denied, match=r"StringToSign is \[ACS3-HMAC-SHA256\s[0-9a-f]{64}\] server CanonicalRequest is"):
        sdks.tea(platform.endpoints, Key(KEY.id, "another0Secret"))("QueryDevice", ProductKey=PRODUCT_KEY)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Action": None}, (400, "MissingParameter")),
        ({"Action": "QueryOven"}, (404, "InvalidAction.NotFound")),
        ({"Action": "register"}, (404, "InvalidAction.NotFound")),
        ({"Version": None}, (400, "MissingParameter")),
        ({"Version": "2017-04-20"}, (400, "InvalidVersion")),
        ({"AccessKeyId": None}, (400, "MissingParameter")),
        ({"AccessKeyId": "nobody"}, (404, "InvalidAccessKeyId.NotFound")),
        ({"SignatureNonce": ""}, (400, "MissingParameter")),
        ({"SignatureMethod": "HMAC-SHA256"}, (400, "InvalidSignatureMethod")),
        ({"SignatureVersion": "2.0"}, (400, "InvalidSignatureVersion")),
        ({"Timestamp": None}, (400, "MissingParameter")),
        ({"Timestamp": "2026-01-02 03:04:05"}, (400, "InvalidTimeStamp.Format")),
        # Fixed IDs: every process that collects the tests must get the same ones.
        pytest.param({"Timestamp": timestamp(-HOUR)}, (400, "InvalidTimeStamp.Expired"), id="an hour ago"),
        pytest.param({"Timestamp": timestamp(HOUR)}, (400, "InvalidTimeStamp.Expired"), id="in an hour"),
        ({"SecurityToken": "unasked"}, (400, "InvalidSecurityToken.MismatchWithAccessKey")),
        ({"ProductKey": None}, (400, "MissingProductKey")),
        ({"PageSize": "ten"}, (400, "InvalidPageSize")),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong(
    platform: Emulator, changes: dict[str, str | None], expected: tuple[int, str]
) -> None:
    assert refusal(send(platform, data=with_signature("POST", parameters(**changes)))) == expected
    (entry,) = platform.admin.requests()
    known = changes.get("Action", "known") == "known"
    assert (entry["action"], entry["code"]) == ("QueryDevice" if known else "unknown", expected[1])


def test_no_signature_at_all(platform: Emulator) -> None:
    assert refusal(send(platform, data=parameters())) == (400, "MissingParameter")


def test_the_clock_may_be_off_by_as_much_as_is_set(platform: Emulator) -> None:
    def ask() -> int:
        return send(platform, data=with_signature("POST", parameters(Timestamp=timestamp(-HOUR)))).status_code

    assert ask() == 400
    platform.admin.settings(timestamp_tolerance=7200)
    assert ask() == 200
    platform.admin.settings(timestamp_tolerance=0)
    assert ask() == 200


def test_a_nonce_is_good_once_even_across_a_restart(platform: Emulator) -> None:
    values = with_signature("POST", parameters())
    assert send(platform, data=values).status_code == 200
    assert refusal(send(platform, data=values)) == (400, "SignatureNonceUsed")
    platform.kill()
    platform.start()
    assert refusal(send(platform, data=values)) == (400, "SignatureNonceUsed")
    platform.admin.settings(nonce_reuse="allow")
    assert send(platform, data=values).status_code == 200


class Clock(datetime):
    """A datetime whose `now` is set by the test."""

    time = datetime.now(UTC).replace(microsecond=0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(cls.time.timestamp(), tz)


@pytest.mark.parametrize(
    ("tolerance", "sent", "replayed", "code"),
    [
        (900, 900, 0, "SignatureNonceUsed"),
        (900, 900, 1800, "SignatureNonceUsed"),
        (900, 900, 1801, r"InvalidTimeStamp\.Expired"),
        (900, -900, 0, "SignatureNonceUsed"),
        (7200, 0, 7200, "SignatureNonceUsed"),
        (0, 0, 10_000_000, "SignatureNonceUsed"),
        (0, -10_000_000, 0, "SignatureNonceUsed"),
    ],
)
def test_a_nonce_is_good_once_while_its_request_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tolerance: int, sent: int, replayed: int, code: str
) -> None:
    monkeypatch.setattr(openapi_access, "datetime", Clock)
    store, settings, start = Store(tmp_path / "state.sqlite"), Settings(timestamp_tolerance=tolerance), Clock.time
    access_keys.save(store, AccessKey(KEY.id, KEY.secret))

    def ask(nonce: str, offset: int) -> None:
        time = (start + timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")
        signed = SignedV1(KEY.id, "", time, nonce, "", "")
        openapi_access.check(store, replace(signed, signature=signed.right_signature(KEY.secret)), settings)

    ask("nonce", sent)
    monkeypatch.setattr(Clock, "time", start + timedelta(seconds=replayed))
    ask("another", replayed)
    with pytest.raises(OpenApiRefusal, match=code):
        ask("nonce", sent)
    monkeypatch.setattr(openapi_access, "NONCES", 2)
    for number in range(9):
        ask(f"{number}", replayed)
    assert tolerance or len(store.rows("SELECT 1 FROM nonce")) == 3
    store.close()


def test_a_forged_request_uses_up_no_nonce(platform: Emulator) -> None:
    values = parameters()
    assert refusal(send(platform, data=with_signature("POST", values, "forged"))) == (400, "SignatureDoesNotMatch")
    assert send(platform, data=with_signature("POST", values)).status_code == 200


@pytest.mark.parametrize("sdk", [sdks.tea, sdks.core])
@pytest.mark.parametrize(
    ("key", "code"),
    [
        (Key("nobody", "secret"), "InvalidAccessKeyId.NotFound"),
        (EXPIRED_KEY, "InvalidSecurityToken.Expired"),
        (EXPIRED_KEY._replace(security_token="another"), "InvalidSecurityToken.MismatchWithAccessKey"),
        (TEMPORARY_KEY._replace(security_token="another"), "InvalidSecurityToken.MismatchWithAccessKey"),
        (TEMPORARY_KEY._replace(security_token=None), "MissingSecurityToken"),
        (KEY._replace(security_token="unasked"), "InvalidSecurityToken.MismatchWithAccessKey"),
    ],
)
def test_keys_and_tokens_that_do_not_do(platform: Emulator, sdk: Any, key: Key, code: str) -> None:
    with pytest.raises(Denied) as denied:
        sdk(platform.endpoints, key)("ResetThing", **GATEWAY_NAME)
    assert denied.value.code == code


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Signature=", "Sign=", "IncompleteSignature"),
        ("SignedHeaders=accept;host;", "SignedHeaders=accept;", "IncompleteSignature"),
        ("x-acs-version", "x-acs-other", "IncompleteSignature"),
        ("SignedHeaders=accept;", "SignedHeaders=", "SignatureDoesNotMatch"),
    ],
)
def test_v3_with_another_authorization(
    platform: Emulator, monkeypatch: pytest.MonkeyPatch, old: str, new: str, code: str
) -> None:
    real = Utils.get_authorization
    monkeypatch.setattr(Utils, "get_authorization", lambda *arguments: real(*arguments).replace(old, new))
    with pytest.raises(Denied) as denied:
        sdks.tea(platform.endpoints, KEY)("QueryDevice", ProductKey=PRODUCT_KEY)
    assert denied.value.code == code


def test_v3_covers_the_body(platform: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    real = DaraCore.do_action

    def tampered(request: Any, runtime: Any) -> Any:
        request.body = request.body.replace("OvenDevice02", "OvenDevice03")
        return real(request, runtime)

    monkeypatch.setattr(DaraCore, "do_action", tampered)
    with pytest.raises(Denied, match="SignatureDoesNotMatch"):
        sdks.generic(platform.endpoints, KEY)(
            "BatchCheckDeviceNames", {"DeviceName.1": "OvenDevice02"}, ProductKey=PRODUCT_KEY
        )


def test_v3_lets_clients_sign_the_least(platform: Emulator) -> None:
    """A V3 signature of the host and the x-acs- headers alone is accepted: the documents and other SDKs sign no more."""
    empty = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": "iot.cn-shanghai.aliyuncs.com:8443",
        "x-acs-action": "QueryProduct",
        "x-acs-content-sha256": empty,
        "x-acs-date": timestamp(),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-version": "2018-01-20",
    }
    names = ";".join(headers)
    canonical_headers = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\nProductKey={PRODUCT_KEY}\n{canonical_headers}\n{names}\n{empty}"
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(KEY.secret.encode(), text.encode(), "sha256").hexdigest()
    headers["Authorization"] = f"ACS3-HMAC-SHA256 Credential={KEY.id},SignedHeaders={names},Signature={signature}"
    assert send(platform, params={"ProductKey": PRODUCT_KEY}, headers=headers).json()["Success"] is True


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"x-acs-signature-nonce": b"\xff"}, (400, "SignatureDoesNotMatch")),
        ({"host": b"\xff"}, (400, "SignatureDoesNotMatch")),
        ({"Authorization": b"\xff"}, (400, "IncompleteSignature")),
        ({"key": b"\xff"}, (404, "InvalidAccessKeyId.NotFound")),
        ({"x-acs-action": b"\xff"}, (404, "InvalidAction.NotFound")),
    ],
    ids=str,
)
def test_v3_with_headers_that_are_not_utf_8(
    platform: Emulator, changes: dict[str, bytes], expected: tuple[int, str]
) -> None:
    headers = {
        "host": b"localhost",
        "x-acs-action": b"QueryProduct",
        "x-acs-content-sha256": b"0",
        "x-acs-date": timestamp().encode(),
        "x-acs-signature-nonce": b"1",
        "x-acs-version": b"2018-01-20",
    }
    credential = changes.get("key", KEY.id.encode())
    end = changes.get("Authorization", b"")
    names = ";".join(headers).encode()
    authorization = b"ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=0%s" % (credential, names, end)
    headers |= {name: value for name, value in changes.items() if name in headers}
    assert refusal(send(platform, headers={**headers, "Authorization": authorization})) == expected


def test_an_instance_with_an_id_must_be_named(platform: Emulator, call: Sdk) -> None:
    platform.admin.settings(instance_id="iot-test01")
    for parameters in ({}, {"IotInstanceId": "iot-test02"}):
        answer = call("ResetThing", **GATEWAY_NAME, **parameters)
        assert (answer["Success"], answer["Code"]) == (False, "iot.system.InstanceNotFound")
    assert call("ResetThing", **GATEWAY_NAME, IotInstanceId="iot-test01")["Success"] is True
    platform.admin.settings(instance_id="")
    assert call("ResetThing", **GATEWAY_NAME, IotInstanceId="iot-test01")["Success"] is False


def test_xml_for_v1_calls_that_do_not_ask_for_json(platform: Emulator) -> None:
    answer = send(platform, data=with_signature("POST", parameters(Format=None)))
    assert answer.headers["Content-Type"].startswith("text/xml")
    root = ElementTree.fromstring(answer.content)
    assert (root.tag, root.findtext("Success")) == ("QueryDeviceResponse", "true")
    assert root.findtext("Data/DeviceInfo/DeviceName") == GATEWAY_NAME["DeviceName"]
    refused = ElementTree.fromstring(send(platform, data=parameters(Format="XML")).content)
    assert (refused.tag, refused.findtext("Code")) == ("Error", "MissingParameter")


def test_a_failure_of_the_api_is_http_200(platform: Emulator) -> None:
    answer = send(platform, data=with_signature("POST", parameters(Action="QueryProduct", ProductKey="a1Nothing")))
    assert answer.status_code == 200
    assert answer.json() == {
        "RequestId": answer.json()["RequestId"],
        "Success": False,
        "Code": "iot.prod.NotExistedProduct",
        "ErrorMessage": "The specified product does not exist.",
    }
    assert re.fullmatch("[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", answer.json()["RequestId"])


def test_the_log_and_the_state_keep_no_secret_of_a_call(platform: Emulator) -> None:
    sdks.tea(platform.endpoints, TEMPORARY_KEY)("QueryDevice", ProductKey=PRODUCT_KEY)
    with pytest.raises(Denied):
        sdks.core(platform.endpoints, Key(KEY.id, "leaked0Secret"))("RegisterDevice", ProductKey="leaked secret")
    for secret in (KEY.secret, TEMPORARY_KEY.secret, TEMPORARY_KEY.security_token, "leaked"):
        assert secret not in platform.log
        assert secret not in str(platform.admin.requests())


def test_a_body_beyond_all_names_is_refused(platform: Emulator) -> None:
    answer = send(platform, params={"Format": "JSON"}, data=b"x" * 5_000_000)
    assert refusal(answer) == (413, "RequestEntityTooLarge")
    assert platform.admin.requests() == []


def test_a_body_that_is_not_in_its_encoding_is_refused(platform: Emulator) -> None:
    answer = send(platform, params={"Format": "JSON"}, data=b"not compressed", headers={"Content-Encoding": "gzip"})
    assert refusal(answer) == (400, "InvalidRequestBody")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
def test_another_method_is_refused(platform: Emulator, method: str) -> None:
    answer = send(platform, method, params={"Format": "JSON"})
    assert refusal(answer) == (405, "UnsupportedHTTPMethod")
    assert answer.headers["Allow"] == "GET, POST"
    assert ElementTree.fromstring(send(platform, method).content).findtext("Code") == "UnsupportedHTTPMethod"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_longest_query(platform: Emulator, method: str) -> None:
    names = {f"DeviceName.{number}": f"{number:03}{':@' * 14}." for number in range(1, 101)}
    asked = with_signature(method, parameters(Action="BatchQueryDeviceDetail", **names))
    assert send(platform, method, params=asked).json()["Success"] is True
    (entry,) = platform.admin.requests()
    assert entry["names"] == 100


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x1f", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_replaced(platform: Emulator, call: Sdk, character: str) -> None:
    call("UpdateProduct", ProductKey=PRODUCT_KEY, ProductName="Ovens", Description=f"a{character}b\t\U0001f525")
    asked = with_signature("POST", parameters(Action="QueryProduct", Format="XML"))
    root = ElementTree.fromstring(send(platform, data=asked).content)
    assert root.findtext("Data/Description") == "a\ufffdb\t\U0001f525"
