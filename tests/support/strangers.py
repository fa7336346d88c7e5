# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies for everything that an untrusted sender may send."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# Surrogates, control characters and formatting characters are as likely as letters.
_characters = st.one_of(
    st.characters(max_codepoint=127),
    st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"]),
    st.characters(),
)
texts = st.text(_characters, max_size=40)
_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
# JSON, as Python reads it.
documents: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=12,
)


def altered(value: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for an object with members removed, replaced or added, and with nested objects altered likewise."""

    def member(name: str, right: Any) -> st.SearchStrategy[dict[str, Any]]:
        options = [
            st.just({name: right}),
            st.just({name: right}),
            st.just({}),
            documents.map(lambda any_: {name: any_}),
        ]
        if isinstance(right, dict):
            options.append(altered(right).map(lambda changed: {name: changed}))
        return st.one_of(options)

    members = [member(name, right) for name, right in value.items()]
    more = st.one_of(st.just({}), st.dictionaries(texts, documents, max_size=2))
    return st.tuples(*members, more).map(lambda parts: {key: item for part in parts for key, item in part.items()})
