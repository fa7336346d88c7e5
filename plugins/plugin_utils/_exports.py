# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files made of a credential, rendered with a placeholder for the secret. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import check_mode, check_owner, check_path

# Renders a user's template (its path) with these variables.
Render = t.Callable[[str, dict[str, str]], str]


def _env(product_key: str, device_name: str, device_secret: str) -> str:
    return (
        f"ALIYUN_IOT_PRODUCT_KEY={product_key}\n"
        f"ALIYUN_IOT_DEVICE_NAME={device_name}\n"
        f"ALIYUN_IOT_DEVICE_SECRET={device_secret}\n"
    )


def _properties(product_key: str, device_name: str, device_secret: str) -> str:
    return f"productKey={product_key}\ndeviceName={device_name}\ndeviceSecret={device_secret}\n"


def _json(product_key: str, device_name: str, device_secret: str) -> str:
    document = {"productKey": product_key, "deviceName": device_name, "deviceSecret": device_secret}
    return json.dumps(document, indent=2) + "\n"


FORMATS = {"env": _env, "properties": _properties, "json": _json}


def render_exports(
    options: list[dict[str, t.Any]],
    product_key: str,
    device_name: str,
    placeholder: str,
    inherited: tuple[str | None, str | None, str],
    render: Render,
) -> tuple[Export, ...]:
    """Render every export; owner, group and mode are the credential's (``inherited``) unless it has its own.

    :raises InvalidOption: a destination, owner or mode that cannot be, one destination twice, a template that cannot be
        rendered or that changes the DeviceSecret, which only the gateway knows
    """
    parts = {"product_key": product_key, "device_name": device_name, "device_secret": placeholder}
    exports = []
    for number, option in enumerate(options):
        name = "exports[%d]." % number
        if option["template"]:
            content = _from_template(name + "template", option["template"], parts, render)
        else:
            content = FORMATS[option["format"]](**parts)
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
            raise InvalidOption(name + "dest", option["dest"], "is there twice", "Give every export a file of its own")
    return tuple(exports)


def _from_template(name: str, template: str, parts: dict[str, str], render: Render) -> str:
    try:
        content = render(template, parts)
    except AnsibleError as error:
        problem = "cannot be rendered: %s" % str(error).rstrip(".")
        raise InvalidOption(name, template, problem, "Correct the template, or its path on the controller") from error
    if not content.endswith("\n"):
        content += "\n"
    # A second placeholder, of another length, shows whether the secret stands there as it is.
    other = dict(parts, device_secret=parts["device_secret"][::-1] + "0")
    swapped = render(template, other)
    if content.replace(parts["device_secret"], other["device_secret"]).rstrip("\n") != swapped.rstrip("\n"):
        raise InvalidOption(
            name,
            template,
            "changes device_secret or differs from one rendering to the next",
            "Write {{ device_secret }} without a filter, and nothing random or dated: the gateway itself puts the secret there",
        )
    if "\0" in content:
        raise InvalidOption(name, template, "renders to a NUL character", "Only text can be exported")
    return content
