# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that every hint refers to the troubleshooting guide, which has a heading for each kind and for each known code."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import (
    https_registration,
    mqtt_client,
    mqtt_registration,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption, Kind
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import client
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import failure
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._result import failed

GUIDE = Path(__file__).parents[2] / "docs/docsite/rst/troubleshooting_guide.rst"
RETRIED = {429, 500}  # codes of a registration over HTTPS; those up to 599 count as 500
NOT_AVAILABLE = 3  # return code of a CONNACK


def headings() -> list[str]:
    """Return the headings of the kinds and codes, which are the lowest level."""
    return re.findall(r"^(\S.*)\n~+\n", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


def known_codes() -> set[str]:
    """Return kind and code of every refusal for which the collection has a hint."""
    refusals: set[int | str] = {*https_registration.CODES, *mqtt_client.CODES, *mqtt_registration.CODES}
    throttled: set[int | str] = {*RETRIED, NOT_AVAILABLE}
    for code in client.HINTS:
        (throttled if code == "Throttling" else refusals).add(code)
    refusals -= set(client.NOT_THERE)
    return {
        *(f"refused {code}" for code in refusals),
        *(f"throttled {code}" for code in throttled),
        *(f"not_found {code}" for code in client.NOT_THERE),
    }


def test_the_guide_has_a_heading_for_each_kind_and_each_known_code() -> None:
    found = headings()
    assert len(found) == len(set(found))
    assert set(found) == {*t.get_args(Kind), *known_codes()}


def test_a_message_that_the_guide_quotes_is_one_of_the_collection() -> None:
    quoted = re.findall(r"``([^`]*[.]{3}[^`]*)``", GUIDE.read_text(encoding="utf-8"))
    assert len(quoted) > 2
    plugins = GUIDE.parents[3] / "plugins"
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(plugins.glob("**/*.py")))
    assert [text for text in quoted if not re.search(re.escape(text).replace(re.escape("..."), ".*"), source)] == []


def test_an_anchor_is_no_other_ones() -> None:
    """Headings differ in their letters and digits, because Sphinx and GitHub use no other characters in an anchor."""
    anchors = [re.sub(r"[^a-z0-9]+", "-", heading.lower()) for heading in headings()]
    assert len(anchors) == len(set(anchors))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            FleetopsError("no", kind="refused", code=6288, hint="Do it"),
            "Do it. See the troubleshooting guide: refused 6288",
        ),
        (FleetopsError("no", kind="internal"), "See the troubleshooting guide: internal"),
        (
            InvalidOption("region", "x", "is unknown", "Did you mean y?"),
            "Did you mean y? See the troubleshooting guide: invalid_option",
        ),
    ],
)
def test_what_users_see_of_a_hint_ends_with_a_heading_of_the_guide(error: FleetopsError, advice: str) -> None:
    for result in (failure(error), failed({}, error)):
        assert result["error"]["hint"] == advice
        assert result["msg"] == f"{error.msg}. {advice}"
    assert advice.rpartition(": ")[2] in headings()
    assert "troubleshooting" not in error.quoted
