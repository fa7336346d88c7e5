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
      - V(serial) is the serial number in the device tree, or else DMI's C(product_serial). Usually only root can read C(product_serial).
      - If the hardware reports no name, or only a placeholder such as C(Default string), the task fails with the kind V(invalid_option).
        It does not use the name in the inventory instead. With C(state=absent), no name is needed.
      - A compromised gateway can report a false name for its hardware. So list the allowed names with O(expected_names).
      - A name is called proven if the inventory shows that it belongs to this gateway. A name is proven if the inventory itself gives it. A
        name from the hardware is proven if O(expected_names) has only this name. The return value C(device_name_proven) and the error kind
        V(unproven_name) use the word in this sense. The return value C(proven) is about a login, not about the name.
      - An unproven name comes from the hardware alone. If the gateway reports an unproven name, but already has a credential for another
        device of the same product, the task fails. If the credential is for another product, M(fleetops.aliyun_iot.gateway_credential)
        registers the gateway.
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
      - There are two kinds of credentials, with a DeviceSecret (three fields) and with a device token (four fields). The file is refused if
        a field of its kind is missing. It is refused if the value of one of these fields is not a string in the format of that field. These
        values cannot contain a backslash. The file is refused if it has C(deviceSecret) together with C(clientId) or C(deviceToken).
      - The file is refused if a JSON key occurs twice or contains a backslash. It is refused if any value is an object or an array.
      - The directory must belong to root or to the task's user on the gateway (with C(become), the user that it becomes), and must not be
        writable by anybody else. It is created if it does not exist.
      - If you change this option, the file at the old path stays on the gateway, with its secret. If the new path has no credential, a
        registration is needed.
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
    description: The credential's permissions, a quoted string of four octal digits, such as V(0600) or V(0640). The first and the last
      digit must be 0, so that only owner and group have access. The second digit must allow the owner to read the file.
    type: str
    default: "0600"
  service:
    description:
      - The service on the gateway that uses the credential. When the credential or an export has changed, handlers restart this service.
        The module itself restarts nothing. Set the name that the service has in systemd, in OpenRC or in C(/etc/init.d) (see
        M(fleetops.aliyun_iot.service_restart)). If the service does not exist, the task fails before it registers.
    type: str
  follow_up:
    description:
      - Whether a change also stores a note on the gateway. The note is a file which records that handlers still have to run after the
        change. Set this option to V(true) if the task notifies such handlers. The option itself runs no handler. A change of owner, group
        and mode alone stores no note.
      - If a run with V(true) finds a note, and changes nothing or only an owner, group or mode, it returns C(changed) with the reason
        V(unfinished). So handlers are notified again. The run does not register again. A task of
        M(fleetops.aliyun_iot.gateway_credential) with C(state=followed_up), and with the C(due) of the result, removes the note.
      - If this option is not set, the default depends on the task. In a task of the role P(fleetops.aliyun_iot.gateway#role) and in
        M(fleetops.aliyun_iot.fleet_credentials), the default is V(true) if O(service) is set. There it is also V(true) if a handler of
        the play listens to C(Gateway credential changed). In all other cases, the default is V(false).
      - The role has a handler that removes the note. If a play imports or includes the role in its tasks, the play's own handlers run
        before this handler. If a play lists the role under C(roles), the play's own handlers run after this handler.
    type: bool
  exports:
    description:
      - Further files with the credential, for agents that read another format. They are written again when the credential changes, and
        repaired without a registration.
      - If you remove a file from this list, or change its O(exports[].dest), the old file stays on the gateway, with its secret. Delete it
        yourself.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description:
          - The file on the gateway. Its directory is not created. The directory must exist, belong to root or to the task's user on the
            gateway, and not be writable by anybody else.
          - The name of the file must not begin with C(.NAME.), where NAME is the name of the credential or of another export in this
            directory, such as C(.device.json.). The module uses such names itself.
        type: str
        required: true
      format:
        description:
          - V(env) writes lines with the names C(ALIYUN_IOT_PRODUCT_KEY), C(ALIYUN_IOT_DEVICE_NAME) and C(ALIYUN_IOT_DEVICE_SECRET).
            V(properties) writes lines with the names C(productKey), C(deviceName) and C(deviceSecret). V(json) writes an indented object
            with the same names as V(properties).
          - With a device token, two lines take the place of the DeviceSecret. Their names are C(ALIYUN_IOT_CLIENT_ID) and
            C(ALIYUN_IOT_DEVICE_TOKEN) in V(env), and C(clientId) and C(deviceToken) in V(properties) and V(json).
          - Set either this or O(exports[].template).
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
        description: The owner of the file. Defaults to the owner of the credential.
        type: str
      group:
        description: The group of the file. Defaults to the group of the credential.
        type: str
      mode:
        description: The permissions of the file. Defaults to those of the credential.
        type: str
"""
