# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documents of the platform leave open or contradict, each question with what the platform does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mqtt_client import login, registration
from platform_under_test import Answer, Live, parsed
from tls_chain import described

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _gate as gate
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import mqtt

Row = tuple[str, str]
SWITCHED_OFF = 6288
LONGEST_ANSWER = 200


class SwitchedOff(Exception):
    """Dynamic Registration is off, so that there is nothing to find out."""


def rotation(live: Live) -> Iterator[Row]:
    """Yield what becomes of the DeviceSecret of a device that registers again, and of a request that was signed long ago."""
    device = live.add("rotation")
    first_request = live.body(device)
    first = live.register(first_request)
    if first.code == SWITCHED_OFF:
        raise SwitchedOff
    yield f"registration over HTTPS, product of node type {live.product.node_type}", str(first)
    if not first.secret:
        return
    second = live.register(live.body(device))
    yield "registering again before activation", compared(second, first.secret)
    if second.secret and second.secret != first.secret:
        yield "login with the DeviceSecret before that", live.log_in(device, first.secret)
    secret = second.secret or first.secret
    yield "login with the DeviceSecret that came last", live.log_in(device, secret)
    yield "registering an activated device", compared(live.register(live.body(device)), secret)
    live.reset(device)
    yield "status of the device after ResetThing", live.status(device)
    replayed = live.register(first_request)
    yield "the first request once more, signed before activation and ResetThing", compared(replayed, secret)
    if not replayed.secret:
        yield "registering after ResetThing", compared(live.register(live.body(device)), secret)


def reset(live: Live) -> Iterator[Row]:
    """Yield what ResetThing does to the DeviceSecret that is in use."""
    device = live.add("reset")
    old = live.register(live.body(device)).secret
    if not old:
        return
    live.log_in(device, old)
    live.reset(device)
    yield "login with the old DeviceSecret between ResetThing and registration", live.log_in(device, old)
    new = live.register(live.body(device))
    yield "registering after ResetThing and such a login", compared(new, old)
    if new.secret and new.secret != old:
        yield "login with the old DeviceSecret after the new registration", live.log_in(device, old)


def session(live: Live) -> Iterator[Row]:
    """Yield what ResetThing does to a session."""
    device = live.add("session")
    secret = live.register(live.body(device)).secret
    if not secret:
        return
    with live.stay(*login(live.product_key, device, secret)) as client:
        if client.connack != 0:
            yield "a session during ResetThing", f"not settled: CONNACK {client.connack}"
            return
        live.reset(device)
        ended = client.gone(live.patience)
    yield "a session during ResetThing", "ends" if ended else f"stays, for {live.patience:g} seconds at least"


def refusals(live: Live) -> Iterator[Row]:
    """Yield which HTTP status and code a registration is refused with."""
    disabled = live.add("disabled")
    live.disable(disabled)
    missing = live.name("missing")
    yield "registering a DeviceName that was not added", str(live.register(live.body(missing)))
    yield "registering a disabled device", str(live.register(live.body(disabled)))
    yield "registering with an unknown ProductKey", str(live.register(live.body(missing, product_key="a1zzzzzzzzz")))
    wrong = "wrong" + "0" * 11
    yield "registering with a wrong signature", str(live.register(live.body(disabled, product_secret=wrong)))
    yield "registering a DeviceName that was not added, over MQTT", over_mqtt(live, missing, live.product_secret)
    yield "registering a disabled device, over MQTT", over_mqtt(live, disabled, live.product_secret)
    yield "registering with a wrong signature, over MQTT", over_mqtt(live, disabled, wrong)


def over_mqtt(live: Live, device: str, product_secret: str) -> str:
    return live.connect(mqtt.registration(live.product_key, device, product_secret))


def registration_over_mqtt(live: Live) -> Iterator[Row]:
    """Yield where the answer to a registration over MQTT comes, and what a device token is like."""
    device = live.add("mqtt")
    yield (
        "registration over MQTT, authType register",
        answered(live, registration(live.product_key, device, live.product_secret)),
    )
    # Nobody has added this one; a platform that takes it makes a device, which is deleted like the others.
    free = registration(live.product_key, live.name("free"), live.product_secret, "regnwl")
    yield "registration over MQTT, authType regnwl", answered(live, free)


def answered(live: Live, credentials: tuple[str, str, str]) -> str:
    with live.stay(*credentials) as client:
        if client.connack != 0:
            return f"CONNACK {client.connack}"
        topic, payload = client.message() or ("", b"")
    if not topic:
        return "CONNACK 0, and no message"
    fields = parsed(payload)
    live.seen |= {str(fields[name]) for name in ("deviceSecret", "deviceToken") if name in fields}
    token = f", a token of {len(str(fields['deviceToken']))} characters" if "deviceToken" in fields else ""
    return gate.message(f"CONNACK 0, {', '.join(sorted(fields))} on {topic}{token}", LONGEST_ANSWER)


def without_timestamp(live: Live) -> Iterator[Row]:
    """Yield whether a login needs a timestamp."""
    device = live.add("login")
    secret = live.register(live.body(device)).secret
    if secret:
        connect = mqtt.login(live.product_key, device, secret, timestamp=None)
        yield "login without a timestamp", live.connect(connect)


def certificates(places: list[tuple[str, int]]) -> Iterator[Row]:
    """Yield which authorities the hosts' certificates lead to."""
    for host, port in places:
        yield f"certificates of {host}:{port}", described(host, port)


def compared(answer: Answer, before: str) -> str:
    if not answer.secret:
        return str(answer)
    return f"{answer}, {'the same' if answer.secret == before else 'another'} DeviceSecret"


STEPS: tuple[Callable[[Live], Iterator[Row]], ...] = (
    *(rotation, reset, session),
    *(refusals, registration_over_mqtt, without_timestamp),
)
