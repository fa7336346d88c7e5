# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check properties of every decision, for any state of a gateway and any task."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from looks import NEW, OTHER_NAME, OTHER_PRODUCT, OURS, TOKEN, export, file, found, journal, wanted

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Plan, Wanted, decide, next_intent
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Entry, Identity, Journal, Look

ONE, TWO = export(1), export(2)
PLACES = {1: ONE.dest, 2: TWO.dest}
DIGESTS = {1: ONE.digest, 2: TWO.digest}
NAMES = {0: "root", 1000: "gw"}
EVERY = (OURS, NEW, TOKEN, OTHER_NAME, OTHER_PRODUCT)

identities = st.sampled_from([None, *EVERY])


def owned(mode: int, uid: int, gid: int, acl: bool = False) -> Entry:
    return file(mode, uid, NAMES[uid], gid, NAMES[gid], acl)


users = st.sampled_from([0, 1000])
file_entries = st.builds(owned, st.sampled_from([0o600, 0o640, 0o644]), users, users, st.booleans())
journals = st.one_of(
    st.none(),
    st.just(Journal()),
    st.builds(
        journal,
        st.sampled_from([None, "stored", "unproven", "dead"]),
        st.sampled_from([identity.fingerprint for identity in EVERY]),
        token=st.sampled_from(["ours", "there"]),
        intent=st.sampled_from(["register", "reset", "renew"]),
        ttl=st.sampled_from([0, 80]),
    ),
)


@st.composite
def gateways(draw: st.DrawFn) -> Look:
    """Draw gateways whose paths are files, with a credential only if its file exists."""
    entry = draw(st.none() | file_entries)
    return found(
        entry,
        uid=draw(users),
        gid=draw(users),
        places=PLACES,
        entries={number: draw(file_entries) for number in PLACES if draw(st.booleans())},
        exports={n: draw(st.sampled_from([DIGESTS[n], "other"])) for n in (1, 2) if draw(st.booleans())},
        credential=draw(identities) if entry else None,
        staged=draw(identities),
        journal=draw(journals),
        leftover=draw(st.booleans()),
    )


tasks = st.builds(
    wanted,
    owner=st.sampled_from([None, "root", "1000"]),
    group=st.sampled_from([None, "gw"]),
    mode=st.sampled_from([0o600, 0o640]),
    exports=st.just((ONE, TWO)),
    state=st.sampled_from(["present", "present", "present", "absent", "reset_intended"]),
    register=st.sampled_from(["if_needed", "always", "never"]),
    kind=st.sampled_from(["secret", "secret", "token"]),
)
tokens = st.sampled_from(["", "", "ours"])


def of_the_device(identity: Identity | None, task: Wanted) -> bool:
    return identity in ((TOKEN,) if task.kind == "token" else (OURS, NEW))


def safe(gateway: Look, task: Wanted) -> bool:
    """Return whether a new credential of the device is on the gateway, and only has to be installed or proved."""
    mark, fingerprint = (gateway.journal.mark, gateway.journal.fingerprint) if gateway.journal else (None, None)
    staged, credential = gateway.staged, gateway.credential
    if staged and of_the_device(staged, task) and (mark, fingerprint) != ("dead", staged.fingerprint):
        return True
    return (
        bool(credential)
        and of_the_device(credential, task)
        and (mark, fingerprint) == ("stored", credential.fingerprint)
    )


def over(gateway: Look, task: Wanted) -> bool:
    """Return whether no change is open, except for one that only needs the login that proves it."""
    held, credential = gateway.journal, gateway.credential
    if not held:
        return True
    proof = held.mark == "unproven" and credential and held.fingerprint == credential.fingerprint
    return bool(proof) and of_the_device(credential, task)


def right(entry: Entry | None, gateway: Look, owner: str | None, group: str | None, mode: int) -> bool:
    uid = {"root": 0, "1000": 1000, None: gateway.uid}[owner]
    gid = {"gw": 1000, None: gateway.gid}[group]
    return entry is not None and entry == owned(mode, uid, gid)


def is_wanted(gateway: Look, task: Wanted) -> bool:
    """Return whether nothing is left to do, computed in another way than by decide()."""
    if gateway.leftover:
        return False
    if task.state == "absent":
        return not (gateway.entry or gateway.entries or gateway.journal)
    return (
        over(gateway, task)
        and of_the_device(gateway.credential, task)
        and not of_the_device(gateway.staged, task)
        and gateway.exports == DIGESTS
        and right(gateway.entry, gateway, task.owner, task.group, task.mode)
        and all(
            right(gateway.entries.get(n), gateway, each.owner, each.group, each.mode)
            for n, each in enumerate((ONE, TWO), 1)
        )
    )


