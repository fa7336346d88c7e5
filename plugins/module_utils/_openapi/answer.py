# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate answers of the OpenAPI on the controller: a field with a wrong type, length or alphabet makes the answer invalid. PRIVATE to
the collection.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BadAnswer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean

# More than any number that is counted or identifies something; as a message shows it.
LARGEST_NUMBER = 2**63
LONGEST_TEXT = 200
CODE = "[!-~]*"
STATUS = "[A-Z_]{0,32}"
TIME = "[0-9T:.Z +-]{0,40}"

HINT = "Check openapi_endpoint, and the proxies between the controller and the platform"


def parse(content: bytes) -> dict[str, t.Any] | None:
    """Return the JSON object that ``content`` is, or None."""
    try:
        answer = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def valid_texts(content: dict[str, t.Any]) -> dict[str, str]:
    """Return the fields that a refusal may have: texts, and a C(Code) only if it is one of the platform's form."""
    texts = {name: value for name, value in content.items() if isinstance(value, str)}
    if not re.fullmatch(CODE, texts.get("Code", "")):
        del texts["Code"]
    return texts


class OpenApiAnswer:
    """A JSON object in an answer. Every method reads one field, and raises BadAnswer if the field is not valid.

    A field may be missing, for the platform leaves out what is empty; then it reads as empty. A number on which something depends is
    read with :meth:`count`.
    """

    def __init__(self, about: str, content: dict[str, t.Any]) -> None:
        """Wrap an object.

        :param about: names the action and the object, for messages
        """
        self._about = about
        self._content = content

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def wrong(self, name: str, problem: str = "has the wrong type") -> BadAnswer:
        """Return the error to raise for a field."""
        return BadAnswer("%s: the answer's %s %s" % (self._about, name, problem), hint=HINT)

    def inner(self, name: str) -> OpenApiAnswer:
        """Return an object within."""
        return self._within(name, self._content.get(name, {}))

    def objects(self, name: str, limit: int) -> list[OpenApiAnswer]:
        """Return a list of objects, at most ``limit`` of them."""
        return [self._within(name, item) for item in self._list(name, limit)]

    def texts(self, name: str, limit: int) -> list[str]:
        """Return a list of texts, at most ``limit`` of them."""
        values = self._list(name, limit)
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(name)
        return values

    def number(self, name: str) -> int:
        """Return a number from 0 on; 0 if it is missing."""
        value = self._content.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST_NUMBER:
            raise self.wrong(name)
        return value

    def count(self, name: str) -> int:
        """Return a number from 0 on, that is not missing."""
        if name not in self:
            raise self.wrong(name, "is missing")
        return self.number(name)

    def text(self, name: str, masked: t.Callable[[str], str] = str) -> str:
        """Return a text that somebody wrote, for somebody to read: on one line and cut to LONGEST_TEXT; empty if it is null.

        :param masked: removes secrets, before a cut could leave a part of one
        """
        return clean(masked(self._text(name)), LONGEST_TEXT)

    def matching(self, name: str, pattern: str) -> str:
        """Return a text, or the digits of a number, that matches ``pattern`` as a whole; empty if it is null."""
        text = self._text(name)
        if not re.fullmatch(pattern, text, re.ASCII):
            raise self.wrong(name, "has an unexpected value")
        return text

    def _text(self, name: str) -> str:
        value = self._content.get(name)
        if value is None:
            return ""
        if isinstance(value, int) and not isinstance(value, bool):
            return str(self.number(name))
        if not isinstance(value, str):
            raise self.wrong(name)
        return value

    def _list(self, name: str, limit: int) -> list[t.Any]:
        values = self._content.get(name, [])
        if not isinstance(values, list):
            raise self.wrong(name)
        if len(values) > limit:
            raise self.wrong(name, "has more entries than were requested")
        return values

    def _within(self, name: str, value: object) -> OpenApiAnswer:
        if not isinstance(value, dict):
            raise self.wrong(name)
        return OpenApiAnswer(self._about, value)
