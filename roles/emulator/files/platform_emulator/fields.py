# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strict reading of what comes from outside: the seed, the settings, the faults, the admin API.

A reader takes a value and the place where it stood, and returns it typed or raises `Invalid`.
Text is never repeated in a message: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")
Reader = Callable[[object, str], T]


class Invalid(ValueError):
    """A value that cannot be used; the message names its place, what is wrong and what to do."""


class Fields:
    """A mapping, read key by key; `close` then refuses the keys that nobody asked for."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise Invalid(f"{where}{': ' if where else ''}must be a mapping of keys to values, not {_kind(value)}")
        self._values: dict[object, object] = dict(value)
        self._where = where
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str, reader: Reader[T]) -> T | None:
        """Return the value of a key, or None where the key is absent."""
        self._known.append(key)
        return reader(self._values[key], self.place(key)) if key in self._values else None

    def need(self, key: str, reader: Reader[T]) -> T:
        """Return the value of a key that must be there."""
        value = self.get(key, reader)
        if value is None:
            raise Invalid(f"{self.place(key)}: is missing; add it")
        return value

    def asked(self, key: str) -> bool:
        """Return whether somebody has asked for this key."""
        return key in self._known

    def named(self, readers: Mapping[str, Reader[object]]) -> dict[str, object]:
        """Return the values of those of the keys that are there."""
        values = {key: self.get(key, reader) for key, reader in readers.items()}
        return {key: value for key, value in values.items() if key in self}

    def place(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def close(self) -> None:
        for key in self._values:
            if key not in self._known:
                known = ", ".join(dict.fromkeys(self._known))
                raise Invalid(f"{self.place(str(key))}: is not a known key; the known ones are {known}")


def text(pattern: str, advice: str) -> Reader[str]:
    """Text that matches the whole pattern; `advice` says what to write."""

    def read(value: object, where: str) -> str:
        if not isinstance(value, str):
            raise Invalid(f"{where}: must be text, not {_kind(value)}; put it in quotes")
        if not re.fullmatch(pattern, value):
            raise Invalid(f"{where}: has the wrong form; write {advice}")
        return value

    return read


def choice(*options: str) -> Reader[str]:
    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or value not in options:
            raise Invalid(f"{where}: {value!r} is not possible; choose one of {', '.join(options)}")
        return value

    return read


def integer(low: int, high: int) -> Reader[int]:
    def read(value: object, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(f"{where}: {value!r} is not possible; write a whole number from {low} to {high}")
        return value

    return read


def flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{where}: must be true or false, not {_kind(value)}")
    return value


def seconds(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86400:
        raise Invalid(f"{where}: must be a number of seconds from 0 to 86400")
    return float(value)


def list_of(reader: Reader[T]) -> Reader[list[T]]:
    def read(value: object, where: str) -> list[T]:
        if not isinstance(value, list):
            raise Invalid(f"{where}: must be a list, not {_kind(value)}")
        return [reader(item, f"{where}[{index}]") for index, item in enumerate(value)]

    return read


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"
