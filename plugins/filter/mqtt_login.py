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
)

DOCUMENTATION = r"""
name: mqtt_login
short_description: Says what an MQTT client logs in to IoT Platform with
version_added: 1.0.0
description:
  - Makes host, port, user name and client ID of a device's login over MQTT and TLS, and the password where there is a DeviceSecret to
    sign it with.
  - Most agents are given the ProductKey, the DeviceName and the DeviceSecret, and sign by themselves. This filter is for the
    configuration of a plain MQTT client.
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
      - The DeviceSecret. Without it there is no password.
      - In an export of M(fleetops.aliyun_iot.gateway_credential) it is not known, since it never leaves the gateway. C(device_secret) is
        a placeholder there, and a template that signs with it is refused. Leave it out, and write C({{ device_secret }}) where the agent
        looks for it.
    type: str
  region:
    description: The product's region, such as V(cn-shanghai). Needed unless there is O(instance_id) or O(mqtt_endpoint).
    type: str
  instance_id:
    description: The instance's ID, for an instance that has one.
    type: str
  mqtt_endpoint:
    description: Where to log in instead, as C(HOST) or C(HOST:PORT).
    type: str
  mqtt_port:
    description: V(8883), which goes with the platform's own CA, or another port. Without it that of O(mqtt_endpoint), or else 443.
    type: int
  mqtt_ca_path:
    description: The file of the authorities to trust, on the host of the agent, such as the platform's own CA for port 8883.
    type: str
  sign_method:
    description: How the password is signed.
    type: str
    choices: [hmacmd5, hmacsha1, hmacsha256]
    default: hmacsha256
notes:
  - The password never expires. It is worth as much as the DeviceSecret for logging in, so a task that makes one needs C(no_log).
seealso:
  - module: fleetops.aliyun_iot.device_login
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Show where a device connects, and as whom
  ansible.builtin.debug:
    msg: "{{ 'a1IoKTestP1' | fleetops.aliyun_iot.mqtt_login('gw-0001', region='cn-shanghai') }}"

- name: Make the password of a simulated device
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
    - C(ca_path) is O(mqtt_ca_path), V(null) for the authorities of the agent's system.
    - The password is the signature of the parameters that C(client_id) names, the timestamp among them, which is a constant.
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
    """Return the parameters of a CONNECT, and where it goes."""
    try:
        product_key, device_name = _text("product_key", product_key), _text("device_name", device_name)
        check_product_key(product_key)
        check_device_name(device_name)
        host, port = address(product_key, region, instance_id, mqtt_endpoint, _port(mqtt_port))
        # Signed in any case: a sign_method that is unknown is so without a secret too.
        connect = login(product_key, device_name, str(device_secret or ""), sign_method)
    except FleetopsError as error:
        raise AnsibleFilterError("mqtt_login: %s" % error) from error
    place = {"host": host, "port": port, "ca_path": mqtt_ca_path or None}
    result = {**place, "user_name": connect.user_name, "client_id": connect.client_id}
    return dict(result, password=connect.password) if device_secret else result


def _text(option: str, value: object) -> str:
    """Return a name as it is in a client id: one of digits alone may be a number in a playbook, but nothing is no name."""
    if value is None or isinstance(value, (bool, list, dict)):
        raise InvalidOption(option, value, "is no text", "Give a string")
    return str(value)


def _port(port: object) -> int | None:
    """Return a port; a playbook's variable may have it as text, and an empty one counts as not set."""
    if port is None or port == "":
        return None
    if isinstance(port, bool) or not str(port).isdecimal():
        raise InvalidOption("mqtt_port", port, "is not a number", "Use 8883 or 443")
    return int(str(port))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mqtt_login": mqtt_login}
