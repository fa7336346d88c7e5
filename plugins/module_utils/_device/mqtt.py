# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client id, user name and password of a CONNECT, and the host it goes to: pure functions. PRIVATE to the collection.

Sources: "Establish MQTT connections over TCP" and "MQTT-based dynamic registration" in the documentation of Alibaba Cloud IoT
Platform. Where the documents allow several forms, this follows the vendor's SDKs.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.signing import (
    new_random,
    sign,
    signed_content,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._endpoints import parse_endpoint
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_instance_id, check_region

# The SDKs' port, which more firewalls allow than the documents' ports 1883 and 8883.
PORT = 443
# The constant that the vendor's SDK for C signs: the platform does not compare it with the time, so no gateway's clock matters.
TIMESTAMP = "2524608000000"


class ConnectFields(t.NamedTuple):
    """The fields in which one CONNECT differs from another."""

    client_id: str
    user_name: str
    password: str

    def __repr__(self) -> str:
        """Return a text without the password."""
        return "ConnectFields(client_id=%r)" % self.client_id


def login(
    product_key: str,
    device_name: str,
    device_secret: str,
    sign_method: str = "hmacsha256",
    client_id: str | None = None,
    timestamp: str | None = TIMESTAMP,
) -> ConnectFields:
    """Return a login over TLS with DeviceSecret.

    :param client_id: up to 64 characters; ``{ProductKey}.{DeviceName}`` if not given
    :param timestamp: signed as it is; None leaves it out
    :raises InvalidOption: ``sign_method`` is unknown
    """
    parameters = _login_parameters(product_key, device_name, client_id, timestamp)
    return _login(parameters, sign(parameters, device_secret, sign_method), sign_method)


def login_content(product_key: str, device_name: str) -> str:
    """Return the string to sign for such a login, for callers that sign in the gateway's shell."""
    return signed_content(_login_parameters(product_key, device_name))


def signed_login(product_key: str, device_name: str, password: str, sign_method: str = "hmacsha256") -> ConnectFields:
    """Return the same login with a password that was signed elsewhere."""
    return _login(_login_parameters(product_key, device_name), password, sign_method)


def token_login(product_key: str, device_name: str, client_id: str, device_token: str) -> ConnectFields:
    """Return a login with what a registration without pre-registration (regnwl) issued."""
    extension = {"securemode": "-2", "authType": "connwl"}
    return ConnectFields(_client_id(client_id, extension), user_name(product_key, device_name), device_token)


def registration(
    product_key: str,
    device_name: str,
    product_secret: str,
    sign_method: str = "hmacsha256",
    auth_type: str = "register",
    instance_id: str | None = None,
    random: str | None = None,
) -> ConnectFields:
    """Return a dynamic registration, signed as one over HTTPS is.

    :param auth_type: ``register`` for a device that was added by name, ``regnwl`` for one that need not have been
    :param random: 16 hexadecimal digits, from the system's source of randomness if not given
    :raises InvalidOption: ``sign_method`` is unknown
    """
    random = random or new_random()
    parameters = {"deviceName": device_name, "productKey": product_key, "random": random}
    extension = {"random": random, "authType": auth_type, "securemode": "2", "signmethod": sign_method}
    if instance_id:
        extension["instanceId"] = instance_id
    return ConnectFields(
        _client_id("%s.%s" % (device_name, product_key), extension),
        user_name(product_key, device_name),
        sign(parameters, product_secret, sign_method),
    )


def user_name(product_key: str, device_name: str) -> str:
    """Return the user name of every CONNECT."""
    return "%s&%s" % (device_name, product_key)


def address(
    product_key: str, region: str | None, instance_id: str | None, endpoint: str | None, port: int | None = None
) -> tuple[str, int]:
    """Return host and port: of ``endpoint``, of the instance, or the public host of the product in ``region``.

    :param endpoint: ``host`` or ``host:port``
    :param port: in place of 443; the platform presents another certificate at each port
    :raises InvalidOption: none of them is given, or one is invalid
    """
    check_port(port)
    # Check it first: a registration sends it in the client id, whatever the host is.
    host = "%s.mqtt.iothub.aliyuncs.com" % check_instance_id(instance_id) if instance_id else ""
    if endpoint:
        return _endpoint(endpoint, port)
    if host:
        return host, port or PORT
    region = check_region(region, "mqtt_endpoint or instance_id")
    return "%s.iot-as-mqtt.%s.aliyuncs.com" % (product_key, region), port or PORT


def check_port(port: int | None) -> None:
    """Check the option ``mqtt_port``.

    :raises InvalidOption: it is no port
    """
    if port is not None and not 1 <= port <= 65535:
        raise InvalidOption(
            "mqtt_port", port, "is not a port", "Use 8883 with the platform's own CA, or 443 with the system's"
        )


def _login_parameters(
    product_key: str, device_name: str, client_id: str | None = None, timestamp: str | None = TIMESTAMP
) -> dict[str, str]:
    core = client_id or "%s.%s" % (product_key, device_name)
    parameters = {"clientId": core, "deviceName": device_name, "productKey": product_key}
    return parameters if timestamp is None else dict(parameters, timestamp=timestamp)


def _login(parameters: t.Mapping[str, str], password: str, sign_method: str) -> ConnectFields:
    extension = {"securemode": "2", "signmethod": sign_method}
    if "timestamp" in parameters:
        extension["timestamp"] = parameters["timestamp"]
    name = user_name(parameters["productKey"], parameters["deviceName"])
    return ConnectFields(_client_id(parameters["clientId"], extension), name, password)


def _client_id(core: str, extension: t.Mapping[str, str]) -> str:
    return "%s|%s|" % (core, ",".join("%s=%s" % item for item in extension.items()))


def _endpoint(endpoint: str, port: int | None) -> tuple[str, int]:
    problem, hint = "is not a host", "Give HOST or HOST:PORT, without a scheme"
    parts = parse_endpoint("mqtt_endpoint", endpoint, problem, hint)
    if parts.scheme or parts.path:
        raise InvalidOption("mqtt_endpoint", endpoint, problem, hint)
    if port and parts.port and port != parts.port:
        raise InvalidOption("mqtt_port", port, "is not the port of mqtt_endpoint", "Remove one of them")
    return parts.host, parts.port or port or PORT
