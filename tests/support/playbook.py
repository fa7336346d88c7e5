# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-playbook on gateways that are folders of this machine.

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
    """The outcome of one run of ansible-playbook."""

    rc: int
    stdout: str
    stderr: str
    # The tasks of each host: task, action, handler, status (ok, failed, skipped, unreachable) and result.
    results: dict[str, list[JSON]]
    # The counts of each host: ok, changed, failures, unreachable, skipped, rescued, ignored.
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
    """Reset the platform to the contents of `seed`, with no device activated and no trace of the previous test, and return it."""
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
    """Return an inventory whose group `gateways` uses the local connection, from a number of hosts, their names, or names with variables.

    Each host has a folder, its variable `root`, which contains the `gateway_path` of the role and the playbooks.
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
    """Return the options for registering at the platform."""
    return {
        "product_key": PRODUCT_KEY,
        "product_secret": PRODUCT_SECRET,
        "endpoint": platform.endpoints["register_url"],
        "ca_path": platform.endpoints["ca_file"],
    }


def mqtt_connection(platform: Emulator) -> dict[str, JSON]:
    """Return the same options for a region that registers over MQTT only."""
    options = {name: value for name, value in connection(platform).items() if name != "endpoint"}
    return {**options, "region": "cn-beijing", "mqtt_endpoint": mqtt_endpoint(platform)}


def mqtt_endpoint(platform: Emulator) -> str:
    return "{host}:{port}".format_map(platform.endpoints["mqtts"])


def gateway_play(platform: Emulator | None = None, /, **options: JSON) -> JSON:
    """Return a play of one task: gateway_credential on the group, with `{{ root }}/device.json` unless `path` is given."""
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
    """Run ansible-playbook in `tmp_path`, which is also its home, without the user's configuration.

    :param playbook: a play, a list of plays, or the name of a playbook
    :param inventory: the content of the inventory file; JSON is YAML
    :param arguments: further arguments, such as --diff or --limit
    :param env: further environment variables; of this process's environment, only PATH is used
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
    """Start ansible-playbook as `run_playbook` does, with the ansible-core of `python`. Concurrent runs need separate homes."""
    command = command_of(playbook, inventory, tmp_path, *["--check"] * check, *arguments, python=python)
    return _start(command, tmp_path, env)


def run_line(line: str, tmp_path: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run a command line that a playbook has printed, which starts with ansible-playbook, in `tmp_path` as `run_playbook` does."""
    script = f"words() {{ printf '%s\\0' \"$@\"; }}; words {line}"
    split = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    program, *arguments = split.split("\0")[:-1]
    assert program == "ansible-playbook", line
    with _start([sys.executable, "-m", "ansible", "playbook", *arguments], tmp_path, env) as started:
        return started.wait()


def _start(command: list[str], tmp_path: Path, env: Mapping[str, str] | None) -> Started:
    results_file = tmp_path / "results.jsonl"
    results_file.unlink(missing_ok=True)
    environment = {**environment_of(tmp_path), **(env or {})}
    process: subprocess.Popen[bytes] | fork_server.Forked
    with (tmp_path / "stdout.txt").open("wb") as stdout, (tmp_path / "stderr.txt").open("wb") as stderr:
        if command[0] == sys.executable and fork_server.same_imports(environment, tmp_path):
            own = command[command.index("playbook") + 1 :]
            process = fork_server.fork("ansible-playbook", own, environment, tmp_path, stdout, stderr)
        else:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
            )
    return Started(process, tmp_path, results_file)


@dataclass(frozen=True)
class Started:
    """A running ansible-playbook. At the end of `with`, it and all processes that it started are killed."""

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
        """Wait at most SECONDS for the end, and return the outcome."""
        rc = self.process.wait(SECONDS)
        stdout, stderr = ((self.home / name).read_text(encoding="utf-8") for name in ("stdout.txt", "stderr.txt"))
        return Run(rc, stdout, stderr, *_told(self.results_file))

    @property
    def finished(self) -> list[str]:
        """The hosts that have finished a task so far."""
        return list(_told(self.results_file)[0])

    def kill(self) -> None:
        """Kill all processes of the run at one moment, on both sides of its connections, as a power cut would."""
        processes.kill(lambda: processes.at_home(self.home))
        self.process.kill()
        self.process.wait()


def command_of(
    playbook: JSON, inventory: JSON, tmp_path: Path, *arguments: str, python: str = sys.executable
) -> list[str]:
    """Write the playbook and the inventory to `tmp_path`, and return the command that runs them."""
    if not isinstance(playbook, str):
        plays = playbook if isinstance(playbook, list) else [playbook]
        playbook = str(_written(tmp_path / "playbook.json", plays))
    hosts = _written(tmp_path / "hosts.json", inventory)
    return [python, "-m", "ansible", "playbook", "--inventory", str(hosts), *arguments, playbook]


def environment_of(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a run whose home is `tmp_path`."""
    return {**fork_server.STANDARD, "HOME": str(tmp_path), "RESULTS_FILE": str(tmp_path / "results.jsonl")}


def _written(path: Path, content: JSON) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _told(results_file: Path) -> tuple[dict[str, list[JSON]], dict[str, dict[str, int]]]:
    results: dict[str, list[JSON]] = {}
    stats: dict[str, dict[str, int]] = {}
    text = results_file.read_text(encoding="utf-8") if results_file.exists() else ""
    # The last line may be incomplete while the run is under way.
    for line in map(json.loads, text.split("\n")[:-1]):
        if "stats" in line:
            stats = line["stats"]
        else:
            results.setdefault(line.pop("host"), []).append(line)
    return results, stats
