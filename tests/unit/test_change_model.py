# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the model of a change: with all rules of the change protocol no history ends badly, without any one of them some history does."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from model.device import log_in, register, reset
from model.explorer import Exploration, Faults, explore
from model.rules import Rules
from model.world import FRESH, Device, Platform
from platform_emulator import lifecycle, refusals
from platform_emulator import products as emulated
from platform_emulator.refusals import Refusal
from platform_emulator.settings import Settings

AT_ONCE = Platform(reset_revokes="at_once")
ONCE = Platform(reregistration="refuse")
# `make model` explores all other combinations.
PLATFORMS = (
    Platform(),
    AT_ONCE,
    ONCE,
    Platform("refuse", "at_once"),
    Platform("same", "never"),
    Platform(login="fails"),
    Platform(login="impossible"),
)


def shown(done: Exploration) -> str:
    return "\n".join(line for ends in done.bad.values() for line in done.trace(ends[0]))


@pytest.mark.parametrize("platform", PLATFORMS, ids=" ".join)
def test_no_interleaving_of_two_runs_ends_badly(platform: Platform) -> None:
    done = explore(platform)
    print(f"{len(done.parents)} states, {done.transitions} transitions")
    documented = {"unproven"} if platform.login == "impossible" else set()
    assert done.bad.keys() == documented, shown(done)
    # At most two runs of provision, the second after a refused login, then recover.
    assert done.commands == 3
    assert len(done.parents) > 15_000


@pytest.mark.parametrize("login", ["works", "fails"])
def test_a_journal_that_cannot_be_read_is_the_worst_case(login: str) -> None:
    done = explore(Platform("refuse", "at_once", login), faults=Faults(losses=0, garblings=1), pairs=PAIRS)
    assert not done.bad, shown(done)
    done = explore(Platform(login=login), faults=Faults(crashes=0, garblings=1), pairs=PAIRS)
    assert not done.bad, shown(done)


# Pairs that are enough to detect a broken rule.
PAIRS = (("provision", "reprovision"), ("reprovision", "recover"))

# The broken rule, a platform that shows the effect, the verdict, and steps of the history in order.
BROKEN = [
    (
        "lease_ends_at_proof",
        AT_ONCE,
        "lost",
        ["(reprovision) opens a journal", "logs in with what is there: accepted", "settles: closed", "run 2: reset"],
    ),
    ("sends_after_lease", AT_ONCE, "lost", ["the lease of run", "sends reset", "has nothing to do"]),
    ("settles_any_journal", Platform(), "lost", ["removes the journal, whosever it is", "the journal is gone"]),
    (
        "takes_over_from_the_dead",
        AT_ONCE,
        "lost",
        ["dies at resetting", "opens a journal over another", "reset that nobody"],
    ),
    ("drops_staged", Platform(), "dropped", ["dies at store, after"]),
    ("garbled_is_settled", ONCE, "lost", ["the journal is garbled", "takes the refusal for a settlement"]),
    ("never_proves", Platform(), "lost", ["times out", "closes", "register that nobody awaits is processed"]),
    (
        "repeats_lost_reset",
        AT_ONCE,
        "lost",
        ["reset of run 2: times out", "sends reset", "accepted", "reset that nobody"],
    ),
    (
        "trusts_a_registration_after_reset",
        Platform(),
        "lost",
        ["register of run 1: times out", "settles: closed", "sends reset", "closes", "register that nobody awaits"],
    ),
    (
        "infers_after_its_own_reset",
        Platform("refuse", "at_once", "fails"),
        "lost",
        [
            "register of run 1: times out",
            "sends reset",
            "register that nobody awaits",
            "run 2: active",
            "settles: flagged",
        ],
    ),
]


@pytest.mark.parametrize(("rule", "platform", "verdict", "steps"), BROKEN, ids=[case[0] for case in BROKEN])
def test_the_model_fails_without_the_rule(rule: str, platform: Platform, verdict: str, steps: list[str]) -> None:
    faults = Faults(garblings=1, losses=0) if rule == "garbled_is_settled" else Faults()
    done = explore(platform, replace(Rules(), **{rule: True}), faults, PAIRS, stop_at_first=True)
    assert list(done.bad) == [verdict]
    history = iter(done.trace(done.bad[verdict][0]))
    assert all(any(step in line for line in history) for step in steps), shown(done)


@pytest.mark.parametrize(
    ("late", "platform", "remains"),
    [
        ("reset", AT_ONCE, True),
        ("reset", Platform("same", "never"), False),
        # After recover has read a secret that a reset will revoke at the next registration, this registration is still open.
        ("register", Platform(), True),
        ("register", AT_ONCE, False),
        ("disable", Platform(), False),
    ],
)
def test_what_a_request_can_do_that_is_processed_after_its_lease(late: str, platform: Platform, remains: bool) -> None:
    done = explore(platform, Rules(late=(late,)), pairs=PAIRS)
    assert list(done.bad) == ["lost"] * remains, shown(done)
    for end in done.bad.get("lost", []):
        assert f"late {late} that nobody awaits is processed" in "\n".join(done.trace(end))


def test_what_a_reset_can_do_whose_journal_is_garbled_while_its_lease_lasts() -> None:
    done = explore(AT_ONCE, Rules(garbles_a_lease=True), Faults(losses=0, garblings=1), PAIRS, stop_at_first=True)
    history = "\n".join(done.trace(done.bad["lost"][0]))
    assert "is garbled" in history
    assert "reset that nobody awaits is processed" in history or "run 1: reset" in history, history


def test_the_device_of_the_model_lives_as_that_of_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "new_device_secret", lambda: str(FRESH))
    for reregistration, revokes, registration, renew, disabled in itertools.product(
        ("rotate", "same", "refuse"),
        ("at_registration", "at_once", "never"),
        ("unregistered", "registered", "activated"),
        (False, True),
        (False, True),
    ):
        platform, device = Platform(reregistration, revokes), Device(7, registration, renew, disabled)
        settings = Settings(reregistration=reregistration, reset_revokes=revokes)
        same = emulated.Device("a1", "gw-0001", "7", registration=registration, renew_secret=renew, disabled=disabled)
        try:
            expected = "issued", lifecycle.register(same, settings)
        except Refusal as refusal:
            expected = {refusals.ALREADY_ACTIVE: "active", refusals.DEVICE_DISABLED: "disabled"}[refusal.code], same
        answer, after = register(device, platform)
        assert (answer, after) == (expected[0], of(expected[1]))
        assert reset(device, platform) == of(lifecycle.reset(same, settings))
        if not disabled:
            assert log_in(device, 7) == (True, of(lifecycle.log_in(same)))
        assert log_in(device, 8) == (False, device)


def of(device: emulated.Device) -> Device:
    return Device(int(device.device_secret), device.registration, device.renew_secret, device.disabled)
