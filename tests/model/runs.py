# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs as step machines. Each function yields the outcomes of one atomic step: label, run, world.

A look and the step that is decided by it are one step here: begin and remove do nothing unless the state is still the one that was
looked at, and a run that is told so looks again.
"""

from __future__ import annotations

import typing as t

from model import decisions
from model.device import log_in
from model.rules import Rules
from model.world import Journal, Platform, Request, Run, World

Outcome = tuple[str, Run, World]


class Context(t.NamedTuple):
    """The step's surroundings: the run's number, the platform's settings, the rules, and whether the other run is dead."""

    number: int
    platform: Platform
    rules: Rules
    other_is_dead: bool
    may_lose: bool
    may_fail: bool


def steps(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """Yield every outcome of the run's next step; none while it waits for a lease or an answer."""
    return STEPS[run.at](run, world, context)


def _is_leased(world: World, context: Context) -> bool:
    journal = world.journal
    if not journal or not journal.leased or journal.garbled:
        return False
    return not (context.rules.takes_over_from_the_dead and context.other_is_dead)


def _is_mine(world: World, context: Context) -> bool:
    return bool(world.journal and world.journal.owner == context.number)


def _look(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    if world.journal and world.journal.leased and not _is_leased(world, context):
        world = world._replace(journal=world.journal._replace(leased=False))
    step = decisions.first_step(run.kind, decisions.files(world))
    if context.rules.drops_staged and run.kind == "reprovision" and step == "finish":
        step, world = "reset", world._replace(staged=None)
    if step == "nothing":
        yield "has nothing to do", run._replace(at="ok"), world
    elif step == "wait":
        yield "ends with busy", run._replace(at="failed"), world
    elif step == "remove":
        yield "removes all files", run._replace(at="ok"), world._replace(credential=None, staged=None, journal=None)
    elif step == "login":
        yield "finds an unproven credential", run._replace(at="prove_again"), world
    else:
        yield _begin(run, world, context, step)


def _begin(run: Run, world: World, context: Context, step: decisions.Step) -> Outcome:
    """Take a lease: open a journal, over another one if there is one."""
    rules, files, before = context.rules, decisions.files(world), world.journal
    stored = decisions.stored(files) if step == "finish" else None
    over = before is not None or step == "finish"
    leased = not (rules.lease_ends_at_proof and step == "reset")
    settles = step == "register" and decisions.may_settle(files)
    sure = decisions.is_sure(files) if settles else ""
    if settles and rules.garbled_is_settled and before and before.garbled:
        sure = "settled"
    intent = decisions.next_intent(run.kind, files)
    journal = Journal(context.number, intent, over, leased, "stored" if step == "finish" else "", stored)
    begun = Run(
        run.kind, "place" if step == "finish" else step, leased, over=over, taken_over=over, settles=settles, sure=sure
    )
    return f"opens a journal{' over another' * bool(before)}", begun, world._replace(journal=journal)


def _send(request: str, waiting: str, needs_lease: bool = True) -> t.Callable[..., t.Iterator[Outcome]]:
    def send(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
        rules = context.rules
        allowed = run.lease or not needs_lease or rules.sends_after_lease
        if request == "reset":
            allowed = (allowed or rules.lease_ends_at_proof) and (rules.repeats_lost_reset or not run.lost)
        if allowed:
            flight = (*world.flight, Request(request, context.number, True))
            yield f"sends {request}", run._replace(at=waiting, sent=True), world._replace(flight=flight)
        if not allowed or context.may_fail:
            label, after, left = _given_up(run, world, context)
            yield f"sends no {request}, {label}", after, left

    return send


def _given_up(run: Run, world: World, context: Context) -> Outcome:
    """Return the lease is over, or nothing answers on the way to the platform."""
    if world.journal and _is_mine(world, context):
        return _given_back(run, world, world.journal)
    return "fails", run._replace(at="failed"), world


def _await(_run: Run, _world: World, _context: Context) -> t.Iterator[Outcome]:
    """Wait for an answer: :mod:`model.network` gives it."""
    return iter(())


def _resume(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """After the reset, in another task: renew the lease, by the token."""
    journal, files = world.journal, decisions.files(world)
    if context.rules.lease_ends_at_proof:
        yield "looks as any other run", Run("provision"), world
    elif not journal or not _is_mine(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed"), world
    else:
        assert decisions.next_step(files, context.number) == "store"
        settles = decisions.may_settle(files)
        # The reset of its own journal has happened.
        sure = decisions.is_sure(files) if settles and context.rules.infers_after_its_own_reset else ""
        intent = decisions.next_intent("resume", files)
        world = world._replace(journal=journal._replace(leased=True, intent=intent, over=True))
        begun = run._replace(at="register", lease=True, lost=False, over=True, settles=settles, sure=sure)
        yield "renews its lease", begun, world


def _read(run: Run, world: World, _context: Context) -> t.Iterator[Outcome]:
    yield "reads the secret from the platform", run._replace(at="store", secret=world.device.secret), world


def _is_doubtful(run: Run, context: Context) -> bool:
    rules = context.rules
    over = run.over and not (
        run.kind == "reprovision" and rules.trusts_a_registration_after_reset and not run.taken_over
    )
    return decisions.in_doubt(over, run.lost) and not rules.never_proves


def _store(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    if not _is_mine(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed", secret=None), world
        return
    world = store_effects(run, world)[-1]
    if _is_doubtful(run, context):
        yield "stores the secret, in doubt", run._replace(at="prove", secret=None), world
    else:
        yield "stores the secret, closes", run._replace(at="ok", secret=None), world._replace(journal=None)


def store_effects(run: Run, world: World) -> list[World]:
    """Return the world after each durable effect of install, but for the last, the removal of the journal."""
    journal = t.cast(Journal, world.journal)
    staged = world._replace(staged=run.secret)
    marked = staged._replace(journal=journal._replace(mark="stored", marked=run.secret))
    return [staged, marked, marked._replace(credential=run.secret, staged=None, flagged=False)]


def _place(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    if not _is_mine(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed"), world
        return
    if world.staged is not None:
        world = world._replace(credential=world.staged, staged=None, flagged=False)
    yield "puts the staged secret in its place", run._replace(at="prove"), world


def _logins(world: World, context: Context) -> t.Iterator[tuple[str, World]]:
    """Yield the outcomes of a login with the credential that is there, and the world after each."""
    if context.platform.login == "impossible":
        yield "impossible", world
        return
    accepted, device = log_in(world.device, world.credential)
    after = world._replace(device=device)
    if context.platform.login == "works":
        yield ("accepted" if accepted else "refused"), after
        if not context.may_lose:
            return
    yield "failed", world
    if after != world:
        yield "failed", after


def _prove(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    for login, after in _logins(world, context):
        verdict = decisions.after_login(login)
        yield f"logs in: {login}", run._replace(at="settle", verdict=verdict), after


def _prove_again(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """Prove a credential whose last proof failed on the way; the journal that was looked at is nobody's."""
    for label, proven, after in _prove(run, world, context):
        yield label, proven._replace(at="settle_unproven"), after


def _prove_kept(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """After a refusal because the device is activated, which a registration before it would have got too."""
    if run.sure == "settled":
        yield "takes the refusal for a settlement", run._replace(at="settle", verdict="closed"), world
    elif not run.settles:
        yield "has nothing to keep", run._replace(at="settle", verdict="error"), world
    else:
        for login, after in _logins(world, context):
            kept = login != "refused" and (run.sure == "always" or (run.sure == "unless lost" and not run.lost))
            verdict = "closed" if login == "accepted" else _kept(login, context.rules) if kept else "error"
            yield f"logs in with what is there: {login}", run._replace(at="settle", verdict=verdict), after


def _kept(login: str, rules: Rules) -> str:
    return "unproven" if login == "failed" and not rules.infers_after_its_own_reset else "flagged"


def _settle(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    journal = world.journal
    if context.rules.settles_any_journal and run.verdict == "closed":
        yield "removes the journal, whosever it is", _next(run), world._replace(journal=None)
    elif not journal or not _is_mine(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed"), world
    else:
        yield _settled(run, world, journal)


def _settle_unproven(run: Run, world: World, _context: Context) -> t.Iterator[Outcome]:
    """As settle, by the token of the journal that was looked at."""
    journal = world.journal
    if not journal or journal.garbled or not decisions.is_unproven(decisions.files(world)):
        yield "ends, the journal is gone", run._replace(at="ok"), world
    else:
        yield _settled(run, world, journal)


def _settled(run: Run, world: World, journal: Journal) -> Outcome:
    verdict = run.verdict
    if verdict in ("closed", "flagged"):
        return f"settles: {verdict}", _next(run), world._replace(journal=None, flagged=verdict == "flagged")
    if verdict in ("dead", "unproven"):
        marked = journal._replace(mark=verdict, marked=world.credential, leased=False, owner=0)
        then = run._replace(at="failed") if verdict == "dead" else _next(run)
        return f"settles: {verdict}", then, world._replace(journal=marked, flagged=verdict == "unproven")
    return _given_back(run, world, journal)


def _given_back(run: Run, world: World, journal: Journal) -> Outcome:
    """Without the answer to a request the lease has to run out; else it can go."""
    failed = run._replace(at="failed")
    if run.lost:
        return "fails", failed, world
    if not journal.over:
        return "fails, removes its journal", failed, world._replace(journal=None)
    return "fails, gives its lease back", failed, world._replace(journal=journal._replace(leased=False))


def _next(run: Run) -> Run:
    """Return a reset that is intended comes after what was interrupted: look again."""
    return Run(run.kind) if run.kind == "reprovision" and not run.sent else run._replace(at="ok")


def _refused(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """Yield the platform refused for another reason than an activated device."""
    return _settle(run._replace(verdict="error"), world, context)


STEPS: dict[str, t.Callable[[Run, World, Context], t.Iterator[Outcome]]] = {
    "look": _look,
    "reset": _send("reset", "resetting"),
    "resetting": _await,
    "resume": _resume,
    "register": _send("register", "registering"),
    "registering": _await,
    "active": _prove_kept,
    "disabled": _refused,
    "read": _read,
    "store": _store,
    "place": _place,
    "prove": _prove,
    "prove_again": _prove_again,
    "settle": _settle,
    "settle_unproven": _settle_unproven,
    "disable": _send("disable", "disabling", needs_lease=False),
    "disabling": _await,
}
