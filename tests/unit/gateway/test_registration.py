# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the URL, the request and the answer of a registration over HTTPS."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st
from mutations import body_of, mutated, outcome

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _retry
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import (
    CODES,
    Request,
    device_secret,
    register,
    register_url,
    signed_request,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    InvalidOption,
    NetworkError,
    Refused,
    Throttled,
    TlsError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import HttpReply

KEY, NAME, SECRET = "a1IoKTestP1", "OvenDevice01", "0123456789abcdef0123456789abcdef"
REQUEST = Request("https://platform.example/auth/register/device", "productKey=a1IoKTestP1", KEY, NAME)
ANSWER = {"code": 200, "data": {"productKey": KEY, "deviceName": NAME, "deviceSecret": SECRET}, "message": "success"}
OPTIONS: dict[str, Any] = {
    "product_key": KEY,
    "product_secret": "6vEu5Qlj5STest01",
    "region": "cn-shanghai",
    "endpoint": None,
    "timeout": 10,
    "retry_time": 30,
    "sign_method": "hmacsha256",
}


def reply(answer: object, status: int = 200, retry_after: float | None = None) -> HttpReply:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return HttpReply(status, body, retry_after)


def failure(answer: HttpReply) -> FleetopsError:
    with pytest.raises(FleetopsError) as caught:
        device_secret(REQUEST, answer)
    error = caught.value
    assert error.hint, "every error says what to do next"
    assert NAME in error.msg, "every error says what was attempted, and on what"
    assert REQUEST.url in error.msg
    assert SECRET not in str(error)
    return error


def data(**changes: Any) -> dict[str, Any]:
    values = {**ANSWER["data"], **changes}
    return {**ANSWER, "data": {name: value for name, value in values.items() if value is not None}}


# The URL


@pytest.mark.parametrize(
    "region", ["cn-shanghai", "ap-northeast-1", "ap-southeast-1", "eu-central-1", "us-east-1", "us-west-1"]
)
def test_regions(region: str) -> None:
    assert register_url(region, None) == f"https://iot-auth.{region}.aliyuncs.com/auth/register/device"
    assert register_url(region, "") == register_url(region, None)


@pytest.mark.parametrize("region", ["cn-beijing", "cn-shenzhen"])
def test_regions_without_registration_over_https(region: str) -> None:
    with pytest.raises(InvalidOption, match="MQTT only"):
        register_url(region, None)


@pytest.mark.parametrize(
    ("region", "meant"),
    [
        ("cn-shangai", "cn-shanghai"),
        ("cn-beijng", "cn-beijing"),
        ("cn-shenzen", "cn-shenzhen"),
        ("CN-SHANGHAI", "cn-shanghai"),
        ("", None),
        (None, None),
        ("cn-hangzhou", "cn-shanghai"),
    ],
)
def test_other_regions(region: str | None, meant: str | None) -> None:
    with pytest.raises(InvalidOption, match="region") as caught:
        register_url(region, None)
    every = "ap-northeast-1, ap-southeast-1, cn-beijing, cn-shanghai, cn-shenzhen, eu-central-1, us-east-1, us-west-1"
    assert every in caught.value.hint
    if meant:
        assert f"Did you mean {meant}?" in caught.value.hint


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("gw.example", "https://gw.example/auth/register/device"),
        ("gw.example:8443", "https://gw.example:8443/auth/register/device"),
        ("127.0.0.1:8443", "https://127.0.0.1:8443/auth/register/device"),
        ("[::1]:8443", "https://[::1]:8443/auth/register/device"),
        ("https://gw.example", "https://gw.example/auth/register/device"),
        ("https://gw.example/", "https://gw.example/auth/register/device"),
        ("HTTPS://gw.example", "https://gw.example/auth/register/device"),
        ("https://gw.example:8443/auth/register/device", "https://gw.example:8443/auth/register/device"),
        ("https://gw.example/iot/register", "https://gw.example/iot/register"),
        ("gw.example/iot/register", "https://gw.example/iot/register"),
    ],
)
def test_endpoints(endpoint: str, url: str) -> None:
    assert register_url("cn-shanghai", endpoint) == url
    assert register_url(None, endpoint) == url


