# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what to do about the state of a gateway: pure functions. PRIVATE to the collection."""

from __future__ import annotations

import stat
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import BECOME
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    FleetopsError,
    InvalidOption,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Entry, Identity, Journal, Look
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._places import whose_working_file
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._roots import Root

Reason = t.Literal[
    "attributes",
    "exists",
    "export",
    "forced",
    "identity_changed",
    "interrupted",
    "missing",
    "reset",
    "reset_intended",
    "unfinished",
    "unreadable",
    "up_to_date",
]
# Reasons of a registration that continues an interrupted one; a refusal may then mean that the stored credential is valid.
UNFINISHED: tuple[Reason, ...] = ("interrupted", "reset")
Step = t.Literal["nothing", "store", "finish", "repair", "remove", "prepare_reset", "refuse"]


@dataclass(frozen=True)
class Export:
    """A file made of the credential; ``content`` holds a placeholder for the secret, ``digest`` is of that content."""

    dest: str
    owner: str | None
    group: str | None
    mode: int
    content: str
    digest: str


@dataclass(frozen=True)
class Wanted:
    """The wanted state of one gateway, as the task asks for it."""

    product_key: str
    device_name: str
    owner: str | None
    group: str | None
    mode: int
    exports: tuple[Export, ...] = ()
    state: str = "present"
    register: str = "if_needed"
    kind: str = "secret"  # as in Identity
    device_name_from: str = "device_name"
    device_name_proven: bool = True
    follow_up: bool = False
    root: Root | None = None  # that a login needs


@dataclass(frozen=True)
class Plan:
    """The reason, the step that follows from it, and the exports to write (counted from 1)."""

    reason: Reason
    step: Step
    exports: tuple[int, ...] = ()


def decide(found: Look, wanted: Wanted, token: str = "") -> Plan:
    """Return the plan: what has to be done, and why.

    Reasons: up_to_date, missing, unreadable, identity_changed, interrupted, reset, forced, attributes, export, unfinished (the handlers
    of an earlier change have not run), and for C(state=absent) exists (there is something to remove) or up_to_date. With
    C(state=reset_intended) the checks are made in every run, since their result may change; the reason is up_to_date if the gateway
    has recorded the intent before. If an interrupted run has left a new credential, it is installed first (step finish), whatever the
    task asks for.

    :param token: of the lease that an earlier task of this run holds. The device has been reset under it, so it is registered whatever
        the look found
    :raises FleetopsError: a path cannot be read, or is not a regular file
    """
    _check_places(found, wanted)
    if wanted.state == "absent":
        left = found.entry or found.journal or found.leftover or found.entries or found.due
        return Plan("exists", "remove") if left else Plan("up_to_date", "nothing")
    every = tuple(range(1, len(wanted.exports) + 1))
    if stored_identity(found, wanted):
        return Plan("interrupted", "finish", every)
    if wanted.state == "reset_intended":
        return Plan("up_to_date" if _intent(found) == "reset" else "reset_intended", "prepare_reset")
    reason = "reset" if token else _registration_reason(found, wanted)
    if reason and wanted.register == "never":
        return Plan(reason, "refuse")
    if reason:
        return Plan(reason, "store", every)
    plan = _repairing(found, wanted)
    if found.due and wanted.follow_up and plan.reason in ("up_to_date", "attributes"):
        return replace(plan, reason="unfinished")
    return plan


def _repairing(found: Look, wanted: Wanted) -> Plan:
    """Return the plan for a gateway that has the right credential."""
    every = tuple(range(1, len(wanted.exports) + 1))
    exports = _drifted_exports(found, wanted)
    if found.leftover:
        return Plan("interrupted", "repair", every)
    entry = found.entry
    if entry and not _has(entry, found, wanted):
        # The reason export notifies handlers, which attributes does not: new content of an export takes precedence.
        content = any(found.exports.get(number) != wanted.exports[number - 1].digest for number in exports)
        return Plan("export" if content else "attributes", "repair", exports)
    return Plan("export", "repair", exports) if exports else Plan("up_to_date", "nothing")


