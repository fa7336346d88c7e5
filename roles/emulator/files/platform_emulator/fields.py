# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate input: the seed, the settings, the faults, the admin API.

A reader takes a value and its place in the input, and returns the typed value or raises `Invalid`.
Text may be a secret, also a key if a colon is missing. So a message shows only short words that cannot be one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
SHOWN = re.compile(r"[a-z_]{1,30}")
SHOWN_BELOW = 1_000_000  # a longer number may be a secret without letters
Reader = Callable[[object, str], T]


class Invalid(ValueError):
    """A value that is not valid; the message has its place, the problem and what to do."""


@contextmanager
def within(place: str) -> Iterator[None]:
    """Add the place to the message of Invalid."""
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{place}: {error}") from None


class Fields:
    """A mapping, read key by key; `close` refuses keys that were not read."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise Invalid(f"{where}{': ' if where else ''}must be a mapping of keys to values, not {_kind(value)}")
        self._values: dict[object, object] = dict(value)
        self._where = where
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str, reader: Reader[T]) -> T | None:
        """Return the value of a key, or None if it is absent."""
        self._known.append(key)
        return reader(self._values[key], self.place(key)) if key in self._values else None

    def need(self, key: str, reader: Reader[T]) -> T:
        """Return the value of a required key."""
        value = self.get(key, reader)
        if value is None:
            raise Invalid(f"{self.place(key)}: is missing; add it")
        return value

    def was_read(self, key: str) -> bool:
        """Return whether this key was read."""
        return key in self._known

    def named(self, readers: Mapping[str, Reader[object]]) -> dict[str, object]:
        """Return the values of those keys that are present."""
        values = {key: self.get(key, reader) for key, reader in readers.items()}
        return {key: value for key, value in values.items() if key in self}

    def place(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def unread(self) -> list[str | None]:
        """Return the keys that were not read; None stands for one that may be a secret."""
        keys = (key for key in self._values if key not in self._known)
        return [key if isinstance(key, str) and SHOWN.fullmatch(key) else None for key in keys]

    def close(self) -> None:
        for key in self.unread():
            known = ", ".join(dict.fromkeys(self._known))
            if key is None:
                where = f"{self._where}: " if self._where else ""
                raise Invalid(f"{where}has an unknown key (a colon may be missing); the known ones are {known}")
            raise Invalid(f"{self.place(key)}: is not a known key; the known ones are {known}")


def text(pattern: str, advice: str) -> Reader[str]:
    """Return a reader of text that matches the pattern as a whole; `advice` describes the pattern."""

    def read(value: object, where: str) -> str:
        if not isinstance(value, str):
            raise Invalid(f"{where}: must be text, not {_kind(value)}; put it in quotes")
        if not re.fullmatch(pattern, value) or re.search(r"[\ud800-\udfff]", value):  # half a character is not UTF-8
            raise Invalid(f"{where}: has the wrong form; write {advice}")
        return value

    return read


def choice(*options: str) -> Reader[str]:
    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or value not in options:
            raise Invalid(f"{where}: {_shown(value)} is not possible; choose one of {', '.join(options)}")
        return value

    return read


def integer(low: int, high: int) -> Reader[int]:
    def read(value: object, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(f"{where}: {_shown(value)} is not possible; write a whole number from {low} to {high}")
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


def _shown(value: object) -> str:
    """Return the value, or its type if it may be a secret."""
    harmless = (
        bool(SHOWN.fullmatch(value))
        if isinstance(value, str)
        else value is None or (isinstance(value, int) and abs(value) < SHOWN_BELOW)
    )
    return repr(value) if harmless else _kind(value)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"
