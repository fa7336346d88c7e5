# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet costs: provisioning it, and running over it again, beside a ping and beside built-in modules.

All cases run over one loopback fleet, in turn, several times, so that whatever else the machine does hits all alike;
what is compared are medians. Connections are warm for all of them, as they are in a playbook's second task. A case that
does not do what it claims (gateways registered, runs without a failure) ends the measurement.

Sizes are environment variables: BENCH_GATEWAYS (100), BENCH_FORKS (20), BENCH_REPETITIONS (3). The last line is JSON.
SCALE=10000 measures an inventory of so many gateways instead (scale.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import platform as machine
import shutil
import signal
import statistics
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
from rich.console import Console
from rich.table import Table

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
    """A playbook to time: over gateways and a platform as new ("new"), over devices that are in use ("activated"), or as they are.

    From the first two it has to register every gateway once, else none.
    """

    name: str
    title: str
    playbook: str
    finds: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    callback: str = "default"


# For scale.py, whose inventory says which product each gateway is of.
ACCOUNT = {"audit_fail": "true", "gateway_product_key": "{{ product_key }}"}
PROGRESS = "fleetops.aliyun_iot.fleet_progress"
FROM_CONTROLLER = {"gateway_register_from": "controller"}
CASES = (
    Case("ping", "ansible.builtin.ping", str(HERE / "ping.yml")),
    Case("provision", "provision, first run", PROVISION, "new"),
    Case("provision_progress", "the same, with fleet_progress", PROVISION, "new", callback=PROGRESS),
    Case("rerun", "provision, again", PROVISION),
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
# What is compared: numerator, denominator, and the bound that the collection sets itself.
RATIOS = {
    "rerun_vs_ping": ("rerun", "ping", "at most", 0.18),
    "provision_vs_ping": ("provision", "ping", "at most", 0.85),
    "provision_controller_vs_ping": ("provision_controller", "ping", "at most", 0.5),
    "reprovision_vs_ping": ("reprovision", "ping", "at most", 1.6),
    "naive_vs_provision": ("naive", "provision", "at least", 8),
    "naive_rerun_vs_rerun": ("naive_rerun", "rerun", "at least", 13),
}
# The same of the controller's CPU alone, which is the limit of a real fleet.
CONTROLLER_RATIOS = {
    "rerun_vs_ping_controller_cpu": ("rerun", "ping", "at most", 0.4),
    "provision_vs_ping_controller_cpu": ("provision", "ping", "at most", 1.0),
    "progress_vs_default_controller_cpu": ("provision_progress", "provision", "at most", 1.05),
}
# A gateway's part of an everyday run over four times as many, against its part of a ping.
SCALING = f"rerun_of_{SIZES[2]}_vs_ping_of_{GATEWAYS}"
SCALING_BOUND = 0.12
BOUNDS = {name: bound[2:] for name, bound in {**RATIOS, **CONTROLLER_RATIOS}.items()} | {
    SCALING: ("at most", SCALING_BOUND)
}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """One run: seconds on the clock, and of processors on both sides, which say more on a busy machine."""

    wall: float
    controller: float
    gateways: float


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
        """Open every gateway's connection; they stay for longer than the measurement lasts."""
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
        """`ssh HOST true` over the same connections, as many at a time."""
        inventory = yaml.safe_load(self._fleet.inventory.read_text())["gateways"]["vars"]
        before = self._clocks()

        def run(address: str) -> None:
            options = [*inventory["ansible_ssh_common_args"].split(), "-o", f"ControlPath={self._home}/cp/{address}"]
            options += [
                "-p",
                str(inventory["ansible_port"]),
                "-l",
                "root",
                "-i",
                inventory["ansible_ssh_private_key_file"],
            ]
            subprocess.run(["ssh", *options, address, "true"], check=True, stdin=subprocess.DEVNULL)

        with ThreadPoolExecutor(FORKS) as pool:
            list(pool.map(run, [host["ansible_host"] for host in self._first(GATEWAYS).values()]))
        return self._since(before)

    def peak_memory(self, case: Case) -> float:
        """Megabytes of all processes of a run together, shared ones once; not timed, since looking costs time too."""
        return self._peak(self._start(case.playbook, GATEWAYS, case.variables), 0.2)

    def run_with_account(self, playbook: str, gateways: int) -> tuple[Cost, float]:
        """Run a playbook that has the account's variables; return its cost and its peak memory in megabytes."""
        before = self._clocks()
        process = self._start(playbook, gateways, ACCOUNT)
        peak = self._peak(process, 1)
        if process.returncode:
            raise SystemExit(f"{playbook} failed:\n{(self._home / 'log').read_text()[-3000:]}")
        return self._since(before), peak

    @staticmethod
    def _peak(process: subprocess.Popen[bytes], interval: float) -> float:
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

    def _start(
        self, playbook: str, gateways: int, variables: dict[str, str], callback: str = "default"
    ) -> subprocess.Popen[bytes]:
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
            # With an account, provision would add the devices too.
            extra = {name: value for name, value in extra.items() if not name.startswith("platform_")}
        (self._home / "extra.json").write_text(json.dumps(extra))
        arguments = ["--inventory", f"{self._home}/{gateways}.json", "--extra-vars", f"@{self._home}/extra.json"]
        with (self._home / "log").open("wb") as log:
            return subprocess.Popen(
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
    """Yield the process and all that descend from it."""
    yield process
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
            yield from tree(int(child))


def cpu_ticks(process: int) -> int:
    """Return what the process and those that it has waited for have used, in the kernel's ticks."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))
    return 0


def proportional_size(process: int) -> int:
    """Kilobytes of memory, those that n processes share counted as one nth."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def measure(bench: Bench, say: Console) -> dict[str, Any]:
    """Every case in turn, then again; then the provisioned fleet at three sizes, in the same way."""
    costs: dict[str, list[Cost]] = {}
    scaling: dict[int, list[float]] = {}

    def note(name: str, cost: Cost) -> None:
        costs.setdefault(name, []).append(cost)
        say.print(f"{name}: {cost.wall:.2f} s")

    bench.warm()
    for _repetition in range(REPETITIONS):
        for case in CASES:
            note(case.name, bench.case(case))
        note(FLOOR, bench.floor())
    by_name = {case.name: case for case in CASES}
    bench.case(by_name["provision"], SIZES[2])
    for _repetition in range(REPETITIONS):
        for size in SIZES:
            cost = bench.case(by_name["rerun"], size)
            scaling.setdefault(size, []).append(1000 * cost.wall / size)
            say.print(f"rerun over {size}: {cost.wall:.2f} s")
    return report(costs, scaling, {name: bench.peak_memory(by_name[name]) for name in ("ping", "rerun")})


def report(costs: dict[str, list[Cost]], scaling: dict[int, list[float]], memory: dict[str, float]) -> dict[str, Any]:
    """Return what was measured, in medians."""
    seconds = {name: statistics.median(cost.wall for cost in runs) for name, runs in costs.items()}
    cpu = {
        side: {
            name: round(1000 * statistics.median(getattr(cost, side) for cost in runs) / GATEWAYS, 1)
            for name, runs in costs.items()
        }
        for side in ("controller", "gateways")
    }
    per_host = {size: statistics.median(values) for size, values in scaling.items()}
    ratios = {name: seconds[over] / seconds[under] for name, (over, under, *_bound) in RATIOS.items()}
    cpu_ratios = {
        name: sum(side[over] for side in cpu.values()) / sum(side[under] for side in cpu.values())
        for name, (over, under, *_bound) in RATIOS.items()
    }
    ratios[SCALING] = per_host[SIZES[2]] / (1000 * seconds["ping"] / GATEWAYS)
    controller = cpu["controller"]
    ratios.update(
        (name, controller[over] / controller[under]) for name, (over, under, *_bound) in CONTROLLER_RATIOS.items()
    )
    return {
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "cpu_ratios": {name: round(value, 3) for name, value in cpu_ratios.items()},
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "spread": {name: [round(cost.wall, 2) for cost in runs] for name, runs in costs.items()},
        "cpu_ms_per_gateway": cpu,
        "controller": {
            "peak_mb": {name: round(value) for name, value in memory.items()},
            "peak_mb_per_gateway": {name: round(value / GATEWAYS, 2) for name, value in memory.items()},
        },
        "rerun_ms_per_gateway": {str(size): round(value, 1) for size, value in per_host.items()},
        "gateways": GATEWAYS,
        "forks": FORKS,
        "repetitions": REPETITIONS,
        "connections": "warm",
        "machine": f"{os.cpu_count()} CPUs, Python {machine.python_version()}",
    }


def tables(result: dict[str, Any]) -> Iterator[Table]:
    cases = Table(title=f"{GATEWAYS} gateways over SSH, {FORKS} forks, pipelining, warm connections")
    for column in ("", "seconds", "against ping", "CPU ms a gateway: controller", "gateway"):
        cases.add_column(column, justify="right" if column else "left")
    titles = {case.name: case.title for case in CASES} | {FLOOR: "ssh HOST true"}
    for name, seconds in result["seconds"].items():
        against = seconds / result["seconds"]["ping"]
        cpu = [f"{result['cpu_ms_per_gateway'][side][name]:.0f}" for side in ("controller", "gateways")]
        cases.add_row(titles[name], f"{seconds:.2f}", f"{against:.2f}", *cpu)
    yield cases
    ratios = Table()
    for column in ("ratio", "of seconds", "of CPU", "wanted"):
        ratios.add_column(column, justify="right" if column.startswith("of") else "left")
    for name, value in result["ratios"].items():
        word, bound = BOUNDS[name]
        met = value <= bound if word == "at most" else value >= bound
        cpu = result["cpu_ratios"].get(name)
        ratios.add_row(name, f"{value:.2f}", f"{cpu:.2f}" if cpu else "", f"{word} {bound}{'' if met else ', missed'}")
    yield ratios


def main() -> None:
    # So that whatever ends the measurement, the fleet and the platform end with it.
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
    for table in tables(result):
        console.print(table)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
