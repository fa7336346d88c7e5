# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand: what goes wrong, at which request, how often.

A fault is a mapping: `action`, optionally `product_key` and `device_name`, `times` (a number, default 1, or `forever`),
and exactly one effect with its value. The oldest fault that matches a request is used up by one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from platform_emulator.answers import Answer, compact_json
from platform_emulator.fields import Fields, Invalid, choice, flag, integer, seconds, text
from platform_emulator.products import device_name, product_key
from platform_emulator.refusals import Refusal
from platform_emulator.store import Store

ACTIONS = ("register",)


class Drop(Exception):
    """Close the connection now, without another byte."""


class Effect:
    """What a fault does: before the request is processed, or after its result was committed."""

    async def before(self) -> Answer | None:
        """Returns an answer to give instead of processing; may raise Refusal or Drop."""
        return None

    async def after(self, answer: Answer) -> Answer:
        """Returns the answer to send; may raise Drop."""
        return answer


@dataclass(frozen=True)
class Delay(Effect):
    """Wait, then process."""

    seconds: float

    async def before(self) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class HttpStatus(Effect):
    """What a gateway in front of the platform answers."""

    http_status: int
    retry_after: int | None

    async def before(self) -> Answer:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Answer(self.http_status, b"", content_type="text/plain", headers=headers)


@dataclass(frozen=True)
class Redirect(Effect):
    location: str
    http_status: int

    async def before(self) -> Answer:
        return Answer(self.http_status, b"", content_type="text/plain", headers={"Location": self.location})


@dataclass(frozen=True)
class Code(Effect):
    """The platform refuses, without processing."""

    code: int
    message: str | None

    async def before(self) -> Answer:
        raise Refusal(self.code, self.message)


@dataclass(frozen=True)
class DropBefore(Effect):
    """The request is lost."""

    async def before(self) -> Answer:
        raise Drop


@dataclass(frozen=True)
class Hang(Effect):
    """Read the request, say nothing for a while, then close."""

    seconds: float

    async def before(self) -> Answer:
        await asyncio.sleep(self.seconds)
        raise Drop


@dataclass(frozen=True)
class DropAfter(Effect):
    """The answer is lost."""

    async def after(self, answer: Answer) -> Answer:
        raise Drop


@dataclass(frozen=True)
class HoldAfter(Effect):
    """The answer is late, although the result stands."""

    seconds: float

    async def after(self, answer: Answer) -> Answer:
        await asyncio.sleep(self.seconds)
        return answer


