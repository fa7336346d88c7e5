# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role emulator, included as users do, on the local connection."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import processes
import pytest
import requests
import yaml
from emulator import PROGRAM, Admin
from interpreters import interpreter
from playbook import Run, start_playbook

README = Path(__file__).parents[2] / "roles" / "emulator" / "README.md"

SEED = {
    "products": [{"product_key": "a1IoKTestP1", "product_secret": "6vEu5Qlj5STest01", "devices": ["gw-0001"]}],
}


def run(playbook: Any, home: Path, *arguments: str, check: bool = False, inventory: Any = None) -> Run:
    """Run a playbook without stopping the processes that outlive it."""
    env = {"ANSIBLE_PIPELINING": "1"}
    return start_playbook(playbook, inventory or {}, home, *arguments, check=check, env=env).wait()


class Role:
    """The role with its own home; a call runs it with variables."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state_dir = home / "state of it"

    def __call__(
        self, state: str = "started", *arguments: str, check: bool = False, show: str | None = None, **variables: Any
    ) -> Run:
        """Run the role with this state; `show` names a variable that a last task prints."""
        values = {"emulator_state": state, "emulator_state_dir": str(self.state_dir), **variables}
        include = {"ansible.builtin.include_role": {"name": "fleetops.aliyun_iot.emulator"}, "vars": values}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [include]}
        if show:
            play["tasks"].append({"ansible.builtin.debug": {"var": show}})
        return run(play, self.home, *arguments, check=check)

    def endpoints(self) -> dict[str, Any]:
        endpoints: dict[str, Any] = json.loads((self.state_dir / "endpoints.json").read_text())
        return endpoints


@pytest.fixture
def role(tmp_path: Path) -> Iterator[Role]:
    """Yield the role; the processes that it started in its home end with the test."""
    yield Role(tmp_path)
    processes.kill(lambda: processes.at_home(tmp_path))


class Life:
    """The states of one emulator: each call runs the role with the README's seed, and keeps the run."""

    def __init__(self, role: Role) -> None:
        self.role = role
        [self.seed] = re.findall(r"^```yaml\n(access_keys:.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
        self.runs: list[Run] = []

    def __call__(self, state: str, check: bool = False, rc: int = 0, **variables: Any) -> int:
        """Bring the emulator to this state, and return the number of changes."""
        file = self.role.home / "seed.yml"
        file.write_text(f"emulator_seed:\n{textwrap.indent(self.seed, '  ')}", encoding="utf-8")
        self.runs.append(self.role(state, "--diff", "-vvv", "-e", f"@{file}", check=check, **variables))
        assert self.runs[-1].rc == rc, self.runs[-1]
        return self.runs[-1].changed

    @property
    def admin(self) -> Admin:
        return Admin(self.role.endpoints()["admin_url"])

    def told(self, text: str) -> bool:
        """Return whether a run so far has printed the text."""
        return any(text in run.stdout + run.stderr for run in self.runs)


def test_a_life(role: Role) -> None:
    """Start, change, restart, stop and remove one emulator. Check mode changes nothing, and no secret of the seed is shown.

    The seed works as printed in the README, with a time that YAML converts to an object. Other names than its own may have any character.
    """
    life = Life(role)
    assert "expires: 2030-01-01T00:00:00Z" in life.seed
    life.seed = life.seed.replace("product_name: Ovens ", "product_name: Öfen 😀 ")
    assert life("started", check=True) == 3
    assert not role.state_dir.exists()
    assert life("started") == 3
    endpoints = role.endpoints()
    [ovens, _sensors] = life.admin.products()
    assert ovens["product_name"] == "Öfen 😀"
    assert life.admin.device("a1Example01", "gw-0001")["status"] == "UNACTIVE"
    assert (role.state_dir / "seed.yml").stat().st_mode & 0o777 == 0o600

    # Started again, nothing changes.
    assert life("started") == 0
    assert role.endpoints() == endpoints
    again = role(
        check=True, emulator_seed=json.loads((role.state_dir / "seed.yml").read_text()), show="emulator_endpoints"
    )
    assert (again.rc, again.changed, role.endpoints()) == (0, 0, endpoints), again
    assert again.result("localhost")["emulator_endpoints"] == endpoints

    # A seed with a mistake leaves the emulator and its seed.
    right, before = life.seed, (role.state_dir / "seed.yml").read_text()
    life.seed = right.replace("{name: gw-0002,", "{name: gw-0002, secret fedcba9876543210: null,")
    for check in (True, False):
        assert life("started", check=check, rc=2) == 0
        assert "seed: products[0].devices[1]: has an unknown key" in life.runs[-1].result("localhost")["msg"]
    assert (role.endpoints(), (role.state_dir / "seed.yml").read_text()) == (endpoints, before)
    os.kill(endpoints["pid"], 0)

    # Another seed restarts it.
    life.seed = right.replace("reregistration: rotate", "reregistration: same")
    assert life("started") == 2
    assert role.endpoints()["pid"] != endpoints["pid"]
    assert life.admin.settings()["reregistration"] == "same"
    [shown] = [task["result"] for task in life.runs[-1].results["localhost"] if "Write the seed" in task["task"]]
    assert "productsecret0001" not in json.dumps(shown)

    # Another option restarts it, and a dead one is started again.
    endpoints = role.endpoints()
    assert life("started", check=True, emulator_listen="127.0.0.9") == 1
    assert role.endpoints() == endpoints
    assert life("started", emulator_listen="127.0.0.9") == 1
    assert role.endpoints()["register_url"].startswith("https://127.0.0.9:")
    processes.kill(lambda: processes.at_home(role.home))
    assert life("started", check=True, emulator_listen="127.0.0.9", show="emulator_endpoints") == 1
    assert not life.told("register_url"), "those of the dead one are nobody's"
    assert life("started", emulator_listen="127.0.0.9") == 1
    url = role.endpoints()["admin_url"]
    assert requests.get(f"{url}/health", timeout=60).ok

    # Stopped, and absent.
    for state in ("stopped", "absent"):
        assert life(state, check=True) == 1
        assert requests.get(f"{url}/health", timeout=60).ok
    token = urlsplit(url).path.removeprefix("/")
    assert life("stopped") == 1
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
    assert life("stopped") == 0
    (role.state_dir / "emulator.log").unlink()
    assert (life("absent"), role.state_dir.exists(), life("absent")) == (1, False, 0)

    secrets = ("testKeySecret", "testToken", "productsecret0001", "0123456789abcdef0123456789abcdef")
    assert [secret in right for secret in secrets] == [True] * 4
    assert len(token) > 20
    assert [text for text in (*secrets, "fedcba9876543210", token) if life.told(text)] == []


@pytest.mark.parametrize("state", ["started", "absent"])
def test_another_directory_is_neither_changed_nor_removed(role: Role, state: str) -> None:
    folders = {name: role.home / name for name in ("full", "open", "foreign")}
    for name, mode in (("full", 0o755), ("open", 0o777), ("foreign", 0o755)):
        folders[name].mkdir()
        folders[name].chmod(mode)
    (folders["full"] / "seed.yml").write_text("dear")
    messages = {
        "full": "full: is not the state directory of an emulator, and not empty",
        "open": "open: other users may write into it",
    }
    if os.geteuid() == 0:
        os.chown(folders["foreign"], 65534, 65534)
        messages["foreign"] = "foreign: belongs to another user (uid 65534)"
    hosts = {name: {"emulator_state_dir": str(folders[name])} for name in messages}
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "roles": ["fleetops.aliyun_iot.emulator"]}
    variables = {"emulator_state": state, "emulator_seed": SEED, "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": hosts, "vars": variables}}
    ended = run(play, role.home, inventory=inventory)
    assert ended.changed == 0, ended
    for name, message in messages.items():
        assert message in ended.result(name)["msg"]
        assert ended.result(name)["msg"].count("\n") == 0
    assert (folders["full"] / "seed.yml").read_text() == "dear"
    left = {name: (folder.stat().st_mode & 0o777, len(list(folder.iterdir()))) for name, folder in folders.items()}
    assert left == {"full": (0o755, 1), "open": (0o777, 0), "foreign": (0o755, 0)}


