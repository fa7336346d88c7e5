# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions that the platform's documents leave open or contradict, and how the platform answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mqtt_client import login, registration
from platform_under_test import Answer, Live, parse_object
from tls_chain import describe_chain

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _gate as gate
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import mqtt

Row = tuple[str, str]
REGISTRATION_DISABLED = 6288
LONGEST_ANSWER = 200


class RegistrationDisabled(Exception):
    """Dynamic Registration is off, so that no question can be answered."""


def rotation(live: Live) -> Iterator[Row]:
    """Yield whether a repeated registration changes the DeviceSecret, and whether a request that was signed earlier is accepted."""
    device = live.add("rotation")
    first_request = live.body(device)
    first = live.register(first_request)
    if first.code == REGISTRATION_DISABLED:
        raise RegistrationDisabled
    yield f"registration over HTTPS, product of node type {live.product.node_type}", str(first)
    if not first.secret:
        return
    second = live.register(live.body(device))
    yield "registering again before activation", compare(second, first.secret)
    if second.secret and second.secret != first.secret:
        yield "login with the DeviceSecret before that", live.log_in(device, first.secret)
    secret = second.secret or first.secret
    yield "login with the DeviceSecret that came last", live.log_in(device, secret)
    yield "registering an activated device", compare(live.register(live.body(device)), secret)
    live.reset(device)
    yield "status of the device after ResetThing", live.status(device)
    replayed = live.register(first_request)
    yield "the first request once more, signed before activation and ResetThing", compare(replayed, secret)
    if not replayed.secret:
        yield "registering after ResetThing", compare(live.register(live.body(device)), secret)


def reset(live: Live) -> Iterator[Row]:
    """Yield the effect of ResetThing on the DeviceSecret in use."""
    device = live.add("reset")
    old = live.register(live.body(device)).secret
    if not old:
        return
    live.log_in(device, old)
    live.reset(device)
    yield "login with the old DeviceSecret between ResetThing and registration", live.log_in(device, old)
    new = live.register(live.body(device))
    yield "registering after ResetThing and such a login", compare(new, old)
    if new.secret and new.secret != old:
        yield "login with the old DeviceSecret after the new registration", live.log_in(device, old)


def session(live: Live) -> Iterator[Row]:
    """Yield the effect of ResetThing on a session."""
    device = live.add("session")
    secret = live.register(live.body(device)).secret
    if not secret:
        return
    with live.open_session(*login(live.product_key, device, secret)) as client:
        if client.connack != 0:
            yield "a session during ResetThing", f"not settled: CONNACK {client.connack}"
            return
        live.reset(device)
        ended = client.gone(live.patience)
    yield "a session during ResetThing", "ends" if ended else f"stays, for {live.patience:g} seconds at least"


def refusals(live: Live) -> Iterator[Row]:
    """Yield the HTTP status and code, or the CONNACK, of refused registrations."""
    disabled = live.add("disabled")
    live.disable(disabled)
    missing = live.name("missing")
    yield "registering a DeviceName that was not added", str(live.register(live.body(missing)))
    yield "registering a disabled device", str(live.register(live.body(disabled)))
    yield "registering with an unknown ProductKey", str(live.register(live.body(missing, product_key="a1zzzzzzzzz")))
    wrong = "wrong" + "0" * 11
    yield "registering with a wrong signature", str(live.register(live.body(disabled, product_secret=wrong)))
    yield "registering a DeviceName that was not added, over MQTT", connack_of(live, missing, live.product_secret)
    yield "registering a disabled device, over MQTT", connack_of(live, disabled, live.product_secret)
    yield "registering with a wrong signature, over MQTT", connack_of(live, disabled, wrong)


def connack_of(live: Live, device: str, product_secret: str) -> str:
    """Send a registration over MQTT, and return its CONNACK."""
    return live.connect(mqtt.registration(live.product_key, device, product_secret))


def registration_over_mqtt(live: Live) -> Iterator[Row]:
    """Yield the fields and the topic of the answer to a registration over MQTT, and the length of a device token."""
    device = live.add("mqtt")
    yield (
        "registration over MQTT, authType register",
        registration_answer(live, registration(live.product_key, device, live.product_secret)),
    )
    # This device was not added. A platform that accepts the request creates a device, which is deleted like the others.
    not_added = registration(live.product_key, live.name("free"), live.product_secret, "regnwl")
    yield "registration over MQTT, authType regnwl", registration_answer(live, not_added)


def registration_answer(live: Live, credentials: tuple[str, str, str]) -> str:
    """Return the answer to a registration over MQTT, without secrets."""
    with live.open_session(*credentials) as client:
        if client.connack != 0:
            return f"CONNACK {client.connack}"
        topic, payload = client.message() or ("", b"")
    if not topic:
        return "CONNACK 0, and no message"
    fields = parse_object(payload)
    live.known_secrets |= {str(fields[name]) for name in ("deviceSecret", "deviceToken") if name in fields}
    token = f", a token of {len(str(fields['deviceToken']))} characters" if "deviceToken" in fields else ""
    return gate.message(f"CONNACK 0, {', '.join(sorted(fields))} on {topic}{token}", LONGEST_ANSWER)


def login_without_timestamp(live: Live) -> Iterator[Row]:
    """Yield whether a login needs a timestamp."""
    device = live.add("login")
    secret = live.register(live.body(device)).secret
    if secret:
        connect = mqtt.login(live.product_key, device, secret, timestamp=None)
        yield "login without a timestamp", live.connect(connect)


def certificates(addresses: list[tuple[str, int]]) -> Iterator[Row]:
    """Yield the certificates of each host up to its authority."""
    for host, port in addresses:
        yield f"certificates of {host}:{port}", describe_chain(host, port)


def compare(answer: Answer, before: str) -> str:
    """Return the answer, and whether its DeviceSecret is the same as the one before."""
    if not answer.secret:
        return str(answer)
    return f"{answer}, {'the same' if answer.secret == before else 'another'} DeviceSecret"


STEPS: tuple[Callable[[Live], Iterator[Row]], ...] = (
    *(rotation, reset, session),
    *(refusals, registration_over_mqtt, login_without_timestamp),
)
