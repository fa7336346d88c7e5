# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restart a service with the gateway's shell. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import message
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._remote import Remote
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import restart_script

# Service managers, by their names in service.sh.
MANAGERS = ("systemd", "openrc", "init", "service")


def restart(service: str, remote: Remote, check_mode: bool) -> str:
    """Restart a service, or in check mode check that it exists.

    :returns: the gateway's service manager, one of MANAGERS
    :raises FleetopsError: there is no such service, or it did not restart
    """
    answer = remote.answer(restart_script(service, check_mode), "broken", *MANAGERS)
    if answer.outcome == "broken":
        problem = (answer.all_of("problem") or ["no reason is known"])[-1]
        raise FleetopsError(
            "the service %s was not restarted: %s" % (service, message(problem)),
            hint="Check the service on the gateway, and run again, after reprovision with provision: the next run restarts it. "
            "A restart needs root: --become",
            kind="not_restarted",
        )
    return answer.outcome
