# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links between pages: those within the site, which Sphinx is told not to check, and those of Markdown."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pages
import pytest

OURS = "ansible_collections.fleetops.aliyun_iot.docsite."
GUIDES = [page for page in pages.PAGES if page.suffix == ".rst"]
MARKDOWN = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=pages.ROOT,
    check=True,
    capture_output=True,
    text=True,
).stdout.split()


def test_a_reference_within_the_site_leads_to_a_label() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in GUIDES)
    labels = re.findall(rf"^\.\. _{re.escape(OURS)}(\S+):$", text, re.MULTILINE)
    assert len(labels) == len(set(labels))
    assert {page.stem for page in GUIDES} <= set(labels)
    references = set(re.findall(rf"<{re.escape(OURS)}([\w.]+)>`", text))
    assert references
    assert references <= set(labels)


@pytest.mark.parametrize("name", [name for name in MARKDOWN if (pages.ROOT / name).exists()])
def test_a_relative_link_leads_to_a_file(name: str) -> None:
    path = pages.ROOT / name
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not Path(path.parent, link).exists()] == []


def test_the_readme_leads_to_every_guide() -> None:
    text = (pages.ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in GUIDES if f"docs/docsite/rst/{page.name})" not in text] == []
