# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the links between pages (within the site, which Sphinx is configured not to check, and in Markdown), and their printed output."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest
from tracked import tracked

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import gateway_credential_spec
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._convergence import PATIENCE

OURS = "ansible_collections.fleetops.aliyun_iot.docsite."
GUIDES = [page for page in pages.PAGES if page.suffix == ".rst"]
MARKDOWN = tracked("*.md")


def test_a_reference_within_the_site_leads_to_a_label() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in GUIDES)
    labels = re.findall(rf"^\.\. _{re.escape(OURS)}(\S+):$", text, re.MULTILINE)
    assert len(labels) == len(set(labels))
    assert {page.stem for page in GUIDES} <= set(labels)
    references = set(re.findall(rf"<{re.escape(OURS)}([\w.]+)>`", text))
    assert references
    assert references <= set(labels)


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub generates for the headings of a Markdown file."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [name for name in MARKDOWN if (pages.ROOT / name).exists()])
def test_a_relative_link_leads_to_a_file_and_a_heading(name: str) -> None:
    path = pages.ROOT / name
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        file, _mark, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_leads_to_every_guide() -> None:
    text = (pages.ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in GUIDES if f"docs/docsite/rst/{page.name})" not in text] == []


@pytest.mark.parametrize("playbook", sorted(pages.ROOT.glob("playbooks/*.yml")), ids=lambda path: path.stem)
def test_the_guide_has_every_playbook_and_the_variables_that_its_head_lists(playbook: Path) -> None:
    guide = (pages.ROOT / "docs/docsite/rst/playbooks_guide.rst").read_text(encoding="utf-8")
    text = playbook.read_text(encoding="utf-8")
    head = text[: text.index("\n\n-")]
    variables = set(re.findall(r"\b(?:(?:gateway|platform|audit|decommission)_[a-z_]+|target)\b(?![.*])", head))
    assert f"fleetops.aliyun_iot.{playbook.stem}" in guide
    assert {name for name in variables if not re.search(rf"``{name}\b", guide)} - {"platform_"} == set()
    assert f"fleetops.aliyun_iot.{playbook.stem}`" in (pages.ROOT / "playbooks/README.md").read_text(encoding="utf-8")


def test_the_guide_computes_the_lease_of_a_batch_as_reprovision_does() -> None:
    text = (pages.ROOT / "playbooks/reprovision.yml").read_text(encoding="utf-8")
    assert "default([1, '10%', '100%'], true)" in text
    assert '"{{ 30 + ansible_play_batch | length }}"' in text
    spec = gateway_credential_spec()
    usual = spec["retry_time"]["default"] + 3 * spec["timeout"]["default"]
    last, longest = 10_000 - 1 - 1_000, PATIENCE - usual - 30
    guide = " ".join((pages.ROOT / "docs/docsite/rst/playbooks_guide.rst").read_text(encoding="utf-8").split())
    assert f"({usual} seconds by default)" in guide
    assert f"{last:,} gateways, and the lease of the last batch is {usual + 30 + last:,} seconds" in guide
    assert f"With at most {longest} gateways in a batch, the lease is at most five minutes" in guide


PRINTED = "TASK [one]\nname: gw-0002\nname: gw-0001\nTASK [two]\nRECAP\ngw-0001 : ok=1\n"


@pytest.mark.parametrize(
    ("expected", "lacking"),
    [
        (("TASK [...]", "name: gw-0002", "RECAP"), None),
        (("name: gw-0001", "name: gw-0002", "TASK [two]", "gw-0001 : ok=1"), None),  # the gateways finish in any order
        (("name: gw-0001", "name: gw-0003"), "name: gw-0003"),
        (("name: gw-0001", "name: gw-0001"), "name: gw-0001"),
        (("name: gw-0001", "TASK [one]"), "TASK [one]"),
        (("RECAP", "name: gw-0001", "name: gw-0002"), "name: gw-0001"),
        (("TASK [two]", "gw-0001 : ok=2"), "gw-0001 : ok=2"),
    ],
)
def test_the_output_has_the_printed_lines_in_their_order(expected: tuple[str, ...], lacking: str | None) -> None:
    assert pages.missing(PRINTED, expected) == lacking
