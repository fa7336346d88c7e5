# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explore every interleaving of two runs and their faults, then the documented recovery from every end."""

from __future__ import annotations

import typing as t
from collections import deque
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

from model.network import events
from model.rules import Rules
from model.runs import Context, steps
from model.world import KINDS, NO_OWNER, Device, Platform, Run, State, World, canonical

# The commands that an operator runs in this order until one succeeds: provision twice, since a refused login fails the first.
RECOVERY = ("provision", "provision", "recover", "recover", "reprovision", "reprovision")
IDLE = Run("", "ok")

BEGINNINGS = {
    "no credential": World(),
    "not activated": World(Device(registration="registered"), credential=0),
    "activated": World(Device(registration="activated"), credential=0),
    "activated, the file lost": World(Device(registration="activated")),
}


@dataclass(frozen=True)
class Faults:
    """The number of faults that may happen in one history."""

    crashes: int = 1
    losses: int = 1
    garblings: int = 0


ALL_RULES = Rules()
ONE_EACH = Faults()


@dataclass
class Exploration:
    """The graph of all reachable states, and the bad ends by verdict: ``dropped``, or one of :func:`_judge`."""

    platform: Platform
    rules: Rules
    parents: dict[State, tuple[State | None, str]] = field(default_factory=dict)
    transitions: int = 0
    bad: dict[str, list[State]] = field(default_factory=dict)
    commands: int = 0  # the longest recovery, in commands

    def trace(self, end: State) -> list[str]:
        """Return the shortest history that leads to a state, one line for each transition."""
        lines: list[str] = []
        state: State | None = end
        while state is not None:
            previous, label = self.parents[state]
            lines.append(f"{label:72} {_describe(state)}")
            state = previous
        return lines[::-1]


def explore(
    platform: Platform,
    rules: Rules = ALL_RULES,
    faults: Faults = ONE_EACH,
    pairs: t.Iterable[tuple[str, str]] | None = None,
    beginnings: t.Iterable[str] = tuple(BEGINNINGS),
    stop_at_first: bool = False,
) -> Exploration:
    """Explore all pairs of runs from all beginnings, breadth first."""
    exploration = Exploration(platform, rules)
    queue: deque[State] = deque()

    def add(state: State, previous: State | None, label: str) -> None:
        state = canonical(state)
        if state not in exploration.parents:
            exploration.parents[state] = (previous, label)
            queue.append(state)

    for first, second in pairs or combinations_with_replacement(KINDS, 2):
        for name in beginnings:
            world = BEGINNINGS[name]
            if world.credential is None and world.device.registration == "unregistered":
                world = world._replace(device=Device())
            start = State(world, _new_run(first), _new_run(second), *_fault_counts(faults))
            add(start, None, f"{first} beside {second}, {name}")
    while queue:
        state = queue.popleft()
        verdict = ""
        count = 0
        for label, after in _successors(state, platform, rules):
            count += 1
            if _drops_the_only_secret(state, after):
                verdict = "dropped"
            add(after, state, label)
        exploration.transitions += count
        exploration.commands = max(exploration.commands, state.stage)
        verdict = verdict or ("" if count else _judge(state, platform))
        if verdict:
            exploration.bad.setdefault(verdict, []).append(state)
            if stop_at_first:
                break
    return exploration


def _new_run(kind: str) -> Run:
    return Run(kind, "disable" if kind == "decommission" else "look")


def _fault_counts(faults: Faults) -> tuple[int, int, int]:
    return faults.crashes, faults.losses, faults.garblings


def _successors(state: State, platform: Platform, rules: Rules) -> t.Iterator[tuple[str, State]]:
    if state.first.ended and state.second.ended:
        if _is_quiet(state, rules):
            yield from _recovery(state)
    else:
        for number in (1, 2):
            yield from _run_steps(state, number, platform, rules)
    yield from events(state, platform, rules)


def _run_steps(state: State, number: int, platform: Platform, rules: Rules) -> t.Iterator[tuple[str, State]]:
    run = state.run(number)
    if run.ended:
        return
    if state.stage and platform.login == "fails":
        platform = platform._replace(login="works")  # the failure on the way has ended
    context = Context(number, platform, rules, state.run(3 - number).at == "dead", state.losses > 0, not state.stage)
    for label, after, world in steps(run, state.world, context):
        changed = state.with_run(number, after, world)
        if ": failed" in label and platform.login == "works":
            changed = changed._replace(losses=state.losses - 1)
        yield f"run {number} ({run.kind}) {label}", changed


def _is_quiet(state: State, rules: Rules) -> bool:
    """Return whether the next command may begin: it would wait for a lease."""
    leased = state.first.lease or state.second.lease
    return not leased and all(request.kind in rules.late for request in state.world.flight)


def _recovery(state: State) -> t.Iterator[tuple[str, State]]:
    """Yield the next command of the documented recovery; none after a command that has succeeded.

    Requests that are still in flight then, if any can be, are processed first, and the state after them is examined again.
    """
    disabled, stage = state.world.device.disabled, state.stage
    if stage and state.first.at == "ok":
        if state.world.flight or not disabled or state.first.kind == "decommission":
            return
        stage = 0
    if disabled and state.first.kind != "decommission":
        stage = 0
    commands = ("decommission",) if disabled else RECOVERY
    if stage < len(commands):
        flight = tuple(sorted(request._replace(owner=NO_OWNER) for request in state.world.flight))
        after = State(state.world._replace(flight=flight), _new_run(commands[stage]), IDLE, stage=stage + 1)
        yield f"{commands[stage]} is run alone", after


def _judge(state: State, platform: Platform) -> str:
    """Return the verdict on an end, empty if the end is good.

    ``lost``: a command succeeds, but the stored secret is not the platform's. ``unproven``: the same, if no login can be tried and a
    result reports it, which is documented. ``stuck``: no command succeeds, no run can go on, or something is left on the gateway of a
    decommissioned device.
    """
    world = state.world
    if not state.stage or state.first.at != "ok":
        return "stuck"
    if world.device.disabled:
        return "" if world.credential is None and world.staged is None and world.journal is None else "stuck"
    if world.credential == world.device.secret:
        return ""
    return "unproven" if world.flagged and platform.login == "impossible" else "lost"


def _drops_the_only_secret(before: State, after: State) -> bool:
    """Return whether the step removed the valid secret from the gateway, which only decommission may do."""
    old, new = before.world, after.world
    if (old.credential == new.credential and old.staged == new.staged) or old.device.disabled:
        return False
    valid = old.device.secret
    return (
        valid in (old.credential, old.staged) and valid not in (new.credential, new.staged) and old.device == new.device
    )


def _describe(state: State) -> str:
    world, journal = state.world, state.world.journal
    device = world.device
    parts = [f"device {device.secret} {device.registration}{' renew' * device.renew}{' disabled' * device.disabled}"]
    parts.append(f"gateway {world.credential}" + (f" staged {world.staged}" if world.staged is not None else ""))
    if journal:
        marked = f" {journal.mark} {journal.marked}" if journal.mark else ""
        parts.append(
            f"journal of {journal.owner} {journal.intent}{' over' * journal.over}{' leased' * journal.leased}{marked}"
        )
    return "; ".join(parts)
