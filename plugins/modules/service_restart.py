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
  - Restarts a service by the gateway's shell alone, and starts it if it does not run. It is for handlers, where
    M(ansible.builtin.service) would need Python on the gateway.
  - Uses systemd where it runs, else OpenRC, else the service's script in C(/etc/init.d) (OpenWrt with procd, SysV, BusyBox's init with
    or without a number before the name), else the command C(service).
options:
  service:
    description: The service, as the gateway's own manager of services calls it.
    type: str
    required: true
extends_documentation_fragment:
  - fleetops.aliyun_iot.attributes
attributes:
  check_mode:
    support: full
    details: Looks whether there is such a service.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Restarts in every run.
  action_group:
    version_added: 1.0.0
notes:
  - What the service prints while it starts goes nowhere. Look into its own log.
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
    - What restarted the service, one of V(systemd), V(openrc), V(init) for a script in C(/etc/init.d), V(service) for the command of this
      name.
  returned: on success
  type: str
  sample: systemd
error:
  description: What went wrong.
  returned: on failure
  type: dict
  contains:
    kind:
      description:
        - The kind of error, for conditions, one of V(bad_answer), V(connection), V(internal), V(invalid_option), V(no_service),
          V(not_restarted), V(storage).
        - V(no_service) is a gateway that has no such service.
        - V(internal) is a mistake in this collection; please report it.
      type: str
    code:
      description: Is V(null).
      type: raw
    message:
      description: What was attempted and what came back.
      type: str
    hint:
      description: What to do next.
      type: str
"""
