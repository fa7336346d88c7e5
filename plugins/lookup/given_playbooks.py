# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The playbooks of the command line."""

from __future__ import annotations

DOCUMENTATION = r"""
name: given_playbooks
short_description: Returns the folders of the playbooks on the command line
version_added: 1.0.0
description:
  - Returns where the playbooks are that C(ansible-playbook) was given, in contrast to those that they import.
  - Of another collection's playbooks, which are given by name, it knows no folder.
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Refuse to run alone
  ansible.builtin.assert:
    that: playbook_dir | realpath not in query('fleetops.aliyun_iot.given_playbooks')
"""

RETURN = r"""
_raw:
  description: The folder of each playbook, without symbolic links.
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

from ansible import context
from ansible.plugins.lookup import LookupBase

_COLLECTION = "fleetops.aliyun_iot."
_FOLDER = Path(__file__).parents[2] / "playbooks"


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        given = context.CLIARGS.get("args") or ()
        return [
            str(_FOLDER.resolve() if name.startswith(_COLLECTION) else Path(name).resolve().parent) for name in given
        ]
