# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the playbooks over a fleet, compared with a ping and with a playbook of built-in modules.

All cases run over the same loopback fleet, one after the other, several times. A machine that others use changes its speed within
minutes, so a repetition is compared with the pings before and after it, and each ratio is the median of the repetitions. Short
cases run several times in each repetition, which counts their mean, because a single one of them varies most. The SSH
connections are open beforehand, as in the second task of a playbook. All cases use the same ansible.cfg. The measurement ends
with an error if a run fails, or registers more or fewer gateways than its case expects.

Sizes are environment variables: BENCH_GATEWAYS (100), BENCH_FORKS (20), BENCH_REPETITIONS (3). The last line of the output is JSON.
With SCALE=10000, scale.py measures an inventory of that many gateways instead.
"""

from __future__ import annotations

import json
import os
import platform as machine
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from emulator import Emulator
from fleet import Fleet, Size
from processes import read
from ratios import Cost, mean, report, tables
from rich.console import Console

HERE = Path(__file__).parent
GATEWAYS = int(os.environ.get("BENCH_GATEWAYS", "100"))
FORKS = int(os.environ.get("BENCH_FORKS", "20"))
REPETITIONS = int(os.environ.get("BENCH_REPETITIONS", "3"))
SIZES = (GATEWAYS // 4, GATEWAYS, GATEWAYS * 4)

PRODUCT_KEY, PRODUCT_SECRET = "a1IoKTestP1", "6vEu5Qlj5STest01"
CA_ON_GATEWAYS = "/etc/platform-ca.pem"
CREDENTIALS = "etc/aliyun-iot"
PROVISION, REPROVISION = "fleetops.aliyun_iot.provision", "fleetops.aliyun_iot.reprovision"
ACCESS_KEY = {"id": "benchKeyId", "secret": "benchKeySecret"}


@dataclass(frozen=True)
class Case:
    """A playbook to measure.

    ``finds`` is the state that is prepared beforehand: ``new`` (no credentials, and new devices) or ``activated`` (devices that have
    logged in). With either, the playbook must register each gateway once; without it, none. ``times`` is the number of runs in each
    repetition.
    """

    name: str
    title: str
    playbook: str
    finds: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    callback: str = "default"
    times: int = 1


# For scale.py, whose inventory contains the product of each gateway.
ACCOUNT = {"audit_fail": "true", "gateway_product_key": "{{ product_key }}"}
PROGRESS = "fleetops.aliyun_iot.fleet_progress"
FROM_CONTROLLER = {"gateway_register_from": "controller"}
CASES = (
    Case("ping", "ansible.builtin.ping", str(HERE / "ping.yml")),
    Case("provision", "provision, first run", PROVISION, "new", times=2),
    Case("provision_progress", "the same, with fleet_progress", PROVISION, "new", callback=PROGRESS, times=2),
    Case("rerun", "provision, again", PROVISION, times=3),
    Case("provision_controller", "provision from the controller, first run", PROVISION, "new", FROM_CONTROLLER),
    Case(
        "reprovision",
        "reprovision, all at once, no login",
        REPROVISION,
        "activated",
        {"gateway_serial": "100%", "gateway_verify": "none"},
    ),
    Case("naive", "built-in modules, first run", str(HERE / "naive.yml"), "new"),
    Case("naive_rerun", "built-in modules, again", str(HERE / "naive.yml")),
)
FLOOR = "ssh"
TICKS = os.sysconf("SC_CLK_TCK")

Process = subprocess.Popen[bytes]


class Bench:
    def __init__(self, home: Path, fleet: Fleet, platform: Emulator, sizes: tuple[int, ...] = SIZES) -> None:
        self._home, self._fleet, self._platform = home, fleet, platform
        self._hosts = yaml.safe_load(fleet.inventory.read_text())["gateways"]["children"]["gateways_python"]["hosts"]
        self._processes = [fleet.process(name) for name in self._hosts]
        (home / "cp").mkdir()
        for size in sizes:
            self._write_inventory(size)
        for name in self._hosts:
            shutil.copy(platform.endpoints["ca_file"], f"{fleet.root(name)}{CA_ON_GATEWAYS}")

    def warm(self) -> None:
        """Open the connections to all gateways, which stay open during the measurement."""
        self._run(str(HERE / "ping.yml"), SIZES[2], {})

    def case(self, case: Case, gateways: int = GATEWAYS) -> Cost:
        if case.finds == "new":
            self._reset(gateways)
        elif case.finds == "activated":
            for name in self._first(gateways):
                self._platform.admin.activate(PRODUCT_KEY, name)
        before = self._registrations()
        cost = self._run(case.playbook, gateways, case.variables, case.callback)
        registered = self._registrations() - before
        if registered != (gateways if case.finds else 0):
            raise SystemExit(f"{case.title}: {registered} registrations over {gateways} gateways")
        return cost

    def floor(self) -> Cost:
        """Run `ssh HOST true` over the same connections, with the same number at a time."""
        inventory = yaml.safe_load(self._fleet.inventory.read_text())["gateways"]["vars"]
        command = ["ssh", "-l", "root", "-p", str(inventory["ansible_port"])]
        command += ["-i", inventory["ansible_ssh_private_key_file"], *inventory["ansible_ssh_common_args"].split()]
        before = self._clocks()

        def run(address: str) -> None:
            subprocess.run(
                [*command, "-o", f"ControlPath={self._home}/cp/{address}", address, "true"],
                check=True,
                stdin=subprocess.DEVNULL,
            )

        with ThreadPoolExecutor(FORKS) as pool:
            list(pool.map(run, [host["ansible_host"] for host in self._first(GATEWAYS).values()]))
        return self._since(before)

    def peak_memory(self, case: Case) -> float:
        """Return the peak memory of all processes of a run together, in megabytes."""
        return self._peak(self._start(case.playbook, GATEWAYS, case.variables), 0.2)

    def run_with_account(self, playbook: str, gateways: int) -> tuple[Cost, float]:
        """Run a playbook with the variables of the account; return its cost and its peak memory in megabytes."""
        before = self._clocks()
        process = self._start(playbook, gateways, ACCOUNT)
        peak = self._peak(process, 1)
        if process.returncode:
            raise SystemExit(f"{playbook} failed:\n{(self._home / 'log').read_text()[-3000:]}")
        return self._since(before), peak

    @staticmethod
    def _peak(process: Process, interval: float) -> float:
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(proportional_size(pid) for pid in tree(process.pid)))
            time.sleep(interval)
        return peak / 1024

    def _run(self, playbook: str, gateways: int, variables: dict[str, str], callback: str = "default") -> Cost:
        before = self._clocks()
        if self._start(playbook, gateways, variables, callback).wait():
            raise SystemExit(f"{playbook} failed:\n{(self._home / 'log').read_text()[-3000:]}")
        return self._since(before)

    def _clocks(self) -> Cost:
        gateways = sum(cpu_ticks(pid) for process in self._processes for pid in tree(process))
        times = os.times()
        return Cost(time.perf_counter(), times.children_user + times.children_system, gateways / TICKS)

    def _since(self, before: Cost) -> Cost:
        wall = time.perf_counter() - before.wall
        now = self._clocks()
        return Cost(wall, now.controller - before.controller, now.gateways - before.gateways)

    def _start(self, playbook: str, gateways: int, variables: dict[str, str], callback: str = "default") -> Process:
        ca_file = self._platform.endpoints["ca_file"] if variables == FROM_CONTROLLER else CA_ON_GATEWAYS
        extra = {
            "gateway_product_key": PRODUCT_KEY,
            "gateway_product_secret": PRODUCT_SECRET,
            "gateway_endpoint": self._platform.endpoints["register_url"],
            "gateway_ca_path": ca_file,
            "platform_access_key_id": ACCESS_KEY["id"],
            "platform_access_key_secret": ACCESS_KEY["secret"],
            "platform_openapi_endpoint": self._platform.endpoints["openapi_endpoint"],
            "platform_ca_path": self._platform.endpoints["ca_file"],
            **variables,
        }
        if playbook != REPROVISION and variables is not ACCOUNT:
            # With an account, provision would also add the devices.
            extra = {name: value for name, value in extra.items() if not name.startswith("platform_")}
        (self._home / "extra.json").write_text(json.dumps(extra))
        arguments = ["--inventory", f"{self._home}/{gateways}.json", "--extra-vars", f"@{self._home}/extra.json"]
        with (self._home / "log").open("wb") as log:
            return Process(
                [sys.executable, "-m", "ansible", "playbook", *arguments, playbook],
                cwd=self._home,
                env={**self._environment(), "ANSIBLE_STDOUT_CALLBACK": callback},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(HERE / "ansible.cfg"),
            "ANSIBLE_FORKS": str(FORKS),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=3600",
            "ANSIBLE_SSH_CONTROL_PATH": f"{self._home}/cp/%%h",
        }

    def _reset(self, gateways: int) -> None:
        for name in self._first(gateways):
            shutil.rmtree(self._fleet.root(name) / CREDENTIALS, ignore_errors=True)
        admin = self._platform.admin
        admin.clear_requests()
        if any(product["product_key"] == PRODUCT_KEY for product in admin.products()):
            admin.delete_product(PRODUCT_KEY)
        admin.put_product(PRODUCT_KEY, product_secret=PRODUCT_SECRET)
        for name in self._first(gateways):
            admin.put_device(PRODUCT_KEY, name)

    def _registrations(self) -> int:
        return len(self._platform.admin.requests(action="register"))

    def _first(self, gateways: int) -> dict[str, Any]:
        return dict(list(self._hosts.items())[:gateways])

    def _write_inventory(self, gateways: int) -> None:
        document = yaml.safe_load(self._fleet.inventory.read_text())
        document["gateways"]["children"]["gateways_python"]["hosts"] = self._first(gateways)
        (self._home / f"{gateways}.json").write_text(json.dumps(document))


def tree(process: int) -> Iterator[int]:
    """Yield the ids of the process and of its descendants."""
    yield process
    for child in read(process, f"task/{process}/children").split():
        yield from tree(int(child))


def cpu_ticks(process: int) -> int:
    """Return the CPU time of the process and of the children that it has waited for, in ticks of the kernel."""
    return sum(map(int, read(process, "stat").rpartition(b")")[2].split()[11:15]))


def proportional_size(process: int) -> int:
    """Return the memory of the process in kilobytes, with its part of what it shares with other processes."""
    found = re.search(rb"^Pss: *(\d+)", read(process, "smaps_rollup"), re.MULTILINE)
    return int(found[1]) if found else 0


def measure(bench: Bench, say: Console) -> dict[str, Any]:
    """Run all cases in each repetition, with a ping before and after; then the everyday run over three sizes, and a last ping."""
    costs: dict[str, list[Cost]] = {}
    scaling: dict[int, list[float]] = {}

    def note(name: str, cost: Cost) -> None:
        costs.setdefault(name, []).append(cost)
        say.print(f"{name}: {cost.wall:.2f} s")

    by_name = {case.name: case for case in CASES}
    bench.warm()
    for _repetition in range(REPETITIONS):
        for case in CASES:
            note(case.name, mean([bench.case(case) for _time in range(case.times)]))
        note(FLOOR, bench.floor())
    note("ping", bench.case(by_name["ping"]))
    bench.case(by_name["provision"], SIZES[2])
    for _repetition in range(REPETITIONS):
        for size in SIZES:
            cost = bench.case(by_name["rerun"], size)
            scaling.setdefault(size, []).append(1000 * cost.wall / size)
            say.print(f"rerun over {size}: {cost.wall:.2f} s")
    note("ping", bench.case(by_name["ping"]))
    memory = {name: bench.peak_memory(by_name[name]) for name in ("ping", "rerun")}
    return {
        **report(costs, scaling, GATEWAYS),
        "controller": {
            "peak_mb": {name: round(value) for name, value in memory.items()},
            "peak_mb_per_gateway": {name: round(value / GATEWAYS, 2) for name, value in memory.items()},
        },
        "gateways": GATEWAYS,
        "forks": FORKS,
        "repetitions": REPETITIONS,
        "connections": "open",
        "machine": f"{os.cpu_count()} CPUs, Python {machine.python_version()}",
    }


def main() -> None:
    # A signal must end the fleet and the platform too.
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit("terminated"))
    say = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = Path(directory)
        fleet = Fleet(home / "fleet")
        fleet.up(Size(SIZES[2]))
        try:
            with Emulator(home / "platform", {"access_keys": [ACCESS_KEY]}) as platform:
                result = measure(Bench(home, fleet, platform), say)
        finally:
            fleet.down()
    console = Console(width=None if sys.stdout.isatty() else 100)
    for table in tables(result, {case.name: case.title for case in CASES} | {FLOOR: "ssh HOST true"}):
        console.print(table)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
