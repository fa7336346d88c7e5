# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role emulator as users include it, on the local connection."""

from __future__ import annotations

import json
import re
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import processes
import pytest
import requests
import yaml
from emulator import Admin
from playbook import Run, start_playbook

README = Path(__file__).parents[2] / "roles" / "emulator" / "README.md"

SEED = {
    "products": [{"product_key": "a1IoKTestP1", "product_secret": "6vEu5Qlj5STest01", "devices": ["gw-0001"]}],
}


def run(playbook: Any, home: Path, *arguments: str, check: bool = False) -> Run:
    """Run a playbook and leave alone what outlives it."""
    return start_playbook(playbook, {}, home, *arguments, check=check, env={"ANSIBLE_PIPELINING": "1"}).wait()


class Role:
    """The role, run with variables on a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state_dir = home / "state of it"

    def __call__(
        self, state: str = "started", *arguments: str, check: bool = False, show: str | None = None, **variables: Any
    ) -> Run:
        """Bring it to a state; `show` names a variable that the last result then has."""
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
    """The role; whatever it started in its home ends with the test."""
    yield Role(tmp_path)
    processes.kill(lambda: processes.at_home(tmp_path))


def test_started_twice_changes_nothing_and_another_seed_restarts(role: Role) -> None:
    before = role(check=True, emulator_seed=SEED)
    assert (before.rc, role.state_dir.exists()) == (0, False), before

    first = role(emulator_seed=SEED)
    assert (first.rc, first.changed) == (0, 3), first
    endpoints = role.endpoints()
    assert Admin(endpoints["admin_url"]).device("a1IoKTestP1", "gw-0001")["status"] == "UNACTIVE"
    assert (role.state_dir / "seed.yml").stat().st_mode & 0o777 == 0o600

    for check in (True, False):
        again = role(check=check, emulator_seed=SEED, show="emulator_endpoints")
        assert (again.rc, again.changed, role.endpoints()) == (0, 0, endpoints), again
        assert again.result("localhost")["emulator_endpoints"] == endpoints

    more = role("started", "--diff", "-vvv", emulator_seed={**SEED, "settings": {"reregistration": "same"}})
    assert (more.rc, more.changed) == (0, 2), more
    assert role.endpoints()["pid"] != endpoints["pid"]
    assert Admin(role.endpoints()["admin_url"]).settings()["reregistration"] == "same"
    shown = [task["result"] for task in more.results["localhost"] if task["task"] == "Write the seed"]
    assert "6vEu5Qlj5STest01" not in json.dumps(shown)
    token = urlsplit(role.endpoints()["admin_url"]).path.removeprefix("/")
    assert len(token) > 20
    assert token not in more.stdout + more.stderr


def test_another_option_restarts_and_a_dead_one_is_started_again(role: Role) -> None:
    assert role().rc == 0
    moved = role(emulator_listen="127.0.0.9")
    assert moved.changed == 1, moved
    assert role.endpoints()["register_url"].startswith("https://127.0.0.9:")
    processes.kill(lambda: processes.at_home(role.home))
    revived = role(emulator_listen="127.0.0.9")
    assert (revived.rc, revived.changed) == (0, 1), revived
    assert requests.get(role.endpoints()["admin_url"] + "/health", timeout=60).ok


def test_stopped_and_absent(role: Role) -> None:
    assert role().rc == 0
    url = role.endpoints()["admin_url"]

    stopped = role("stopped")
    assert (stopped.rc, stopped.changed) == (0, 1), stopped
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
    assert role("stopped").changed == 0

    absent = role("absent")
    assert (absent.rc, absent.changed, role.state_dir.exists()) == (0, 1, False), absent
    again = role("absent")
    assert (again.rc, again.changed) == (0, 0), again


def test_absent_removes_no_other_directory(role: Role) -> None:
    role.state_dir.mkdir()
    (role.state_dir / "letter.txt").write_text("dear")
    refused = role("absent")
    assert refused.rc != 0
    assert "is not the state directory of an emulator" in refused.stdout + refused.stderr
    assert (role.state_dir / "letter.txt").exists()


def test_a_bad_seed_is_said_without_its_secrets(role: Role) -> None:
    failed = role(emulator_seed={"products": [{"product_key": "a1IoKTestP1", "product_secret": "Top Secret"}]})
    message = failed.result("localhost")["msg"]
    assert "seed.yml: products[0].product_secret: has the wrong form; write 1 to 64 letters and digits" in message
    assert "Top Secret" not in failed.stdout + failed.stderr


def test_a_python_that_is_not_there_is_said(role: Role) -> None:
    failed = role(emulator_python=str(role.home / "nowhere"))
    assert failed.rc != 0
    assert "emulator_python cannot be run" in failed.result("localhost")["msg"]


def test_packages_that_are_not_there_are_said(role: Role) -> None:
    venv.create(role.home / "bare", symlinks=True)
    failed = role(emulator_python=str(role.home / "bare" / "bin" / "python"))
    assert failed.rc != 0
    assert "bare/bin/python -m pip install aiohttp amqtt cryptography PyYAML" in failed.result("localhost")["msg"]


def test_the_readmes_example_runs_as_printed(role: Role) -> None:
    (example,) = re.findall(r"^```yaml\n(- name: .*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    ran = run(yaml.safe_load(example), role.home)
    assert ran.rc == 0, ran
    assert ran.result("localhost")["msg"].startswith("Devices register at https://127.0.0.1:")
