# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The effects of a fault on a call of the OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from platform_emulator.answers import Answer
from platform_emulator.fields import integer, list_of, text
from platform_emulator.http_effects import HTTP, Effect, Effects, message
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal
from platform_emulator.openapi.quotas import QPS


@dataclass(frozen=True)
class OpenApiCode(Effect[Answer]):
    """Refuse, without processing: in front of the API with an HTTP status, or by the API itself."""

    code: str
    message: str | None
    http_status: int | None

    async def before(self) -> Answer:
        raise OpenApiRefusal(self.code, self.message, self.http_status)


@dataclass(frozen=True)
class Fail(Effect[Answer]):
    """Process the request, but let a part of it fail."""

    def failing(self, names: Sequence[str]) -> frozenset[str]:
        raise NotImplementedError


@dataclass(frozen=True)
class FailNames(Fail):
    names: frozenset[str]

    def failing(self, names: Sequence[str]) -> frozenset[str]:
        return self.names.intersection(names)


@dataclass(frozen=True)
class FailAfter(Fail):
    """Let all names after the first `done` fail."""

    done: int

    def failing(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset(names[self.done :])


def failing(effect: Effect[Answer], names: Sequence[str]) -> frozenset[str]:
    """Return the names that an effect makes fail."""
    return effect.failing(names) if isinstance(effect, Fail) else frozenset()


# Effects for registrations only.
OF_REGISTRATION = frozenset({"code", "other_device", "other_product", "empty_secret"})

_code = text(r"[A-Za-z][A-Za-z0-9._]{0,99}", "a code such as Throttling.User or iot.system.SystemException")
_name = text(r"[^\x00-\x1f]{1,64}", "a name")

OPENAPI: Effects[Answer] = {
    # Before http_status, which is a detail of this effect, too.
    "code": lambda fields: OpenApiCode(
        fields.need("code", _code), fields.get("message", message), fields.get("http_status", integer(400, 599))
    ),
    **{key: effect for key, effect in HTTP.items() if key not in OF_REGISTRATION},
}

# Actions on things without names of their own: random names, the sub-devices of a gateway.
OF_SOME: Effects[Answer] = {
    **OPENAPI,
    "fail_after": lambda fields: FailAfter(fields.need("fail_after", integer(0, 1_000_000))),
}
# Actions with lists of names.
OF_NAMES: Effects[Answer] = {
    **OF_SOME,
    "fail_names": lambda fields: FailNames(frozenset(fields.need("fail_names", list_of(_name)))),
}

ACTIONS: Mapping[str, Effects[Answer]] = {
    **dict.fromkeys(QPS, OPENAPI),
    "BatchRegisterDevice": OF_SOME,
    "ResetThing": OF_SOME,
    "BatchCheckDeviceNames": OF_NAMES,
    "BatchGetDeviceState": OF_NAMES,
    "BatchQueryDeviceDetail": OF_NAMES,
    "BatchRegisterDeviceWithApplyId": OF_NAMES,
}

# The other actions name no device, or a list of devices.
OF_ONE_DEVICE = frozenset(
    {
        "DeleteDevice",
        "DisableThing",
        "EnableThing",
        "GetDeviceStatus",
        "GetThingTopo",
        "QueryDeviceDetail",
        "RegisterDevice",
        "ResetThing",
    }
)
WITHOUT_PRODUCT = frozenset({"CreateProduct", "QueryJob", "QueryPageByApplyId", "QueryProductList"})
