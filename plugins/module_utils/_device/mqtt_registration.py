# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dynamic registration over MQTT: the request, and the meaning of the answer. PRIVATE to the collection.

Source: "MQTT-based dynamic registration" in the documentation of Alibaba Cloud IoT Platform. The answer is a message that comes
after the CONNACK without a subscription.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import (
    WRONG_HOST,
    check_registration,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import (
    ConnectFields,
    address,
    registration,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import CODES as LOGIN_CODES
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt_client import Exchange
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    Refused,
    Throttled,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    is_client_id,
    is_device_secret,
    is_device_token,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._retry import retry_noting_doubt
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TROUBLE, TlsContext, network_error

# CONNACK codes of a refused registration: what each means, and what to do next. The platform gives no other reason.
REFUSED = 4
_WHY = (
    "Over MQTT the platform gives no reason. Check that the device was added to the product and is enabled, that Dynamic "
    "Registration is switched on for the product, and that product_secret is the ProductSecret of this product_key. If the device "
    "is activated already, recover its credential, or reset the device (ResetThing) and register again"
)
CODES: dict[int, tuple[str, str]] = {
    **LOGIN_CODES,
    REFUSED: ("the registration was refused", _WHY),
    5: ("the registration was not authorised", _WHY),
}
# The hint for a registration without pre-registration, which has other conditions.
NO_PREREGISTRATION = (
    "Over MQTT the platform gives no reason. Check that the product allows registration without pre-registration, that "
    "product_secret is its ProductSecret and instance_id its instance, that the device is not activated as one that was added "
    "by name (6289), and that no more than five gateways share the DeviceName"
)


class MqttRequest(t.NamedTuple):
    """One signed registration, without ProductSecret: host, device and CONNECT; with a CONNECT of None, only a connection is made."""

    host: str
    port: int
    auth_type: str
    product_key: str
    device_name: str
    connect: ConnectFields | None


def signed_connect(options: t.Mapping[str, t.Any], device_name: str) -> MqttRequest:
    """Check the options of a registration over MQTT and sign it.

    :param options: as in ``gateway_credential_spec()``
    :raises InvalidOption: one is missing or invalid
    """
    product_key, product_secret = check_registration(options, device_name)
    instance_id, auth_type = options["instance_id"], options["auth_type"]
    address_options = (options["region"], instance_id, options["mqtt_endpoint"], options.get("mqtt_port"))
    host, port = address(product_key, *address_options)
    connect = registration(product_key, device_name, product_secret, options["sign_method"], auth_type, instance_id)
    return MqttRequest(host, port, auth_type, product_key, device_name, connect)


def register(request: MqttRequest, exchange: Exchange, context: TlsContext, timeout: float, budget: float) -> Issued:
    """Register until the platform has answered, and return what it issued; nothing, for a request without a CONNECT.

    :param timeout: seconds for one attempt
    :param budget: seconds within which an attempt may start
    :raises FleetopsError: Refused and Throttled with the CONNACK's code, BadAnswer, NetworkError, TlsError;
        ``may_have_registered`` is true if the platform may have issued a new secret nevertheless
    """
    # According to the documents every answer is published on /ext/register; the vendor's SDKs expect regnwl's on /ext/regnwl.
    topics = ["/ext/register", "/ext/" + request.auth_type]
    what = "registration of %s at %s:%d" % (request.device_name, request.host, request.port)

    def attempt() -> Issued:
        try:
            code, payload = exchange((request.host, request.port), request.connect, context, timeout, topics)
        except (*TROUBLE, FleetopsError) as error:
            failure = network_error(what, error, "mqtt_endpoint")
            failure.may_have_registered = context.sent
            raise failure from None
        return parse_answer(request, what, code, payload) if request.connect else Issued()

    answer, doubt = retry_noting_doubt(attempt, budget)
    return answer._replace(doubt=doubt)


def parse_answer(request: MqttRequest, what: str, code: int, payload: bytes) -> Issued:
    """Return the secret in the answer to ``request``; ``what`` was attempted.

    :raises FleetopsError: Refused or Throttled by the CONNACK's code, BadAnswer for a message that is not the answer
    """
    if code:
        raise _refusal(what, code, request.auth_type)
    answer = _parse(what, payload)
    for name, asked in (("productKey", request.product_key), ("deviceName", request.device_name)):
        if answer.get(name) != asked:
            raise BadAnswer("%s: the answer is for another %s" % (what, name), hint=WRONG_HOST)
    if request.auth_type == "regnwl":
        return Issued(
            device_token=_usable(what, answer, "deviceToken", is_device_token),
            client_id=_usable(what, answer, "clientId", is_client_id),
        )
    return Issued(_usable(what, answer, "deviceSecret", is_device_secret))


def _parse(what: str, payload: bytes) -> dict[str, t.Any]:
    try:
        answer = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise BadAnswer("%s: the message is not the JSON that the platform sends" % what, hint=WRONG_HOST)
    return answer


def _usable(what: str, answer: dict[str, t.Any], name: str, allowed: t.Callable[[object], bool]) -> str:
    if not allowed(answer.get(name)):
        raise BadAnswer("%s: the answer contains no valid %s" % (what, name), hint=WRONG_HOST)
    return str(answer[name])


def _refusal(what: str, code: int, auth_type: str) -> FleetopsError:
    if code == 3:
        return Throttled(
            "%s: the platform is not available now (CONNACK 3)" % what,
            code=code,
            hint="Run again later; if it happens again, lower forks or throttle",
        )
    meaning, hint = CODES.get(code, ("the platform refused", "Look the code up in the MQTT 3.1.1 specification"))
    if auth_type == "regnwl" and code >= REFUSED:
        hint = NO_PREREGISTRATION
    return Refused("%s: %s (CONNACK %d)" % (what, meaning, code), code=code, hint=hint)
