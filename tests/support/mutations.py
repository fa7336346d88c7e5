# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies for answers of the right shape with wrong fields. Must run on every Python of gateways."""

from __future__ import annotations

import copy
import json
from typing import Any, Callable, Iterator

from any_text import CHARACTERS
from hypothesis import strategies as st

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError

# Values that break code which relies on a field's type or range.
NUMBERS = [0, -1, 2**31, 2**63, 10**400, 1e400]
TEXTS = ["", "x", "x" * 5000, "\ud800", "\x1b[31m", "a\nb", "~root", "$(id)"]
ODD = [None, True, False, *NUMBERS, *TEXTS, [], {}, [[]], [None], ["x", "x"], [{"x": 1}], {"x": {"x": []}}]
JSON = (
    st.sampled_from(ODD)
    | st.integers()
    | st.floats()
    | st.text(CHARACTERS, max_size=40)
    | st.text("0123456789.eE+-", max_size=20)
)


GONE = object()


@st.composite
def mutated(draw: Any, right: Any) -> Any:
    """Return a copy of `right` with one to three of its values replaced or removed."""
    value = [copy.deepcopy(right)]
    for place, replacement in draw(
        st.lists(st.tuples(st.integers(0, 2**16), JSON | st.just(GONE)), min_size=1, max_size=3)
    ):
        places = list(_places(value))
        holder, key = places[place % len(places)]
        if replacement is not GONE:
            holder[key] = copy.deepcopy(replacement)
        elif holder is not value:
            del holder[key]
    return value[0]


def outcome(call: Callable[[], Any]) -> Any:
    """Return the call's result, or the FleetopsError that it raises; any other exception fails the test."""
    try:
        return call()
    except FleetopsError as error:
        return error


def body_of(answer: Any) -> bytes:
    """Return an answer as JSON, with infinity and NaN in Python's notation."""
    return json.dumps(answer).encode("ascii")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in the value, with each of its keys."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
