# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One round of the campaign of random faults, and the campaign's ability to detect violations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from account import SEED
from emulator import Emulator
from faults import campaign
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Emulator]:
    products = [{"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET}]
    with Emulator(tmp_path / "platform", {**SEED, "products": products}) as emulator:
        yield emulator


def test_a_round_ends_well(platform: Emulator, tmp_path: Path) -> None:
    this = campaign.draw(random.Random("a round"), 0)
    this.trials = this.trials[:6]
    campaign.run_round(platform, tmp_path / "runs", this)
    assert this.findings == []
    assert this.verdicts["converged"] == 6
    assert this.verdicts["reached"] > 0


def run_of(host: str, **result: object) -> Run:
    """Return a run with this result for the host."""
    return Run(0, "", "", {host: [{"action": "fleetops.aliyun_iot.gateway_credential", "result": result}]}, {})


def test_the_campaign_sees_what_it_looks_for(platform: Emulator, tmp_path: Path) -> None:
    """The campaign detects a dead secret that every run accepts, a gateway that no run repairs, and a secret in an unexpected file."""
    runs = tmp_path / "runs"
    this = campaign.draw(random.Random("another round"), 0)
    this.trials = [replace(trial, stored=True, platform=None) for trial in this.trials[:2]]
    for trial in this.trials:
        campaign._prepare(platform, runs, trial)
    trial = this.trials[0]
    root = runs / "gateways" / trial.host
    secret = platform.admin.device(PRODUCT_KEY, trial.host)["device_secret"]
    (root / "agent.env").write_text(f"ALIYUN_IOT_DEVICE_SECRET={secret}\n")
    right, repaired = run_of(trial.host, reason="up_to_date", changed=False), run_of(trial.host, changed=True)

    def verdict(recovered: Run) -> str:
        return campaign._judge(platform, runs, trial, [right, right, recovered, right, right], False)[0]

    assert (verdict(right), list(campaign._leaks(platform, runs, this))) == ("converged", [])
    assert verdict(repaired) == "lost", "two runs called right what recover replaced"
    (root / ".device.json.journal").write_text("left")
    assert verdict(right) == "stuck"
    (root / ".device.json.journal").unlink()
    (root / "device.json").write_text((root / "device.json").read_text().replace(secret, "0" * 32))
    assert verdict(right) == "stuck", "the last run calls right what the platform does not hold"
    (runs / "kept").write_text(secret)
    assert [leak for leak in campaign._leaks(platform, runs, this) if "kept" in leak]
