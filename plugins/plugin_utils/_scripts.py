# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripts that a gateway runs: assignments, what they share, and what each does. PRIVATE to the collection."""

from __future__ import annotations

import re
import shlex
from functools import cache
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

# What each script is made of, in this order, before its own text.
_LOOKING = ("common", "places", "credential", "state")
_CHANGING = (*_LOOKING, "lock", "files")
_PARTS = {
    "look": (*_LOOKING, "tools"),
    "login": (*_LOOKING[:-1], "tools"),
    "begin": (*_CHANGING, "service", "proof"),
    "restart": ("common", "service"),
}
# Octets by which an export may be longer than with the placeholder in place of the secret.
_LONGER = 256


# A pattern of a field is one class of characters, from the fewest to the most.
_PATTERN = re.compile(r"(\[\S+\])\{(\d+),(\d+)\}")


def _described(field: Field) -> str:
    """Return a field as ``parsed`` in credential.sh takes it: name, alphabet, fewest and most characters, kind."""
    found = _PATTERN.fullmatch(field.pattern.pattern)
    if not found:
        raise ValueError("%s: the pattern is not one class of characters with its numbers" % field.name)
    return " ".join((field.name, *found.groups(), field.kind))


def _variable(name: str) -> str:
    """Return the shell variable of a field: device_secret for deviceSecret."""
    return re.sub("([A-Z])", r"_\1", name).lower()


def _compose() -> str:
    """Return the function compose, which sets $certificate to the credential of the kind whose secret is set, as it is stored."""
    lines = ["compose() {\ncertificate=\n"]
    for kind in KINDS:
        line = compose({field.name: "$" + _variable(field.name) for field in fields_of(kind)}).rstrip("\n")
        secret = _variable(secret_field(kind))
        lines.append('[ -z "$%s" ] || certificate="%s"\n' % (secret, line.replace('"', '\\"')))
    return "".join((*lines, "}\n"))


_FIELDS = " ".join(map(_described, FIELDS))
_COMPOSE = _compose()


@cache
def _text(name: str) -> str:
    folder = Path(__file__).parent / "shell"
    parts = [*_PARTS.get(name, _CHANGING), name]
    lines = [line for part in parts for line in (folder / (part + ".sh")).read_text(encoding="utf-8").splitlines()]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#")) + "\n"


def assignments(values: dict[str, object]) -> str:
    """Shell assignments, quoted; None is empty."""
    return "".join(
        "%s=%s\n" % (name, shlex.quote("" if value is None else str(value))) for name, value in values.items()
    )


class ScriptBuilder:
    """Makes the scripts for one gateway; what they all need is given once."""

    def __init__(
        self,
        path: str,
        exports: tuple[Export, ...],
        placeholder: str,
        device_name_from: str,
        device_name_interface: str | None,
    ) -> None:
        self._exports = exports
        values: dict[str, object] = {
            "path": path,
            "placeholder": placeholder,
            "device_name_from": device_name_from,
            "device_name_interface": device_name_interface,
            "sysfs": "/sys",
            "proc": "/proc",
            "init_scripts": "/etc/init.d",
            "release": "/etc/openwrt_release",
            "export_count": len(exports),
            "certificate_fields": _FIELDS,
            "longest_credential": LONGEST,
        }
        for number, export in enumerate(exports, 1):
            values["export_%d_dest" % number] = export.dest
        self._common = assignments(values)

    def set_exports(self, exports: tuple[Export, ...]) -> None:
        """Set the same exports with other content, once the gateway has said its name."""
        self._exports = exports

    def script(self, name: str, **values: object) -> str:
        """Return the script ``name``, with further assignments."""
        given = {
            "follows": "no",
            "verifies": "no",
            **({"root_line": "", "root_path": ""} if name == "look" else {}),
            **values,
        }
        return PREAMBLE + self._common + assignments(given) + _text(name)

    def changing(self, name: str, exports: tuple[int, ...] = (), **values: object) -> str:
        """Return a script that writes: store, finish, mend or settle; or begin, see beginning().

        :param exports: numbers of those that it is to write, counted from 1
        """
        contents = "".join(self._export(number) for number in exports)
        numbers = " ".join(str(number) for number in exports)
        return (
            PREAMBLE + _COMPOSE + contents + self.script(name, exports_wanted=numbers, **self._attributes(), **values)
        )

    def beginning(self, exports: tuple[int, ...] | None = None, **values: object) -> str:
        """Return the script begin.

        :param exports: numbers of those that it proves, counted from 1; all if not given
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
            values["export_%d_size" % number] = len(export.content.encode("utf-8")) + _LONGER
        return values

    def _export(self, number: int) -> str:
        """Return a function that prints an export; the gateway puts the secret in the placeholder's place."""
        content = self._exports[number - 1].content
        end = "END"
        while end in content:
            end += "-"
        return "export_%d() {\nswap \"$stored_in/$file\" <<'%s'\n%s%s\n}\n" % (number, end, content, end)


def login_script(path: str, content: str, sign_method: str, mask: str) -> str:
    """Return the script login.

    :param content: what is signed, where ``$product_key`` and ``$device_name`` stand for what the gateway finds
    :param mask: as many random hexadecimal digits as the signature has, or more; used once
    """
    values = {"digest": sign_method[len("hmac") :] + "sum", "mask": mask}
    function = 'signed_content() {\ncontent="%s"\n}\n' % content
    # A variable that the environment has would be in it again with what the script gives it.
    return (
        PREAMBLE
        + "unset mask signature\n"
        + function
        + ScriptBuilder(path, (), "", "inventory_hostname", None).script("login", **values)
    )


def restart_script(service: str, proof: bool) -> str:
    """Return the script restart.

    :param proof: only look whether there is the service
    """
    values = {"service": service, "proof": "yes" if proof else "no"}
    return ScriptBuilder("", (), "", "inventory_hostname", None).script("restart", **values)
