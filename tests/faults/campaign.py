# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run random pairs of playbooks at the same time over the same gateways, with kills, failing tools and late requests.

python tests/faults/campaign.py --trials 300 --seed 1

A round is two playbooks over a dozen gateways. Each gateway has a fault of its own, and is one trial. When both runs have ended and the
platform has processed every request, the runs follow that the documentation tells an operator to start. A trial is *lost* if a
provision without faults reports a credential as up to date that is not the platform's, *stuck* if the documented runs do not lead to a
valid credential, and *leaked* if a secret is found outside of the credential and its exports. Any of these makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from account import SEED
from canary import Canaries
from emulator import Emulator
from gateways import fingerprint
from operations import account
from playbook import (
    PRODUCT_KEY,
    PRODUCT_SECRET,
    Run,
    Started,
    connection,
    inventory,
    mqtt_endpoint,
    start_playbook,
)
from shells import COUNTED, write_shell

GATEWAYS = 12
# Seconds: the timeout of a request (and the time to retry it), and the length of a lease that follows from it.
TIMEOUT = 3
LEASE = 4 * TIMEOUT
# Seconds by which a request is late at most. The documents say that later requests can break the protocol.
LATE = TIMEOUT - 1
CHANGES = ("provision", "forced", "reprovision", "recover")
OTHERS = ("audit", "decommission")
ENV = {"ANSIBLE_FORKS": "20", "ANSIBLE_PIPELINING": "1"}
SETTINGS = {
    "reregistration": ("rotate", "rotate", "same"),
    "reset_revokes": ("at_once", "at_registration"),
}

# A tool that counts the calls of all tools. Call number AT kills the script, or fails.
BREAKING = """\
folder={folder}
echo {name} >>$folder/calls
number=0
while read -r _; do number=$((number + 1)); done <$folder/calls
if [ $number = {at} ]; then
    : >$folder/reached
    {effect}
fi
exec {tool} "$@\""""
EFFECTS = {"kill": "kill -9 $PPID; exit 1", "fail": "exit 2"}


@dataclass(frozen=True)
class Trial:
    """A gateway in a round, with its faults."""

    host: str
    way: str
    transport: str
    activated: bool
    stored: bool
    tool: Mapping[str, Any] | None  # run (0 or 1), at, effect
    platform: Mapping[str, Any] | None  # action and effect


@dataclass
class Round:
    """Two runs at the same time, with the settings of the platform, the times of their kills, and the results."""

    number: int
    operations: tuple[str, str]
    settings: Mapping[str, str]
    offset: float
    kills: tuple[float | None, float | None]
    trials: list[Trial]
    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def draw(rng: random.Random, number: int) -> Round:
    """Return a random round, which depends on the seed of ``rng`` alone."""
    first = rng.choice(CHANGES)
    second = rng.choice(CHANGES * 3 + OTHERS)
    operations = (first, second) if rng.random() < 0.5 else (second, first)
    trials = []
    for at in range(GATEWAYS):
        tool = None
        if rng.random() < 0.6:
            tool = {"run": rng.randrange(2), "at": rng.randint(1, 60), "effect": rng.choice(list(EFFECTS))}
        platform = None
        if rng.random() < 0.5:
            effect = rng.choice([{"drop_after": True}, {"hold_after": LATE}, {"delay": LATE}, {"delay": TIMEOUT + 1}])
            platform = {"action": rng.choice(["register", "register", "ResetThing"]), **effect}
        activated = rng.random() < 0.6
        trials.append(
            Trial(
                host=f"r{number:03}-{at:02}",
                way=rng.choice(["gateway", "controller"]),
                transport=rng.choice(["https", "https", "mqtt"]),
                activated=activated,
                stored=activated or rng.random() < 0.7,
                tool=tool,
                platform=platform,
            )
        )
    kills = tuple(rng.uniform(1, 9) if rng.random() < 0.35 else None for _run in operations)
    settings = {name: rng.choice(values) for name, values in SETTINGS.items()}
    return Round(number, operations, settings, rng.uniform(0, 4), kills, trials)  # type: ignore[arg-type]


