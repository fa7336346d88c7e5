# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the scripts that a gateway runs: assignments, shared parts, and the script itself. PRIVATE to the collection."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.certificate import (
    FIELDS,
    KINDS,
    LONGEST,
    Field,
    compose,
    fields_of,
    secret_field,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import PREAMBLE
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._exports import LONGEST_SECRET, client_placeholder

# The shared parts of each script, in order, before its own text.
_LOOKING = ("common", "places", "credential", "state")
_CHANGING = (*_LOOKING, "lock", "files")
_PARTS = {
    "look": (*_LOOKING, "tools"),
    "login": (*_LOOKING[:-1], "tools"),
    "begin": (*_CHANGING, "service", "proof"),
    "restart": ("common", "service"),
}

# The pattern of a field is one class of characters with a range of lengths.
_PATTERN = re.compile(r"(\[\S+\])\{(\d+),(\d+)\}")


def _described(field: Field) -> str:
    """Return the description of a field for ``parsed`` in credential.sh: name, alphabet, minimum and maximum length, kind."""
    found = _PATTERN.fullmatch(field.pattern.pattern)
    if not found:
        raise ValueError("%s: the pattern is not one class of characters with its numbers" % field.name)
    return " ".join((field.name, *found.groups(), field.kind))


def _variable(name: str) -> str:
    """Return the shell variable of a field: device_secret for deviceSecret."""
    return re.sub("([A-Z])", r"_\1", name).lower()


def _compose() -> str:
    """Return the shell function compose, which sets $certificate to the text of the credential, of the kind whose secret is set."""
    # A variable of the environment would stay exported.
    lines = ["compose() {\nunset certificate\ncertificate=\n"]
    for kind in KINDS:
        line = compose({field.name: "$" + _variable(field.name) for field in fields_of(kind)}).rstrip("\n")
        secret = _variable(secret_field(kind))
        lines.append('[ -z "$%s" ] || certificate="%s"\n' % (secret, line.replace('"', '\\"')))
    return "".join((*lines, "}\n"))


_FIELDS = " ".join(map(_described, FIELDS))
_COMPOSE = _compose()


def _code(file: Path) -> str:
    """Return the lines of a file that are neither empty nor comments."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return "".join(line + "\n" for line in lines if line and not line.lstrip().startswith("#"))


# Read once, by the process that the workers are forked from.
_FILES = {file.stem: _code(file) for file in (Path(__file__).parent / "shell").glob("*.sh")}

# What begin, store and abandon have in common.
SHARED = "".join(_FILES[part] for part in _CHANGING)


def _text(name: str) -> str:
    return "".join(_FILES[part] for part in (*_PARTS.get(name, _CHANGING), name))


def assignments(values: dict[str, object]) -> str:
    """Return shell assignments, quoted; None is empty."""
    return "".join(
        "%s=%s\n" % (name, shlex.quote("" if value is None else str(value))) for name, value in values.items()
    )


class ScriptBuilder:
    """Builds the scripts for one gateway, with the values that all of them need."""

    def __init__(
        self,
        path: str,
        exports: tuple[Export, ...],
        placeholder: str,
        device_name_from: str,
        device_name_interface: str | None,
    ) -> None:
        self._exports = exports
        self._placeholders = (placeholder, client_placeholder(placeholder))
        values: dict[str, object] = {
            "path": path,
            "placeholder": placeholder,
            "client_placeholder": self._placeholders[1],
            "device_name_from": device_name_from,
            "device_name_interface": device_name_interface,
            "sysfs": "/sys",
            "proc": "/proc",
            "init_scripts": "/etc/init.d",
            "accounts": "/etc",
            "release": "/etc/openwrt_release",
            "export_count": len(exports),
            "certificate_fields": _FIELDS,
            "longest_credential": LONGEST,
        }
        for number, export in enumerate(exports, 1):
            values["export_%d_dest" % number] = export.dest
        self._common = assignments(values)

    def set_exports(self, exports: tuple[Export, ...]) -> None:
        """Set the content of the exports, once the DeviceName is read from the hardware."""
        self._exports = exports

    def script(self, name: str, **values: object) -> str:
        """Return the script ``name``, with further assignments."""
        given = {
            "follows": "no",
            "verifies": "no",
            "reported": "yes",
            **({"root_line": "", "root_path": ""} if name == "look" else {}),
            **values,
        }
        return PREAMBLE + self._common + assignments(given) + _text(name)

    def changing(self, name: str, exports: tuple[int, ...] = (), **values: object) -> str:
        """Return a script that writes: store, finish, repair or settle; or begin, see beginning().

        :param exports: numbers of the exports to write, counted from 1
        """
        contents = "".join(self._export(number) for number in exports)
        numbers = " ".join(str(number) for number in exports)
        return (
            PREAMBLE + _COMPOSE + contents + self.script(name, exports_wanted=numbers, **self._attributes(), **values)
        )

    def beginning(self, exports: tuple[int, ...] | None = None, **values: object) -> str:
        """Return the script begin.

        :param exports: numbers of the exports to check, counted from 1; all if not given
        """
        numbers = range(1, len(self._exports) + 1) if exports is None else exports
        proved = " ".join(str(number) for number in numbers)
        given = {"proof": "no", "whole": "yes", "continues": "no", "service": None, **values}
        return self.changing("begin", (), exports_proved=proved, **given)

    def _attributes(self) -> dict[str, object]:
        values: dict[str, object] = {}
        for number, export in enumerate(self._exports, 1):
            values["export_%d_owner" % number] = export.owner
            values["export_%d_group" % number] = export.group
            values["export_%d_mode" % number] = "%04o" % export.mode
            values["export_%d_size" % number] = self._longest(export.content)
        return values

    def _longest(self, content: str) -> int:
        """Return the octets that an export can have, whatever replaces its placeholders."""
        return len(content.encode("utf-8")) + LONGEST_SECRET * sum(map(content.count, self._placeholders))

    def _export(self, number: int) -> str:
        """Return a shell function that prints an export, with the values in place of the placeholders.

        A here-document would need room in the gateway's folder for temporary files.
        """
        content = shlex.quote(self._exports[number - 1].content)
        return "export_%d() {\nprintf '%%s' %s | swap \"$stored_in/$file\"\n}\n" % (number, content)


def login_script(path: str, content: str, sign_method: str, mask: str) -> str:
    """Return the script login.

    :param content: the string to sign, in which the gateway replaces ``$product_key`` and ``$device_name``
    :param mask: random hexadecimal digits, at least as many as the signature has; used once
    """
    values = {"digest": sign_method[len("hmac") :] + "sum", "mask": mask}
    function = 'signed_content() {\ncontent="%s"\n}\n' % content
    # Variables of the environment stay exported when a script sets them, so unset them first.
    return (
        PREAMBLE
        + "unset mask signature\n"
        + function
        + ScriptBuilder(path, (), "", "inventory_hostname", None).script("login", **values)
    )


def restart_script(service: str, proof: bool) -> str:
    """Return the script restart.

    :param proof: only check that the service exists
    """
    values = {"service": service, "proof": "yes" if proof else "no"}
    return ScriptBuilder("", (), "", "inventory_hostname", None).script("restart", **values)
