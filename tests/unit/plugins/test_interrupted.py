# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the decisions about open changes, which follow the page on the change protocol: their lease, their progress, the next step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from looks import NEW, OTHER_NAME, OURS, TOKEN, file, found, journal, marked, provisioned, wanted

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import (
    Plan,
    Step,
    decide,
    is_interrupted,
    is_unproven,
    keeps_token,
    lease_left,
    next_intent,
    stored_identity,
    was_refused_before,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Identity, Journal, Look

# The progress of a change


@pytest.mark.parametrize(
    ("gateway", "task", "stored"),
    [
        (provisioned(), {}, None),
        (provisioned(journal=journal()), {}, None),
        (provisioned(journal=marked("stored", OURS)), {}, OURS),
        (provisioned(journal=marked("stored", NEW)), {}, None),
        (provisioned(journal=marked("unproven", OURS)), {}, None),
        (provisioned(journal=marked("dead", OURS)), {}, None),
        (provisioned(staged=NEW), {}, NEW),
        # Of two credentials it is the staged one, which was to replace the other.
        (provisioned(staged=NEW, journal=marked("stored", OURS)), {}, NEW),
        (provisioned(staged=NEW, journal=marked("dead", NEW)), {}, None),
        (provisioned(staged=NEW, journal=marked("dead", OURS)), {}, NEW),
        (provisioned(staged=OTHER_NAME), {}, None),
        (provisioned(staged=OTHER_NAME, journal=marked("stored", OURS)), {}, OURS),
        (provisioned(staged=TOKEN), {}, None),
        (provisioned(staged=TOKEN), {"kind": "token"}, TOKEN),
        (provisioned(credential=TOKEN, journal=marked("stored", TOKEN)), {"kind": "token"}, TOKEN),
    ],
)
def test_what_an_interrupted_run_had_safe(gateway: Look, task: dict[str, Any], stored: Identity | None) -> None:
    assert stored_identity(gateway, wanted(**task)) == stored


@pytest.mark.parametrize(
    ("gateway", "unproven"),
    [
        (provisioned(), False),
        (provisioned(journal=journal()), False),
        (provisioned(journal=marked("unproven", OURS)), True),
        (provisioned(journal=marked("unproven", OURS, intent="renew")), True),
        (provisioned(journal=marked("unproven", NEW)), False),
        (provisioned(journal=marked("stored", OURS)), False),
        (provisioned(journal=marked("dead", OURS)), False),
        (provisioned(credential=OTHER_NAME, journal=marked("unproven", OTHER_NAME)), False),
        (found(journal=marked("unproven", OURS)), False),
    ],
)
def test_what_only_a_login_has_still_to_prove(gateway: Look, unproven: bool) -> None:
    assert is_unproven(gateway, wanted()) is unproven


@pytest.mark.parametrize(
    ("gateway", "keeps"),
    [
        (provisioned(credential=TOKEN), True),
        (provisioned(credential=TOKEN, journal=marked("unproven", TOKEN)), True),
        (provisioned(credential=TOKEN, journal=marked("stored", TOKEN)), True),
        (found(staged=TOKEN), True),
        (found(staged=TOKEN, journal=journal()), True),
        (provisioned(staged=TOKEN, journal=marked("stored", TOKEN)), True),
        # A DeviceSecret, which is complete too
        (provisioned(), False),
        (provisioned(staged=TOKEN), False),
        (provisioned(credential=TOKEN, staged=NEW, journal=marked("stored", NEW)), False),
        # A token that may be invalid
        (provisioned(credential=TOKEN, journal=journal()), False),
        (provisioned(credential=TOKEN, journal=Journal()), False),
        (provisioned(credential=TOKEN, journal=marked("dead", TOKEN)), False),
        (found(staged=TOKEN, journal=marked("dead", TOKEN)), False),
        (provisioned(credential=replace(TOKEN, device_name="OvenDevice02")), False),
    ],
)
def test_a_token_that_a_recovery_keeps(gateway: Look, keeps: bool) -> None:
    assert keeps_token(gateway, wanted()) is keeps
    assert not keeps_token(gateway, wanted(register="always"))


@pytest.mark.parametrize(
    ("gateway", "interrupted"),
    [
        (provisioned(), False),
        (provisioned(journal=journal()), True),
        (provisioned(journal=Journal()), True),
        (provisioned(journal=marked("dead", OURS)), True),
        (found(journal=journal()), False),
        (found(file(), journal=journal()), False),
        (provisioned(credential=OTHER_NAME, journal=journal()), False),
        (provisioned(credential=TOKEN, journal=journal()), False),
    ],
)
def test_an_interrupted_change_over_a_credential_of_the_device(gateway: Look, interrupted: bool) -> None:
    assert is_interrupted(gateway, wanted()) is interrupted


# A reset, and the registration that follows it in a later task


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (provisioned(), Plan("reset_intended", "prepare_reset")),
        (found(), Plan("reset_intended", "prepare_reset")),
        (provisioned(journal=journal()), Plan("reset_intended", "prepare_reset")),
        (provisioned(journal=journal(intent="renew")), Plan("reset_intended", "prepare_reset")),
        (provisioned(journal=Journal()), Plan("reset_intended", "prepare_reset")),
        (provisioned(journal=marked("dead", OURS)), Plan("reset_intended", "prepare_reset")),
        # The proof is repeated, because its result may no longer be true.
        (provisioned(journal=journal(intent="reset")), Plan("up_to_date", "prepare_reset")),
        # A change that is only unproven is complete.
        (provisioned(journal=marked("unproven", OURS, intent="reset")), Plan("reset_intended", "prepare_reset")),
        # A staged credential is installed first, even if the reset is refused then.
        (provisioned(staged=NEW), Plan("interrupted", "finish")),
        (provisioned(staged=NEW, journal=journal(intent="reset")), Plan("interrupted", "finish")),
        (provisioned(journal=marked("stored", OURS, intent="reset")), Plan("interrupted", "finish")),
    ],
)
@pytest.mark.parametrize("register", ["if_needed", "always", "never"])
def test_a_reset_is_prepared(gateway: Look, plan: Plan, register: str) -> None:
    assert decide(gateway, wanted(state="reset_intended", register=register)) == plan


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (provisioned(journal=journal(token="ours", intent="reset")), Plan("reset", "store")),
        # Another run may have changed the journal, but the secret from before the reset is invalid.
        (provisioned(), Plan("reset", "store")),
        (provisioned(journal=marked("unproven", OURS)), Plan("reset", "store")),
        (found(), Plan("reset", "store")),
        # An earlier attempt of the same task has stored the new secret already.
        (provisioned(journal=marked("stored", OURS, token="ours", intent="reset")), Plan("interrupted", "finish")),
    ],
)
@pytest.mark.parametrize("register", ["if_needed", "always"])
def test_a_device_that_was_reset_is_registered_whatever_the_look_says(gateway: Look, plan: Plan, register: str) -> None:
    assert decide(gateway, wanted(register=register), "ours") == plan