def run_round(platform: Emulator, folder: Path, this: Round) -> None:
    """Run both playbooks, wait for late requests, start the documented runs, and judge every gateway."""
    platform.admin.settings(**this.settings)
    for trial in this.trials:
        _prepare(platform, folder, trial)
    with ExitStack() as stack:
        runs: list[Started] = []
        begun = time.monotonic()
        for number, operation in enumerate(this.operations):
            _sleep_until(begun + number * this.offset)
            runs.append(stack.enter_context(_start(platform, folder, this, operation, f"run{number}", number)))
        _end(runs, begun, this.kills)
    platform.admin.clear_faults()
    time.sleep(TIMEOUT + 2)  # until late requests have been processed
    decommissioned = "decommission" in this.operations
    ended = [_finish(platform, folder, this, name) for name in _recovery(decommissioned)]
    for trial in this.trials:
        verdict, detail = _judge(platform, folder, trial, ended, decommissioned)
        reached = trial.tool and (folder / "shells" / f"run{trial.tool['run']}" / trial.host / "reached").exists()
        this.verdicts["reached"] += bool(reached or trial.platform or any(this.kills))
        this.verdicts[verdict] += 1
        if verdict != "converged":
            this.findings.append(f"{trial}: {verdict}: {detail}")
    for leak in _leaks(platform, folder, this):
        this.verdicts["leaked"] += 1
        this.findings.append(f"leaked: {leak}")


def _prepare(platform: Emulator, folder: Path, trial: Trial) -> None:
    admin = platform.admin
    admin.put_device(PRODUCT_KEY, trial.host)
    root = folder / "gateways" / trial.host
    root.mkdir(parents=True, mode=0o700)
    if trial.stored:
        secret = admin.device(PRODUCT_KEY, trial.host)["device_secret"]
        names = {"deviceName": trial.host, "deviceSecret": secret, "productKey": PRODUCT_KEY}
        file = root / "device.json"
        file.write_text(json.dumps(names, separators=(",", ":")) + "\n")
        file.chmod(0o600)
        (root / "agent.env").touch(0o600)
    if trial.activated:
        admin.activate(PRODUCT_KEY, trial.host)
    if trial.platform:
        action = str(trial.platform["action"])
        if action == "register" and trial.transport == "mqtt":
            action = "register_mqtt"
        effect = {name: value for name, value in trial.platform.items() if name != "action"}
        admin.fault(action, device_name=trial.host, **effect)


def _start(platform: Emulator, folder: Path, this: Round, operation: str, home: str, number: int | None) -> Started:
    """Start a run.

    :param number: the run (0 or 1) whose tools break; None: no tool breaks
    """
    hosts: dict[str, Any] = {}
    for trial in this.trials:
        root = folder / "gateways" / trial.host
        own: dict[str, Any] = {
            "root": str(root),
            "gateway_path": f"{root}/device.json",
            "gateway_exports": [{"dest": f"{root}/agent.env", "format": "env"}],
            "gateway_register_from": trial.way,
            "gateway_transport": trial.transport,
        }
        if number is not None and trial.tool and trial.tool["run"] == number:
            own["ansible_shell_executable"] = str(_breaking_shell(folder, home, trial))
        hosts[trial.host] = own
    place = folder / home
    place.mkdir(exist_ok=True)
    known = {f"gateway_{name}": value for name, value in connection(platform).items()}
    times = {"gateway_timeout": TIMEOUT, "gateway_retry_time": TIMEOUT}
    variables = {**known, **times, "gateway_mqtt_endpoint": mqtt_endpoint(platform)}
    variables_of_run = {
        **account(platform),
        "target": "gateways",
        "gateway_lease_time": 2 * LEASE,
        "gateway_max_fail_percentage": 100,
        "gateway_serial": "100%",
        "gateway_recovery_force": True,
        "gateway_report": "all",
    }
    if operation == "forced":
        variables_of_run["gateway_register"] = "always"
    name = {"forced": "provision", "plain": "provision"}.get(operation, operation)
    if operation in ("plain", "forced"):
        variables_of_run = {key: value for key, value in variables_of_run.items() if not key.startswith("platform_")}
    book = f"fleetops.aliyun_iot.{name}"
    return start_playbook(
        book, inventory(hosts, place, **variables), place, "-e", json.dumps(variables_of_run), env=ENV
    )


def _breaking_shell(folder: Path, home: str, trial: Trial) -> Path:
    place = folder / "shells" / home / trial.host
    assert trial.tool
    for_all = {"folder": place, "at": trial.tool["at"], "effect": EFFECTS[trial.tool["effect"]]}
    tools = {name: BREAKING.format(name=name, tool=shutil.which(name), **for_all) for name in COUNTED}
    return write_shell(place, tools)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _end(runs: list[Started], begun: float, kills: tuple[float | None, ...]) -> None:
    """Kill the runs at the given seconds after ``begun``; wait for the others."""
    planned = sorted((after, number) for number, after in enumerate(kills) if after is not None)
    for after, number in planned:
        _sleep_until(begun + after)
        runs[number].kill()
    for run in runs:
        run.process.wait(600)


