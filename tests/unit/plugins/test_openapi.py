# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the client of the OpenAPI: its requests, the meaning of answers, the rate of calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import certifi
import pytest
from any_text import CHARACTERS
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _retry
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    InvalidOption,
    NetworkError,
    NotFound,
    OpenApiRefused,
    Throttled,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import HttpReply
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import client as _openapi
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import quotas as _quotas
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import wire as _wire
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import (
    OpenApi,
    connect,
    find_credential,
    numbered,
    openapi_host,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.quotas import QPS, Limiter

JSON = Any

SECRET = "theAccessKeySecret0001"
TOKEN = "the+Security/Token0001=="
OPTIONS: dict[str, JSON] = {
    "access_key_id": None,
    "access_key_secret": None,
    "security_token": None,
    "profile": None,
    "credentials": None,
    "region": "cn-shanghai",
    "openapi_endpoint": None,
    "instance_id": None,
    "ca_path": None,
    "timeout": 10,
    "retry_time": 30,
    "qps_share": 1.0,
}


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that the delays between tries use too."""
    clock = Clock()
    monkeypatch.setattr(
        _openapi, "retry", lambda attempt, budget: _retry.retry(attempt, budget, clock.sleep, clock, max)
    )
    return clock


class Platform:
    """A platform that gives its answers in order and records the calls."""

    def __init__(self, *answers: JSON) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []

    def __call__(self, action: str, query: dict[str, str], form: dict[str, str]) -> JSON:
        self.asked.append((action, query, form))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpReply) else reply(answer)


def reply(answer: JSON, status: int = 200) -> HttpReply:
    return HttpReply(status, json.dumps(answer).encode())


def api(platform: Platform, clock: Clock, **options: JSON) -> OpenApi:
    limiter = Limiter(clock, clock.sleep)
    return OpenApi(platform, endpoint="iot.example", secrets=lambda: (SECRET, TOKEN), limiter=limiter, **options)


def denied(status: int, code: str, message: str = "no") -> HttpReply:
    """Return the refusal of a service in front of the API."""
    return reply({"Code": code, "Message": message, "RequestId": "R1", "HostId": "iot.example"}, status)


def refused(code: str, **more: JSON) -> JSON:
    return {"Success": False, "Code": code, "ErrorMessage": "words of the platform", "RequestId": "R1", **more}


# Calls


def test_a_call_names_the_instance_and_sends_text(clock: Clock) -> None:
    platform = Platform({"Success": True, "Data": {"x": 1}})
    answer = api(platform, clock, instance_id="iot-1").call("QueryDevice", {"PageSize": 50}, form={"DeviceName.1": "a"})
    assert answer.inner("Data").number("x") == 1
    assert platform.asked == [
        ("QueryDevice", {"PageSize": "50", "IotInstanceId": "iot-1"}, {"DeviceName.1": "a"}),
    ]


def test_nothing_is_sent_when_it_is_too_late(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_openapi, "clock", clock)
    platform = Platform(*[{"Success": True}] * 2)
    api(platform, clock).call("ResetThing", {"DeviceName": "gw-0001"}, not_after=100.5)
    with pytest.raises(BusyError, match=r"ResetThing .*before the end of the lease on the gateway"):
        api(platform, clock).call("ResetThing", {"DeviceName": "gw-0001"}, not_after=100.0)
    assert len(platform.asked) == 1


@pytest.mark.parametrize("sent", [True, False])
def test_what_may_have_been_processed_is_not_sent_again_if_that_would_harm(clock: Clock, sent: bool) -> None:
    platform = Platform(TimeoutError("timed out"), {"Success": True})
    calls = api(platform, clock, was_sent=lambda: sent)
    if sent:
        with pytest.raises(FleetopsError, match="timed out") as caught:
            calls.call("ResetThing", {"DeviceName": "gw-0001"}, once=True)
        assert (caught.value.kind, len(platform.asked)) == ("network", 1)
        assert "may still process" in caught.value.hint
    else:
        calls.call("ResetThing", {"DeviceName": "gw-0001"}, once=True)
        assert len(platform.asked) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (HttpReply(504, b"<html>gateway time-out</html>"), "throttled", "504"),
        (denied(502, "BadGateway"), "throttled", "BadGateway"),
        (denied(500, "InternalError"), "throttled", "InternalError"),
        (HttpReply(503, b" " * (_wire.LONGEST_ANSWER + 1)), "bad_answer", None),
        (HttpReply(200, b'{"Success":tr'), "bad_answer", None),
    ],
    ids=["504", "502", "500", "long", "half"],
)
def test_an_error_that_may_hide_a_success_is_final_if_a_repetition_would_harm(
    clock: Clock, answer: JSON, kind: str, code: str | None
) -> None:
    platform = Platform(answer, {"Success": True})
    with pytest.raises(FleetopsError) as caught:
        api(platform, clock).call("ResetThing", {"DeviceName": "gw-0001"}, once=True)
    assert (caught.value.kind, caught.value.code, len(platform.asked)) == (kind, code, 1)
    assert "may still process" in caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [denied(400, "Throttling.User"), denied(503, "Throttling.Api"), denied(429, "TooMany"), HttpReply(429, b"")],
    ids=repr,
)
def test_what_was_refused_for_its_rate_is_sent_again_in_any_case(clock: Clock, answer: JSON) -> None:
    platform = Platform(answer, {"Success": True})
    api(platform, clock).call("ResetThing", {"DeviceName": "gw-0001"}, once=True)
    assert len(platform.asked) == 2


@pytest.mark.parametrize("answer", [HttpReply(302, b""), HttpReply(403, b"<html>no</html>")], ids=repr)
def test_what_did_not_reach_the_platform_is_in_no_doubt(clock: Clock, answer: JSON) -> None:
    with pytest.raises(FleetopsError, match="Check openapi_endpoint") as caught:
        api(Platform(answer), clock).call("ResetThing", {"DeviceName": "gw-0001"}, once=True)
    assert "may still process" not in caught.value.hint


def test_a_repetition_that_would_be_too_late_is_not_sent(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_openapi, "clock", clock)
    platform = Platform(TimeoutError("timed out"), {"Success": True})
    with pytest.raises(BusyError):
        api(platform, clock).call("ResetThing", {"DeviceName": "gw-0001"}, not_after=100.1)
    assert len(platform.asked) == 1


def test_an_instance_without_an_id_is_not_named(clock: Clock) -> None:
    platform = Platform({"Success": True})
    api(platform, clock).call("QueryJob", {"JobId": "j"})
    assert platform.asked[0][1] == {"JobId": "j"}


@given(st.lists(st.text(CHARACTERS)))
def test_lists_are_numbered_from_one(names: list[str]) -> None:
    parameters = numbered("DeviceName", names)
    assert [parameters[f"DeviceName.{number}"] for number in range(1, len(names) + 1)] == names
    assert len(parameters) == len(names)


# The meaning of an answer


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refused("iot.device.NotExistedDevice"), NotFound, "iot.device.NotExistedDevice"),
        (refused("iot.prod.NotExistedProduct"), NotFound, "iot.prod.NotExistedProduct"),
        (refused("iot.device.NotExistedDeviceX"), OpenApiRefused, "iot.device.NotExistedDeviceX"),
        (refused("iot.system.InstanceNotFound"), OpenApiRefused, "iot.system.InstanceNotFound"),
        (denied(404, "InvalidAccessKeyId.NotFound"), OpenApiRefused, "InvalidAccessKeyId.NotFound"),
        (denied(404, "InvalidAction.NotFound"), OpenApiRefused, "InvalidAction.NotFound"),
        (denied(400, "InvalidSecurityToken.Expired"), OpenApiRefused, "InvalidSecurityToken.Expired"),
        ({}, OpenApiRefused, "no code"),
        ({"Success": "true"}, OpenApiRefused, "no code"),
        (reply({"Success": True}, 403), OpenApiRefused, "403"),
        (refused(6100), OpenApiRefused, "6100"),
    ],
    ids=str,
)
def test_a_refusal_has_the_platforms_code_and_is_final(
    clock: Clock, answer: JSON, kind: type[FleetopsError], code: str
) -> None:
    platform = Platform(answer)
    with pytest.raises(OpenApiRefused) as caught:
        api(platform, clock).call("ResetThing", {"ProductKey": "a1", "DeviceName": "gw-0001"})
    assert caught.value.__class__ is kind
    assert (caught.value.code, caught.value.kind) == (code, "not_found" if kind is NotFound else "refused")
    assert "ResetThing DeviceName=gw-0001 ProductKey=a1: refused with " + code in caught.value.msg
    assert len(platform.asked) == 1


def test_a_refusal_says_what_to_quote_and_what_to_do(clock: Clock) -> None:
    with pytest.raises(OpenApiRefused) as caught:
        api(Platform(refused("iot.common.RamActionPermissionDeny")), clock).call("ResetThing", {})
    assert str(caught.value) == (
        "ResetThing: refused with iot.common.RamActionPermissionDeny (words of the platform), RequestId R1. "
        "Allow the RAM user this action (iot:ResetThing) in a policy. "
        "See the troubleshooting guide: refused iot.common.RamActionPermissionDeny"
    )


@pytest.mark.parametrize(
    ("code", "option"),
    [
        ("MissingNetType", "net_type"),
        ("iot.prod.InvalidFormattedProductName", "product_name"),
        ("iot.prod.LongProductDesc", "description"),
        ("iot.prod.AlreadyExistedProductName", "product_name"),
    ],
)
def test_a_refused_text_of_a_product_is_named_by_its_option(clock: Clock, code: str, option: str) -> None:
    with pytest.raises(OpenApiRefused) as caught:
        api(Platform(refused(code)), clock).call("CreateProduct", {})
    assert option in caught.value.hint.split(": ")[0].replace(",", "").split()


def test_a_message_repeats_a_name_without_what_a_terminal_obeys(clock: Clock) -> None:
    with pytest.raises(OpenApiRefused) as caught:
        api(Platform(refused("iot.x")), clock).call("CreateProduct", {"ProductName": "a\x1b[31m\0b" + "c" * 999})
    assert caught.value.msg.startswith("CreateProduct ProductName=a[31mbccc")
    assert caught.value.msg.isprintable()
    assert len(caught.value.msg) < 400


def test_a_refusal_keeps_what_came_with_it(clock: Clock) -> None:
    with pytest.raises(OpenApiRefused) as caught:
        api(Platform(refused("iot.x", Data={"names": [1]})), clock).call("QueryDevice", {})
    assert caught.value.data == {"names": [1]}


@pytest.mark.parametrize(
    "trouble",
    [
        denied(400, "Throttling"),
        denied(400, "Throttling.User"),
        denied(429, "TooMany"),
        denied(503, "ServiceUnavailable"),
        denied(500, "InternalError"),
        refused("Throttling.Api"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
        EOFError("cut short"),
        HttpReply(502, b"<html>bad gateway</html>"),
        HttpReply(429, b""),
        reply({"Code": "Service Unavailable", "Message": "x"}, 503),
        reply({"Code": {"a": 1}}, 503),
        reply({"Code": -1}, 500),
        reply({"Code": "X", "Message": {"a": 1}}, 503),
        reply({"Code": "X", "RequestId": [1]}, 503),
        reply({"Code": "Too Many"}, 429),
    ],
    ids=repr,
)
def test_what_passes_is_tried_again(clock: Clock, trouble: JSON) -> None:
    platform = Platform(trouble, trouble, {"Success": True})
    assert "Success" in api(platform, clock).call("QueryDevice", {})
    assert len(platform.asked) == 3
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [(denied(400, "Throttling.User"), Throttled), (ConnectionResetError("reset"), NetworkError)],
    ids=repr,
)
def test_trouble_that_stays_never_reads_as_not_there(clock: Clock, trouble: JSON, kind: type[FleetopsError]) -> None:
    with pytest.raises(FleetopsError) as caught:
        api(Platform(*[trouble] * 99), clock, retry_time=10).call("QueryDevice", {})
    assert caught.value.__class__ is kind
    assert "tries)" in caught.value.msg


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            reply({"Code": "Service Unavailable", "Message": "later"}, 503),
            "QueryDevice: refused with 503 (later) (1 try)",
        ),
        (reply({"Code": "Busy", "Message": {"a": 1}}, 503), "QueryDevice: refused with Busy (1 try)"),
        (reply({"Code": ["x"]}, 429), "QueryDevice: refused with 429 (1 try)"),
    ],
    ids=repr,
)
def test_an_overload_is_told_however_it_is_answered(clock: Clock, answer: JSON, says: str) -> None:
    with pytest.raises(Throttled) as caught:
        api(Platform(answer), clock, retry_time=0).call("QueryDevice", {})
    assert caught.value.msg == says


@pytest.mark.parametrize("mistake", [KeyError(SECRET), TypeError(SECRET), ValueError(SECRET)], ids=repr)
def test_a_mistake_of_our_own_is_no_trouble_on_the_way(clock: Clock, mistake: Exception) -> None:
    platform = Platform(mistake)
    with pytest.raises(type(mistake)):
        api(platform, clock).call("QueryDevice", {})
    assert (len(platform.asked), clock.slept) == (1, [])


def test_the_network_error_says_why(clock: Clock) -> None:
    with pytest.raises(NetworkError, match=r"https://iot\.example: no answer: reset .*openapi_endpoint"):
        api(Platform(ConnectionResetError("reset")), clock, retry_time=0).call("QueryDevice", {})


@pytest.mark.parametrize(
    "trouble",
    [
        refused("iot.x", ErrorMessage=f"{SECRET} and {TOKEN}"),
        denied(400, "SignatureDoesNotMatch", f"x-acs-security-token:{TOKEN} {SECRET}"),
        denied(403, "Forbidden", TOKEN * 50),
        denied(403, "Forbidden", "x" * 150 + quote(TOKEN, safe="")),
        denied(403, "Forbidden", quote(quote(TOKEN, safe=""), safe="").replace("%253D", "%253d")),
        denied(403, TOKEN, ""),
        refused("iot.x", RequestId=quote(TOKEN, safe="")),
        ConnectionError(f"{SECRET}{TOKEN}"),
        ConnectionError(f"https://iot.example/?SecurityToken={quote(TOKEN, safe='')}"),
    ],
    ids=["refused", "signature", "long", "encoded", "encoded twice", "code", "request id", "lost", "lost, encoded"],
)
def test_no_error_holds_a_secret(clock: Clock, trouble: JSON) -> None:
    with pytest.raises(FleetopsError) as caught:
        api(Platform(trouble), clock, retry_time=0).call("QueryDevice", {})
    assert SECRET not in str(caught.value)
    once = quote(TOKEN.rstrip("="), safe="")
    for form in (TOKEN.rstrip("="), once, quote(once, safe="")):
        assert form not in str(caught.value)
    assert "x-acs-" not in str(caught.value)
    assert len(caught.value.msg) < 600


# The rate of calls


@pytest.mark.parametrize(
    ("action", "depth", "share", "calls", "seconds"),
    [
        ("BatchQueryDeviceDetail", 0, 1.0, 5, 0),
        ("BatchQueryDeviceDetail", 0, 1.0, 6, 1),
        ("BatchQueryDeviceDetail", 0, 1.0, 100, 19),
        ("BatchQueryDeviceDetail", 0, 0.5, 10, 4),
        ("BatchQueryDeviceDetail", 0, 0.1, 3, 4),
        ("QueryDevice", 99_950, 1.0, 100, 1),
        ("QueryDevice", 100_000, 1.0, 6, 2),
        ("ResetThing", 0, 1.0, 1000, 1),
    ],
)
def test_the_quota_is_used_up_and_not_exceeded(
    clock: Clock, action: str, depth: int, share: float, calls: int, seconds: float
) -> None:
    limiter = Limiter(clock, clock.sleep)
    for _call in range(calls):
        with limiter.turn(action, depth, share):
            pass
    assert clock.now - 100 == pytest.approx(seconds)


@given(st.lists(st.tuples(st.floats(0, 0.9), st.floats(0, 1)), min_size=20, max_size=60))
def test_no_second_of_the_platform_sees_more_than_the_quota(ways: list[tuple[float, float]]) -> None:
    """Calls may take any time, and the platform may count a call at any moment in between."""
    clock, counted = Clock(), []
    limiter = Limiter(clock, clock.sleep)
    for length, part in ways:
        with limiter.turn("BatchQueryDeviceDetail"):
            counted.append(clock.now + length * part)
            clock.now += length
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(counted, counted[5:], strict=False))


@given(st.integers(1, 5), st.lists(st.floats(0, 0.9), min_size=20, max_size=60))
def test_no_second_of_the_platform_sees_more_than_the_quota_of_all_shares(runs: int, lengths: list[float]) -> None:
    """Each run makes at most the whole calls of its share, so that all runs together do not exceed the quota."""
    clock, counted = Clock(), []
    limiter = Limiter(clock, clock.sleep)
    for length in lengths:
        with limiter.turn("BatchQueryDeviceDetail", share=1 / runs):
            counted.append(clock.now)
            clock.now += length
    most = 5 // runs
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(counted, counted[most:], strict=False))


def test_actions_have_quotas_of_their_own(clock: Clock) -> None:
    limiter = Limiter(clock, clock.sleep)
    for action in [*QPS, *QPS]:
        with limiter.turn(action):
            pass
    assert clock.slept == []


def test_a_failed_call_counts(clock: Clock) -> None:
    limiter = Limiter(clock, clock.sleep)
    for _call in range(6):
        with pytest.raises(KeyError), limiter.turn("QueryJob"):
            raise KeyError
    assert clock.slept == [1.0]


def test_every_client_of_a_process_shares_one_limiter() -> None:
    assert OpenApi(Platform())._limiter is OpenApi(Platform())._limiter is _quotas.LIMITER


# Options


@pytest.mark.parametrize(
    ("region", "endpoint", "host"),
    [
        ("cn-shanghai", None, "iot.cn-shanghai.aliyuncs.com"),
        ("cn-beijing", "", "iot.cn-beijing.aliyuncs.com"),
        (None, "127.0.0.1:8443", "127.0.0.1:8443"),
        ("cn-shanghai", "https://iot.example/", "iot.example"),
    ],
)
def test_the_host(region: str | None, endpoint: str | None, host: str) -> None:
    assert openapi_host(region, endpoint) == host


@pytest.mark.parametrize(
    ("region", "endpoint", "says"),
    [
        (None, None, "region: is missing, and openapi_endpoint is not set"),
        ("cn-shanghi", None, "Did you mean cn-shanghai"),
        ("cn-hongkong", None, "is not a region"),
        (None, "http://iot.example", "is not a host"),
        (None, "iot.example/path", "is not a host"),
        (None, "user:hidden@iot.example", "contains a user name or a password"),
        (None, "https://:hidden@iot.example", "contains a user name or a password"),
        (None, "https://:hidden@", "contains a user name or a password"),
        (None, "iot.example\t", "is not a host"),
        (None, "iot.example\x00", "is not a host"),
        (None, "https://iot.example?x=1", "is not a host"),
        (None, "iot.example:99999", "is not a host"),
        (None, "iot.exam\nple", "is not a host"),
    ],
)
def test_no_host(region: str | None, endpoint: str | None, says: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        openapi_host(region, endpoint)
    assert says in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"access_key_id": "id"}, "access_key_secret: is missing"),
        ({"access_key_secret": SECRET}, "access_key_id: is missing"),
        ({"security_token": TOKEN}, "access_key_id: is missing"),
        (
            {"access_key_id": "id", "access_key_secret": SECRET, "profile": "p"},
            "profile: 'p' cannot be combined with access_key_id",
        ),
        (
            {"profile": "p", "credentials": "default_chain"},
            "credentials: 'default_chain' cannot be combined with profile",
        ),
        ({"timeout": 0}, "timeout: 0 is out of range"),
        ({"retry_time": -1}, "retry_time: -1 is out of range"),
        ({"qps_share": 0.0}, "qps_share: 0.0 is out of range"),
        ({"qps_share": 1e-300}, "qps_share: 1e-300 is out of range"),
        ({"qps_share": 1.1}, "qps_share: 1.1 is out of range"),
        ({"ca_path": "/nowhere.pem"}, "ca_path: '/nowhere.pem' cannot be used"),
        (
            {"access_key_id": "id", "access_key_secret": SECRET + "\n"},
            "OpenAPI: access_key_secret contains a character that cannot be sent",
        ),
        (
            {"access_key_id": "id", "access_key_secret": SECRET, "security_token": "two words"},
            "OpenAPI: security_token contains a character that cannot be sent",
        ),
    ],
    ids=str,
)
def test_options_that_cant_be(options: JSON, says: str) -> None:
    with pytest.raises(FleetopsError) as caught:
        connect({**OPTIONS, **options})
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a home without AccessKeys, on a host without a role; settings that the vendor's library reads at import are patched."""
    from alibabacloud_credentials.utils import auth_constant, auth_util

    monkeypatch.setattr(auth_constant, "HOME", str(tmp_path))
    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "true")
    for name in ("access_key_id", "access_key_secret", "security_token", "profile_name"):
        monkeypatch.setattr(auth_util, f"environment_{name}", None)
    return tmp_path


