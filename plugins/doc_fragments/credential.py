# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options of everything that stores a credential on a gateway. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Mirrors credential_spec() in module_utils/_argspec.py."""

    DOCUMENTATION = r"""
options:
  device_name:
    description:
      - The DeviceName, 4 to 32 of the characters C(A-Z a-z 0-9 - _ @ . :). Goes before O(device_name_from).
    type: str
  device_name_from:
    description:
      - Where the DeviceName comes from.
      - V(mac) is the address of O(device_name_interface), as the kernel prints it (lower case, with colons).
      - V(serial) is the board's serial number from the device tree or from DMI; DMI shows it to root alone.
      - A name from the hardware is the gateway's word, and a gateway that has been taken over reports whichever it likes. So list the names
        with O(expected_names). A name counts as proven if the inventory gives it, or lists it as the only one.
      - While a gateway holds the credential of another device of the product, a name from its hardware that is not proven is refused.
    type: str
    choices: [inventory_hostname, mac, serial]
    default: inventory_hostname
  device_name_interface:
    description:
      - The network interface for O(device_name_from=mac). Without it the first one that is hardware, by name.
    type: str
  expected_names:
    description:
      - The DeviceNames that the hardware may report, with O(device_name_from=mac) or O(device_name_from=serial), as it prints them. Another
        one is refused.
      - A list of one name is the inventory's word for this gateway and proves the name. A longer one, such as all names of a group, only
        limits it.
    type: list
    elements: str
    default: []
  reported_name:
    description:
      - The DeviceName that the hardware of this gateway reported in an earlier look. Another one is refused.
      - For playbooks that compare the names of all gateways before they change any, as C(fleetops.aliyun_iot.provision) does.
    type: str
  path:
    description:
      - The credential on the gateway, a JSON object of C(deviceName), C(deviceSecret) and C(productKey), or of C(clientId),
        C(deviceName), C(deviceToken) and C(productKey). It is written in one line.
      - It is read in any layout, and with further fields of strings, numbers, V(true), V(false) or V(null). Such a file stays as it is
        until a new credential replaces it. One with objects or arrays in it, a name that occurs twice, a backslash in a name or in
        a field of the credential, a character beyond ASCII, or more than 4096 octets is not read.
      - The directory must belong to root or to the remote user, and nobody else may write it. It is made if it is missing.
    type: str
    default: /etc/aliyun-iot/device.json
  owner:
    description: The user, by name or number, who owns the credential; the remote user if not set.
    type: str
  group:
    description: The group, by name or number, of the credential; the remote user's if not set.
    type: str
  mode:
    description: The credential's permissions, a quoted string of four octal digits that gives others nothing.
    type: str
    default: "0600"
  service:
    description:
      - The service on the gateway that handlers restart when the credential has changed, as systemd, OpenRC or C(/etc/init.d) call it.
        Nothing is registered if there is none; see M(fleetops.aliyun_iot.service_restart). The module itself restarts nothing.
    type: str
  follow_up:
    description:
      - Whether handlers have to run after a change. It is noted on the gateway with the change, and every run returns C(changed) and
        the reason V(unfinished), and registers nothing, until the note is removed by a task with C(state=followed_up) and the C(due) of the
        result. Owner and mode alone are no such change.
      - If not set, V(true) in the tasks of the role P(fleetops.aliyun_iot.gateway#role) whose handlers have something to do, since the role
        has a handler that removes the note, and V(false) everywhere else.
    type: bool
  exports:
    description:
      - Further files made of the credential, for agents that read another format. They follow the credential and are mended
        without a registration.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: The file on the gateway. The rules for the directory are those of O(path), except that it must exist.
        type: str
        required: true
      format:
        description:
          - V(env) is C(ALIYUN_IOT_PRODUCT_KEY=...) and so on, V(properties) is C(productKey=...), V(json) an indented object.
        type: str
        choices: [env, properties, json]
      template:
        description:
          - A Jinja2 template on the controller, with the variables C(product_key), C(device_name) and C(device_secret), or C(client_id) and
            C(device_token) in place of the last.
          - It is rendered on the controller with placeholders that the gateway replaces, so the last ones must stand there without a
            filter.
        type: path
      owner:
        description: The file's owner; the credential's if not set.
        type: str
      group:
        description: The file's group; the credential's if not set.
        type: str
      mode:
        description: The file's permissions; the credential's if not set.
        type: str
"""