def test_a_bad_seed_is_said_without_its_secrets(role: Role) -> None:
    failed = role(emulator_seed={"products": [{"product_key": "a1IoKTestP1", "product_secret": "Top Secret"}]})
    message = failed.result("localhost")["msg"]
    assert "seed: products[0].product_secret: has the wrong form; write 1 to 64 letters and digits" in message
    assert "Top Secret" not in failed.stdout + failed.stderr
    assert not role.state_dir.exists()


def test_a_seed_that_cannot_be_written_is_said_with_the_reason(role: Role) -> None:
    role.state_dir.mkdir(mode=0o700)
    (role.state_dir / "process.lock").touch()
    (role.state_dir / "seed.yml").mkdir()
    failed = role("started", "-vvv", emulator_seed=SEED)
    message = failed.result("localhost")["msg"]
    assert message.startswith(f"{role.state_dir}/seed.yml cannot be written: "), failed
    assert len(message) > len(f"{role.state_dir}/seed.yml cannot be written: ")
    assert "6vEu5Qlj5STest01" not in failed.stdout + failed.stderr
    assert failed.changed == 0


def test_an_old_python_is_said(role: Role) -> None:
    python = interpreter("3.8") or interpreter("3.10")
    if python is None:
        pytest.skip("there is no old Python")
    failed = role(emulator_python=str(python))
    assert "needs Python 3.11 or newer" in failed.result("localhost")["msg"]
    assert not role.state_dir.exists()