@pytest.mark.parametrize("endpoint", ["http://gw.example", "http://127.0.0.1/auth/register/device", "ftp://gw.example"])
def test_a_secret_travels_over_https_only(endpoint: str) -> None:
    with pytest.raises(InvalidOption, match="is not an HTTPS URL"):
        register_url("cn-shanghai", endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "[:::::]:8443",
        "https://[1.2:3]/",
        *("https://", "https:///auth", ":8443", "gw.example:0", "gw.example:99999", "gw.example:port"),
        *(
            "https://:password@gw.example",
            "https://@gw.example",
            "user:password@",
            "https://:password@",
            "//:password@h",
        ),
        *("http://user:password@gw.example", "https://user:password@gw example", "https://gw.example/@password"),
        *("gw.example\t", "gw.exa\x00mple", "gw.example\x7f", "gw..example", "a" * 64 + ".example", "gw.ex\u00e4mple"),
        *("gw.example\\x", "https://gw.example\\@h", "[gw.example]", "[]:443", "https://gw.example:"),
        *("https://user:password@gw.example", "https://user@gw.example", "https://gw.example/?a=b", "gw.example/#x"),
        *("gw example", "gw.example\n", " gw.example", "https://gw.example/a b", "https://[::1", "https://[]"),
    ],
)
def test_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(InvalidOption, match="endpoint") as caught:
        register_url("cn-shanghai", endpoint)
    assert "https://HOST" in caught.value.hint
    assert "password" not in caught.value.msg.replace("a user name or a password", "")


# The request


def test_a_request_is_signed_and_free_of_secrets() -> None:
    request = signed_request(OPTIONS, NAME)
    assert request.url == "https://iot-auth.cn-shanghai.aliyuncs.com/auth/register/device"
    assert (request.product_key, request.device_name) == (KEY, NAME)
    fields = {name: values[0] for name, values in parse_qs(request.body).items()}
    assert sorted(fields) == ["deviceName", "productKey", "random", "sign", "signMethod"]
    assert fields["signMethod"] == "hmacsha256"
    assert OPTIONS["product_secret"] not in repr(request)


@pytest.mark.parametrize(
    "changes",
    [
        {"product_key": "a1-"},
        {"product_secret": None},
        {"product_secret": "with blank"},
        {"region": "cn-beijing"},
        {"endpoint": "http://gw.example"},
        {"sign_method": "hmacsha512"},
        {"timeout": 0},
        {"timeout": 301},
        {"retry_time": -1},
        {"retry_time": 3601},
    ],
    ids=str,
)
def test_options_that_no_request_can_be_made_of(changes: dict[str, Any]) -> None:
    [option] = changes
    with pytest.raises(InvalidOption, match=f"^{option}: ") as caught:
        signed_request({**OPTIONS, **changes}, NAME)
    assert caught.value.hint


@pytest.mark.parametrize(
    "changes", [{"timeout": 1}, {"timeout": 300}, {"retry_time": 0}, {"retry_time": 3600}], ids=str
)
def test_the_limits_of_time(changes: dict[str, Any]) -> None:
    signed_request({**OPTIONS, **changes}, NAME)


def test_a_name_that_no_device_has_is_not_signed() -> None:
    with pytest.raises(InvalidOption, match="device_name"):
        signed_request(OPTIONS, "abc")


# The answer


def test_success() -> None:
    assert device_secret(REQUEST, reply(ANSWER)) == SECRET


def test_success_needs_no_message() -> None:
    assert device_secret(REQUEST, reply({"code": 200, "data": ANSWER["data"]})) == SECRET


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409])
@pytest.mark.parametrize(
    "code", [400, 401, 460, 5005, 6100, 6204, 6250, 6288, 6289, 6292, 6600, 1, 499, 600, 6402, 999999, -1, 0]
)
def test_refusals(code: int, status: int) -> None:
    """The code may be in an answer with HTTP status 200, as the platform sends it, or 4xx."""
    error = failure(reply({"code": code, "message": "no"}, status))
    assert error.__class__ is Refused
    assert (error.kind, error.code) == ("refused", code)
    assert f"code {code}" in error.msg
    assert "'no'" in error.msg
    assert error.may_have_registered is False


@pytest.mark.parametrize("status", [202, 302])
def test_a_code_that_another_server_may_have_sent(status: int) -> None:
    error = failure(reply({"code": status, "message": "see there"}, status))
    assert (error.__class__, error.may_have_registered) == (Refused, True)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (460, "product_key and device_name"),
        (5005, "region"),
        (6100, "Add the device"),
        (6204, "Enable the device"),
        (6250, "region"),
        (6288, "Switch on Dynamic Registration"),
        (6289, "ResetThing"),
        (6292, "sign_method"),
        (6600, "product_secret"),
        (6402, "Look the code up"),
    ],
)
def test_a_refusal_says_what_to_do(code: int, words: str) -> None:
    assert words in failure(reply({"code": code})).hint


