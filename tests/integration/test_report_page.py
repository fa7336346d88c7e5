# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a report in a browser, as a person reads it who received the file.

Screenshots are written to the folder in $REPORT_SCREENSHOTS, or to the folder of the test.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, SIZES, chromium, opened
from emulator import Emulator
from gateways import credential_text
from operations import credential_file, in_service, operate, role_variables
from playbook import PRODUCT_KEY, as_new, inventory, names
from playwright.sync_api import Browser, Page

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._run_report import (
    FIELDS,
    OUTCOMES,
    as_page,
    compose_report,
)

JSON = Any

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")

NUMBER = 60
SILENT = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
# The outcome and the reason of each gateway that the audit must find.
FINDINGS = {
    "gw-0002": ("drift", "missing"),
    "gw-0003": ("drift", "unreadable"),
    "gw-0004": ("drift", "attributes"),
    "gw-0005": ("drift", "fingerprint_differs"),
    "gw-0006": ("drift", "not_on_platform"),
    "gw-0007": ("drift", "disabled"),
    "gw-0008": ("drift", "duplicate"),
    "gw-0009": ("failed", "failed"),
    "gw-0010": ("unreachable", "unreachable"),
}


def drifted_fleet(platform: Emulator, tmp_path: Path) -> JSON:
    """Prepare a fleet with drift: most gateways are valid, and one device has no gateway."""
    as_new(platform)
    own = {name: {} for name in names(NUMBER)} | {"gw-0009": {"gateway_timeout": "ten"}, "gw-0010": SILENT}
    hosts = inventory(own, tmp_path, **role_variables(platform))
    for name in names(NUMBER + 1):
        platform.admin.put_device(PRODUCT_KEY, name)
        if name in own:
            in_service(platform, tmp_path, name)
    credential_file(tmp_path, "gw-0002").unlink()
    credential_file(tmp_path, "gw-0003").write_text("{}")
    credential_file(tmp_path, "gw-0004").chmod(0o644)
    credential_file(tmp_path, "gw-0005").write_text(credential_text(PRODUCT_KEY, "gw-0005", "0" * 32))
    platform.admin.delete_device(PRODUCT_KEY, "gw-0006")
    platform.admin.put_device(PRODUCT_KEY, "gw-0007", status="DISABLE")
    credential_file(tmp_path, "gw-0008").write_text(credential_file(tmp_path, "gw-0001").read_text())
    return hosts


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def audit(platform: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of the second audit; the first was limited to ten gateways."""
    home = tmp_path_factory.mktemp("audit")
    hosts = drifted_fleet(platform, home)
    page = home / "report.html"
    for limit in ("gw-000[1-9]:gw-0010", "all"):
        operate("audit", platform, hosts, home, "--limit", limit, gateway_report_to=str(page))
    return page


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with every outcome, including those of other playbooks, and with every detail."""
    rows = [
        dict.fromkeys(FIELDS, f"{field} of a gateway") | {"gateway": f"gw-{number}", "outcome": outcome}
        for field in ("value",)
        for number, outcome in enumerate(OUTCOMES)
    ]
    run = {"id": "1", "playbook": "provision", "mode": "check mode", "begun": "2026-01-01 00:00:00 UTC"}
    before = json.loads(json.dumps(compose_report(run, [dict(row, outcome="ok") for row in rows])))
    page = tmp_path_factory.mktemp("everything") / "report.html"
    page.write_text(as_page(compose_report({**run, "id": "2"}, rows, before)))
    return page


def shown(page: Page, column: int = 1) -> list[str]:
    """Return the visible cells of a column."""
    script = "(rows, column) => rows.filter(row => row.offsetParent).map(row => row.cells[column - 1].innerText.trim())"
    cells: list[str] = page.locator("#rows tbody tr").evaluate_all(script, column)
    return cells


def test_the_report_of_an_audit(browser: Browser, audit: Path, tmp_path: Path) -> None:
    """The page counts, shows changes since the report before, filters, searches and sorts; and it sends no request."""
    report = json.loads(audit.with_suffix(".json").read_text())
    assert {
        row["gateway"]: (row["outcome"], row["reason"]) for row in report["gateways"] if row["outcome"] != "ok"
    } == {
        **FINDINGS,
        None: ("drift", "no_gateway"),
    }
    folder = Path(os.environ.get("REPORT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    with opened(browser, audit) as window:
        page = window.page
        for size in ("phone", "desktop"):
            page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
            file = folder / f"report-{size}.png"
            page.screenshot(path=file)
            print(file)
            assert file.stat().st_size > 10_000
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide == SIZES[size][0], "the page itself is never wider than the window"
        assert [row["device_name"] for row in report["gateways"] if not row["gateway"]] == [f"gw-{NUMBER + 1:04}"]
        assert page.title().startswith(f"audit: {NUMBER + 1} gateways, ")
        assert [item.split() for item in page.locator(".counts li").all_inner_texts()] == [
            ["1", "failed"],
            ["1", "unreachable"],
            ["8", "drift"],
            [str(NUMBER - len(FINDINGS)), "ok"],
        ]
        widths = page.locator(".chart rect").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
        assert max(widths) > 0.8 * sum(widths)
        assert f"of {NUMBER + 1} have another outcome" in page.locator("summary").first.inner_text()
        assert shown(page)[:2] == ["gw-0009", "gw-0010"], "the worst are first"

        page.get_by_role("checkbox", name="ok").uncheck()
        assert sorted(shown(page)) == sorted([*FINDINGS, "(no gateway)"])
        page.get_by_role("checkbox", name="drift").uncheck()
        assert shown(page) == ["gw-0009", "gw-0010"]
        assert page.get_by_role("status").inner_text() == f"2 of {NUMBER + 1} shown"
        for name in ("drift", "ok"):
            page.get_by_role("checkbox", name=name).check()
        page.get_by_label("Search").fill("disabled GW-0007")
        assert shown(page) == ["gw-0007"]
        page.get_by_label("Search").fill("")
        assert len(shown(page)) == NUMBER + 1

        page.get_by_role("button", name="Gateway").click()
        assert shown(page)[1:] == names(NUMBER)
        page.get_by_role("button", name="Gateway").click()
        assert shown(page)[0] == f"gw-{NUMBER:04}"
        page.get_by_role("button", name="Outcome").click()
        ranks = [OUTCOMES.index(outcome) for outcome in shown(page, 2)]  # type: ignore[arg-type]
        assert ranks == sorted(ranks)

        row = page.locator("tr", has=page.get_by_role("rowheader", name="gw-0002"))
        row.locator("summary").click()
        assert "ansible-playbook fleetops.aliyun_iot.recover" in row.inner_text()
        assert (window.console, window.requests) == ([], [])


@pytest.mark.parametrize("name", ["audit", "everything"])
def test_it_is_accessible(browser: Browser, request: pytest.FixtureRequest, name: str) -> None:
    """The page passes all rules of axe-core with all details open; of the valid rows, which are alike, a few are tested.

    The dark scheme has other colors, and nothing else.
    """
    with opened(browser, request.getfixturevalue(name)) as window:
        window.page.get_by_label("Search").fill("gw-000" if name == "audit" else "")
        window.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert len(shown(window.page)) < 20
        assert window.violations() == []
        window.page.emulate_media(color_scheme="dark")
        assert window.violations("color-contrast") == []
        assert (window.console, window.requests) == ([], [])


def test_axe_finds_what_is_wrong(browser: Browser, everything: Path) -> None:
    """The check that finds nothing on the page finds violations on a worse one."""
    with opened(browser, everything) as window:
        window.page.evaluate(
            "document.querySelector('label[for=search]').remove();"
            "document.documentElement.style.setProperty('--failed', '#fee')"
        )
        rules = {violation.partition(":")[0] for violation in window.violations()}
    assert "label" in rules


def test_with_the_keyboard_alone(browser: Browser, everything: Path) -> None:
    def focused(page: Page) -> str:
        text: str = page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim().split('\\n')[0]"
        )
        return text

    with opened(browser, everything) as window:
        page = window.page
        way = []
        for _step in range(40):
            page.keyboard.press("Tab")
            way.append(focused(page))
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"nobody sees where the focus is: {way}"
            if way[-1] == "Search":
                page.keyboard.type("gw-")
            elif way[-1] == "ok":
                page.keyboard.press("Space")
                assert "gw-5" not in shown(page)
            elif way[-1] == "Device":
                page.keyboard.press("Enter")
                sorted_by = page.locator("[aria-sort=ascending]").all_inner_texts()
                assert [re.sub(r"\W", "", text) for text in sorted_by] == ["Device"]
            elif way[-1].startswith("error of") or way[-1] == "value of a gateway":
                page.keyboard.press("Enter")
                assert page.locator("#rows details[open]").count() == 1
                break
        assert [name for name in way if name in ("Search", "ok", "Gateway", "Device")] == [
            "Search",
            "ok",
            "Gateway",
            "Device",
        ]
        assert page.locator("#rows details[open]").count() == 1, way


def test_on_paper_all_details_are_open(browser: Browser, everything: Path) -> None:
    with opened(browser, everything) as window:
        page = window.page
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#rows details:not([open])").count() == 0
        assert not page.locator("#filters").is_visible()
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator("#rows details[open]").count() == 0


def test_without_scripts_it_is_a_table(browser: Browser, everything: Path) -> None:
    with opened(browser, everything, scripts=False) as window:
        page = window.page
        assert page.locator("#rows tbody tr").count() == len(OUTCOMES)
        assert page.locator("#rows thead th").all_inner_texts()[:2] == ["Gateway", "Outcome"]
        assert not page.locator("#filters").is_visible()
        page.locator("#rows summary").first.click()
        assert (
            page.locator("#rows code", has_text="command of a gateway").or_(page.locator("#rows dd")).first.is_visible()
        )
