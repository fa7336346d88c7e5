# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection that records every use of it in the file TRIPWIRE_FILE, and then fails."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: tripwire
short_description: Fails on every use
description: For tests of actions that must not use a connection.
author: fleetops contributors (@fleetops)
options: {}
"""


class Connection(ConnectionBase):
    """A connection that fails instead of connecting, running a command or copying a file."""

    transport = "tripwire"

    def _tripped(self, *_arguments: Any, **_keywords: Any) -> NoReturn:
        with open(os.environ["TRIPWIRE_FILE"], "a", encoding="utf-8") as file:
            file.write("used\n")
        raise AnsibleConnectionFailure("the connection was used")

    _connect = exec_command = put_file = fetch_file = _tripped

    def close(self) -> None:
        """Do nothing: no connection was opened."""
