# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the attributes that every module states, and of work on the controller. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """The meaning of the attributes; each module states its level of support."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
  action_group:
    description: Use C(group/fleetops.aliyun_iot.aliyun_iot) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - fleetops.aliyun_iot.aliyun_iot
"""

    ACTIONGROUP_OPENAPI = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/fleetops.aliyun_iot.openapi), or C(group/fleetops.aliyun_iot.aliyun_iot), in C(module_defaults) to set
      defaults for this module. Set C(ca_path) only in C(group/fleetops.aliyun_iot.openapi). The other group contains more modules, such as
      M(fleetops.aliyun_iot.gateway_credential), in which C(ca_path) replaces the system's authorities.
    support: full
    membership:
      - fleetops.aliyun_iot.aliyun_iot
      - fleetops.aliyun_iot.openapi
"""

    CONTROLLER = r"""
options: {}
attributes:
  become:
    description: Is usable with C(become).
    support: none
    details: Works as the user who runs Ansible.
  connection:
    description: Uses the connection of the host that the task is for.
    support: none
    details: Works on the controller, in Ansible's own process, whatever host the task is for. No option is sent to a host or written to a
      file.
"""