@dataclass(frozen=True)
class Truncate(Effect):
    """The connection ends half-way through the body."""

    async def after(self, answer: Answer) -> Answer:
        return replace(answer, cut=len(answer.body) // 2)


@dataclass(frozen=True)
class NotJson(Effect):
    """A captive portal or a proxy answers."""

    async def after(self, answer: Answer) -> Answer:
        return replace(answer, body=b"<html><body>Welcome</body></html>", content_type="text/html")


@dataclass(frozen=True)
class Oversize(Effect):
    """The body is padded with blanks to so many bytes."""

    size: int

    async def after(self, answer: Answer) -> Answer:
        return replace(answer, body=answer.body.ljust(self.size))


@dataclass(frozen=True)
class OtherData(Effect):
    """The answer's data say something else than what was stored; a refusal carries no data and stays."""

    key: str
    value: str

    async def after(self, answer: Answer) -> Answer:
        body = json.loads(answer.body)
        if "data" not in body:
            return answer
        return replace(answer, body=compact_json({**body, "data": {**body["data"], self.key: self.value}}))


_location = text(r"\S{1,2000}", "a URL")
_message = text(r"[^\x00-\x1f]{0,100}", "up to 100 printable characters")


def _set(value: object, where: str) -> bool:
    if not flag(value, where):
        raise Invalid(f"{where}: must be true; leave the key out for no such fault")
    return True


def _switch(key: str, effect: Effect) -> Callable[[Fields], Effect]:
    def read(fields: Fields) -> Effect:
        fields.need(key, _set)
        return effect

    return read


EFFECTS: Mapping[str, Callable[[Fields], Effect]] = {
    "delay": lambda fields: Delay(fields.need("delay", seconds)),
    "http_status": lambda fields: HttpStatus(
        fields.need("http_status", integer(400, 599)), fields.get("retry_after", integer(0, 86400))
    ),
    "redirect": lambda fields: Redirect(
        fields.need("redirect", _location), fields.get("redirect_status", integer(301, 308)) or 307
    ),
    "code": lambda fields: Code(fields.need("code", integer(1, 999_999)), fields.get("message", _message)),
    "hang": lambda fields: Hang(fields.need("hang", seconds)),
    "hold_after": lambda fields: HoldAfter(fields.need("hold_after", seconds)),
    "oversize": lambda fields: Oversize(fields.need("oversize", integer(1, 100_000_000))),
    "drop_before": _switch("drop_before", DropBefore()),
    "drop_after": _switch("drop_after", DropAfter()),
    "truncate": _switch("truncate", Truncate()),
    "not_json": _switch("not_json", NotJson()),
    "other_device": _switch("other_device", OtherData("deviceName", "another-device")),
    "other_product": _switch("other_product", OtherData("productKey", "a1Another00")),
    "empty_secret": _switch("empty_secret", OtherData("deviceSecret", "")),
}


@dataclass(frozen=True)
class Fault:
    """A fault as read: where it strikes, how often (0: forever), and its effect with the effect's name."""

    action: str
    product_key: str | None
    device_name: str | None
    times: int
    name: str
    effect: Effect

    def matches(self, action: str, product: str | None, device: str | None) -> bool:
        return self.action == action and self.product_key in (None, product) and self.device_name in (None, device)


def read(value: object, where: str) -> Fault:
    """A fault from outside; raises Invalid."""
    fields = Fields(value, where)
    names = [name for name in EFFECTS if name in fields]
    if len(names) != 1:
        found = " and ".join(names) or "none"
        raise Invalid(f"{where or 'fault'}: needs exactly one effect, has {found}; choose one of {', '.join(EFFECTS)}")
    fault = Fault(
        action=fields.need("action", choice(*ACTIONS)),
        product_key=fields.get("product_key", product_key),
        device_name=fields.get("device_name", device_name),
        times=1 if (times := fields.get("times", _times)) is None else times,
        name=names[0],
        effect=EFFECTS[names[0]](fields),
    )
    fields.close()
    return fault


def _times(value: object, where: str) -> int:
    return 0 if value == "forever" else integer(1, 1_000_000)(value, where)


# What is stored is the mapping as it came; `remaining` counts down and is NULL for a fault that stays.


def add(store: Store, value: object, where: str) -> int:
    """Store a fault; returns its number. Raises Invalid."""
    fault = read(value, where)
    return store.insert("INSERT INTO fault (spec, remaining) VALUES (?, ?)", (json.dumps(value), fault.times or None))


def everything(store: Store) -> list[dict[str, object]]:
    """The faults still to come, each with its `id` and `remaining` (a number or `forever`)."""
    return [
        {
            "id": row["id"],
            "remaining": "forever" if row["remaining"] is None else row["remaining"],
            **json.loads(row["spec"]),
        }
        for row in store.rows("SELECT id, spec, remaining FROM fault ORDER BY id")
    ]


def clear(store: Store) -> None:
    store.rows("DELETE FROM fault")


def take(store: Store, action: str, product: str | None, device: str | None) -> Fault | None:
    """The oldest fault that matches, used up by one."""
    for row in store.rows("SELECT id, spec, remaining FROM fault ORDER BY id"):
        fault = read(json.loads(row["spec"]), "")
        if fault.matches(action, product, device):
            store.rows("UPDATE fault SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
            store.rows("DELETE FROM fault WHERE remaining = 0")
            return fault
    return None
