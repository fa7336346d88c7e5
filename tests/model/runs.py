# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs as step machines. Each function yields the outcomes of one atomic step: label, run, world.

A look and the step that follows from it are one step here: begin and remove do nothing if the state has changed since the look, and the
run then looks again.
"""

from __future__ import annotations

import typing as t

from model import decisions
from model.device import log_in
from model.rules import Rules
from model.world import Journal, Platform, Request, Run, World

Outcome = tuple[str, Run, World]


class Context(t.NamedTuple):
    """The context of a step. ``may_lose``: a login may get no answer; ``may_fail``: sending a request may fail."""

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


def _owns_journal(world: World, context: Context) -> bool:
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
    may_settle = step == "register" and decisions.may_settle(files)
    conclusive = decisions.conclusive(files) if may_settle else ""
    if may_settle and rules.garbled_is_settled and before and before.garbled:
        conclusive = "settled"
    intent = decisions.next_intent(run.kind, files)
    journal = Journal(context.number, intent, over, leased, "stored" if step == "finish" else "", stored)
    if before and step != "finish":
        journal = journal._replace(replaced=before._replace(leased=False, replaced=None))
    begun = Run(
        run.kind,
        "place" if step == "finish" else step,
        leased,
        over=over,
        taken_over=over,
        may_settle=may_settle,
        conclusive=conclusive,
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
            label, after, world_after = _give_up(run, world, context)
            yield f"sends no {request}, {label}", after, world_after

    return send


def _give_up(run: Run, world: World, context: Context) -> Outcome:
    """Return the outcome for a run whose lease is over, or that does not reach the platform."""
    if world.journal and _owns_journal(world, context):
        return _release_lease(run, world, world.journal)
    return "fails", run._replace(at="failed"), world


def _await(_run: Run, _world: World, _context: Context) -> t.Iterator[Outcome]:
    """Yield nothing: the answer is an event of :mod:`model.network`."""
    return iter(())


def _resume(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """Renew the lease by its token, in another task after the reset."""
    journal, files = world.journal, decisions.files(world)
    if context.rules.lease_ends_at_proof:
        yield "looks as any other run", Run("provision"), world
    elif not journal or not _owns_journal(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed"), world
    else:
        assert decisions.next_step(files, context.number) == "store"
        may_settle = decisions.may_settle(files)
        # The reset of its own journal has happened, so a refusal alone settles nothing.
        conclusive = decisions.conclusive(files) if may_settle and context.rules.infers_after_its_own_reset else ""
        intent = decisions.next_intent("resume", files)
        world = world._replace(journal=journal._replace(leased=True, intent=intent, over=True, replaced=None))
        begun = run._replace(
            at="register", lease=True, lost=False, over=True, may_settle=may_settle, conclusive=conclusive
        )
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
    if not _owns_journal(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed", secret=None), world
        return
    world = store_effects(run, world)[-1]
    if _is_doubtful(run, context):
        yield "stores the secret, in doubt", run._replace(at="prove", secret=None), world
    else:
        yield "stores the secret, closes", run._replace(at="ok", secret=None), world._replace(journal=None)


def store_effects(run: Run, world: World) -> list[World]:
    """Return the world after each durable effect of store, except the last, the removal of the journal."""
    journal = t.cast(Journal, world.journal)
    staged = world._replace(staged=run.secret)
    marked = staged._replace(journal=journal._replace(mark="stored", marked=run.secret, replaced=None))
    return [staged, marked, marked._replace(credential=run.secret, staged=None, flagged=False)]


def _place(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    if not _owns_journal(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed"), world
        return
    if world.staged is not None:
        world = world._replace(credential=world.staged, staged=None, flagged=False)
    yield "puts the staged secret in its place", run._replace(at="prove"), world


def _logins(world: World, context: Context) -> t.Iterator[tuple[str, World]]:
    """Yield the outcomes of a login with the stored credential, and the world after each."""
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
    """Verify a credential whose last login failed on the way; the journal that the look found belongs to no run."""
    for label, proven, after in _prove(run, world, context):
        yield label, proven._replace(at="settle_unproven"), after


def _prove_kept(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """Verify the stored credential after the refusal of a registration (device activated): an earlier one would have been refused, too."""
    if run.conclusive == "settled":
        yield "takes the refusal for a settlement", run._replace(at="settle", verdict="closed"), world
    elif not run.may_settle:
        yield "has nothing to keep", run._replace(at="settle", verdict="error"), world
    else:
        for login, after in _logins(world, context):
            kept = login != "refused" and (
                run.conclusive == "always" or (run.conclusive == "unless lost" and not run.lost)
            )
            verdict = "closed" if login == "accepted" else _kept_verdict(login, context.rules) if kept else "error"
            yield f"logs in with what is there: {login}", run._replace(at="settle", verdict=verdict), after


def _kept_verdict(login: str, rules: Rules) -> str:
    return "unproven" if login == "failed" and not rules.infers_after_its_own_reset else "flagged"


def _settle(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    journal = world.journal
    if context.rules.settles_any_journal and run.verdict == "closed":
        yield "removes the journal, whosever it is", _after_settling(run), world._replace(journal=None)
    elif not journal or not _owns_journal(world, context):
        yield "ends with busy, the journal is gone", run._replace(at="failed"), world
    else:
        yield _apply_verdict(run, world, journal)


def _settle_unproven(run: Run, world: World, _context: Context) -> t.Iterator[Outcome]:
    """Settle as :func:`_settle` does, with the token of the journal that the look found."""
    journal = world.journal
    if not journal or journal.garbled or not decisions.is_unproven(decisions.files(world)):
        yield "ends, the journal is gone", run._replace(at="ok"), world
    else:
        yield _apply_verdict(run, world, journal)


def _apply_verdict(run: Run, world: World, journal: Journal) -> Outcome:
    verdict = run.verdict
    if verdict in ("closed", "flagged"):
        return f"settles: {verdict}", _after_settling(run), world._replace(journal=None, flagged=verdict == "flagged")
    if verdict in ("dead", "unproven"):
        marked = journal._replace(mark=verdict, marked=world.credential, leased=False, owner=0, replaced=None)
        after = run._replace(at="failed") if verdict == "dead" else _after_settling(run)
        return f"settles: {verdict}", after, world._replace(journal=marked, flagged=verdict == "unproven")
    return _release_lease(run, world, journal)


def _release_lease(run: Run, world: World, journal: Journal) -> Outcome:
    """Release the lease and restore the replaced journal, unless a request got no answer: then the lease has to run out."""
    failed = run._replace(at="failed")
    if run.lost:
        return "fails", failed, world
    if not journal.over:
        return "fails, removes its journal", failed, world._replace(journal=None)
    return (
        "fails, releases its lease",
        failed,
        world._replace(journal=journal.replaced or journal._replace(leased=False)),
    )


def _after_settling(run: Run) -> Run:
    """Return the run after a settled change: a reprovision that has not sent its reset yet looks again."""
    return Run(run.kind) if run.kind == "reprovision" and not run.sent else run._replace(at="ok")


def _fail(run: Run, world: World, context: Context) -> t.Iterator[Outcome]:
    """Yield the outcome of a refusal for another reason than an activated device."""
    return _settle(run._replace(verdict="error"), world, context)


STEPS: dict[str, t.Callable[[Run, World, Context], t.Iterator[Outcome]]] = {
    "look": _look,
    "reset": _send("reset", "resetting"),
    "resetting": _await,
    "resume": _resume,
    "register": _send("register", "registering"),
    "registering": _await,
    "active": _prove_kept,
    "disabled": _fail,
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
