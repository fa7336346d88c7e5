# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The format of the stored credential, and how to read and write it. PRIVATE to the collection.

This is the one description of the file. Python reads the file with :func:`parse`, the gateway's shell with ``parsed`` in credential.sh,
which gets FIELDS and LONGEST from _scripts. Both accept the same files:

* at most LONGEST octets: one JSON object, laid out in any way, of printable ASCII characters, blanks, tabs and line ends;
* no name twice, and no name with a backslash in it, which other readers might decode to another name;
* the fields of one kind, all of them and no field of another kind, each a string that the field allows. No name or secret has a
  character that needs a backslash, so such a string with a backslash is refused;
* any further fields with strings, numbers, true, false or null, which are ignored. An object or array within it is refused.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    CLIENT_ID,
    DEVICE_NAME,
    DEVICE_SECRET,
    DEVICE_TOKEN,
    PRODUCT_KEY,
    fingerprint,
)

# Octets of the longest file that is read.
LONGEST = 4096


class Field(t.NamedTuple):
    """A field: its name, the pattern of its value, and the kind of credential that it belongs to; ALL for every kind."""

    name: str
    pattern: re.Pattern[str]
    kind: str


ALL = "-"
# Of each kind, the first field is the secret: the fingerprint covers it, and exports get it in place of the placeholder.
FIELDS = (
    Field("productKey", PRODUCT_KEY, ALL),
    Field("deviceName", DEVICE_NAME, ALL),
    Field("deviceSecret", DEVICE_SECRET, "secret"),
    Field("deviceToken", DEVICE_TOKEN, "token"),
    Field("clientId", CLIENT_ID, "token"),
)
KINDS = tuple(dict.fromkeys(each.kind for each in FIELDS if each.kind != ALL))

_TEXT = re.compile(r"[\t\r\n -~]*")
# An escape is replaced by DEL, which the text itself cannot contain: no relevant string may have an escape, so its value does not matter.
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')
_ESCAPED = "\x7f"


class Certificate(t.NamedTuple):
    """A credential: its kind, and its fields by name."""

    kind: str
    values: t.Mapping[str, str]

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return "Certificate(kind=%r)" % self.kind

    @property
    def product_key(self) -> str:
        return self.values["productKey"]

    @property
    def device_name(self) -> str:
        return self.values["deviceName"]

    @property
    def secret(self) -> str:
        """Return the DeviceSecret or the device token."""
        return self.values[secret_field(self.kind)]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.product_key, self.device_name, self.secret)


def fields_of(kind: str) -> tuple[Field, ...]:
    """Return the fields of a credential of this kind."""
    return tuple(each for each in FIELDS if each.kind in (ALL, kind))


def secret_field(kind: str) -> str:
    """Return the name of the field that holds the secret of a credential of this kind."""
    return next(each.name for each in FIELDS if each.kind == kind)


def parse(content: bytes) -> Certificate | None:
    """Return the credential in the content of a file; None if it is not a valid credential."""
    found = _members(content)
    present = [each for each in FIELDS if each.name in found]
    for kind in KINDS:
        if tuple(present) == fields_of(kind):
            values = {each.name: found[each.name] for each in present}
            if all(
                isinstance(values[each.name], str) and each.pattern.fullmatch(values[each.name]) for each in present
            ):
                return Certificate(kind, values)
    return None


def compose(values: t.Mapping[str, str]) -> str:
    """Return the credential of these fields as it is stored: one line, the fields in alphabetical order."""
    return json.dumps(dict(values), sort_keys=True, separators=(",", ":")) + "\n"


def _members(content: bytes) -> dict[str, t.Any]:
    """Return the members of the JSON object in ``content``; empty if it is not an accepted one."""
    text = content.decode("latin-1")
    if len(content) > LONGEST or not _TEXT.fullmatch(text):
        return {}
    try:
        # Objects become tuples, and arrays lists.
        members = json.loads(_ESCAPE.sub(_ESCAPED, text), object_pairs_hook=tuple, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(members, tuple):
        return {}
    found = dict(members)
    if len(found) < len(members) or any(_ESCAPED in name for name in found):
        return {}
    return {} if any(isinstance(value, (tuple, list)) for value in found.values()) else found


def _no_constant(word: str) -> None:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(word)