def _recovery(decommissioned: bool) -> tuple[str, ...]:
    """Return the documented runs after a trouble; ``plain`` is provision without an account."""
    return ("decommission",) if decommissioned else ("plain", "plain", "recover", "plain", "plain")


def _finish(platform: Emulator, folder: Path, this: Round, operation: str) -> Run:
    with _start(platform, folder, this, operation, "recovery", None) as run:
        return run.wait()


def _judge(platform: Emulator, folder: Path, trial: Trial, ended: list[Run], decommissioned: bool) -> tuple[str, str]:
    """Return the verdict on a gateway (converged, lost or stuck), and the reason."""
    device = platform.admin.device(PRODUCT_KEY, trial.host)
    root = folder / "gateways" / trial.host
    file = root / "device.json"
    left = sorted({path.name for path in root.iterdir()} - {"device.json", "agent.env"})
    if decommissioned:
        gone = not file.exists() and device["status"] == "DISABLE" and not left
        return ("converged", "") if gone else ("stuck", f"{device['status']}, {sorted(root.iterdir())}")
    first, last = (_result(ended[number], trial.host) for number in (1, len(ended) - 1))
    held = json.loads(file.read_text()) if file.exists() else {}
    shown = fingerprint(PRODUCT_KEY, trial.host, held.get("deviceSecret", ""))
    valid = fingerprint(PRODUCT_KEY, trial.host, device["device_secret"])
    # A credential that the provision before recover reported as up to date must be valid.
    called_valid = first.get("reason") == "up_to_date" and first.get("proven") is not False
    if called_valid and _result(ended[2], trial.host).get("changed"):
        return "lost", f"up_to_date with {first.get('fingerprint')}, which recover replaced by {valid}"
    if shown != valid or left or last.get("reason") != "up_to_date" or last.get("changed"):
        return "stuck", f"{shown} for {valid}, {left}, {last.get('reason')}, {last.get('msg')}"
    if f"DEVICE_SECRET={held['deviceSecret']}" not in (root / "agent.env").read_text():
        return "stuck", "the export has another secret"
    return "converged", ""


def _result(run: Run, host: str) -> Mapping[str, Any]:
    found = [each["result"] for each in run.results.get(host, ()) if each["action"].startswith("fleetops.aliyun_iot")]
    return found[-1] if found else {}


def _leaks(platform: Emulator, folder: Path, this: Round) -> Iterator[str]:
    secrets = {"ProductSecret": PRODUCT_SECRET}
    for trial in this.trials:
        secrets[trial.host] = platform.admin.device(PRODUCT_KEY, trial.host)["device_secret"]
    # The inventory of a test contains ProductSecret, as a vault would.
    apart = list(folder.glob("*/hosts.json"))
    apart += [folder / "gateways" / t.host / name for t in this.trials for name in ("device.json", "agent.env")]
    yield from Canaries(secrets).in_files(folder, apart=apart)


def campaign(trials: int, seed: int, first: int = 0) -> int:
    """Run rounds with this many trials, and print their results.

    :param first: the number of the first round, to repeat one of an earlier campaign
    :returns: the number of trials that were lost, stuck or leaked
    """
    total: Counter[str] = Counter()
    products = [{"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET}]
    for number in range(first, first + -(-trials // GATEWAYS)):
        this = draw(random.Random(f"{seed}/{number}"), number)
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            with Emulator(home / "platform", {**SEED, "products": products}) as platform:
                runs = home / "runs"
                runs.mkdir()
                run_round(platform, runs, this)
        total += this.verdicts
        ops = " and ".join(this.operations)
        print(f"round {number}: {ops}, {dict(this.settings)}: {dict(this.verdicts)}", flush=True)
        for finding in this.findings:
            print(f"  {finding}", flush=True)
    bad = total["lost"] + total["stuck"] + total["leaked"]
    count = total["converged"] + total["lost"] + total["stuck"]
    print(
        f"{count} trials, {total['reached']} with a fault reached: {total['lost']} lost, {total['stuck']} stuck, "
        f"{total['leaked']} leaked"
    )
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description="Run random pairs of playbooks at the same time, with random faults.")
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    arguments = parser.parse_args()
    return 1 if campaign(arguments.trials, arguments.seed, arguments.first) else 0


if __name__ == "__main__":
    sys.exit(main())