# The lease: taken at 990 for 80 seconds; the gateway's clock is at 1000


@pytest.mark.parametrize(
    ("fields", "changes", "left"),
    [
        ({}, {}, 70),
        ({}, {"uptime": 1069}, 1),
        ({}, {"uptime": 1070}, 0),
        ({}, {"uptime": 5000}, 0),
        ({"taken": 1000}, {}, 80),
        ({"taken": 1000}, {"uptime": 1080}, 0),
        # After a restart the age of the lease is unknown, so that its whole length counts again.
        ({"boot": "boot-0"}, {"uptime": 30}, 50),
        ({"boot": "boot-0"}, {"uptime": 80}, 0),
        ({"boot": "boot-0"}, {"uptime": 995}, 0),
        # The age is also unknown if the uptime went back, as in a restored container.
        ({"taken": 1001}, {}, 0),
        ({"taken": 100}, {"uptime": 30}, 50),
        # A gateway without a boot ID.
        ({"boot": "-"}, {"boot": "-"}, 70),
        ({"boot": "-", "taken": 0}, {"boot": "-", "uptime": 0}, 80),
        # A released lease.
        ({"ttl": 0}, {}, 0),
        ({"ttl": 0, "boot": "boot-0"}, {"uptime": 0}, 0),
    ],
)
@pytest.mark.parametrize("mark", [None, "stored"])
def test_lease(fields: dict[str, Any], changes: dict[str, Any], left: int, mark: str | None) -> None:
    held = journal(mark, mark and NEW.fingerprint, **fields)
    assert lease_left(found(journal=held, **changes)) == left
    assert lease_left(found(journal=held, **changes), ("other", "")) == left


