# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that CI uses pinned actions, existing commands and every Python, publishes only with approval, and detects unexpected skips."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from interpreters import PYTHONS

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = re.compile(r"- uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+")


def jobs() -> dict[str, Any]:
    return {
        f"{path.stem}/{name}": job
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items()
    }


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_pinned_by_its_commit(path: Path) -> None:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not ACTION.fullmatch(line if line.startswith("- ") else f"- {line}")] == []


@pytest.mark.parametrize("name", jobs())
def test_a_job_runs_targets_that_make_has(name: str) -> None:
    targets = set(
        re.findall(r"^([a-z]+|\.venv/[a-z]+)[: ]", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    commands = [step["run"] for step in jobs()[name]["steps"] if "make " in step.get("run", "")]
    named = {word for command in commands for word in re.findall(r"make ([^ =\n]+)", command)}
    assert named
    assert named - targets <= {".venv/demo", ".venv/test"}


@pytest.mark.parametrize("name", ["ci/lint", "ci/pythons", "ci/matrix"])
def test_a_job_that_needs_every_python_installs_it(name: str) -> None:
    [versions] = [
        step["with"]["python-version"].split()
        for step in jobs()[name]["steps"]
        if step.get("uses", "").startswith("actions/setup-python@")
    ]
    assert sorted(versions) == sorted(PYTHONS)


def test_nothing_is_published_that_nobody_approved() -> None:
    writing = {name for name, job in jobs().items() if "GALAXY_TOKEN" in yaml.safe_dump(job) or job.get("permissions")}
    assert writing == {"release/publish"}
    assert jobs()["release/publish"]["environment"] == "galaxy"


def test_a_skip_that_is_not_on_the_list_is_told() -> None:
    spec = importlib.util.spec_from_file_location("skips", ROOT / "tests/conftest.py")
    assert spec
    assert spec.loader
    conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conftest)
    reasons = ["only root becomes somebody else", "no reason", "no reason"]
    assert conftest.unexpected(reasons, "user") == ["no reason"]
    assert conftest.unexpected(reasons, "root") == ["no reason", "only root becomes somebody else"]
    with pytest.raises(pytest.UsageError, match="root, user"):
        conftest.unexpected(reasons, "nobody")
