# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values with which an MQTT client logs in, for the configuration of a user's agent."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import address, login
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    check_device_name,
    check_product_key,
    is_device_secret,
)

DOCUMENTATION = r"""
name: mqtt_login
short_description: Returns the MQTT connection parameters of a device
version_added: 1.0.0
description:
  - Returns the host, port, user name and client ID of a device's login over MQTT and TLS, and the password if there is a DeviceSecret to
    sign it with.
  - Most agents take the ProductKey, the DeviceName and the DeviceSecret, and sign themselves. This filter is for the configuration of a
    plain MQTT client.
positional: device_name
options:
  _input:
    description: The ProductKey.
    type: str
    required: true
  device_name:
    description: The DeviceName.
    type: str
    required: true
  device_secret:
    description:
      - The DeviceSecret. If not set, no password is returned.
      - In an export of M(fleetops.aliyun_iot.gateway_credential), C(device_secret) is a placeholder, since the secret never leaves the
        gateway. A template that signs with it is refused. Leave this option out there, and write C({{ device_secret }}) where the agent
        expects the secret.
    type: str
  region:
    description: The product's region, such as V(cn-shanghai). Required unless O(instance_id) or O(mqtt_endpoint) is set.
    type: str
  instance_id:
    description: The ID of the instance, if it has one.
    type: str
  mqtt_endpoint:
    description: The MQTT host to log in to, as C(HOST) or C(HOST:PORT). It replaces the host of the platform.
    type: str
  mqtt_port:
    description: The port. The certificate at V(8883) is signed by the platform's own CA. If not set, the port in O(mqtt_endpoint), or else
      443.
    type: int
  mqtt_ca_path:
    description: The PEM file of the certificate authorities to trust, on the host of the agent, such as the platform's own CA for port
      8883.
    type: str
  sign_method:
    description: The algorithm of the password's signature.
    type: str
    choices: [hmacmd5, hmacsha1, hmacsha256]
    default: hmacsha256
notes:
  - The password never expires, and allows a login like the DeviceSecret itself. So a task that computes one needs C(no_log).
seealso:
  - module: fleetops.aliyun_iot.device_login
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Show the host and the user name of a device's login
  ansible.builtin.debug:
    msg: "{{ 'a1IoKTestP1' | fleetops.aliyun_iot.mqtt_login('gw-0001', region='cn-shanghai') }}"

- name: Compute the password of a simulated device
  ansible.builtin.set_fact:
    simulated: "{{ 'a1IoKTestP1' | fleetops.aliyun_iot.mqtt_login('gw-0001', device_secret=simulated_secret, region='cn-shanghai') }}"
  vars:
    simulated_secret: 0123456789abcdef0123456789abcdef # from a vault
  no_log: true

# A template that gateway_credential exports, for an agent that signs by itself:
#
#   {% set login = product_key | fleetops.aliyun_iot.mqtt_login(
#      device_name, region='cn-shanghai', mqtt_port=8883, mqtt_ca_path='/etc/ssl/ali_iot_ca.crt') %}
#   url = "mqtts://{{ login.host }}:{{ login.port }}"
#   ca_file = "{{ login.ca_path }}"
#   client_id = "{{ login.client_id }}"
#   user_name = "{{ login.user_name }}"
#   device_secret = "{{ device_secret }}"
"""

RETURN = r"""
_value:
  description:
    - C(host), C(port), C(ca_path), C(user_name) and C(client_id); C(password) only if there is O(device_secret).
    - C(ca_path) is O(mqtt_ca_path); V(null) means that the agent trusts its system's authorities.
    - The password is the signature of the parameters in C(client_id). The timestamp among them is a constant.
  type: dict
"""


def mqtt_login(
    product_key: str,
    device_name: str,
    device_secret: str | None = None,
    region: str | None = None,
    instance_id: str | None = None,
    mqtt_endpoint: str | None = None,
    mqtt_port: int | None = None,
    mqtt_ca_path: str | None = None,
    sign_method: str = "hmacsha256",
) -> dict[str, t.Any]:
    """Return the parameters of a CONNECT, and the host and port to connect to."""
    try:
        product_key, device_name = _text("product_key", product_key), _text("device_name", device_name)
        check_product_key(product_key)
        check_device_name(device_name)
        region, instance_id = _text_or_none("region", region), _text_or_none("instance_id", instance_id)
        mqtt_endpoint = _text_or_none("mqtt_endpoint", mqtt_endpoint)
        host, port = address(product_key, region, instance_id, mqtt_endpoint, _port(mqtt_port))
        ca_path, secret = _text_or_none("mqtt_ca_path", mqtt_ca_path), _secret(device_secret)
        # Sign in any case, so that an unknown sign_method is reported without a secret too.
        connect = login(product_key, device_name, secret, _text("sign_method", sign_method))
    except FleetopsError as error:
        raise AnsibleFilterError("mqtt_login: %s" % error) from error
    place = {"host": host, "port": port, "ca_path": ca_path}
    result = {**place, "user_name": connect.user_name, "client_id": connect.client_id}
    return dict(result, password=connect.password) if secret else result


def _text(option: str, value: object) -> str:
    """Return an option as text: a playbook may have a name of digits as a number.

    :raises InvalidOption: it is neither text nor a number
    """
    if value is None or isinstance(value, (bool, list, dict)):
        raise InvalidOption(option, value, "is not a string", "Use a string")
    return str(value)


def _text_or_none(option: str, value: object) -> str | None:
    """Return an option as text, None if it is not set or empty.

    :raises InvalidOption: it is neither text nor a number
    """
    return _text(option, value) if value is not None and value != "" else None


def _secret(secret: object) -> str:
    """Return a DeviceSecret, empty if there is none.

    :raises InvalidOption: it can be none. The message never contains it
    """
    if secret is None or secret == "":
        return ""
    if isinstance(secret, bool) or not is_device_secret(str(secret)):
        hint = "Use 1 to 64 letters, digits and . _ + / = -, without a line break; a vault file often adds one"
        raise InvalidOption("device_secret", None, "is not a DeviceSecret", hint)
    return str(secret)


def _port(port: object) -> int | None:
    """Return a port, which a playbook may have as text; an empty one counts as not set.

    :raises InvalidOption: it is not a number
    """
    if port is None or port == "":
        return None
    digits = str(port)
    if isinstance(port, bool) or not digits.isdecimal() or len(digits) > 9:
        raise InvalidOption("mqtt_port", port, "is not a number", "Use 8883 or 443")
    return int(digits)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mqtt_login": mqtt_login}
