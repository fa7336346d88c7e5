# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the model: the gateway's files, the device on the platform, requests in flight, two runs.

Named tuples instead of frozen dataclasses: they are as immutable, and hashed in C, which makes the exploration several times faster.
A secret is a number; only whether two are equal matters, so :func:`canonical` renumbers them.
"""

from __future__ import annotations

import typing as t

Kind = t.Literal["provision", "reprovision", "recover", "decommission", "audit"]
KINDS: tuple[Kind, ...] = t.get_args(Kind)

# A number that no state uses: the secret that a transition issues.
FRESH = 999
# The owner of a journal whose run has ended and whose lease is over.
NO_OWNER = 0


class Platform(t.NamedTuple):
    """The platform's settings, as in the emulator; ``login`` is whether a run can log in to verify a secret."""

    reregistration: str = "rotate"  # same, refuse
    reset_revokes: str = "at_registration"  # at_once, never
    login: str = "works"  # fails (on the way), impossible (no address is known)


class Device(t.NamedTuple):
    """The device on the platform."""

    secret: int = 0
    registration: str = "unregistered"  # registered, activated
    renew: bool = False
    disabled: bool = False


class Journal(t.NamedTuple):
    """The open change. ``owner`` is the run whose token it contains; ``mark`` is the last line, for the secret ``marked``.

    ``replaced`` is the journal that it was opened over, until the change can no longer be abandoned.
    """

    owner: int
    intent: str  # register, reset, renew
    over: bool
    leased: bool
    mark: str = ""  # stored, unproven, dead
    marked: int | None = None
    garbled: bool = False
    replaced: Journal | None = None


class Request(t.NamedTuple):
    """A request that was sent and is not processed yet. It is not ``awaited`` after its sender died or timed out."""

    kind: str  # register, reset, disable
    owner: int
    awaited: bool


class World(t.NamedTuple):
    """Everything but the runs. ``flagged``: a result reported ``proven: false`` for the stored credential."""

    device: Device = Device()
    credential: int | None = None
    staged: int | None = None
    journal: Journal | None = None
    flight: tuple[Request, ...] = ()
    flagged: bool = False


class Run(t.NamedTuple):
    """One run.

    ``lease`` is its own view of the lease; ``lost``: a request got no answer; ``sent``: a request was sent; ``over``: its journal was
    opened over another one, another run's if ``taken_over``; ``may_settle``: a login may settle the interrupted change if the
    registration is refused; ``conclusive``: when the refusal alone settles it; ``verdict``: how its login ends the change.
    """

    kind: str
    at: str = "look"
    lease: bool = False
    lost: bool = False
    sent: bool = False
    over: bool = False
    taken_over: bool = False
    may_settle: bool = False
    conclusive: str = ""
    secret: int | None = None
    verdict: str = ""

    @property
    def ended(self) -> bool:
        return self.at in ENDS


ENDS = ("ok", "failed", "dead")


class State(t.NamedTuple):
    """A node of the graph. ``crashes``, ``losses`` and ``garblings`` are the faults that may still happen.

    ``stage`` is 0 while two runs are explored; afterwards it is the number of the documented recovery's command, which is ``first``.
    """

    world: World
    first: Run
    second: Run
    crashes: int = 0
    losses: int = 0
    garblings: int = 0
    stage: int = 0

    def run(self, number: int) -> Run:
        return self.first if number == 1 else self.second

    def with_run(self, number: int, run: Run, world: World) -> State:
        first, second = (run, self.second) if number == 1 else (self.first, run)
        return State(world, first, second, *self[3:])


def canonical(state: State) -> State:
    """Return the same state with its secrets renumbered in the order of their places, and without values that no longer matter."""
    world, first, second = state.world, _forget(state.first, state, 1), _forget(state.second, state, 2)
    journal = _disown(world.journal, first, second)
    marked = journal.marked if journal else None
    replaced = journal.replaced.marked if journal and journal.replaced else None
    places = (world.device.secret, world.credential, world.staged, marked, first.secret, second.secret, replaced)
    numbers: dict[int, int] = {}
    for secret in places:
        if secret is not None and secret not in numbers:
            numbers[secret] = len(numbers)
    if [*numbers] != [*numbers.values()]:
        world = world._replace(
            device=world.device._replace(secret=0),
            credential=_renumber(world.credential, numbers),
            staged=_renumber(world.staged, numbers),
        )
        if journal:
            before = journal.replaced and journal.replaced._replace(marked=_renumber(replaced, numbers))
            journal = journal._replace(marked=_renumber(marked, numbers), replaced=before)
        first = first._replace(secret=_renumber(first.secret, numbers))
        second = second._replace(secret=_renumber(second.secret, numbers))
    if journal is not world.journal:
        world = world._replace(journal=journal)
    if world is state.world and first is state.first and second is state.second:
        return state
    return State(world, first, second, *state[3:])


def _disown(journal: Journal | None, first: Run, second: Run) -> Journal | None:
    """Return the journal without owners that have ended, and without the replaced one if nobody can abandon it any more."""
    if not journal:
        return None
    has_ended = bool(journal.owner) and (first, second)[journal.owner - 1].ended
    owner = NO_OWNER if has_ended and not journal.leased else journal.owner
    replaced = None if has_ended else _disown(journal.replaced, first, second)
    if owner == journal.owner and replaced is journal.replaced:
        return journal
    return journal._replace(owner=owner, replaced=replaced)


def _renumber(secret: int | None, numbers: dict[int, int]) -> int | None:
    return None if secret is None else numbers[secret]


def _forget(run: Run, state: State, number: int) -> Run:
    """Return a run that has ended with nothing but its lease, and with that only as long as it limits something."""
    if not run.ended:
        return run
    journal = state.world.journal
    leased = journal and journal.leased and journal.owner == number
    matters = run.lease and (leased or any(r.owner == number for r in state.world.flight))
    at = run.at if state.stage else "dead" if run.at == "dead" else "ok"
    return Run(run.kind if state.stage else "", at, lease=bool(matters))