@pytest.mark.parametrize("fields", [{}, {"boot": "boot-0", "taken": 2000}])
def test_the_lease_of_this_run(fields: dict[str, Any]) -> None:
    assert lease_left(found(journal=journal(token="ours", **fields)), ("ours",)) == 0


@pytest.mark.parametrize("held", [None, Journal()])
def test_no_lease(held: Journal | None) -> None:
    assert lease_left(found(journal=held)) == 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_a_lease_ends(taken: int, ttl: int, uptime: int, restarted: bool) -> None:
    held = journal(taken=taken, ttl=ttl, boot="boot-0" if restarted else "boot-1")

    def left(at: int) -> int:
        return lease_left(found(journal=held, uptime=at))

    assert 0 <= left(uptime) <= ttl
    assert left(uptime + taken + ttl) == 0
    if uptime + 1 != taken:
        assert left(uptime) - left(uptime + 1) in (0, 1)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_lease_ends_before_its_time_has_passed_since_it_was_taken(taken: int, ttl: int, later: int) -> None:
    held = journal(taken=taken, ttl=ttl)
    assert lease_left(found(journal=held, uptime=taken + later)) == max(0, ttl - later)
    # The same after a restart: the time since then is at most the uptime.
    assert lease_left(found(journal=held, boot="boot-2", uptime=later)) == max(0, ttl - later)


# The intent of a journal, and the meaning of a refusal for the interrupted change


@pytest.mark.parametrize(
    ("held", "step", "opened"),
    [
        (None, "prepare_reset", "reset"),
        ("register", "prepare_reset", "reset"),
        ("reset", "prepare_reset", "reset"),
        ("renew", "prepare_reset", "renew"),
        (None, "store", "register"),
        ("register", "store", "register"),
        ("reset", "store", "renew"),
        ("renew", "store", "renew"),
        ("register", "finish", "register"),
        ("reset", "finish", "renew"),
        ("renew", "finish", "renew"),
    ],
)
@pytest.mark.parametrize("mark", [None, "stored", "dead"])
def test_what_a_journal_is_opened_for(held: str | None, step: Step, opened: str, mark: str | None) -> None:
    change = journal(mark, mark and NEW.fingerprint, intent=held) if held else None
    # A secret that the platform has refused was replaced, as after a reset.
    expected = "renew" if held and mark == "dead" else opened
    assert next_intent(provisioned(journal=change), Plan("interrupted", step)) == expected


@pytest.mark.parametrize(("step", "opened"), [("prepare_reset", "renew"), ("store", "renew"), ("finish", "renew")])
def test_a_journal_that_cannot_be_read_is_the_worst_case(step: Step, opened: str) -> None:
    assert next_intent(provisioned(journal=Journal()), Plan("interrupted", step)) == opened


@pytest.mark.parametrize(("step", "opened"), [("prepare_reset", "reset"), ("store", "register")])
@pytest.mark.parametrize("held", ["register", "reset", "renew"])
def test_a_change_that_is_only_unproven_is_over(held: str, step: Step, opened: str) -> None:
    gateway = provisioned(journal=marked("unproven", OURS, intent=held))
    assert next_intent(gateway, Plan("forced", step)) == opened


@pytest.mark.parametrize(
    ("held", "answer_lost", "refused"),
    [
        ("register", False, True),
        ("register", True, True),
        ("reset", False, True),
        ("reset", True, False),
        ("renew", False, False),
        ("renew", True, False),
    ],
)
def test_what_a_refusal_says_of_the_change_before(held: str, answer_lost: bool, refused: bool) -> None:
    assert was_refused_before(provisioned(journal=journal(intent=held)), answer_lost) is refused


@pytest.mark.parametrize("held", [None, Journal(), marked("unproven", OURS), marked("dead", OURS)])
@pytest.mark.parametrize("answer_lost", [False, True])
def test_a_refusal_says_nothing_where_nothing_is_known(held: Journal | None, answer_lost: bool) -> None:
    assert not was_refused_before(provisioned(journal=held), answer_lost)
