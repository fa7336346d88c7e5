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
      - The DeviceName, 4 to 32 of the characters C(A-Z a-z 0-9 - _ @ . :). Takes precedence over O(device_name_from).
    type: str
  device_name_from:
    description:
      - Where the DeviceName comes from.
      - V(mac) is the address of O(device_name_interface), as the kernel prints it (lower case, with colons).
      - V(serial) is the serial number in the device tree, or else DMI's C(product_serial), which only root can read.
      - A compromised gateway can report a false name for its hardware. So list the allowed names with O(expected_names).
      - A name is called proven if the inventory shows that it belongs to this gateway. There are two cases. The inventory itself gives the
        name, or O(expected_names) has only this name. The return value C(device_name_proven) and the error kind V(unproven_name) use the
        word in this sense. The return value C(proven) is about a login, not about the name.
      - An unproven name comes from the hardware alone. If the gateway reports an unproven name, but already has a credential for another
        device of the same product, the task fails.
    type: str
    choices: [inventory_hostname, mac, serial]
    default: inventory_hostname
  device_name_interface:
    description:
      - The network interface for O(device_name_from=mac). Defaults to the first physical interface, in alphabetical
        order, that has a permanent address and is not connected by USB.
    type: str
  expected_names:
    description:
      - The DeviceNames that are allowed with O(device_name_from=mac) or O(device_name_from=serial). Write each name exactly as the gateway
        reports it. Any other name is refused.
      - A list of one name proves that the name belongs to this gateway (see O(device_name_from)). A longer list, such as all names of a
        group, only limits which names are accepted.
    type: list
    elements: str
    default: []
  reported_name:
    description:
      - The DeviceName that the hardware of this gateway reported in an earlier inspection. Any other name is refused.
      - Use it in a playbook that compares the names of all gateways before it changes the first gateway, as
        C(fleetops.aliyun_iot.provision) does.
    type: str
  path:
    description:
      - The path of the file with the credential on the gateway. The file has one JSON object, written as one line. Its fields are
        C(deviceName), C(deviceSecret) and C(productKey). After a registration with C(auth_type=regnwl), they are C(clientId),
        C(deviceName), C(deviceToken) and C(productKey).
      - A file in another layout is accepted too. It may have further fields, if their values are strings, numbers, V(true), V(false) or
        V(null). It is not rewritten until a new credential replaces it.
      - The file is refused as a credential if it has more than 4096 bytes. It is refused if it is not one complete JSON object. It is
        refused if it has a character beyond ASCII, or a control character other than a tab or a line break.
      - The file is refused if one of the fields of its kind is missing (the three with a DeviceSecret, or the four with a device token), or
        if the value of such a field is not a string in the format of that field. A backslash in such a value is never allowed. The file is
        refused if it has fields of a DeviceSecret and of a device token.
      - The file is refused if a JSON key occurs twice or contains a backslash. It is refused if any value is an object or an array.
      - The directory must belong to root or to the task's user on the gateway (with C(become), the user that it becomes), and must not be
        writable by anybody else. It is created if it does not exist.
    type: str
    default: /etc/aliyun-iot/device.json
  owner:
    description: The user, by name or number, who owns the credential. If this option is not set, the file belongs to the task's user on the
      gateway (with C(become), usually root). The owner of an existing file is corrected too, so set this option if another user has to
      read the file.
    type: str
  group:
    description: The group, by name or number, of the credential. If this option is not set, the file gets the group of the task's user on
      the gateway.
    type: str
  mode:
    description: The credential's permissions, a quoted string of four octal digits, such as V(0600) or V(0640). The first and the last are
      0, so that only owner and group have access, and the owner must be able to read the file.
    type: str
    default: "0600"
  service:
    description:
      - The name, in systemd, OpenRC or C(/etc/init.d), of the service on the gateway that handlers restart when the credential or an export
        has changed. If the service does not exist, the task fails before it registers; see M(fleetops.aliyun_iot.service_restart). The
        module itself restarts nothing.
    type: str
  follow_up:
    description:
      - Whether a change also stores a note on the gateway. The note is a file which records that handlers still have to run after the
        change. Set this option to V(true) if the task notifies such handlers. The option itself runs no handler. A change of owner, group
        and mode alone stores no note.
      - As long as the note exists, a run with V(true) returns C(changed) with the reason V(unfinished) if it has nothing to change or only
        corrects owner, group or mode. So handlers are notified again. Such a run does not register again. A task of
        M(fleetops.aliyun_iot.gateway_credential) with C(state=followed_up), and with the C(due) of the result, removes the note.
      - If this option is not set, the default depends on the task. In a task of the role P(fleetops.aliyun_iot.gateway#role) and in
        M(fleetops.aliyun_iot.fleet_credentials), the default is V(true) if O(service) is set. There it is also V(true) if a handler of
        the play listens to C(Gateway credential changed). In all other cases, the default is V(false). The role has a handler that
        removes the note.
    type: bool
  exports:
    description:
      - Further files with the credential, for agents that read another format. They are written again when the credential changes, and
        repaired without a registration.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description:
          - The file on the gateway. Its directory is not created; it must exist, belong to root or to the task's user on the gateway, and
            not be writable by anybody else.
          - The name of the file must not begin with C(.NAME.), where NAME is the name of the credential or of another export in this
            directory, such as C(.device.json.). The module uses such names itself.
        type: str
        required: true
      format:
        description:
          - V(env) is C(ALIYUN_IOT_PRODUCT_KEY=...) and so on, V(properties) is C(productKey=...), V(json) an indented object. Set either
            this or O(exports[].template).
        type: str
        choices: [env, properties, json]
      template:
        description:
          - A Jinja2 template on the controller, with the variables C(product_key), C(device_name) and C(device_secret). For a credential
            with a device token, C(client_id) and C(device_token) take the place of C(device_secret).
          - The controller renders it with placeholders. The gateway replaces the placeholders with the secret. A filter would change a
            placeholder. So use C(device_secret), C(client_id) and C(device_token) without a filter.
          - The rendered file can have at most 1 MiB, of which 256 bytes are reserved for each placeholder.
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
