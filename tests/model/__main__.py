# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explore the whole model: ``python -m model`` in tests, or ``make model``."""

from __future__ import annotations

import argparse
import itertools
import sys

from model.explorer import Exploration, Faults, explore
from model.rules import Rules
from model.world import Platform

REREGISTRATION = ("rotate", "same", "refuse")
RESET_REVOKES = ("at_registration", "at_once", "never")
LOGIN = ("works", "fails", "impossible")
PLATFORMS = tuple(itertools.starmap(Platform, itertools.product(REREGISTRATION, RESET_REVOKES, LOGIN)))


def main() -> int:
    """Explore every platform; print the counts of each, and the shortest history that leads to each kind of bad end."""
    options = _parse_options()
    faults = Faults(options.crashes, options.losses, options.garblings)
    states = transitions = bad = 0
    for platform in PLATFORMS:
        exploration = explore(platform, Rules(), faults)
        states += len(exploration.parents)
        transitions += exploration.transitions
        bad += _print(exploration)
    print(f"{len(PLATFORMS)} platforms, {states:,} states, {transitions:,} transitions, {bad} bad ends")
    return 1 if bad else 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    parser.add_argument("--crashes", type=int, default=1, help="number of runs that may die")
    parser.add_argument("--losses", type=int, default=1, help="number of answers that may be lost")
    parser.add_argument("--garblings", type=int, default=1, help="number of journals that may become unreadable")
    return parser.parse_args()


def _print(exploration: Exploration) -> int:
    """Print one exploration, and return the number of its bad ends without the documented ones."""
    counts = {verdict: len(ends) for verdict, ends in exploration.bad.items()}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "no bad end"
    platform, states = " ".join(exploration.platform), len(exploration.parents)
    print(f"{platform:36} {states:7,} states {exploration.transitions:9,} transitions: {summary}", flush=True)
    bad = {verdict: ends for verdict, ends in exploration.bad.items() if verdict != "unproven"}
    for verdict, ends in bad.items():
        print("\n".join([f"-- {verdict}:", *exploration.trace(ends[0])]))
    return sum(map(len, bad.values()))


sys.exit(main())
