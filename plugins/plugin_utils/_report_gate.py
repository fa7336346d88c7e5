# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate a report that is read from a file. PRIVATE to the collection.

A report may have been on other machines, where somebody may have changed it. Only named fields of a known type, length and alphabet are
accepted.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t
import unicodedata

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils import _gate as gate
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption, Kind, StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._device_changes import SHOWN
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import (
    FIELDS,
    FORMAT,
    OUTCOMES,
    Report,
    Row,
    key_of,
)

# Limits: characters of a file, gateways of all files, characters of free text, of most names, and of the name of a host.
LONGEST_FILE = 64 * 1024 * 1024
MOST_GATEWAYS = 100_000
TEXT = 2000
NAME = 255
HOST = 1024

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC")
# Fields that the collection itself writes.
_ALPHABETS = {"reason": re.compile(r"[a-z_]{1,64}"), "fingerprint": gate.FINGERPRINT}
# Texts of other origin, which may be wrong names that the report is about: one printable line of at most this length.
_TEXTS = {
    **{"product_key": NAME, "device_name": NAME, "path": gate.LINE, "status": NAME, "code": NAME},
    **{"message": TEXT, "hint": TEXT, "command": gate.LINE},
}
_RUN = ("id", "playbook", "mode", "user", "controller", "ansible_core", "slices")


def read_report(name: str) -> Report:
    """Return the report in a file, without the fields that :func:`parse_report` leaves out.

    :raises InvalidOption: there is no file, it is no regular one, or it holds no report
    """
    try:
        number = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise InvalidOption("reports", name, "is not a regular file", "Name the JSON that is beside a page")
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise InvalidOption("reports", name, "cannot be read: %s" % error.strerror, "Correct the path") from None
    try:
        return parse_report(content.decode("utf-8", "replace"))
    except StorageError as error:
        raise InvalidOption(
            "reports",
            name,
            "is no report of this collection: %s" % error.msg.partition("refused: ")[2],
            "Name the JSON that gateway_report_to has written, as it was written",
        ) from None


def earlier_report(text: str) -> Report | None:
    """Return the report that a file holds, None for any other text."""
    try:
        return parse_report(text)
    except StorageError:
        return None


def parse_report(text: str) -> Report:
    """Return ``format``, ``run``, ``gateways`` and ``before`` of a report.

    :raises StorageError: of kind ``bad_answer``: the text is none
    """
    document = _object("report", gate.document("report", text, LONGEST_FILE))
    if gate.number("format", document.get("format"), FORMAT) != FORMAT:
        raise gate.bad_answer("format", "it is not %d" % FORMAT)
    return {
        "format": FORMAT,
        "run": _run(_object("run", document.get("run"))),
        "gateways": [_row("gateways[%d]" % number, row) for number, row in enumerate(_rows(document.get("gateways")))],
        "before": _before(document.get("before")),
    }


def checked_rows(option: str, rows: t.Iterable[Row]) -> list[Row]:
    """Return rows as the next run reads them from a report, with every text one printable line, except the command.

    Characters of a host's name that cannot be shown are escaped, so that one such name does not cost the report of all hosts.

    A command is made of the command line, in which the name of a file can have any character.

    :param option: the option that they are from
    :raises InvalidOption: a report with these rows could not be read again
    """
    try:
        return [{**_row(_place(row), _with_escapes(row)), "command": row["command"]} for row in rows]
    except StorageError as error:
        problem = "cannot be reported: %s" % error.msg.partition("refused: ")[2]
        raise InvalidOption(option, None, problem, "Correct it, or leave this gateway out") from None


def _run(fields: t.Mapping[str, object]) -> dict[str, str]:
    found = {name: gate.message(fields.get(name, ""), NAME, "run." + name) for name in _RUN}
    return {**found, **{name: gate.text("run." + name, fields.get(name), _DATE) for name in ("begun", "ended")}}


def _row(where: str, value: object) -> Row:
    fields = _object(where, value)
    row: Row = {name: _optional(fields, name, where, pattern) for name, pattern in _ALPHABETS.items()}
    for name, longest in _TEXTS.items():
        given = fields.get(name)
        row[name] = None if given is None else gate.message(given, longest, "%s.%s" % (where, name))
    error = fields.get("error")
    change = fields.get("device_change")
    row["device_change"] = None if change is None else gate.one_of(where + ".device_change", change, SHOWN)
    row["error"] = None if error is None else gate.one_of(where + ".error", error, t.get_args(Kind))
    row["outcome"] = gate.one_of(where + ".outcome", fields.get("outcome"), OUTCOMES)
    row["gateway"] = None if fields.get("gateway") is None else _host(where + ".gateway", fields["gateway"])
    if not row["gateway"] and not row["device_name"]:
        raise gate.bad_answer(where, "it names neither a gateway nor a device")
    return {name: row.get(name) for name in FIELDS}


def _optional(fields: t.Mapping[str, object], name: str, where: str, pattern: re.Pattern[str]) -> str | None:
    return gate.text("%s.%s" % (where, name), fields[name], pattern) if fields.get(name) not in (None, "") else None


def _host(where: str, value: object) -> str:
    """Return the name of a host of an inventory, which may be any printable text with any blanks."""
    if not isinstance(value, str) or not 0 < len(value) <= HOST or not all(map(_can_be_shown, value)):
        raise gate.bad_answer(where, "it is not the name of a host")
    return value


def _place(row: Row) -> str:
    return '"%s"' % gate.message(key_of(row), gate.EXCERPT)


def _with_escapes(row: Row) -> Row:
    name = row["gateway"] or ""
    shown = "".join(each if _can_be_shown(each) else "\\U%08x" % ord(each) for each in name)
    return row if shown == name else {**row, "gateway": shown}


def _can_be_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _before(value: object) -> dict[str, t.Any] | None:
    if value is None:
        return None
    fields = _object("before", value)
    outcomes = _object("before.outcomes", fields.get("outcomes"))
    if len(outcomes) > MOST_GATEWAYS:
        raise gate.bad_answer("before.outcomes", "there are more than %d" % MOST_GATEWAYS)
    return {
        "begun": gate.text("before.begun", fields.get("begun"), _DATE),
        "outcomes": {
            _host("before.outcomes", name): gate.one_of("before.outcomes", outcome, OUTCOMES)
            for name, outcome in outcomes.items()
        },
    }


def _object(where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise gate.bad_answer(where, "it is not an object")
    return value


def _rows(value: object) -> list[object]:
    if not isinstance(value, list) or len(value) > MOST_GATEWAYS:
        raise gate.bad_answer("gateways", "it is not a list of at most %d" % MOST_GATEWAYS)
    return value
