# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open a page in the system's Chromium, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser until the context ends."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page, the messages of its console, and its requests except the one for the page."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def violations(self, *rules: str) -> list[str]:
        """Return the violations of these rules, or of all of them, that axe-core finds, one line each."""
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found: Any = Axe().run(self.page, options=options).response["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@contextmanager
def opened(browser: Browser, file: Path, size: str = "desktop", scripts: bool = True) -> Iterator[Opened]:
    """Open a file in a new window."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=scripts)
    try:
        page = context.new_page()
        window = Opened(page)
        page.on("console", lambda message: window.console.append(message.text))
        page.on("pageerror", lambda error: window.console.append(str(error)))
        page.on("request", lambda request: window.requests.append(request.url))
        page.goto(file.as_uri())
        window.requests.remove(file.as_uri())
        yield window
    finally:
        context.close()
