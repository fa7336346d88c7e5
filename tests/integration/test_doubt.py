# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a change whose secret is in doubt: each line of the table in the protocol page."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doubts import OLD_SECRET, cut_logins_off, journal, logins, lose_an_answer, new, said, told, valid
from emulator import Emulator
from gateways import MQTT_WAYS, WAYS, Gateway, credential_text, fingerprint, run_task
from playbook import inventory, mqtt_endpoint, start_playbook
from processes import wait_for

JSON = Any

EVERY_WAY = WAYS + MQTT_WAYS


@pytest.fixture(autouse=True)
def no_fault_stays(platform: Emulator) -> Iterator[None]:
    yield
    platform.admin.clear_faults()


@pytest.fixture
def closed() -> Iterator[str]:
    """Yield an address at which no program listens, bound so that no other program can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def one_each(platform: Emulator, directory: Path, prefix: str, **options: JSON) -> list[Gateway]:
    """Return one gateway for each way to register."""
    return [new(platform, directory, f"{prefix}.{way}", way, **options) for way in EVERY_WAY]


# A login that is accepted


def test_what_was_in_doubt_is_proven_at_once(platform: Emulator, tmp_path: Path) -> None:
    """A secret in doubt is proven at once, and only after a lost answer: a first registration must not activate the device."""
    sure, doubtful = (one_each(platform, tmp_path, prefix) for prefix in ("sure", "doubtful"))
    for gateway in doubtful:
        lose_an_answer(gateway)
    run = run_task(sure + doubtful, tmp_path)
    assert run.rc == 0, run
    for gateway in sure + doubtful:
        proven = gateway in doubtful
        assert told(run, gateway, "registered", "proven") == [True, True if proven else None]
        assert (len(gateway.calls), len(logins(gateway))) == ((2, 1) if proven else (1, 0))
        assert gateway.device["activated"] is proven
        assert valid(gateway)
        assert gateway.beside == set()
        assert not said(run, gateway)
    platform.admin.clear_requests()
    again = run_task(sure + doubtful, tmp_path)
    assert (again.rc, again.changed, platform.admin.requests()) == (0, 0, []), again
    assert {again.result(gateway.host)["proven"] for gateway in sure + doubtful} == {None}


def test_a_device_token_is_proven_from_the_gateway(platform: Emulator, tmp_path: Path) -> None:
    """The gateway proves a token, which does not leave the gateway; without Python there, the token stays unproven."""
    options = {"auth_type": "regnwl"}
    able = [new(platform, tmp_path, f"able.{way}", way, **options) for way in MQTT_WAYS]
    unable = new(platform, tmp_path, "unable", "controller-mqtt", **options)
    unable.variables["ansible_python_interpreter"] = "/nonexistent/python"
    for gateway in (*able, unable):
        lose_an_answer(gateway, "regnwl")
    run = run_task([*able, unable], tmp_path)
    assert run.rc == 0, run
    for gateway in (*able, unable):
        assert told(run, gateway, "registered", "proven") == [True, gateway in able], run
        assert said(run, gateway) is (gateway is unable)
        assert gateway.beside == set()


# A login that is refused


def test_a_secret_that_a_late_request_has_replaced(platform: Emulator, tmp_path: Path) -> None:
    """The first request is processed after the answer to the second was stored, and before the login, which detects this."""
    gateways = one_each(platform, tmp_path, "late")
    for gateway in gateways:
        lose_an_answer(gateway)
        names = {"product_key": gateway.product_key, "device_name": gateway.device_name}
        platform.admin.fault("connect", delay=6, **names)
    options = {gateway.host: {"wanted": gateway.options} for gateway in gateways}
    task = {
        name: f"{{{{ wanted.{name} | default(omit) }}}}" for name in sorted({n for g in gateways for n in g.options})
    }
    play = {
        "hosts": "gateways",
        "gather_facts": False,
        "tasks": [{"name": "The task", "fleetops.aliyun_iot.gateway_credential": task}],
    }
    with start_playbook(play, inventory(options, tmp_path), tmp_path) as started:
        for gateway in gateways:
            wait_for(lambda gateway=gateway: logins(gateway), f"the login of {gateway.host}")
            platform.admin.patch_device(gateway.product_key, gateway.device_name, device_secret=OLD_SECRET)
        run = started.wait()
    for gateway in gateways:
        result = run.result(gateway.host)
        assert told(run, gateway) == ["not_accepted"], result
        assert (result["changed"], result["registered"], result["proven"]) == (True, True, False)
        assert "Run again, which registers again" in result["msg"]
        stored = run_stored(gateway)
        first, *marks = journal(gateway)
        assert first.endswith(" ttl=0"), "nobody has to wait"
        assert marks == [f"dead {stored}"]
        assert not valid(gateway)

    checked = run_task(gateways, tmp_path, check=True)
    assert {checked.result(gateway.host)["reason"] for gateway in gateways} == {"interrupted"}, checked
    repaired = run_task(gateways, tmp_path)
    assert repaired.rc == 0, repaired
    for gateway in gateways:
        assert told(repaired, gateway, "reason", "registered", "proven") == ["interrupted", True, True]
        assert (valid(gateway), gateway.beside) == (True, set())
        assert gateway.device["device_secret"] != OLD_SECRET


def run_stored(gateway: Gateway) -> str:
    """Return the fingerprint of the stored credential, computed by the test."""
    secret = gateway.path.read_text().split('"')[7]
    assert gateway.path.read_text() == credential_text(gateway.product_key, gateway.device_name, secret)
    return fingerprint(gateway.product_key, gateway.device_name, secret)


# A login that does not reach the broker


def test_what_no_login_reaches_the_broker_for_stays_unproven(platform: Emulator, tmp_path: Path, closed: str) -> None:
    gateways = [
        *(new(platform, tmp_path, f"far.{way}", way, mqtt_endpoint=closed) for way in WAYS),
        *(new(platform, tmp_path, f"far.{way}", way) for way in MQTT_WAYS),
    ]
    for gateway in gateways:
        lose_an_answer(gateway)
        if gateway.options["mqtt_endpoint"] != closed:
            cut_logins_off(gateway)
    run = run_task(gateways, tmp_path)
    assert (run.rc, run.changed) == (0, len(gateways)), run
    for gateway in gateways:
        assert told(run, gateway, "registered", "proven") == [True, False]
        assert said(run, gateway)
        first, *marks = journal(gateway)
        assert first.endswith(" ttl=0"), "nobody has to wait"
        assert marks == [f"unproven {gateway.valid_fingerprint}"]
        assert (valid(gateway), gateway.beside, gateway.device["activated"]) == (
            True,
            {gateway.journal_path.name},
            False,
        )

    # Every later run repeats the login and registers nothing; check mode does neither.
    kept = {gateway.host: gateway.files() for gateway in gateways}
    for check in (True, False):
        platform.admin.clear_requests()
        again = run_task(gateways, tmp_path, check=check)
        assert (again.rc, again.changed) == (0, 0), again
        for gateway in gateways:
            assert told(again, gateway, "reason", "proven") == ["up_to_date", False]
            assert gateway.calls == []
            assert said(again, gateway) is not check
            assert bool(logins(gateway)) is (not check and gateway.options["mqtt_endpoint"] != closed)
            assert contents(gateway) == {name: found.content for name, found in kept[gateway.host].items()}

    # A repair meanwhile leaves the secret unproven, and the result reports this.
    for gateway in gateways:
        gateway.path.chmod(0o644)
    repaired = run_task(gateways, tmp_path)
    for gateway in gateways:
        assert told(repaired, gateway, "reason", "proven", "registered") == ["attributes", False, False]
        assert journal(gateway)[1:] == [f"unproven {gateway.valid_fingerprint}"]

    platform.admin.clear_faults()
    platform.admin.clear_requests()
    for gateway in gateways:
        gateway.options["mqtt_endpoint"] = mqtt_endpoint(platform)
    proven = run_task(gateways, tmp_path)
    assert (proven.rc, proven.changed) == (0, 0), proven
    for gateway in gateways:
        assert told(proven, gateway, "reason", "proven") == ["up_to_date", True]
        assert (valid(gateway), gateway.beside, gateway.device["activated"]) == (True, set(), True)
        assert (gateway.calls, len(logins(gateway))) == ([], 1)
    platform.admin.clear_requests()
    assert run_task(gateways, tmp_path).changed == 0
    assert platform.admin.requests() == []


def contents(gateway: Gateway) -> dict[str, JSON]:
    return {name: found.content for name, found in gateway.files().items()}


def test_an_unproven_secret_that_turns_out_to_be_dead(platform: Emulator, tmp_path: Path, closed: str) -> None:
    """The run that detects that an unproven secret is dead changes nothing else and fails; the next one registers again."""
    gateways = [new(platform, tmp_path, f"dead.{way}", way, mqtt_endpoint=closed) for way in WAYS]
    for gateway in gateways:
        lose_an_answer(gateway)
    assert run_task(gateways, tmp_path).rc == 0
    for gateway in gateways:
        platform.admin.patch_device(gateway.product_key, gateway.device_name, device_secret=OLD_SECRET)
        gateway.options["mqtt_endpoint"] = mqtt_endpoint(platform)
    heard = run_task(gateways, tmp_path)
    for gateway in gateways:
        assert told(heard, gateway) == ["not_accepted"], heard
        assert (heard.result(gateway.host)["changed"], len(gateway.calls)) == (False, 2)
        assert journal(gateway)[1:] == [f"dead {run_stored(gateway)}"]
    repaired = run_task(gateways, tmp_path)
    for gateway in gateways:
        assert told(repaired, gateway, "reason", "registered", "proven") == ["interrupted", True, True]
        assert (valid(gateway), gateway.beside) == (True, set())


# A login that cannot be tried


def test_without_the_address_of_a_broker_the_change_is_over(platform: Emulator, tmp_path: Path) -> None:
    """Without a broker's address the change is over; the run warns about it once."""
    gateways = [new(platform, tmp_path, f"deaf.{way}", way, mqtt_endpoint=None) for way in WAYS]
    gateways += [
        new(platform, tmp_path, f"region.{way}", way, mqtt_endpoint=None, region="cn-shanghai") for way in WAYS
    ]
    for gateway in gateways:
        lose_an_answer(gateway, "register")
    run = run_task(gateways, tmp_path)
    again = run_task(gateways, tmp_path)
    assert (run.rc, again.rc, again.changed) == (0, 0, 0), (run, again)
    for gateway in gateways:
        assert told(run, gateway, "registered", "proven") == [True, False]
        assert told(again, gateway, "reason", "proven") == ["up_to_date", None]
        assert (said(run, gateway), said(again, gateway)) == (True, False)
        assert (valid(gateway), gateway.beside, gateway.device["activated"]) == (True, set(), False)
