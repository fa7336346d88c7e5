# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the request for a secret over either transport: its deadline, and the doubt that remains after it."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _retry
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import Request
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import ConnectFields
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_registration import MqttRequest
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.registrar import unsigned
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.sender import send
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BusyError, FleetopsError, Throttled
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import HttpReply
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TlsContext

KEY, NAME, SECRET = "a1IoKTestP1", "gw-0001", "0123456789abcdef0123456789abcdef"
OPTIONS = {"ca_path": None, "validate_certs": True, "timeout": 5, "retry_time": 30}
DATA = {"productKey": KEY, "deviceName": NAME, "deviceSecret": SECRET}
HTTPS = Request("https://platform.example/auth/register/device", "productKey=x", KEY, NAME)
MQTT = MqttRequest("platform.example", 443, "register", KEY, NAME, ConnectFields("c", "u", "p"))


class Platform:
    """A platform that answers "lost", "busy", "late" or "secret" in turn, over both transports."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.limits: list[float | None] = []

    def poster(self, context: TlsContext, timeout: float) -> Callable[[str, Any], HttpReply]:
        return lambda _url, _body: HttpReply(200, json.dumps({"code": 200, "data": self._next(context)}).encode())

    def exchange(self, _address: Any, _connect: Any, context: TlsContext, *_rest: Any) -> tuple[int, bytes]:
        return 0, json.dumps(self._next(context)).encode()

    def _next(self, context: TlsContext) -> dict[str, str]:
        self.limits.append(context.not_after)
        answer = self.answers.pop(0)
        context.sent = answer != "late"
        if answer == "late":
            raise BusyError("the lease ended before the request was sent")
        if answer in ("lost", "busy"):
            error = Throttled(answer)
            error.may_have_registered = context.sent = answer == "lost"
            raise error
        return DATA


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_retry, "delay_before", lambda *_args: 0.0)


@pytest.fixture(params=[HTTPS, MQTT], ids=["https", "mqtt"])
def request_(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize(
    ("answers", "doubt"),
    [(["secret"], False), (["lost", "secret"], True), (["lost", "busy", "secret"], True), (["busy", "secret"], False)],
    ids=str,
)
def test_what_was_lost_before_is_a_doubt(request_: Any, answers: list[str], doubt: bool) -> None:
    platform = Platform(*answers)
    assert send(request_, OPTIONS, platform.poster, platform.exchange) == Issued(SECRET, doubt=doubt)
    assert platform.limits == [None] * len(answers)


@pytest.mark.parametrize(("answers", "doubt"), [(["late"], False), (["busy", "late"], False), (["lost", "late"], True)])
def test_a_lease_that_has_run_out_ends_it(request_: Any, answers: list[str], doubt: bool) -> None:
    platform = Platform(*answers)
    with pytest.raises(FleetopsError) as caught:
        send(request_, OPTIONS, platform.poster, platform.exchange, 1234.5)
    assert (caught.value.kind, caught.value.may_have_registered) == ("busy", doubt)
    assert platform.limits == [1234.5] * len(answers)


def test_reaching_for_the_platform_issues_nothing_and_leaves_no_doubt() -> None:
    platform = Platform("lost", "secret")
    assert send(unsigned(HTTPS), OPTIONS, platform.poster, platform.exchange) == Issued()
