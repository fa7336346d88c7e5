# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection that takes no standard input, with the error message of ansible-core's connections."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: no_input
short_description: Takes no standard input
description: For tests of what is sent on it.
author: fleetops contributors (@fleetops)
options: {}
"""


class Connection(ConnectionBase):
    """A connection that fails instead of sending the input."""

    transport = "no_input"

    def _connect(self) -> Connection:
        return self

    def _refuse(self, *_arguments: Any, **_keywords: Any) -> NoReturn:
        raise AnsibleError("Internal Error: this module does not support optimized module pipelining")

    exec_command = put_file = fetch_file = _refuse

    def close(self) -> None:
        """Do nothing: no connection was opened."""