def test_every_documented_code_has_a_meaning() -> None:
    assert {460, 6250, 6288, 6289, 6292, 6600, 6100, 6204} <= set(CODES)


@pytest.mark.parametrize("message", [None, 5, ["x"], {"a": "b"}])
def test_a_message_that_is_no_text_is_left_out(message: object) -> None:
    assert failure(reply({"code": 6600, "message": message})).msg.endswith("(code 6600)")


def test_a_message_is_shown_in_short_and_on_one_line() -> None:
    error = failure(reply({"code": 6600, "message": "line\nline" * 100}))
    assert "\n" not in error.msg
    assert len(error.msg) < 300


@pytest.mark.parametrize(
    ("answer", "doubt"),
    [
        (reply({"code": 429, "message": "slow down"}), False),
        (reply({"code": 429}, 429), False),
        (reply({"code": 6600}, 429), False),
        (reply(b"slow down", 429), False),
        (reply({"code": 500}), True),
        (reply({"code": 501}), True),
        (reply({"code": 503}), True),
        (reply({"code": 599, "message": "busy"}, 400), True),
        (reply({"code": 500}, 500), True),
        (reply({"code": 6100}, 502), True),
        (reply(b"<html>bad gateway</html>", 502), True),
        (reply(b"", 503), True),
        (reply(b"", 504), True),
    ],
)
def test_what_is_tried_again(answer: HttpReply, doubt: bool) -> None:
    error = failure(answer)
    assert error.__class__ is Throttled
    assert error.kind == "throttled"
    assert error.may_have_registered is doubt


@pytest.mark.parametrize(
    ("answer", "code"),
    [(reply({"code": 429}), 429), (reply({"code": 500}), 500), (reply(b"", 429), 429), (reply(b"", 503), 503)],
)
def test_the_code_of_what_is_tried_again(answer: HttpReply, code: int) -> None:
    assert failure(answer).code == code


@pytest.mark.parametrize("retry_after", [None, 0.0, 7.0])
@pytest.mark.parametrize("answer", [{"code": 429}, b"busy"])
def test_retry_after_is_handed_on(answer: object, retry_after: float | None) -> None:
    error = failure(reply(answer, 429, retry_after))
    assert isinstance(error, Throttled)
    assert error.retry_after == retry_after


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"OK",
        b"<html></html>",
        b"[" * 60_000,
        b"\xff\xfe",
        json.dumps(ANSWER).encode()[:-1],
        json.dumps(ANSWER).encode()[:60],
        [ANSWER],
        "200",
        200,
        None,
        {},
        {**ANSWER, "code": "200"},
        {**ANSWER, "code": True},
        {**ANSWER, "code": 200.0},
        {**ANSWER, "code": None},
        {"data": ANSWER["data"]},
        {**ANSWER, "data": None},
        {**ANSWER, "data": []},
        {**ANSWER, "data": json.dumps(ANSWER["data"])},
        {"code": 200},
        data(productKey="a1IoKTestP2"),
        data(productKey=None),
        data(deviceName="OvenDevice02"),
        data(deviceName="ovendevice01"),
        data(deviceName=None),
        data(deviceSecret=None),
        data(deviceSecret=""),
        data(deviceSecret=5),
        data(deviceSecret=[SECRET]),
        data(deviceSecret="a" * 65),
        data(deviceSecret="with blank"),
        data(deviceSecret="quo'te"),
        data(deviceSecret='quo"te'),
        data(deviceSecret="back\\slash"),
        data(deviceSecret="line\n"),
        data(deviceSecret="$(id)"),
        data(deviceSecret="~root"),
        {**ANSWER, "code": 2**31},
        data(deviceSecret="se\u00e7ret"),
        json.dumps(ANSWER).encode() + b" " * 65536,
    ],
    ids=lambda answer: repr(answer)[:60],
)
def test_answers_that_are_not_the_platforms(answer: object) -> None:
    """The sender of such an answer may have forwarded the request, so a new secret may exist."""
    error = failure(reply(answer))
    assert error.__class__ is BadAnswer
    assert error.kind == "bad_answer"
    assert error.may_have_registered is True


@pytest.mark.parametrize("secret", ["a", "a" * 64, "AZaz09-_.+/="])
def test_secrets_that_can_be_stored(secret: str) -> None:
    assert device_secret(REQUEST, reply(data(deviceSecret=secret))) == secret


def test_the_longest_answer() -> None:
    body = json.dumps(ANSWER).encode()
    assert device_secret(REQUEST, reply(body + b" " * (65536 - len(body)))) == SECRET


