# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The effects of a fault on one request: those for every protocol, and those for HTTP.

An effect applies before the request is processed, or after its result is committed. `A` is the protocol's type of an
answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from platform_emulator.answers import Answer, compact_json
from platform_emulator.fields import Fields, Invalid, flag, integer, seconds, text
from platform_emulator.refusals import Refusal

A = TypeVar("A")


class Drop(Exception):
    """Close the connection now, without sending anything more."""


class Effect(Generic[A]):
    """Base of the effects; by itself it has none."""

    async def before(self) -> A | None:
        """Return an answer to send without processing the request, or None; may raise Refusal or Drop."""
        return None

    async def after(self, answer: A) -> A:
        """Return the answer to send; may raise Drop."""
        return answer


# The effects that a fault can have on one kind of request, by key.
Effects = Mapping[str, Callable[[Fields], Effect[A]]]


@dataclass(frozen=True)
class Delay(Effect[A]):
    """Wait, then process the request, perhaps after the client's timeout."""

    seconds: float

    async def before(self) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Hang(Effect[A]):
    """Read the request, wait, then close the connection without an answer."""

    seconds: float

    async def before(self) -> A:
        await asyncio.sleep(self.seconds)
        raise Drop


@dataclass(frozen=True)
class DropBefore(Effect[A]):
    """Lose the request."""

    async def before(self) -> A:
        raise Drop


@dataclass(frozen=True)
class DropAfter(Effect[A]):
    """Lose the answer."""

    async def after(self, answer: A) -> A:
        raise Drop


@dataclass(frozen=True)
class HoldAfter(Effect[A]):
    """Delay the answer, after the result is committed."""

    seconds: float

    async def after(self, answer: A) -> A:
        await asyncio.sleep(self.seconds)
        return answer


def _set(value: object, where: str) -> bool:
    if not flag(value, where):
        raise Invalid(f"{where}: must be true; leave the key out for no such fault")
    return True


def switch(key: str, effect: Effect[A]) -> Callable[[Fields], Effect[A]]:
    """Return the reader of an effect without a value, whose key must be true."""

    def read(fields: Fields) -> Effect[A]:
        fields.need(key, _set)
        return effect

    return read


# For every protocol.
COMMON: Effects[Any] = {
    "delay": lambda fields: Delay(fields.need("delay", seconds)),
    "hang": lambda fields: Hang(fields.need("hang", seconds)),
    "hold_after": lambda fields: HoldAfter(fields.need("hold_after", seconds)),
    "drop_before": switch("drop_before", DropBefore()),
    "drop_after": switch("drop_after", DropAfter()),
}


@dataclass(frozen=True)
class HttpStatus(Effect[Answer]):
    """Answer as a gateway in front of the platform."""

    http_status: int
    retry_after: int | None

    async def before(self) -> Answer:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Answer(self.http_status, b"", content_type="text/plain", headers=headers)


@dataclass(frozen=True)
class Redirect(Effect[Answer]):
    location: str
    http_status: int

    async def before(self) -> Answer:
        return Answer(self.http_status, b"", content_type="text/plain", headers={"Location": self.location})


@dataclass(frozen=True)
class RegistrationCode(Effect[Answer]):
    """Refuse the registration with a code, without processing it."""

    code: int
    message: str | None

    async def before(self) -> Answer:
        raise Refusal(self.code, self.message)


@dataclass(frozen=True)
class Truncate(Effect[Answer]):
    """Close the connection half-way through the body."""

    async def after(self, answer: Answer) -> Answer:
        return replace(answer, cut=len(answer.body) // 2)


@dataclass(frozen=True)
class NotJson(Effect[Answer]):
    """Answer as a captive portal or a proxy."""

    async def after(self, answer: Answer) -> Answer:
        return replace(answer, body=b"<html><body>Welcome</body></html>", content_type="text/html")


@dataclass(frozen=True)
class Oversize(Effect[Answer]):
    """Pad the body with blanks to this number of bytes."""

    size: int

    async def after(self, answer: Answer) -> Answer:
        return replace(answer, body=answer.body.ljust(self.size))


@dataclass(frozen=True)
class OtherData(Effect[Answer]):
    """Change a field in the data of the answer, but not what is stored. A refusal has no data and is not changed."""

    key: str
    value: str

    async def after(self, answer: Answer) -> Answer:
        body = json.loads(answer.body)
        if "data" not in body:
            return answer
        return replace(answer, body=compact_json({**body, "data": {**body["data"], self.key: self.value}}))


_location = text(r"[^\s\x00-\x1f\x7f]{1,2000}", "a URL")
message = text(r"[^\x00-\x1f]{0,100}", "up to 100 printable characters")

HTTP: Effects[Answer] = {
    **COMMON,
    "http_status": lambda fields: HttpStatus(
        fields.need("http_status", integer(400, 599)), fields.get("retry_after", integer(0, 86400))
    ),
    "redirect": lambda fields: Redirect(
        fields.need("redirect", _location), fields.get("redirect_status", integer(301, 308)) or 307
    ),
    "code": lambda fields: RegistrationCode(fields.need("code", integer(1, 999_999)), fields.get("message", message)),
    "oversize": lambda fields: Oversize(fields.need("oversize", integer(1, 100_000_000))),
    "truncate": switch("truncate", Truncate()),
    "not_json": switch("not_json", NotJson()),
    "other_device": switch("other_device", OtherData("deviceName", "another-device")),
    "other_product": switch("other_product", OtherData("productKey", "a1Another00")),
    "empty_secret": switch("empty_secret", OtherData("deviceSecret", "")),
}