def carried_out(gateway: Look, task: Wanted, plan: Plan, end: str) -> Look:
    """Return the gateway after the plan's step; ``end`` is the end of a change that a login must prove."""
    if plan.step == "nothing":
        return gateway
    if plan.step == "remove":
        return replace(found(), places=PLACES)
    if plan.step == "prepare_reset":
        return replace(
            gateway, journal=journal(token="ours", intent=next_intent(gateway, plan)), leftover=False, staged=None
        )
    held = gateway.journal
    credential = gateway.credential
    if plan.step == "store":
        credential = Identity("4444444444444444", task.product_key, task.device_name, task.kind)
        held = None
    elif plan.step == "finish":
        credential = gateway.staged if of_the_device(gateway.staged, task) else gateway.credential
        held = journal(end, credential.fingerprint, ttl=0) if credential and end != "closed" else None
    uid = {"root": 0, "1000": 1000, None: gateway.uid}[task.owner]
    entries, digests = dict(gateway.entries), dict(gateway.exports)
    for number in plan.exports:
        entries[number] = owned(0o640, gateway.uid, gateway.gid)
        digests[number] = DIGESTS[number]
    return replace(
        gateway,
        entry=owned(task.mode, uid, 1000 if task.group else gateway.gid),
        credential=credential,
        entries=entries,
        exports=digests,
        journal=held,
        staged=None,
        leftover=False,
    )


@given(gateways(), tasks, tokens)
def test_nothing_is_done_exactly_when_all_is_as_wanted(gateway: Look, task: Wanted, token: str) -> None:
    plan = decide(gateway, task, token)
    # A registration that is forced, or follows a reset, takes place in any state.
    asked = task.state == "present" and (task.register == "always" or bool(token))
    assert (plan.step == "nothing") is (is_wanted(gateway, task) and task.state != "reset_intended" and not asked)
    if plan.step == "nothing":
        assert plan == Plan("up_to_date", "nothing")


@given(gateways(), tasks, st.sampled_from(["closed", "unproven"]))
def test_a_second_run_does_nothing(gateway: Look, task: Wanted, end: str) -> None:
    plan = decide(gateway, task)
    if plan.step not in ("refuse", "prepare_reset") and task.state != "reset_intended":
        again = decide(carried_out(gateway, task, plan, end), replace(task, register="never"))
        assert again.step == "nothing"


@given(gateways(), tasks)
def test_a_secret_that_the_platform_refuses_is_replaced(gateway: Look, task: Wanted) -> None:
    plan = decide(gateway, task)
    if plan.step == "finish":
        after = carried_out(gateway, task, plan, "dead")
        assert decide(after, replace(task, state="present", register="if_needed")).step == "store"


@given(gateways(), tasks)
def test_a_reset_that_was_prepared_is_followed_by_a_registration(gateway: Look, task: Wanted) -> None:
    plan = decide(gateway, replace(task, state="reset_intended"))
    if plan.step == "prepare_reset":
        after = carried_out(gateway, task, plan, "closed")
        assert after.journal
        assert after.journal.intent in ("reset", "renew")
        for token in ("", "ours"):
            assert decide(after, replace(task, state="present", register="if_needed"), token).step == "store"


@given(gateways(), tasks, tokens)
def test_a_registration_happens_only_where_it_is_allowed_and_needed(gateway: Look, task: Wanted, token: str) -> None:
    registers = decide(gateway, task, token).step == "store"
    if task.register == "never" or task.state != "present" or safe(gateway, task):
        assert not registers
    elif task.register == "always" or token:
        assert registers
    else:
        assert registers is not (of_the_device(gateway.credential, task) and over(gateway, task))


@given(gateways(), tasks, tokens)
def test_what_may_be_the_only_valid_secret_is_put_in_its_place_first(gateway: Look, task: Wanted, token: str) -> None:
    plan = decide(gateway, task, token)
    assert (plan.step == "finish") is (safe(gateway, task) and task.state != "absent")
    staged, held = gateway.staged, gateway.journal
    if (
        of_the_device(staged, task)
        and staged
        and not (held and held.mark == "dead" and held.fingerprint == staged.fingerprint)
    ):
        assert plan.step != "store"


@given(gateways(), tasks, tokens)
def test_what_was_interrupted_is_never_left_alone(gateway: Look, task: Wanted, token: str) -> None:
    plan = decide(gateway, task, token)
    if not over(gateway, task) and plan.step != "refuse":
        assert plan.step in ("store", "finish", "remove", "prepare_reset")
    if gateway.leftover:
        assert plan.step != "nothing"


@given(gateways(), tasks, tokens)
def test_exports_follow_the_credential(gateway: Look, task: Wanted, token: str) -> None:
    plan = decide(gateway, task, token)
    if plan.step in ("store", "finish"):
        assert plan.exports == (1, 2)
    elif plan.step != "repair":
        assert plan.exports == ()


@given(gateways(), tasks, st.sampled_from([0, 1, 2]), st.sampled_from([0o40755, 0o120777, 0o10600, 0o140600, 0o600]))
def test_nothing_is_planned_where_there_is_no_file(gateway: Look, task: Wanted, place: int, mode: int) -> None:
    entry = Entry(mode, 0, 0, "root", "root")
    taken = replace(gateway, entry=entry) if place == 0 else replace(gateway, entries={**gateway.entries, place: entry})
    with pytest.raises(StorageError) as caught:
        decide(taken, task)
    assert caught.value.kind == "unsafe_path"