def test_absent_on_many_hosts_at_once(role: Role) -> None:
    """Hosts of one play can share the state directory of the controller; it is absent for each of them."""
    start = [sys.executable, "-m", "platform_emulator", "start", "--state-dir", role.state_dir]
    subprocess.run(start, env={"PYTHONPATH": str(PROGRAM), "HOME": str(role.home)}, check=True)
    hosts = {f"gw-{number}": {} for number in range(6)}
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "roles": ["fleetops.aliyun_iot.emulator"]}
    variables = {"emulator_state": "absent", "emulator_state_dir": str(role.state_dir)}
    inventory = {"all": {"hosts": hosts, "vars": {**variables, "ansible_python_interpreter": sys.executable}}}
    ended = run(play, role.home, inventory=inventory)
    assert ended.rc == 0, ended
    assert ended.changed >= 1
    assert not role.state_dir.exists()


def test_the_users_python_path_stays(role: Role) -> None:
    """The packages of the emulator may be in PYTHONPATH only."""
    venv.create(role.home / "bare", symlinks=True)
    packages = Path(yaml.__file__).parents[1]
    include = {
        "ansible.builtin.include_role": {"name": "fleetops.aliyun_iot.emulator"},
        "vars": {
            "emulator_state_dir": str(role.state_dir),
            "emulator_python": str(role.home / "bare" / "bin" / "python"),
        },
    }
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [include]}
    env = {"ANSIBLE_PIPELINING": "1", "PYTHONPATH": str(packages)}
    # In check mode, the program runs with the same packages, but does not start the emulator.
    ended = start_playbook(play, {}, role.home, check=True, env=env).wait()
    assert (ended.rc, ended.changed) == (0, 3), ended


def test_a_seed_that_is_no_mapping_is_said(role: Role) -> None:
    failed = role("started", "-vvv", emulator_seed="products: TopSecret1")
    assert failed.result("localhost")["msg"].startswith("emulator_seed is not a mapping.")
    assert "TopSecret1" not in failed.stdout + failed.stderr
    assert not role.state_dir.exists()


def test_a_python_that_is_not_there_is_said(role: Role) -> None:
    for state in ("started", "stopped", "absent"):
        failed = role(state, emulator_python=str(role.home / "nowhere"))
        assert (failed.rc, failed.changed, role.state_dir.exists()) == (2, 0, False)
        assert "emulator_python cannot be run" in failed.result("localhost")["msg"]


def test_packages_that_are_not_there_are_said(role: Role) -> None:
    venv.create(role.home / "bare", symlinks=True)
    failed = role(emulator_python=str(role.home / "bare" / "bin" / "python"))
    assert failed.rc != 0
    assert "bare/bin/python -m pip install aiohttp amqtt cryptography PyYAML" in failed.result("localhost")["msg"]
    assert role("absent").rc == 0
    assert not role.state_dir.exists()


def test_the_readmes_example_runs_as_printed(role: Role) -> None:
    (example,) = re.findall(r"^```yaml\n(- name: .*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    ran = run(yaml.safe_load(example), role.home)
    assert ran.rc == 0, ran
    assert ran.result("localhost")["msg"].startswith("Devices register at https://127.0.0.1:")
    (inventory,) = re.findall(r"^```yaml\n(gateways:.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert "/var/tmp/gateways/" in inventory
    (role.home / "inventory.yml").write_text(inventory.replace("/var/tmp/gateways/", f"{role.home}/gateways/"))
    (commands,) = re.findall(r"^```shell\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(role.home)}
    subprocess.run(["bash", "-ec", commands], cwd=role.home, env=environment, check=True)
    assert [path.parent.name for path in sorted(role.home.glob("gateways/*/device.json"))] == ["gw-0001", "gw-0002"]
    assert not (role.home / ".local/state/aliyun-iot-emulator").exists()
    assert [processes.read(pid, "cmdline") for pid in processes.at_home(role.home)] == []
