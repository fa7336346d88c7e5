# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks as tests run them: ansible-playbook over gateways that are folders of this machine.

run = run_playbook(gateway_play(platform), inventory(3, tmp_path), tmp_path)
assert run.rc == 0, run
assert run.result("gw-0001")["reason"] == "missing"
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fork_server
import processes
from emulator import Emulator
from platform_emulator.settings import Settings

SECONDS = 300

PRODUCT_KEY = "a1IoKTestP1"
PRODUCT_SECRET = "6vEu5Qlj5STest01"

JSON = Any


@dataclass(frozen=True)
class Run:
    """One ansible-playbook, ended."""

    rc: int
    stdout: str
    stderr: str
    # By host, its tasks: task, action, handler, status (ok, failed, skipped, unreachable) and result.
    results: dict[str, list[JSON]]
    # By host: ok, changed, failures, unreachable, skipped, rescued, ignored.
    stats: dict[str, dict[str, int]]

    def result(self, host: str) -> JSON:
        """Return what the host's last task returned."""
        return self.results[host][-1]["result"]

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.stats.values())

    def __repr__(self) -> str:
        return f"exit code {self.rc}\n{self.stdout}\n{self.stderr}"


def seed(devices: int = 20) -> JSON:
    """Return a platform's seed: one product with the devices gw-0001, gw-0002 and so on."""
    product = {"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET, "devices": names(devices)}
    return {"products": [product]}


def as_new(platform: Emulator) -> Emulator:
    """Return the platform with what `seed` says, each device unactivated, and nothing of the test before."""
    admin = platform.admin
    for product in admin.products():
        admin.delete_product(product["product_key"])
    admin.put_product(PRODUCT_KEY, product_secret=PRODUCT_SECRET)
    for name in names(20):
        admin.put_device(PRODUCT_KEY, name)
    admin.settings(**asdict(Settings()))
    admin.clear_faults()
    admin.clear_requests()
    return platform


def names(count: int) -> list[str]:
    return [f"gw-{number:04}" for number in range(1, count + 1)]


def inventory(hosts: int | Iterable[str] | Mapping[str, JSON], tmp_path: Path, **variables: JSON) -> JSON:
    """Return a group `gateways` on the local connection: so many, these names, or these with variables of their own.

    Each has a folder, its variable `root`; the role and the playbooks find their `gateway_path` in it.
    """
    if isinstance(hosts, int):
        hosts = names(hosts)
    own = hosts if isinstance(hosts, Mapping) else {host: {} for host in hosts}
    gateways = {}
    for host in own:
        root = tmp_path / host
        root.mkdir(mode=0o700, exist_ok=True)
        gateways[host] = {"root": str(root), "gateway_path": f"{root}/device.json", **own[host]}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"gateways": {"hosts": gateways, "vars": {**local, **variables}}}


def connection(platform: Emulator) -> dict[str, JSON]:
    """Return the options that lead to the platform."""
    return {
        "product_key": PRODUCT_KEY,
        "product_secret": PRODUCT_SECRET,
        "endpoint": platform.endpoints["register_url"],
        "ca_path": platform.endpoints["ca_file"],
    }


def mqtt_connection(platform: Emulator) -> dict[str, JSON]:
    """Return the same of a region that registers over MQTT alone."""
    options = {name: value for name, value in connection(platform).items() if name != "endpoint"}
    return {**options, "region": "cn-beijing", "mqtt_endpoint": mqtt_endpoint(platform)}


def mqtt_endpoint(platform: Emulator) -> str:
    return "{host}:{port}".format_map(platform.endpoints["mqtts"])


def gateway_play(platform: Emulator | None = None, /, **options: JSON) -> JSON:
    """Return a play of one task: gateway_credential on the group, on `{{ root }}/device.json` unless `path` says otherwise."""
    known = connection(platform) if platform else {"product_key": PRODUCT_KEY}
    task = {"fleetops.aliyun_iot.gateway_credential": {**known, "path": "{{ root }}/device.json", **options}}
    return {"hosts": "gateways", "gather_facts": False, "tasks": [task]}


