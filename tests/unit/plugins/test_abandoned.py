# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test changes that end before a request was sent: the gateway is left as the run has found it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from converging import PRODUCT_KEY, Bench, Broken, Recovery, Registration
from gateways import end_lease

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import NetworkError

JSON = Any


class Unreachable(Registration):
    """An issuer whose requests do not leave the machine."""

    def change(self, scripts: JSON, device_name: str, lease: int) -> JSON:
        def issue() -> str:
            raise NetworkError("no route")

        self.device.issue = issue  # type: ignore[method-assign]
        try:
            return super().change(scripts, device_name, lease)
        finally:
            del self.device.issue  # type: ignore[method-assign]


def send_nothing(bench: Bench, how: str) -> None:
    """Begin a change that is withdrawn before its request was sent."""
    if how == "reset":
        prepared = bench.run(state="reset_intended")
        assert bench.run(state="reset_withdrawn", lease=prepared["lease"])["reason"] == "withdrawn"
        return
    with pytest.raises(NetworkError):
        bench.run(issuer=Unreachable, register="always")


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("how", ["reset", "registration"])
def test_an_unproven_credential_stays_unproven(bench: Bench, how: str, times: int) -> None:
    bench.leave_unproven()
    before = bench.journal.read_text()
    for _time in range(times):
        send_nothing(bench, how)
        assert bench.journal.read_text() == before
    done = bench.run(verify="login")
    assert (done["registered"], done["proven"], bench.device.issued) == (False, True, 1)
    assert bench.is_right()


@pytest.mark.parametrize("how", ["reset", "registration"])
def test_an_interrupted_registration_stays_one(bench: Bench, how: str) -> None:
    """The intent is not a reset, since none was sent."""
    bench.run()
    with pytest.raises(Broken):
        bench.run([(2, "before")], register="always")
    end_lease(bench.journal)
    send_nothing(bench, how)
    lines = bench.journal.read_text().splitlines()
    assert len(lines) == 1
    assert (" intent=register over=no " in lines[0], lines[0].endswith(" ttl=0")) == (True, True)
    done = bench.run()
    assert (done["reason"], done["registered"], done["proven"]) == ("interrupted", True, True)
    assert bench.is_right()


def test_after_a_reset_no_earlier_journal_comes_back(bench: Bench) -> None:
    """The reset may have invalidated the credential whose login was still due."""
    bench.leave_unproven()
    lease = bench.run(state="reset_intended")["lease"]
    with pytest.raises(NetworkError):
        bench.run(issuer=Unreachable, lease=lease)
    lines = bench.journal.read_text().splitlines()
    assert [" intent=renew over=yes " in line for line in lines] == [True]
    assert bench.run()["registered"]
    assert bench.is_right()


def test_while_the_lease_runs_the_earlier_journal_counts_for_nothing(bench: Bench) -> None:
    bench.leave_unproven()
    with pytest.raises(Broken):
        bench.run([(2, "before")], register="always")
    end_lease(bench.journal)
    done = bench.run()
    assert (done["reason"], done["registered"], bench.device.issued) == ("interrupted", True, 3)
    assert bench.is_right()


def test_many_interruptions_do_not_make_the_journal_longer(bench: Bench) -> None:
    bench.run()
    sizes = []
    for _run in range(4):
        with pytest.raises(Broken):
            bench.run([(2, "before")], register="always")
        end_lease(bench.journal)
        sizes.append(len(bench.journal.read_text().splitlines()))
    assert sizes == [1, 2, 2, 2]


def test_an_unproven_token_is_kept_after_a_replacement_that_was_not_sent(bench: Bench) -> None:
    """The platform never returns a token, so the file is its only copy."""
    bench.device.issue()
    fields = {"clientId": "client", "deviceName": "gw-0001", "deviceToken": "t" * 32, "productKey": PRODUCT_KEY}
    text = json.dumps(fields, separators=(",", ":")) + "\n"
    bench.path.parent.mkdir(mode=0o700)
    bench.path.write_text(text)
    bench.path.chmod(0o600)
    fingerprint = hashlib.sha256(f"fleetops:{PRODUCT_KEY}:gw-0001:{'t' * 32}".encode()).hexdigest()[:16]
    lease = f"2 token=0123456789abcdef intent=register over=no product_key={PRODUCT_KEY} device_name=gw-0001"
    bench.journal.write_text(f"{lease} boot=- taken=0 ttl=0\nunproven {fingerprint}\n")
    send_nothing(bench, "registration")
    bench.login.outcome = "accepted"
    assert bench.run(issuer=Recovery)["credential"]["kind"] == "token"
    assert bench.path.read_text() == text
