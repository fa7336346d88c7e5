# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of an interrupted change of a device that is active by now: each line of the table in the protocol page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from doubts import OLD_SECRET, cut_logins_off, journal, logins, lose_an_answer, new, said, told, valid
from emulator import Emulator
from gateways import MQTT_WAYS, WAYS, Gateway, changed, credential_text, run_task

JSON = Any

EVERY_WAY = WAYS + MQTT_WAYS

# Refusals that settle a change or do not


@dataclass(frozen=True)
class Refusal:
    """An interrupted change of a device that is active by now: its journal, its credential, and the answer to a login."""

    name: str
    kept: bool
    intent: str | None = "register"  # None is a journal that cannot be read
    valid: bool = True
    broker: str = "here"  # here, cut off or nowhere
    lost: bool = False  # an answer of this run was lost
    own: bool = False  # the journal is of this run's own lease, taken for the reset
    connack: int = 0  # of the refused registration, if not the emulator's own
    ways: tuple[str, ...] = EVERY_WAY

    @property
    def tried(self) -> tuple[str, ...]:
        """The ways that are tried: from the gateway over HTTPS and the controller over MQTT for one journal, vice versa for the next."""
        if self.ways != EVERY_WAY or self.own or self.lost:
            return self.ways
        return (
            ("gateway", "controller-mqtt") if self.intent in ("register", "renew") else ("controller", "gateway-mqtt")
        )

    @property
    def proven(self) -> bool:
        return self.broker == "here"


REFUSALS = [
    # Accepted: the credential is kept, whatever has happened.
    *(Refusal(f"accepted-{intent}", True, intent) for intent in ("register", "reset", "renew", None)),
    Refusal("accepted-lost", True, "renew", lost=True),
    # Refused: the error is reported, whatever could be inferred.
    *(Refusal(f"refused-{intent}", False, intent, valid=False) for intent in ("register", "reset", "renew", None)),
    # A broker may answer "not authorised" where another one answers "bad user name or password".
    *(Refusal(f"accepted-{intent}-5", True, intent, connack=5, ways=MQTT_WAYS) for intent in ("register", "renew")),
    Refusal("refused-register-5", False, valid=False, connack=5, ways=MQTT_WAYS),
    # Unknown: the credential is kept only if no reset may have happened.
    *(
        Refusal(f"{broker}-{intent}".replace(" ", "-"), kept, intent, broker=broker, ways=WAYS)
        for broker in ("cut off", "nowhere")
        for intent, kept in (("register", True), ("reset", True), ("renew", False), (None, False))
    ),
    Refusal("nowhere-register-lost", True, "register", broker="nowhere", lost=True, ways=WAYS),
    Refusal("nowhere-reset-lost", False, "reset", broker="nowhere", lost=True, ways=WAYS),
    # The reset is this run's own, so it has happened.
    Refusal("accepted-own", True, "reset", own=True),
    Refusal("refused-own", False, "reset", valid=False, own=True),
    *(
        Refusal(f"{broker}-own".replace(" ", "-"), False, "reset", broker=broker, own=True, ways=WAYS)
        for broker in ("cut off", "nowhere")
    ),
    # A refusal over MQTT has no reason, so nothing follows from it.
    *(Refusal(f"mute-{intent}", False, intent, broker="cut off", ways=MQTT_WAYS) for intent in ("register", "renew")),
]
HOSTS = {f"{case.name}.{way}": (case, way) for case in REFUSALS for way in case.tried}


@dataclass(frozen=True)
class Story:
    """One host: the credential stored before, the result of the run, and the number of its logins."""

    case: Refusal
    gateway: Gateway
    before: str
    result: JSON
    logins: int


@pytest.fixture(scope="module")
def refusals(platform: Emulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Story]:
    directory = tmp_path_factory.mktemp("refusals")
    gateways = {}
    for number, (host, (case, way)) in enumerate(HOSTS.items()):
        name = f"refused-{number}"
        gateway = gateways[host] = new(platform, directory, host, way, name, device_name=name)
        if case.broker == "nowhere":
            gateway.options = changed(gateway.options, {"mqtt_endpoint": None})
        elif case.broker == "cut off":
            cut_logins_off(gateway)
        if case.lost:
            lose_an_answer(gateway, drop_before=True)
        if case.connack:
            lose_an_answer(gateway, connack=case.connack)
        if case.own:
            gateway.options["lease"] = "0123456789abcdef"
        text = gateway.valid_text if case.valid else credential_text(gateway.product_key, name, OLD_SECRET)
        gateway.store(text)
        gateway.journal(intent=case.intent or "garbled")
        platform.admin.activate(gateway.product_key, gateway.device_name)
    before = {host: gateway.path.read_text() for host, gateway in gateways.items()}
    run = run_task(gateways.values(), directory)
    stories = {
        host: Story(HOSTS[host][0], gateway, before[host], run.result(host), len(logins(gateway)))
        for host, gateway in gateways.items()
    }
    platform.admin.clear_faults()
    return stories


