# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The events that are no steps of the runs: requests arrive, answers are lost, leases end, runs die, an agent logs in."""

from __future__ import annotations

import typing as t

from model import device
from model.rules import Rules
from model.runs import store_effects
from model.world import NO_OWNER, Device, Journal, Platform, Request, Run, State, World

Event = tuple[str, State]


def events(state: State, platform: Platform, rules: Rules) -> t.Iterator[Event]:
    """Yield every event that can happen now, with the state after it."""
    yield from _agent(state)
    for request in set(state.world.flight):
        yield from _request(state, request, platform)
    for number in (1, 2):
        run = state.run(number)
        # The commands of the recovery end before their lease.
        if run.lease and (run.ended or not state.stage) and not _limits_a_request(state, number, rules):
            yield f"the lease of run {number} ends", _end_lease(state, number, run)
        if state.crashes and not run.ended and (run.at != "look" or run.kind == "decommission"):
            yield from _crashes(state, number, run)
    yield from _garblings(state, rules)


def _garblings(state: State, rules: Rules) -> t.Iterator[Event]:
    """Yield the events in which the whole journal, or its first line, becomes unreadable."""
    journal = state.world.journal
    if state.garblings and journal and not journal.garbled and (rules.garbles_a_lease or not journal.leased):
        whole = Journal(NO_OWNER, "renew", True, False, garbled=True)
        for label, garbled in (
            ("journal", whole),
            ("first line", whole._replace(mark=journal.mark, marked=journal.marked)),
        ):
            world = state.world._replace(journal=garbled)
            yield f"the {label} is garbled", state._replace(world=world, garblings=state.garblings - 1)


def _agent(state: State) -> t.Iterator[Event]:
    accepted, after = device.log_in(state.world.device, state.world.credential)
    if accepted and after != state.world.device:
        yield "the gateway's agent logs in", state._replace(world=state.world._replace(device=after))


def _request(state: State, request: Request, platform: Platform) -> t.Iterator[Event]:
    number, run = request.owner, state.run(request.owner)
    others = list(state.world.flight)
    others.remove(request)
    world = state.world._replace(flight=tuple(others))
    answer, after = _process(world.device, request.kind, platform)
    processed = world._replace(device=after)
    if not request.awaited:
        late = "late " * (request.kind != "disable" and not (number and run.lease))
        yield f"a {late}{request.kind} that nobody awaits is processed", state._replace(world=processed)
        yield f"a {late}{request.kind} that nobody awaits never arrives", state._replace(world=world)
        return
    yield (
        f"{request.kind} of run {number}: {answer}",
        state.with_run(number, _receive(run, answer, after.secret), processed),
    )
    if state.losses:
        lost = run._replace(
            at={"resetting": "reset", "registering": "register", "disabling": "disable"}[run.at],
            lost=True,
        )
        orphaned = world._replace(flight=tuple(sorted((*others, request._replace(awaited=False)))))
        yield (
            f"{request.kind} of run {number}: times out",
            state.with_run(number, lost, orphaned)._replace(losses=state.losses - 1),
        )


def _process(before: Device, kind: str, platform: Platform) -> tuple[str, Device]:
    if kind == "register":
        return device.register(before, platform)
    if kind == "reset":
        return "reset", device.reset(before, platform)
    return "done", before._replace(disabled=True)


def _receive(run: Run, answer: str, secret: int) -> Run:
    if answer == "issued":
        return run._replace(at="store", secret=secret)
    at = {"reset": "resume", "done": "look", "active": "active", "disabled": "disabled"}[answer]
    return run._replace(at=at)


def _limits_a_request(state: State, number: int, rules: Rules) -> bool:
    """Return whether a request must still be processed before this lease ends."""
    return any(r.owner == number and (r.awaited or r.kind not in rules.late) for r in state.world.flight)


def _end_lease(state: State, number: int, run: Run) -> State:
    world = state.world
    journal = world.journal
    if journal and journal.owner == number and journal.leased:
        world = world._replace(journal=journal._replace(leased=False))
    return state.with_run(number, run._replace(lease=False), world)


def _crashes(state: State, number: int, run: Run) -> t.Iterator[Event]:
    """Yield the deaths of the run: its request may still be processed, and store may have had some of its effects."""
    dead = Run(run.kind, "dead", lease=run.lease)
    for label, world in _partial_effects(state, number, run):
        flight = tuple(sorted(r._replace(awaited=False) if r.owner == number else r for r in world.flight))
        after = state.with_run(number, dead, world._replace(flight=flight))
        yield f"run {number} dies at {run.at}{label}", after._replace(crashes=state.crashes - 1)


def _partial_effects(state: State, number: int, run: Run) -> t.Iterator[tuple[str, World]]:
    world = state.world
    yield "", world
    if run.at == "store" and world.journal and world.journal.owner == number:
        for effect, partial in zip((".new", "the mark", "the rename"), store_effects(run, world), strict=True):
            yield f", after {effect}", partial
    if run.at == "look" and not (world.journal and world.journal.leased):
        yield ", after the credential", world._replace(credential=None)
        yield ", after .new", world._replace(credential=None, staged=None)