def ini(home: Path) -> None:
    (home / ".alibabacloud").mkdir()
    text = f"[fleet]\ntype = access_key\naccess_key_id = fromIni\naccess_key_secret = {SECRET}\n"
    (home / ".alibabacloud/credentials.ini").write_text(text)


def cli(home: Path) -> None:
    (home / ".aliyun").mkdir()
    profile = f'{{"name": "fleet", "mode": "AK", "access_key_id": "fromCli", "access_key_secret": "{SECRET}"}}'
    (home / ".aliyun/config.json").write_text(f'{{"current": "fleet", "profiles": [{profile}]}}')


@pytest.mark.parametrize(
    ("files", "options", "key_id"),
    [
        ([], {"access_key_id": "given", "access_key_secret": SECRET}, "given"),
        ([cli, ini], {"profile": "fleet"}, "fromCli"),
        ([ini], {"profile": "fleet"}, "fromIni"),
        ([cli], {"credentials": "default_chain"}, "fromCli"),
    ],
    ids=["given", "cli", "ini", "chain"],
)
def test_where_the_access_key_is_found(
    home: Path, files: list[Callable[[Path], None]], options: JSON, key_id: str
) -> None:
    for write in files:
        write(home)
    found = find_credential({**OPTIONS, **options}).get_credential()
    assert (found.access_key_id, found.access_key_secret) == (key_id, SECRET)


