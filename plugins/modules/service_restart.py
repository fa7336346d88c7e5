#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: service_restart
short_description: Restarts a service on a gateway that need not have Python
version_added: 1.0.0
description:
  - Restarts a service with the gateway's shell, and starts it if it does not run. Use it in handlers for gateways without Python, which
    M(ansible.builtin.service) requires.
  - Uses systemd where it runs, else OpenRC, else the service's script in C(/etc/init.d) (OpenWrt with procd, SysV, or BusyBox's init,
    whose script can also have a name such as C(S50agent)), else the command C(service).
options:
  service:
    description: The name of the service in the gateway's service manager.
    type: str
    required: true
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details: Checks that the service exists, except with the command C(service) alone, which cannot tell.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Restarts in every run.
  action_group:
    version_added: 1.0.0
notes:
  - Output of the service while it starts is discarded. Read the service's own log.
seealso:
  - module: fleetops.aliyun_iot.gateway_credential
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Restart the agent
  fleetops.aliyun_iot.service_restart:
    service: agent
"""

RETURN = r"""
manager:
  description:
    - The service manager that restarted the service, one of V(systemd), V(openrc), V(init) for a script in C(/etc/init.d), or V(service)
      for the command of this name.
  returned: on success
  type: str
  sample: systemd
error:
  description: Describes the failure.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error. Use it in C(when) or C(failed_when). It is one of V(bad_answer), V(connection), V(internal), V(invalid_option),
          V(no_service), V(not_restarted), V(storage).
        - V(no_service) means that the service does not exist on the gateway.
        - V(internal) is a bug of this collection. Please report it.
      type: str
    code:
      description: Always V(null).
      type: raw
    message:
      description: What was attempted, on what, and what failed.
      type: str
    hint:
      description: What to do next.
      type: str
"""
