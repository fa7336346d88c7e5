# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Become by doas without a password, with the command line of community.general's plugin, which is not part of ansible-core."""

from __future__ import annotations

from typing import Any

from ansible.plugins.become import BecomeBase

DOCUMENTATION = """
name: doas
short_description: Become by doas, in tests
description: Becomes another user by doas, without a password.
options:
  become_user:
    description: The user to become.
    default: root
    vars: [{name: ansible_become_user}]
  become_exe:
    description: The program.
    default: doas
    vars: [{name: ansible_become_exe}]
  become_flags:
    description: Further arguments.
    default: ''
    vars: [{name: ansible_become_flags}]
  become_pass:
    description: Not used.
    vars: [{name: ansible_become_password}]
"""


class BecomeModule(BecomeBase):
    """A become plugin that calls doas -n."""

    name = "doas"

    def build_become_command(self, cmd: str, shell: Any) -> str:
        super().build_become_command(cmd, shell)
        if not cmd:
            return cmd
        command = self._build_success_command(cmd, shell, noexe=True)
        return f"{self.get_option('become_exe')} -n -u {self.get_option('become_user')} {shell.executable} -c {command}"
