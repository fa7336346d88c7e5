# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure an everyday run and an audit over SCALE gateways, and over a tenth of them.

The gateways are paths on a hundred SSH hosts, each with a device of its own and a valid credential. The measurement ends with an error if
a run fails, registers a gateway or finds a problem. The last line of the output is JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from bench import (
    ACCESS_KEY,
    FORKS,
    PRODUCT_KEY,
    PRODUCT_SECRET,
    Bench,
)
from emulator import Emulator
from fleet import Fleet, Size
from rich.console import Console

SCALE = int(os.environ.get("SCALE") or "10000")
SSH_HOSTS = min(100, SCALE)
REPETITIONS = int(os.environ.get("BENCH_REPETITIONS", "1"))
SIZES = (SCALE // 10, SCALE)
PLAYBOOKS = {"everyday run": "fleetops.aliyun_iot.provision", "audit": "fleetops.aliyun_iot.audit"}
OTHER_KEY = "a1IoKTestP2"
BOUND, PEAK_MB = 1.1, 1024


def secret(number: int) -> str:
    return f"{number:032x}"


def product_key(number: int) -> str:
    """Return the product of a gateway.

    The small inventory has a product of its own, because an audit would report the other devices as devices without a gateway.
    """
    return PRODUCT_KEY if number < SIZES[0] else OTHER_KEY


def name(number: int) -> str:
    return f"gw-{number:05}"


def write_credentials(fleet: Fleet, hosts: list[str]) -> None:
    """Write the credentials to the paths of the inventory, in the format of the collection."""
    for number in range(SCALE):
        folder = fleet.root(hosts[number % SSH_HOSTS]) / "etc/aliyun-iot" / name(number)
        folder.mkdir(parents=True, mode=0o755)
        fields = {"deviceName": name(number), "deviceSecret": secret(number), "productKey": product_key(number)}
        file = folder / "device.json"
        file.touch(0o600)
        file.write_text(json.dumps(fields, separators=(",", ":")) + "\n")


def write_inventory(home: Path, fleet: Fleet, hosts: list[str], size: int) -> None:
    document = yaml.safe_load(fleet.inventory.read_text())
    group = document["gateways"]["children"]["gateways_python"]
    addresses = [group["hosts"][host] for host in hosts]
    group["hosts"] = {
        name(number): {
            **addresses[number % SSH_HOSTS],
            "gateway_path": f"/etc/aliyun-iot/{name(number)}/device.json",
            "product_key": product_key(number),
        }
        for number in range(size)
    }
    (home / f"{size}.json").write_text(json.dumps(document))


def main() -> None:
    say = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="scale-") as directory:
        home = Path(directory)
        fleet = Fleet(home / "fleet")
        fleet.up(Size(SSH_HOSTS))
        devices: dict[str, list[dict[str, str]]] = {PRODUCT_KEY: [], OTHER_KEY: []}
        for number in range(SCALE):
            device = {"name": name(number), "secret": secret(number), "status": "OFFLINE"}
            devices[product_key(number)].append(device)
        products = [
            {"product_key": key, "product_secret": PRODUCT_SECRET, "devices": of_product}
            for key, of_product in devices.items()
        ]
        try:
            with Emulator(home / "platform", {"access_keys": [ACCESS_KEY], "products": products}) as platform:
                result = measure(home, fleet, platform, say)
        finally:
            fleet.down()
    print(json.dumps(result))


def measure(home: Path, fleet: Fleet, platform: Emulator, say: Console) -> dict[str, Any]:
    """Run each playbook over each size, REPETITIONS times.

    The small inventory is measured before and after the large one, because a machine that others use changes its speed within minutes.
    """
    hosts = list(yaml.safe_load(fleet.inventory.read_text())["gateways"]["children"]["gateways_python"]["hosts"])
    write_credentials(fleet, hosts)
    bench = Bench(home, fleet, platform, sizes=())
    for size in SIZES:
        write_inventory(home, fleet, hosts, size)
    seconds: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    peak = 0.0
    bench.run_with_account(PLAYBOOKS["everyday run"], SIZES[0])  # opens the connections
    for _repetition in range(REPETITIONS):
        for title, playbook in PLAYBOOKS.items():
            for size in (*SIZES, SIZES[0]):
                before = time.perf_counter()
                cost, megabytes = bench.run_with_account(playbook, size)
                peak = max(peak, megabytes)
                seconds.setdefault(f"{title} of {size}", []).append(time.perf_counter() - before)
                cpu.setdefault(f"{title} of {size}", []).append(1000 * cost.controller / size)
                say.print(f"{title} of {size}: {seconds[f'{title} of {size}'][-1]:.1f} s, {megabytes:.0f} MB")
    if platform.admin.requests(action="register"):
        raise SystemExit("a gateway was registered")
    medians = {case: statistics.median(runs) for case, runs in seconds.items()}
    small, large = SIZES
    ratios = {
        title: (medians[f"{title} of {large}"] / large) / (medians[f"{title} of {small}"] / small)
        for title in PLAYBOOKS
    }
    for title, ratio in ratios.items():
        met = "" if ratio <= BOUND else ", missed"
        say.print(
            f"{title}: seconds a gateway, of {large} against {small} gateways: {ratio:.2f} (at most {BOUND}{met})"
        )
    say.print(
        f"peak memory of the controller: {peak:.0f} MB (at most {PEAK_MB}{'' if peak <= PEAK_MB else ', missed'})"
    )
    return {
        "seconds": {case: round(value, 1) for case, value in medians.items()},
        "ms_per_gateway": {case: round(1000 * value / int(case.split()[-1]), 2) for case, value in medians.items()},
        "controller_cpu_ms_per_gateway": {case: round(statistics.median(runs), 2) for case, runs in cpu.items()},
        "ratios": {title: round(ratio, 3) for title, ratio in ratios.items()},
        "peak_mb": round(peak),
        "gateways": SCALE,
        "ssh_hosts": SSH_HOSTS,
        "forks": FORKS,
        "repetitions": REPETITIONS,
    }


if __name__ == "__main__":
    sys.exit(main())