@pytest.mark.parametrize("options", [{"credentials": "default_chain"}, {"profile": "nobody"}], ids=str)
def test_no_access_key_anywhere(home: Path, options: JSON) -> None:
    cli(home) if "profile" in options else None
    with pytest.raises(FleetopsError) as caught:
        find_credential({**OPTIONS, **options})
    assert caught.value.kind == "credential"
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in caught.value.hint
    assert SECRET not in str(caught.value)


def test_nobody_is_asked_for_an_access_key_unless_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default chain asks the metadata address, which may belong to a stranger in another network."""
    cli(home)
    for name in ("alibabacloud_credentials.client", "alibabacloud_credentials.provider"):
        monkeypatch.setitem(sys.modules, name, None)  # the code of the chain cannot even be loaded
    with pytest.raises(FleetopsError) as caught:
        find_credential(OPTIONS)
    assert caught.value.kind == "credential"
    assert "access_key_secret" in caught.value.hint
    assert "default_chain" in caught.value.hint


def test_whatever_the_vendors_library_raises_is_no_access_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aliyun").mkdir()
    (home / ".aliyun/config.json").write_text('{"current": "fleet", "profiles": [["name", "fleet"]]}')
    with pytest.raises(FleetopsError) as caught:
        find_credential({**OPTIONS, "profile": "fleet"})
    assert caught.value.kind == "credential"


def test_a_mistake_of_our_own_is_no_lack_of_an_access_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wire, "AccessKey", None)
    with pytest.raises(TypeError):
        find_credential({**OPTIONS, "access_key_id": "id", "access_key_secret": SECRET})


@pytest.mark.parametrize(
    "system", ["none", "an empty file", "an empty directory", "a directory without hashes", "a file", "a directory"]
)
def test_the_authorities_of_certifi_are_trusted_if_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str
) -> None:
    authority = Path(certifi.where()).read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    (tmp_path / "file").write_text(authority if system == "a file" else "")
    (tmp_path / "directory").mkdir()
    if system.startswith("a directory"):
        name = "5ad8a5d6.0" if system == "a directory" else "authority.pem"
        (tmp_path / "directory" / name).write_text(authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / ("file" if "file" in system else "nothing")))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / ("directory" if "directory" in system else "nothing")))
    trusted: list[str] = []
    monkeypatch.setattr(_openapi, "trust", lambda _context, path: trusted.append(path))
    connect({**OPTIONS, "access_key_id": "id", "access_key_secret": SECRET})
    assert trusted == ([] if system in ("a file", "a directory") else [certifi.where()])


@pytest.mark.parametrize("library", ["alibabacloud_credentials.client", "alibabacloud_tea_openapi.utils"])
def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(FleetopsError) as caught:
        connect({**OPTIONS, "access_key_id": "id", "access_key_secret": SECRET})
    assert caught.value.kind == "missing_library"
    assert "pip install alibabacloud-tea-openapi alibabacloud-credentials" in str(caught.value)
