# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files made of a credential, rendered with a placeholder for the secret. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_mode, check_owner, check_path

# Bytes that the gateway compares (longest_export in shell/credential.sh), and those of the longest value that replaces a placeholder.
LONGEST_EXPORT = 1048576
LONGEST_SECRET = 256

# Renders a user's template (its path) with these variables; raises FleetopsError where it cannot.
Render = t.Callable[[str, dict[str, str]], str]
# The parts of a credential: snake_case name and value.
Parts = dict[str, str]


def _env(parts: Parts) -> str:
    return "".join(f"ALIYUN_IOT_{name.upper()}={value}\n" for name, value in parts.items())


def _properties(parts: Parts) -> str:
    return "".join(f"{_platform_name(name)}={value}\n" for name, value in parts.items())


def _json(parts: Parts) -> str:
    return json.dumps({_platform_name(name): value for name, value in parts.items()}, indent=2) + "\n"


def _platform_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


FORMATS = {"env": _env, "properties": _properties, "json": _json}


def credential_parts(kind: str, product_key: str, device_name: str, placeholder: str) -> Parts:
    """Return the parts of a credential that exports are made of.

    The gateway replaces the placeholders (swap in shell/credential.sh).

    :param placeholder: random, for the secret
    """
    parts = {"product_key": product_key, "device_name": device_name}
    if kind == "token":
        return {**parts, "client_id": client_placeholder(placeholder), "device_token": placeholder}
    return {**parts, "device_secret": placeholder}


def client_placeholder(placeholder: str) -> str:
    """Return the placeholder for the client id of a device token: as random as that for the secret, and no part of it."""
    return hashlib.sha256(placeholder.encode("ascii")).hexdigest()[:24]


def render_exports(
    options: t.Sequence[dict[str, t.Any]],
    parts: Parts,
    placeholder: str,
    inherited: tuple[str | None, str | None, str],
    render: Render,
) -> tuple[Export, ...]:
    """Render every export; owner, group and mode are the credential's (``inherited``) unless it has its own.

    :param parts: from :func:`credential_parts`, with ``placeholder`` in place of the secret
    :raises InvalidOption: an invalid destination, owner or mode, a destination that is used twice, or a template that cannot be
        rendered or changes the secret, which only the gateway knows
    """
    exports = []
    for number, option in enumerate(options):
        name = "exports[%d]." % number
        if option["template"]:
            content = _from_template(name + "template", option["template"], parts, placeholder, render)
        elif option["format"]:
            content = FORMATS[option["format"]](parts)
        else:
            raise InvalidOption(name + "template", option["template"], "is empty", "Set template or format")
        exports.append(
            Export(
                dest=check_path(name + "dest", option["dest"]),
                owner=check_owner(name + "owner", option["owner"] or inherited[0]),
                group=check_owner(name + "group", option["group"] or inherited[1]),
                mode=check_mode(name + "mode", option["mode"] or inherited[2]),
                content=content,
                digest=hashlib.sha256(content.encode("utf-8")).hexdigest(),
            )
        )
        if sum(export.dest == option["dest"] for export in exports) > 1:
            raise InvalidOption(
                name + "dest", option["dest"], "is used by another export", "Give every export a file of its own"
            )
    return tuple(exports)


def _from_template(name: str, template: str, parts: Parts, placeholder: str, render: Render) -> str:
    try:
        content = render(template, parts)
    except FleetopsError as error:
        problem = "cannot be rendered: %s" % error.msg.rstrip(".")
        raise InvalidOption(name, template, problem, "Correct the template, or its path on the controller") from error
    if not content.endswith("\n"):
        content += "\n"
    placeholders = (placeholder, client_placeholder(placeholder))

    def swapped(text: str) -> str:
        for each in placeholders:
            text = text.replace(each, each[::-1] + "0")
        return text

    # Render with second placeholders of another length, to find templates that change the secret.
    again = render(template, {part: swapped(value) for part, value in parts.items()})
    if swapped(content).rstrip("\n") != again.rstrip("\n"):
        secrets = " or ".join(part for part, value in parts.items() if value in placeholders)
        raise InvalidOption(
            name,
            template,
            "changes %s, or renders differently each time" % secrets,
            "Write it without a filter, such as {{ %s }}, since the gateway inserts the value; and use no random value or date"
            % secrets.rpartition(" ")[2],
        )
    if "\0" in content:
        raise InvalidOption(name, template, "renders to a NUL character", "Remove it: only text can be exported")
    try:
        octets = len(content.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidOption(
            name, template, "renders to text that UTF-8 cannot represent", "Save the template as UTF-8"
        ) from None
    longest = LONGEST_EXPORT - LONGEST_SECRET * sum(content.count(each) for each in placeholders)
    if octets > longest:
        raise InvalidOption(
            name, template, "renders to %d bytes, more than %d" % (octets, longest), "Export a shorter file"
        )
    return content
