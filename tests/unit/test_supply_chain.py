# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pinned packages: the hashes of their files, and the audit against published vulnerabilities."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import distributions, requires
from pathlib import Path
from typing import Any

import advisories
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(
    ["git", "ls-files", "requirements/*.txt", "tests/*.txt"], cwd=ROOT, check=True, capture_output=True, text=True
)
LOCKED = LISTED.stdout.split()
INSTALLED = {canonicalize_name(found.metadata["Name"]) for found in distributions()}

A_FILE = {"name": "requests", "version": "2.0.0"}
FINDING = {"id": "PYSEC-2024-1", "aliases": ["GHSA-aaaa-bbbb-cccc"], "fix_versions": ["2.1.0"]}


@pytest.mark.parametrize("name", LOCKED)
def test_every_pin_has_the_hashes_of_its_files(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().replace("\\\n", " ").splitlines() if line.strip()]
    pinned = [line for line in lines if not line.lstrip().startswith("#")]
    assert pinned
    form = re.compile(r"[\w.-]+(\[[\w.,-]+\])?==\S+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line for line in pinned if not form.fullmatch(line)] == []


def test_every_locked_file_is_known() -> None:
    assert {"requirements/demo.txt", "requirements/test.txt", "tests/support/linkkit/requirements.txt"} <= set(LOCKED)
    assert sum(name.startswith("tests/matrix/") for name in LOCKED) == 6
    wanted = {path.with_suffix(".txt").relative_to(ROOT).as_posix() for path in (ROOT / "requirements").glob("*.in")}
    assert wanted == {name for name in LOCKED if name.startswith("requirements/")}


def test_a_pin_has_the_extras_that_other_packages_want_of_it() -> None:
    """Without the extras, older releases of pip, such as Debian 12's, choose the newest release and then refuse its hash."""
    pins = re.findall(r"^([\w.-]+(?:\[[\w.,-]+\])?)==", (ROOT / "requirements/test.txt").read_text(), re.MULTILINE)
    pinned = {canonicalize_name(pin.name): pin.extras for pin in map(Requirement, pins)}
    wanted = [
        requirement
        for package in pinned
        for requirement in map(Requirement, requires(package) or () if package in INSTALLED else ())
        if requirement.extras
        and any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            for extra in pinned[package] or {""}
        )
    ]
    assert wanted
    assert [str(each) for each in wanted if not each.extras <= pinned[canonicalize_name(each.name)]] == []


def test_what_users_install_is_apart_from_what_make_installs() -> None:
    assert {path.name for path in ROOT.glob("requirements*")} == {"requirements", "requirements.txt"}


def test_nothing_is_installed_without_a_hash() -> None:
    """Every installation of a requirements file requires hashes, so that a file without hashes is refused, not installed."""
    places = ["Makefile", "requirements/install.sh", "noxfile.py"]
    found = [
        line
        for name in places
        for line in (ROOT / name).read_text().splitlines()
        if re.search("--requirement\\b", line)
    ]
    assert len(found) == 2
    assert [line for line in found if "--require-hashes" not in line] == []


def test_pins_of_every_python_and_platform_are_audited() -> None:
    locked = (
        "# a comment\n"
        "colorama[more]==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
        "urllib3==1.26.20 ; python_full_version < '3.9' \\\n    --hash=sha256:01\n"
        "urllib3==2.2.3 ; python_full_version >= '3.9' \\\n    --hash=sha256:02\n    # via requests\n"
    )
    found = advisories.pins([locked, "urllib3==2.2.3\n"])
    assert found == [("colorama", "0.4.6"), ("urllib3", "1.26.20"), ("urllib3", "2.2.3")]
    assert advisories.rounds(found) == [[("colorama", "0.4.6"), ("urllib3", "1.26.20")], [("urllib3", "2.2.3")]]


CLEAN: dict[str, Any] = {**A_FILE, "vulns": []}
VULNERABLE: dict[str, Any] = {**A_FILE, "vulns": [FINDING]}
UNFIXED: dict[str, Any] = {**A_FILE, "vulns": [{**FINDING, "fix_versions": []}]}
UNKNOWN: dict[str, Any] = {"name": "rich", "skip_reason": "not found"}
STALE = "PYSEC-2024-1 is accepted, but no pinned package has it: remove it from ACCEPTED"


@pytest.mark.parametrize(
    ("audited", "accepted", "lines"),
    [
        ([CLEAN], {}, []),
        ([VULNERABLE], {}, ["requests 2.0.0: PYSEC-2024-1, fixed by 2.1.0"]),
        ([UNFIXED], {}, ["requests 2.0.0: PYSEC-2024-1, fixed by no release"]),
        ([VULNERABLE], {"PYSEC-2024-1": "a reason"}, []),
        ([VULNERABLE], {"GHSA-aaaa-bbbb-cccc": "a reason"}, []),
        ([CLEAN], {"PYSEC-2024-1": "a reason"}, [STALE]),
        ([CLEAN, UNKNOWN], {}, ["rich was not audited: not found"]),
        (
            [UNKNOWN],
            {},
            ["Nothing was audited: the vulnerability service does not know any of the 1 pinned packages."],
        ),
    ],
)
def test_only_a_complete_audit_without_findings_passes(
    audited: list[dict[str, Any]], accepted: dict[str, str], lines: list[str]
) -> None:
    assert advisories.problems(audited, accepted) == lines


def test_no_answer_of_the_service_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If pip-audit returns no report, the audit fails with one line; the Python that runs this test has no pip-audit."""
    with pytest.raises(SystemExit) as ended:
        advisories.audit([("requests", "2.0.0")], tmp_path)
    assert re.fullmatch("Nothing was audited: pip-audit ended with code 1: .*pip_audit", str(ended.value))
