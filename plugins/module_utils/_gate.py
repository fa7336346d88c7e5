# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate for everything that a gateway reports to the controller. PRIVATE to the collection.

A gateway may have been taken over, and may answer anything. Each function takes one part of an answer and returns a value of a known
type, length and alphabet, or raises StorageError of kind ``bad_answer``, which names the part. No other part of an answer is used in a
result, a decision, a path, a command or a message.
"""

from __future__ import annotations

import json
import math
import re
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError

# Limits, in characters unless they say otherwise. The longest path of Linux has 4,096 octets.
OUTPUT = 1024 * 1024
LINES = 2000
LINE = 8192
MESSAGE = 400
EXCERPT = 60
LARGEST_ID = 2**32 - 1
LARGEST_TIME = 2**53

# Alphabets, each matched against the whole value. DEVICE_NAME and PRODUCT_KEY are in _platform, with the rules for options.
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
DIGEST = re.compile(r"[0-9a-f]{64}")
# A user or group as the options accept it, those of a directory service included. The script reports "-" in place of any other.
ACCOUNT = re.compile(r"[A-Za-z0-9_.@$\\][A-Za-z0-9_.@$\\-]{0,255}")
# A path that a gateway has resolved; options allow fewer characters.
PATH = re.compile(r"/[ -~]{0,4095}")
BOOT_ID = re.compile(r"[0-9a-f-]{1,36}")
# Any text that hardware may hold as its serial number; whether it is a DeviceName is decided later, with a message of its own.
# The script reports UNUSABLE in place of any other text. No DeviceName contains it.
UNUSABLE = "?"
HARDWARE_NAME = re.compile(r"[ -~]{0,64}")
DUE = re.compile(r"[0-9a-f]{16}|unknown")
TOOL = re.compile(r"[a-z0-9_]{1,32}")
_NOT_IN_LINE = "[\n\ud800-\udfff]"  # a line end, and halves of characters


def text(name: str, value: object, pattern: re.Pattern[str], limit: int = LINE) -> str:
    """Return ``value`` if it is a string of at most ``limit`` characters that matches ``pattern`` as a whole.

    :param name: the part of the answer, for the message
    :raises StorageError: it is not
    """
    checked = _string(name, value, limit)
    if not pattern.fullmatch(checked):
        raise bad_answer(name, "%s has an invalid length or invalid characters" % _excerpt(checked))
    return checked


def one_of(name: str, value: object, allowed: t.Collection[str]) -> str:
    """Return ``value`` if it is one of the strings ``allowed``.

    :raises StorageError: it is not
    """
    checked = _string(name, value, LINE)
    if checked not in allowed:
        raise bad_answer(name, "%s is not one of %s" % (_excerpt(checked), ", ".join(sorted(allowed))))
    return checked


def number(name: str, value: object, maximum: int) -> int:
    """Return ``value``, an integer of JSON or its decimal digits, as an integer from 0 to ``maximum``.

    :raises StorageError: it is neither, or out of range
    """
    if isinstance(value, str):
        if not re.fullmatch("[0-9]{1,20}", value):
            raise bad_answer(name, "%s is not a number" % _excerpt(value))
        found = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        found = value
    else:
        raise bad_answer(name, "%s is not a number" % _excerpt(value))
    if not 0 <= found <= maximum:
        raise bad_answer(name, "the number is not between 0 and %d" % maximum)
    return found


def flag(name: str, value: object) -> bool:
    """Return ``value`` if it is a boolean of JSON.

    :raises StorageError: it is not
    """
    if not isinstance(value, bool):
        raise bad_answer(name, "%s is not a boolean" % _excerpt(value))
    return value


def message(value: object, limit: int = MESSAGE, name: str = "message") -> str:
    """Return free text as an operator may see it: one line of printable characters, cut to ``limit``.

    Line ends become " / ", tabs blanks, and every other character that is not printable (escape sequences, bidirectional controls,
    surrogates) becomes "?".

    :param name: the part of the answer, for the message
    :raises StorageError: ``value`` is not a string
    """
    if not isinstance(value, str):
        raise bad_answer(name, "%s is not a string" % _excerpt(value))
    parts = (part.strip() for part in value[: 4 * limit].splitlines())
    line = " / ".join(part for part in parts if part).replace("\t", " ")
    shown = "".join(character if character.isprintable() else "?" for character in line)
    if len(shown) > limit or len(value) > 4 * limit:
        return shown[: limit - 3] + "..."
    return shown


def lines(name: str, value: object, max_lines: int = LINES, limit: int = LINE) -> tuple[str, ...]:
    """Return ``value`` if it is a list of at most ``max_lines`` strings, each one line of at most ``limit`` characters of Unicode.

    A line may be what a login shell prints before an answer, so its alphabet is checked where a field is read from it.

    :raises StorageError: it is not
    """
    if not isinstance(value, (list, tuple)) or len(value) > max_lines:
        raise bad_answer(name, "it is not a list of at most %d lines" % max_lines)
    checked = tuple(_string(name, line, limit) for line in value)
    for line in checked:
        if re.search(_NOT_IN_LINE, line):
            raise bad_answer(name, "%s is not a line of text" % _excerpt(line))
    return checked


def only(name: str, value: object, required: t.Collection[str]) -> dict[str, object]:
    """Return ``value`` if it is an object of JSON with all ``required`` keys and no others.

    :raises StorageError: it is not
    """
    if not isinstance(value, dict):
        raise bad_answer(name, "%s is not an object" % _excerpt(value))
    for key in value:
        if key not in required:
            raise bad_answer(name, "%s is not an expected key" % _excerpt(key))
    for key in required:
        if key not in value:
            raise bad_answer(name, "%s is missing" % key)
    return dict(value)


def document(name: str, value: object, limit: int = OUTPUT) -> object:
    """Parse JSON of at most ``limit`` characters, without names that occur twice in an object and without NaN or Infinity, 1e999 included.

    :raises StorageError: it is not
    """
    checked = _string(name, value, limit)

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("duplicate key")
        return found

    def constant(word: str) -> object:
        raise ValueError(word)

    def finite(word: str) -> float:
        found = float(word)
        if math.isinf(found):
            raise ValueError(word)
        return found

    try:
        found = json.loads(checked, object_pairs_hook=unique, parse_constant=constant, parse_float=finite)
        return t.cast(object, found)
    except (ValueError, RecursionError):
        raise bad_answer(name, "%s is not a JSON document" % _excerpt(checked)) from None


def split(name: str, output: object, limit: int = OUTPUT) -> list[str]:
    """Return the lines of an output of at most ``limit`` characters.

    Only a line feed ends a line, with or without a carriage return before it. What ends a line for Python alone, such as a form feed
    in the name of a directory, does not begin a line that the script did not print.

    :raises StorageError: it is longer
    """
    found = _string(name, output, limit).split("\n")
    if not found[-1]:
        found.pop()
    return [line[:-1] if line.endswith("\r") else line for line in found]


def bad_answer(name: str, problem: str) -> StorageError:
    """Return the error for a part of a gateway's answer; ``problem`` shows no more of it than the gate does."""
    return StorageError(
        "the gateway's answer was refused: %s: %s" % (name, problem),
        hint="Check that no start-up file of the shell (.profile, .bashrc) prints text; if none does, treat the gateway as taken over",
        kind="bad_answer",
    )


def _string(name: str, value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise bad_answer(name, "%s is not a string" % _excerpt(value))
    if len(value) > limit:
        raise bad_answer(name, "it is longer than %d characters" % limit)
    return value


def _excerpt(value: object) -> str:
    """Return a string in quotes, printable and cut to EXCERPT characters, or the type's name of anything else."""
    if isinstance(value, str):
        return '"%s"' % message(value, EXCERPT)
    return "a value of type %s" % type(value).__name__
