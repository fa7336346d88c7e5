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
    """Explore every platform; print the counts of each, and the shortest history that leads to each bad end."""
    options = _options()
    faults = Faults(options.crashes, options.losses, options.garblings)
    states = transitions = bad = 0
    for platform in PLATFORMS:
        done = explore(platform, Rules(), faults)
        states += len(done.parents)
        transitions += done.transitions
        bad += _print(done)
    print(f"{len(PLATFORMS)} platforms, {states:,} states, {transitions:,} transitions, {bad} bad ends")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    parser.add_argument("--crashes", type=int, default=1, help="how many runs may die")
    parser.add_argument("--losses", type=int, default=1, help="how many answers may be lost")
    parser.add_argument("--garblings", type=int, default=1, help="how many journals may become unreadable")
    return parser.parse_args()


def _print(done: Exploration) -> int:
    """Print one exploration and return the number of its bad ends; those that are documented are none."""
    counts = {verdict: len(ends) for verdict, ends in done.bad.items()}
    shown = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "all right"
    print(
        f"{' '.join(done.platform):36} {len(done.parents):7,} states {done.transitions:9,} transitions: {shown}",
        flush=True,
    )
    bad = {verdict: ends for verdict, ends in done.bad.items() if verdict != "unproven"}
    for verdict, ends in bad.items():
        print("\n".join([f"-- {verdict}:", *done.trace(ends[0])]))
    return sum(map(len, bad.values()))


sys.exit(main())
