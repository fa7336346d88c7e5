# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test how a pass ends connections that hang."""

from __future__ import annotations

import subprocess
import sys

ENDING = """
import subprocess
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_remote import end_children

shell = subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE)
shell.stdout.readline()
while shell.poll() is None or shell.stdout.read():
    end_children()
print("ended")
"""


def test_a_command_ends_with_the_shell_that_waits_for_it() -> None:
    """The command keeps the shell's output open, and the connection waits for the end of the output."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "ended\n", done
