# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paging of lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from platform_emulator.openapi.call import Call
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal

# "If PageSize times CurrentPage is greater than 10,000, you must configure NextToken": QueryDevice.
WITHOUT_TOKEN = 10_000
WITH_TOKEN = 1_000_000

# CurrentPage and PageSize where they are optional: QueryDevice, QueryPageByApplyId.
DEFAULTS = (1, 10)


@dataclass(frozen=True)
class Page:
    """Page `number`, from 1 on, of so many entries each."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    def count(self, total: int) -> int:
        return -(-total // self.size)


def asked(call: Call, largest: int, number: str = "CurrentPage", *, optional: bool = False) -> Page:
    """Return the page that a call asks for; raises OpenApiRefusal."""
    first, ten = DEFAULTS if optional else (None, None)
    page = Page(call.number(number, first), call.number("PageSize", ten))
    if not 1 <= page.number < 10**9 or not 1 <= page.size <= largest:
        raise OpenApiRefusal("iot.common.InvalidPageParams")
    return page


def depth(parameters: Mapping[str, str]) -> int:
    """Return the depth of a page for its quota, page number times page size; 0 if these are not numbers."""
    names = ("CurrentPage", "PageSize")
    numbers = [parameters.get(name) or str(default) for name, default in zip(names, DEFAULTS, strict=True)]
    if not all(re.fullmatch("[0-9]{1,18}", number) for number in numbers):
        return 0
    return int(numbers[0]) * int(numbers[1])