@pytest.mark.parametrize("status", [400, 404, 428, 430, 499])
def test_http_refusals_without_json(status: int) -> None:
    error = failure(reply(b"<html></html>", status))
    assert error.__class__ is BadAnswer
    assert f"HTTP status {status}, without the platform's JSON" in error.msg
    assert error.may_have_registered is False


@pytest.mark.parametrize("status", [101, 102, 103, 201, 202, 203, 204, 206, 301, 302, 303, 304, 307, 308])
def test_http_answers_to_a_request_that_may_have_been_processed(status: int) -> None:
    """A proxy that transforms answers returns 203; many servers answer a processed form with 302."""
    error = failure(reply(b"<html></html>", status))
    assert (error.kind, error.may_have_registered) == ("bad_answer", True)
    assert ("a redirect, which is not followed" in error.msg) is (300 <= status < 400)


@given(data=st.data(), status=st.sampled_from([200, 200, 200, 400, 429, 500]))
def test_no_wrong_answer_gets_past(data: st.DataObject, status: int) -> None:
    answer = data.draw(mutated(ANSWER))
    told = outcome(lambda: device_secret(REQUEST, reply(body_of(answer), status)))
    if isinstance(told, FleetopsError):
        assert told.hint
        assert told.msg.isprintable()
        assert len(told.msg) < 500
    else:
        assert set(told) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/=")
        assert (answer["data"]["productKey"], answer["data"]["deviceName"]) == (KEY, NAME)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(CHARACTERS), st.floats(allow_nan=False)),
            lambda inner: st.one_of(
                st.lists(inner), st.dictionaries(st.sampled_from(["code", "data", "message", "deviceSecret"]), inner)
            ),
            max_leaves=12,
        ),
    ),
    st.integers(100, 599),
)
def test_no_garbage_gets_past(answer: object, status: int) -> None:
    with pytest.raises(FleetopsError):
        device_secret(REQUEST, reply(answer, status))


# Retries


class Platform:
    """A platform that returns or raises its answers in turn."""

    def __init__(self, *answers: HttpReply | FleetopsError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def __call__(self, url: str, body: str) -> HttpReply:
        self.asked.append((url, body))
        answer = self.answers.pop(0)
        if isinstance(answer, FleetopsError):
            raise answer
        return answer


def lost() -> NetworkError:
    error = NetworkError("no answer", hint="Check the network")
    error.may_have_registered = True
    return error


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_retry, "delay_before", lambda *_args: 0.0)


def test_the_same_request_is_sent_until_there_is_an_answer() -> None:
    platform = Platform(lost(), reply(b"", 503), reply({"code": 429}), reply({"code": 500}), reply(ANSWER))
    assert register(REQUEST, platform, 30) == Issued(SECRET, doubt=True)
    assert platform.asked == [(REQUEST.url, REQUEST.body)] * 5


@pytest.mark.parametrize("answer", [reply({"code": 6600}), reply(b"x"), TlsError("no"), reply(b"", 302)])
def test_what_will_not_pass_is_asked_once(answer: HttpReply | FleetopsError) -> None:
    platform = Platform(answer)
    with pytest.raises(FleetopsError):
        register(REQUEST, platform, 30)
    assert len(platform.asked) == 1


def test_an_active_device() -> None:
    with pytest.raises(Refused) as caught:
        register(REQUEST, Platform(reply({"code": 6289, "message": "device is already active"})), 30)
    assert caught.value.may_have_registered is False
    assert "answer to an earlier request" not in caught.value.hint


@pytest.mark.parametrize("before", [lost(), reply(b"", 503), reply({"code": 500})])
def test_an_active_device_after_a_lost_answer(before: HttpReply | FleetopsError) -> None:
    with pytest.raises(Refused) as caught:
        register(REQUEST, Platform(before, reply({"code": 6289})), 30)
    assert caught.value.code == 6289
    assert caught.value.may_have_registered is True
    assert "answer to an earlier request of this run was lost" in caught.value.hint
    assert "ResetThing" in caught.value.hint


def test_an_active_device_after_a_throttled_request() -> None:
    with pytest.raises(Refused) as caught:
        register(REQUEST, Platform(reply({"code": 429}), reply({"code": 6289})), 30)
    assert caught.value.may_have_registered is False
    assert "answer to an earlier request" not in caught.value.hint


def test_another_refusal_after_a_lost_answer() -> None:
    with pytest.raises(Refused) as caught:
        register(REQUEST, Platform(lost(), reply({"code": 6600})), 30)
    assert caught.value.may_have_registered is True
    assert "answer to an earlier request" not in caught.value.hint


def test_a_reply_hides_its_body() -> None:
    assert SECRET not in repr(reply(ANSWER))