@pytest.mark.parametrize("host", HOSTS)
def test_what_a_refusal_settles(refusals: dict[str, Story], host: str) -> None:
    story = refusals[host]
    case, gateway, result = story.case, story.gateway, story.result
    assert result["reason"] == ("reset" if case.own else "interrupted")
    assert result["registered"] is False
    assert gateway.path.read_text() == story.before, "it is never replaced"
    assert bool(story.logins) is (case.broker != "nowhere")
    if case.kept:
        assert ("error" in result, result["changed"], result["proven"]) == (False, True, case.proven), result
        # If no login has reached the broker, the next run tries again.
        first, *marks = journal(gateway) or ["no journal ttl=0"]
        assert marks == ([f"unproven {gateway.valid_fingerprint}"] if case.broker == "cut off" else [])
        assert first.endswith(" ttl=0")
        assert gateway.beside == ({gateway.journal_path.name} if marks else set())
    else:
        assert (result["changed"], result["error"]["kind"]) == (False, "refused"), result
        assert result["error"]["hint"]
        # The change stays open, so that no run takes the credential for valid.
        first, *replaced = journal(gateway)
        if case.lost or case.own:
            # A request may be under way, or a reset has happened.
            assert f" intent={'register' if case.intent == 'register' else 'renew'} over=yes " in first
        else:
            assert f" intent={case.intent or 'garbled'} over=no " in first, "the journal that the run has found"
        assert [line.split()[0] for line in replaced] == (["journal"] if case.lost else [])
        assert first.endswith(" ttl=0") is not case.lost, "nobody has to wait, unless a request may be under way"


def test_the_advice_after_a_refusal(refusals: dict[str, Story]) -> None:
    for host, story in refusals.items():
        if not story.case.kept and HOSTS[host][1] in WAYS:
            assert story.result["error"]["code"] == 6289
            assert "resets the device (ResetThing)" in story.result["msg"]


# A staged credential comes first


@pytest.mark.parametrize("activated", [False, True])
def test_a_forced_registration_first_puts_in_its_place_what_is_staged(
    platform: Emulator, tmp_path: Path, activated: bool
) -> None:
    """A staged credential is installed first, because it is the valid one if the platform refuses to register."""
    host = "active" if activated else "forced"
    gateways = [new(platform, tmp_path, f"{host}.{way}", way, mqtt_endpoint=None, register="always") for way in WAYS]
    for gateway in gateways:
        gateway.store(credential_text(gateway.product_key, gateway.device_name, OLD_SECRET))
        gateway.staged_path.write_text(gateway.valid_text)
        gateway.journal(f"stored {gateway.valid_fingerprint}")
        if activated:
            platform.admin.activate(gateway.product_key, gateway.device_name)
    run = run_task(gateways, tmp_path)
    for gateway in gateways:
        expected = ["refused"] if activated else ["forced", True, None]
        assert told(run, gateway, "reason", "registered", "proven") == expected, run
        assert (len(gateway.calls), valid(gateway), gateway.beside) == (1, True, set())
        assert said(run, gateway)


@pytest.mark.parametrize("register", ["if_needed", "always"])
def test_a_change_that_an_earlier_attempt_of_the_task_has_stored(
    platform: Emulator, tmp_path: Path, register: str
) -> None:
    """After a reset, a repeated task with the lease of the run does not register again, even if the registration is forced."""
    lease = "0123456789abcdef"
    gateways = [
        new(platform, tmp_path, f"{register}.{way}", way, register=register, lease=lease, mqtt_endpoint=None)
        for way in WAYS
    ]
    for gateway in gateways:
        gateway.store(gateway.valid_text)
        gateway.journal(f"stored {gateway.valid_fingerprint}", intent="reset")
        assert f" token={lease} " in gateway.journal_path.read_text()
    run = run_task(gateways, tmp_path)
    for gateway in gateways:
        assert told(run, gateway, "reason", "registered", "proven") == ["interrupted", False, False], run
        assert (gateway.calls, valid(gateway), gateway.beside) == ([], True, set())


def test_a_lease_that_another_run_has_taken_over_changes_nothing(platform: Emulator, tmp_path: Path) -> None:
    """Nothing is changed even if the other run has ended its change: the state is not this run's."""
    gateways = [
        new(platform, tmp_path, f"{state}.{way}", way, lease="f" * 16) for way in WAYS for state in ("open", "over")
    ]
    for gateway in gateways:
        gateway.store(gateway.valid_text)
        if gateway.host.startswith("open"):
            gateway.journal(intent="renew")
    before = {gateway.host: gateway.files() for gateway in gateways}
    run = run_task(gateways, tmp_path)
    for gateway in gateways:
        assert told(run, gateway) == ["busy"], run
        assert "another run has taken over" in run.result(gateway.host)["msg"]
        assert (gateway.calls, gateway.files()) == ([], before[gateway.host])