def stored_identity(found: Look, wanted: Wanted) -> Identity | None:
    """Return the new credential that an interrupted run has stored, staged or already installed; None if there is none."""
    journal = found.journal
    if _is_wanted(found.staged, wanted) and not (journal and _is_dead(journal, found.staged)):
        return found.staged
    credential = found.credential
    if journal and journal.mark == "stored" and _is_wanted(credential, wanted) and _has_mark(journal, credential):
        return credential
    return None


def is_unproven(found: Look, wanted: Wanted) -> bool:
    """Return whether the change is complete except for the login that verifies the credential."""
    journal = found.journal
    return bool(
        journal
        and journal.token  # without one no run could settle it
        and journal.mark == "unproven"
        and _is_wanted(found.credential, wanted)
        and _has_mark(journal, found.credential)
    )


def is_unreported(plan: Plan, found: Look, wanted: Wanted) -> bool:
    """Return whether a run has stored the credential and then failed, and nothing is left to do, besides owner, mode and a login."""
    idle = plan.step in ("nothing", "repair") and plan.reason in ("up_to_date", "attributes")
    return idle and is_unproven(found, wanted) and bool(found.journal and found.journal.unreported)


def owes_report(plan: Plan, found: Look) -> bool:
    """Return whether an earlier run has stored the credential, and did not get to report that."""
    return plan.step == "finish" or bool(found.journal and found.journal.unreported)


def keeps_token(found: Look, wanted: Wanted) -> bool:
    """Return whether a recovery keeps the gateway's device token: it is complete, and the platform never returns one.

    :param wanted: the state that the recovery asks for, with a DeviceSecret
    """
    if wanted.register == "always" or (not found.journal and _is_wanted(found.credential, wanted)):
        return False
    as_token = replace(wanted, kind="token")
    is_closed = not found.journal and _is_wanted(found.credential, as_token)
    return is_closed or is_unproven(found, as_token) or stored_identity(found, as_token) is not None


def check_allowed(plan: Plan) -> None:
    """Check that the task allows the plan.

    :raises FleetopsError: a registration is needed, and C(register=never)
    """
    if plan.step == "refuse":
        raise FleetopsError(
            "a registration is needed (%s), and register is never" % plan.reason,
            hint="Allow it with register: if_needed",
            kind="registration_needed",
        )


def is_done(plan: Plan, found: Look, wanted: Wanted, before: Identity | None, own: t.Container[str | None]) -> bool:
    """Return whether this run has made, since an earlier look, a change that the plan asks for in every look (forced, reset).

    After a reset no other run can have changed the credential, because this run holds the lease.

    :param before: the credential of the earlier look
    :param own: tokens of this run
    """
    if found.journal or not _is_wanted(found.credential, wanted) or plan.reason not in ("forced", "reset"):
        return False
    return found.due in own or (plan.reason == "reset" and found.credential != before)


def lease_left(found: Look, own: t.Container[str] = ()) -> int:
    """Return the seconds until the lease of another run ends; 0 if there is none.

    It does not matter whether that run is still alive: the platform may still process its request.

    :param own: tokens of this run
    """
    journal = found.journal
    if not journal or not journal.ttl or journal.token in own:
        return 0
    # After a restart of the gateway, or if its uptime went back, the age of the lease is unknown: count its whole length from the start.
    same_time = journal.boot == found.boot and journal.taken <= found.uptime
    return max(0, (journal.taken if same_time else 0) + journal.ttl - found.uptime)


def next_intent(found: Look, plan: Plan) -> str:
    """Return the intent of a new journal: register, reset, or renew, which is a registration after a reset that may have happened.

    Renew stays if another reset is prepared. That reset may never be sent, but the secret may have been replaced already.
    """
    intent = _intent(found)
    if plan.step == "prepare_reset":
        return "renew" if intent == "renew" else "reset"
    return "renew" if intent in ("reset", "renew") else "register"


