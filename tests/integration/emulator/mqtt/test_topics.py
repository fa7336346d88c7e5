# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Topics that a logged-in device may publish and subscribe to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_client import Client
from platform_emulator.mqtt import topics

Connect = Callable[..., Client]

NAMES = ("a1IoKTestP1", "gw-0001")
POST = "/sys/a1IoKTestP1/gw-0001/thing/event/property/post"
GET = "/a1IoKTestP1/gw-0001/user/get"


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("number", ["1", 1, "0" * 40, 'a"b'])
def test_a_property_post_is_answered_with_its_id(log_in: Connect, qos: int, number: Any) -> None:
    device = log_in()
    device.publish(POST, json.dumps({"id": number, "version": "1.0", "params": {"Temperature": 21}}), qos)
    message = device.message()
    assert message is not None
    topic, payload = message
    assert topic == f"{POST}_reply"
    assert b'":' in payload
    assert b'": ' not in payload
    assert json.loads(payload) == {
        "code": 200,
        "data": {},
        "id": number,
        "message": "success",
        "method": "thing.event.property.post",
        "version": "1.0",
    }


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"hello", b"[]", b"{}", b"\xff", b"1", pytest.param(b"[" * 200_000, id="deep")),
        *(b'{"id":"\\ud800"}', b'{"id":NaN}', b'{"id":-Infinity}', b'{"id":1.5}', b'{"id":true}', b'{"id":null}'),
        b'{"id":["1"]}',
        pytest.param(b'{"id":%s}' % (b"9" * 5000), id="long"),
    ],
)
def test_a_property_post_that_is_none(log_in: Connect, payload: bytes) -> None:
    device = log_in()
    device.publish(POST, payload)
    content = device.content()
    assert (content["code"], content["id"]) == (460, "")


@pytest.mark.parametrize("qos", [0, 1])
def test_other_topics_need_a_subscription(log_in: Connect, qos: int) -> None:
    device = log_in()
    device.publish(GET, b"unheard", qos)
    assert device.subscribe(GET, qos) == qos
    device.publish(GET, b"heard", qos)
    assert device.message() == (GET, b"heard")
    device.unsubscribe(GET)
    device.publish(GET, b"unheard", qos)
    assert device.message(0.2) is None


@pytest.mark.parametrize(
    ("topic_filter", "code"),
    [
        (GET, 0),
        ("/a1IoKTestP1/gw-0001/#", 0),
        ("/sys/a1IoKTestP1/gw-0001/thing/event/+/post_reply", 0),
        ("/ext/error/a1IoKTestP1/gw-0001", 0),
        ("/ota/device/upgrade/a1IoKTestP1/gw-0001", 0),
        ("/broadcast/a1IoKTestP1/news", 0),
        ("/ext/rrpc/+/now", 0),
        ("#", 128),
        ("/sys/+/gw-0001/thing/service/property/set", 128),
        ("/sys/a1IoKTestP1/gw-0002/thing/service/property/set", 128),
        ("/sys/a1IoKTestP1/gw-00011/thing", 128),
        ("/a1IoKTestP1/gw-0002/user/get", 128),
        ("/broadcast/a1Another/news", 128),
        ("/shadow/get/a1IoKTestP1/gw-00011", 128),
    ],
)
def test_whose_topics_a_device_may_hear(log_in: Connect, topic_filter: str, code: int) -> None:
    device = log_in()
    assert device.subscribe(topic_filter) == code
    assert not device.gone(0.05)


@pytest.mark.parametrize("topic_filter", ["/a1IoKTestP1/gw-0001/us+er", "/a1IoKTestP1/gw-0001/user#", f"{GET}/#/x"])
def test_a_filter_that_clients_refuse_themselves(topic_filter: str) -> None:
    assert not topics.may_subscribe(topic_filter, *NAMES)


def test_qos_2_is_granted_as_1_and_may_not_be_sent(log_in: Connect) -> None:
    device = log_in()
    assert device.subscribe(GET, 2) == 1
    device.publish(GET, b"twice", 2, seconds=0)
    assert device.gone()


@pytest.mark.parametrize(
    "topic", ["/sys/a1IoKTestP1/gw-0002/thing/event/property/post", "/ext/register", "/broadcast/a1IoKTestP1/news", "x"]
)
def test_who_publishes_elsewhere_is_thrown_out(log_in: Connect, topic: str) -> None:
    device = log_in()
    device.publish(topic, b"{}")
    assert device.gone()


LEVEL = st.text("ab", max_size=2)


@given(st.lists(LEVEL, min_size=1, max_size=4))
def test_a_topic_matches_itself_and_its_wildcards(levels: list[str]) -> None:
    topic = "/".join(levels)
    for number in range(len(levels)):
        assert topics.matches(topic, "/".join([*levels[:number], "+", *levels[number + 1 :]]))
        assert topics.matches(topic, "/".join([*levels[:number], "#"]))
    assert topics.matches(topic, f"{topic}/#"), "# is the level above, too"
    assert not topics.matches(topic, f"{topic}/+")
    assert not topics.matches(topic, f"{topic}c")