def run_playbook(
    playbook: JSON,
    inventory: JSON,
    tmp_path: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    check: bool = False,
) -> Run:
    """Run ansible-playbook in `tmp_path`, its home, with nobody's configuration.

    :param playbook: a play, a list of plays, or the name of a playbook
    :param inventory: what an inventory file says; JSON is YAML
    :param arguments: further ones, such as --diff or --limit
    :param env: further environment variables; None takes nothing from this process but PATH
    :param check: whether to run in check mode
    """
    with start_playbook(playbook, inventory, tmp_path, *arguments, env=env, check=check) as started:
        return started.wait()


def start_playbook(
    playbook: JSON,
    inventory: JSON,
    tmp_path: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    check: bool = False,
    python: str = sys.executable,
) -> Started:
    """As `run_playbook`, without waiting, with the ansible-core of this Python. Two runs at once need a home each."""
    results_file = tmp_path / "results.jsonl"
    results_file.unlink(missing_ok=True)
    command = command_of(playbook, inventory, tmp_path, *["--check"] * check, *arguments, python=python)
    environment = {**environment_of(tmp_path), **(env or {})}
    process: subprocess.Popen[bytes] | fork_server.Forked
    with (tmp_path / "stdout.txt").open("wb") as stdout, (tmp_path / "stderr.txt").open("wb") as stderr:
        if python == sys.executable and fork_server.same_imports(environment, tmp_path):
            own = command[command.index("playbook") + 1 :]
            process = fork_server.fork("ansible-playbook", own, environment, tmp_path, stdout, stderr)
        else:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
            )
    return Started(process, tmp_path, results_file)


@dataclass(frozen=True)
class Started:
    """One ansible-playbook, under way; at the end of `with`, neither it nor any process that it started is left."""

    process: subprocess.Popen[bytes] | fork_server.Forked
    home: Path
    results_file: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def wait(self) -> Run:
        """Its end, within SECONDS."""
        rc = self.process.wait(SECONDS)
        stdout, stderr = ((self.home / name).read_text(encoding="utf-8") for name in ("stdout.txt", "stderr.txt"))
        return Run(rc, stdout, stderr, *_told(self.results_file))

    @property
    def finished(self) -> list[str]:
        """The hosts that have returned from a task so far."""
        return list(_told(self.results_file)[0])

    def kill(self) -> None:
        """End it as a power cut would: all of its processes, on both sides of the connections, at one moment."""
        processes.kill(lambda: processes.at_home(self.home))
        self.process.kill()
        self.process.wait()


def command_of(
    playbook: JSON, inventory: JSON, tmp_path: Path, *arguments: str, python: str = sys.executable
) -> list[str]:
    """Return the command that runs a playbook, whose files are written to `tmp_path`."""
    if not isinstance(playbook, str):
        plays = playbook if isinstance(playbook, list) else [playbook]
        playbook = str(_written(tmp_path / "playbook.json", plays))
    hosts = _written(tmp_path / "hosts.json", inventory)
    return [python, "-m", "ansible", "playbook", "--inventory", str(hosts), *arguments, playbook]


def environment_of(tmp_path: Path) -> dict[str, str]:
    """Return what a run has in its environment, with `tmp_path` as its home."""
    return {**fork_server.STANDARD, "HOME": str(tmp_path), "RESULTS_FILE": str(tmp_path / "results.jsonl")}


def _written(path: Path, content: JSON) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _told(results_file: Path) -> tuple[dict[str, list[JSON]], dict[str, dict[str, int]]]:
    results: dict[str, list[JSON]] = {}
    stats: dict[str, dict[str, int]] = {}
    text = results_file.read_text(encoding="utf-8") if results_file.exists() else ""
    # The last line of a run that is under way may be half a line.
    for line in map(json.loads, text.split("\n")[:-1]):
        if "stats" in line:
            stats = line["stats"]
        else:
            results.setdefault(line.pop("host"), []).append(line)
    return results, stats