def was_refused_before(found: Look, answer_lost: bool) -> bool:
    """Return whether a refusal (6289) means that the interrupted registration had issued no new secret, so the credential is valid.

    If it had issued one, the stored secret would be invalid, and nobody could have activated the device with it. This does
    not hold after a reset: a platform that issues a secret only once also refuses the second registration of a device that is not
    activated. Then only a login can decide.
    """
    intent = _intent(found)
    return intent == "register" or (intent == "reset" and not answer_lost)


def is_interrupted(found: Look, wanted: Wanted) -> bool:
    """Return whether a change of this device was interrupted, and a credential of the device is stored."""
    return bool(found.journal) and _is_wanted(found.credential, wanted)


def _intent(found: Look) -> str | None:
    journal = found.journal
    # A change that is only unproven is complete.
    if not journal or journal.mark == "unproven":
        return None
    # The platform has refused the secret that it had issued, so it has replaced it, as after a reset.
    return "renew" if journal.mark == "dead" else journal.intent


def _registration_reason(found: Look, wanted: Wanted) -> Reason | None:
    if wanted.register == "always":
        return "forced"
    if found.journal and not is_unproven(found, wanted):
        return "interrupted"
    if not found.entry:
        return "missing"
    if not found.credential:
        return "unreadable"
    if not _is_wanted(found.credential, wanted):
        return "identity_changed"
    return None


def _is_wanted(identity: Identity | None, wanted: Wanted) -> bool:
    asked = (wanted.product_key, wanted.device_name, wanted.kind)
    return identity is not None and (identity.product_key, identity.device_name, identity.kind) == asked


def _has_mark(journal: Journal, identity: Identity | None) -> bool:
    return identity is not None and identity.fingerprint == journal.fingerprint


def _is_dead(journal: Journal, identity: Identity | None) -> bool:
    return journal.mark == "dead" and _has_mark(journal, identity)


def _has(entry: Entry, found: Look, wanted: Wanted | Export) -> bool:
    return entry.has(wanted.owner, wanted.group, wanted.mode, found.uid, found.gid)


def _drifted_exports(found: Look, wanted: Wanted) -> tuple[int, ...]:
    def right(number: int, export: Export) -> bool:
        entry = found.entries.get(number)
        return bool(entry and found.exports.get(number) == export.digest and _has(entry, found, export))

    return tuple(n for n, export in enumerate(wanted.exports, 1) if not right(n, export))


def _check_places(found: Look, wanted: Wanted) -> None:
    if found.denied:
        raise StorageError(
            "the remote user may not read the credential at %s" % found.path,
            hint=BECOME,
            kind="permission",
        )
    taken = [found.path]
    for number, place in sorted(found.places.items()):
        if place in taken:
            raise InvalidOption(
                "exports[%d].dest" % (number - 1),
                place,
                "is the credential itself" if place == found.path else "is the file of another export",
                "Give every export a file of its own",
            )
        taken.append(place)
    for number, place in [(0, found.path), *sorted(found.places.items())]:
        of = whose_working_file(place, taken)
        if of:
            raise InvalidOption(
                "exports[%d].dest" % (number - 1) if number else "path",
                place,
                "is named like a working file of %s" % of,
                "Use a name that does not begin with .%s." % of.rpartition("/")[2],
            )
    for path, entry in [(found.path, found.entry), *((found.places[n], entry) for n, entry in found.entries.items())]:
        if entry and not entry.is_file:
            raise StorageError(
                "%s is %s" % (path, _kind(entry)),
                hint="Nothing was changed; remove it, or give the path of a regular file",
                kind="unsafe_path",
            )


def _kind(entry: Entry) -> str:
    if entry.is_directory:
        return "a directory"
    return "a symbolic link" if stat.S_ISLNK(entry.mode) else "neither a file nor a directory"
