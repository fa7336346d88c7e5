# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role emulator, included as users do, on the local connection."""

from __future__ import annotations

import json
import os
import re
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
from emulator import Admin
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
    before = role.endpoints()
    foreseen = role(check=True, emulator_listen="127.0.0.9")
    assert (foreseen.changed, role.endpoints()) == (1, before), foreseen
    moved = role(emulator_listen="127.0.0.9")
    assert moved.changed == 1, moved
    assert role.endpoints()["register_url"].startswith("https://127.0.0.9:")
    processes.kill(lambda: processes.at_home(role.home))
    foreseen = role(check=True, emulator_listen="127.0.0.9", show="emulator_endpoints")
    assert foreseen.changed == 1, foreseen
    assert "register_url" not in foreseen.stdout, "those of the dead one are nobody's"
    revived = role(emulator_listen="127.0.0.9")
    assert (revived.rc, revived.changed) == (0, 1), revived
    assert requests.get(role.endpoints()["admin_url"] + "/health", timeout=60).ok


def test_stopped_and_absent(role: Role) -> None:
    assert role().rc == 0
    url = role.endpoints()["admin_url"]

    for state in ("stopped", "absent"):
        assert role(state, check=True).changed == 1
        assert requests.get(f"{url}/health", timeout=60).ok
    stopped = role("stopped")
    assert (stopped.rc, stopped.changed) == (0, 1), stopped
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
    assert role("stopped").changed == 0

    (role.state_dir / "emulator.log").unlink()
    absent = role("absent")
    assert (absent.rc, absent.changed, role.state_dir.exists()) == (0, 1, False), absent
    again = role("absent")
    assert (again.rc, again.changed) == (0, 0), again


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


def test_a_seed_with_a_mistake_leaves_the_emulator_and_its_seed(role: Role) -> None:
    assert role(emulator_seed=SEED).rc == 0
    before = role.endpoints(), (role.state_dir / "seed.yml").read_text()
    secret = "0123456789abcdef0123456789abcdef"
    wrong = {"products": [{**SEED["products"][0], "devices": [{"name": "gw-0001", f"secret {secret}": None}]}]}
    for check in (True, False):
        failed = role("started", "-vvv", check=check, emulator_seed=wrong)
        assert (failed.rc, failed.changed) == (2, 0), failed
        assert "seed: products[0].devices[0]: has an unknown key" in failed.result("localhost")["msg"]
        assert secret not in failed.stdout + failed.stderr
    assert (role.endpoints(), (role.state_dir / "seed.yml").read_text()) == before
    os.kill(before[0]["pid"], 0)


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
    assert role().rc == 0
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
    ended = start_playbook(play, {}, role.home, env=env).wait()
    assert ended.rc == 0, ended
    assert requests.get(role.endpoints()["admin_url"] + "/health", timeout=60).ok


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


def test_the_readmes_seed_is_taken_as_printed_and_kept_secret(role: Role) -> None:
    """The seed works as printed, with a time that YAML converts to an object. Other names than its own may have any character."""
    [printed] = re.findall(r"^```yaml\n(access_keys:.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert "expires: 2030-01-01T00:00:00Z" in printed
    variables = role.home / "variables.yml"
    seed = textwrap.indent(printed.replace("product_name: Ovens ", "product_name: Öfen 😀 "), "  ")
    variables.write_text(f"emulator_seed:\n{seed}", encoding="utf-8")
    arguments = ("-vvv", "-e", f"@{variables}")

    runs = [role("started", *arguments, check=True), role("started", *arguments)]
    assert [(ended.rc, ended.changed) for ended in runs] == [(0, 3), (0, 3)], runs[-1]
    [ovens, _sensors] = Admin(role.endpoints()["admin_url"]).products()
    assert ovens["product_name"] == "Öfen 😀"
    runs += [role("started", *arguments), role("stopped", *arguments), role("absent", *arguments)]
    assert [(ended.rc, ended.changed) for ended in runs[2:]] == [(0, 0), (0, 1), (0, 1)], runs[2:]
    for secret in ("testKeySecret", "testToken", "productsecret0001", "0123456789abcdef0123456789abcdef"):
        assert secret in seed
        assert [secret in ended.stdout + ended.stderr for ended in runs] == [False] * 5
