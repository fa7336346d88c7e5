# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of `make bench`."""

from __future__ import annotations

import textwrap
from configparser import ConfigParser
from pathlib import Path

import pytest
from bench.ratios import Cost, mean, ratio, report, tables


def costs(*seconds: float) -> list[Cost]:
    return [Cost(wall, wall / 2, wall / 4) for wall in seconds]


def test_a_machine_that_becomes_slower_does_not_change_a_ratio() -> None:
    """Each repetition is compared with the pings before and after it, not with those of the whole run."""
    measured = {"ping": costs(10, 20, 40, 40), "rerun": costs(1.5, 3), "naive": costs(30, 60)}
    assert ratio(measured, "rerun", "ping", "wall") == pytest.approx(0.1)
    assert ratio(measured, "naive", "rerun", "cpu") == pytest.approx(20)


def test_several_runs_count_as_their_mean() -> None:
    assert mean([Cost(1, 2, 3), Cost(3, 4, 5), Cost(5, 9, 10)]) == Cost(3, 5, 6)


def test_the_settings_are_those_of_the_guide() -> None:
    root = Path(__file__).parents[2]
    guide = (root / "docs" / "docsite" / "rst" / "nightly_guide.rst").read_text()
    printed, used = ConfigParser(interpolation=None), ConfigParser()
    printed.read_string(textwrap.dedent(guide.partition("   # ansible.cfg\n")[2].partition("\n.. ")[0]))
    used.read(root / "tests" / "bench" / "ansible.cfg")
    assert used["defaults"]
    assert used["defaults"].items() <= printed["defaults"].items()


def test_a_missed_bound_is_shown() -> None:
    names = ("provision", "provision_progress", "rerun", "provision_controller", "reprovision", "naive", "naive_rerun")
    seconds = dict(zip(names, (8, 8, 2, 4, 14, 90, 30), strict=True))
    measured = {"ping": costs(10, 10, 10), **{name: costs(wall) for name, wall in seconds.items()}}
    result = report(measured, {100: [20.0], 400: [10.0]}, 100)
    assert result["ratios"]["reprovision_vs_ping"] == 1.4
    assert result["ratios"]["rerun_of_400_vs_ping_of_100"] == 0.1
    _cases, ratios = tables({**result, "gateways": 100, "forks": 20}, {name: name for name in measured})
    shown = dict(zip(ratios.columns[0].cells, ratios.columns[3].cells, strict=True))
    assert {name for name, bound in shown.items() if "missed" in str(bound)} == {"rerun_vs_ping"}
