# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of a run, which the collection's own code makes for the model's files.

The scripts and the action make a few decisions too (how a change ends, which secret is in doubt); the functions at the end repeat them.
"""

from __future__ import annotations

import stat
import typing as t
from functools import cache

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _decide as rules
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Entry, Identity, Look
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Journal as FoundJournal
from model.world import Journal, World

Step = t.Literal["nothing", "wait", "register", "reset", "read", "finish", "login", "remove"]
# The secrets of the credential and of the staged credential, and the journal.
Files = tuple[int | None, int | None, Journal | None]

KEY, NAME = "a1", "gw-0001"
FILE = Entry(stat.S_IFREG | 0o600, 0, 0, "root", "root")
STATES = {"decommission": "absent", "reprovision": "reset_intended"}


def files(world: World) -> Files:
    return world.credential, world.staged, world.journal


@cache
def first_step(kind: str, files: Files) -> Step:
    """Return the first step of a run that finds these files."""
    found, wanted = _look(files), _wanted(kind)
    plan = rules.decide(found, wanted)
    if kind == "audit":
        return "nothing"
    if plan.step == "nothing":
        return "login" if rules.is_unproven(found, wanted) else "nothing"
    if rules.lease_left(found):
        return "wait"
    steps: dict[str, Step] = {"finish": "finish", "remove": "remove", "prepare_reset": "reset"}
    return steps.get(plan.step) or ("read" if kind == "recover" else "register")


@cache
def next_step(files: Files, owner: int) -> str:
    """Return the step of reprovision's last task, which has the token of its first; the journal must still be this run's."""
    found = _look(files)
    assert not rules.lease_left(found, (_token(owner),))
    return rules.decide(found, _wanted("provision"), _token(owner)).step


@cache
def next_intent(kind: str, files: Files) -> str:
    """Return the intent of the journal that is opened; the kind ``resume`` is the last task of reprovision."""
    found = _look(files)
    token = _token(files[2].owner) if kind == "resume" and files[2] else ""
    return "renew" if kind == "recover" else rules.next_intent(found, rules.decide(found, _wanted(kind), token))


@cache
def is_unproven(files: Files) -> bool:
    return rules.is_unproven(_look(files), _wanted("provision"))


@cache
def stored(files: Files) -> int | None:
    """Return the secret that an interrupted run had stored safely on the gateway."""
    identity = rules.stored_identity(_look(files), _wanted("provision"))
    return int(identity.fingerprint) if identity else None


@cache
def may_settle(files: Files) -> bool:
    """Return whether a login may settle a registration with these files that is refused because the device is activated."""
    return rules.is_interrupted(_look(files), _wanted("provision"))


@cache
def conclusive(files: Files) -> str:
    """Return when such a refusal settles it even without a login: ``always``, ``unless lost`` (a request of this run), or "" for never."""
    found = _look(files)
    if rules.was_refused_before(found, True):
        return "always"
    return "unless lost" if rules.was_refused_before(found, False) else ""


def _token(owner: int) -> str:
    return f"run{owner}"


def _wanted(kind: str) -> rules.Wanted:
    return rules.Wanted(KEY, NAME, None, None, 0o600, state=STATES.get(kind, "present"))


def _look(files: Files) -> Look:
    credential, staged, journal = files
    return Look(
        expected="",
        uid=0,
        gid=0,
        path="/etc/aliyun-iot/device.json",
        entry=FILE if credential is not None else None,
        credential=_identity(credential),
        staged=_identity(staged),
        journal=_journal(journal),
        boot="boot",
        leftover=staged is not None,
    )


def _identity(secret: int | None) -> Identity | None:
    return None if secret is None else Identity(str(secret), KEY, NAME)


def _journal(journal: Journal | None) -> FoundJournal | None:
    if journal is None:
        return None
    mark = (journal.mark or None, None if journal.marked is None else str(journal.marked))
    if journal.garbled:
        return FoundJournal(mark=mark[0], fingerprint=mark[1])
    ttl = 60 if journal.leased else 0
    return FoundJournal(_token(journal.owner), journal.intent, "boot", 0, ttl, *mark)


def in_doubt(over: bool, lost: bool) -> bool:
    """Return whether an earlier request may still replace the secret that was just issued (the script store)."""
    return over or lost


def after_login(login: str) -> str:
    """Return how a doubtful change is settled: ``closed``, ``dead``, ``unproven``, or ``flagged``, which is closed but unproven.

    :param login: accepted, refused, failed (on the way), impossible
    """
    return {"accepted": "closed", "refused": "dead", "failed": "unproven", "impossible": "flagged"}[login]
