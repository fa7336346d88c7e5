# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the options in an inventory source, most of which ansible-core does not check. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from difflib import get_close_matches

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import Spec, openapi_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_types

_KEYED = ("key", "prefix", "separator", "parent_group", "default_value")
# Options that are dictionaries, with the names of groups or variables as keys.
_NAMING = {"groups": "group", "compose": "variable"}


def check_source(given: t.Mapping[str, t.Any]) -> None:
    """Check the options as the source has them.

    :raises InvalidOption: one has another type
    """
    check_types(_spec(), given)
    products = given.get("products")
    if isinstance(products, list) and None in products:
        raise InvalidOption("products", None, "has an empty element", "Write a ProductKey there, or remove the element")
    for option, what in _NAMING.items():
        names = given.get(option)
        for name in names if isinstance(names, t.Mapping) else ():
            if not isinstance(name, str):
                hint = "Put the name of the %s into quotes" % what
                raise InvalidOption(option, name, "is not text", hint)


def check_names(given: t.Mapping[str, t.Any], known: t.Collection[str]) -> None:
    """Check the names of the options in a source, since ansible-core ignores those that it does not know.

    :param known: the names of all options
    :raises InvalidOption: one is unknown
    """
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            hint = "Did you mean %s?" % near[0] if near else "See ansible-doc -t inventory fleetops.aliyun_iot.devices"
            raise InvalidOption(str(name), None, "is not an option of this plugin", hint)


def _spec() -> Spec:
    return {
        **openapi_spec(),
        "products": {"type": "list", "elements": "str"},
        "hostname": {"type": "str"},
        "keyed_groups": {"type": "list", "elements": "dict", "options": {name: {"type": "str"} for name in _KEYED}},
    }
