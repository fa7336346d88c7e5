# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the types of a filter's values, for messages without the words of Python. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from jinja2 import Undefined


def checked_list(what: str, value: t.Any) -> list[t.Any]:
    """Return a list.

    :param what: the filter, its value and the type of that, for the message
    :raises AnsibleFilterError: the value is something else, such as text, whose letters would be the elements
    """
    if isinstance(value, (str, bytes, t.Mapping)) or not isinstance(value, t.Iterable):
        _refuse(what, value)
    return list(value)


def checked_hosts(what: str, value: t.Any) -> list[str]:
    """Return a list of hosts, also from a dictionary whose keys they are, such as hostvars.

    :param what: as for :func:`checked_list`
    :raises AnsibleFilterError: the value is something else
    """
    hosts = list(value) if isinstance(value, t.Mapping) else checked_list(what, value)
    if not all(isinstance(host, str) for host in hosts):
        _refuse(what, hosts)
    return hosts


def checked_dictionary(what: str, value: t.Any) -> t.Mapping[str, t.Any]:
    """Return a dictionary of dictionaries.

    :param what: as for :func:`checked_list`
    :raises AnsibleFilterError: the value is something else
    """
    if not isinstance(value, t.Mapping) or not all(isinstance(each, t.Mapping) for each in value.values()):
        _refuse(what, value)
    return value


def _refuse(what: str, value: t.Any) -> t.NoReturn:
    if isinstance(value, Undefined):
        str(value)  # raises the error of Jinja, which names the variable
    raise AnsibleFilterError(what)
