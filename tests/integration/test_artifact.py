# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as users install it: built, installed elsewhere, and used from another folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from emulator import Emulator
from operations import account, results, role_variables
from playbook import PRODUCT_KEY, PRODUCT_SECRET, as_new, connection, inventory, run_playbook

ROOT = Path(__file__).parents[2]
NAME = "fleetops.aliyun_iot"


def ansible(command: str, *arguments: str, cwd: Path, **env: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "ansible", command, *arguments],
        check=False,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(cwd), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the settings with which Ansible finds the installed artifact and not the repository."""
    folder = tmp_path_factory.mktemp("artifact")
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    ansible("galaxy", "collection", "build", "--output-path", str(folder), cwd=ROOT, HOME=str(folder))
    [archive] = folder.glob("*.tar.gz")
    ansible("galaxy", "collection", "install", "--offline", str(archive), cwd=folder, **paths)
    return paths


def test_a_playbook_runs_by_its_name_from_a_folder_of_the_user(
    installed: dict[str, str], platform: Emulator, tmp_path: Path
) -> None:
    as_new(platform)
    (tmp_path / "agent.conf.j2").write_text("key={{ device_secret }}\n")
    export = {"dest": "{{ root }}/agent.conf", "template": "{{ inventory_dir }}/agent.conf.j2"}
    variables = {f"gateway_{name}": value for name, value in connection(platform).items()}
    fleet = inventory(2, tmp_path, **variables, gateway_exports=[export])
    for changed in (2, 0):
        run = run_playbook(f"{NAME}.provision", fleet, tmp_path, "-vv", env=installed)
        assert (run.rc, run.changed) == (0, changed), run
        assert f"task path: {installed['ANSIBLE_COLLECTIONS_PATH']}/ansible_collections/" in run.stdout
        assert PRODUCT_SECRET not in run.stdout + run.stderr
    secret = platform.admin.device(PRODUCT_KEY, "gw-0001")["device_secret"]
    assert (tmp_path / "gw-0001/agent.conf").read_text() == f"key={secret}\n"


# In the order of a gateway's life. report_merge is not here, because it needs the reports of the others.
LIFE = ("add_devices", "provision", "audit", "reprovision", "recover", "decommission")


def test_every_playbook_is_found_by_its_name(installed: dict[str, str], tmp_path: Path) -> None:
    """Every playbook is found by its name, with all tasks, roles and lookups that it imports."""
    collection = Path(installed["ANSIBLE_COLLECTIONS_PATH"], "ansible_collections", *NAME.split("."))
    there = sorted((collection / "playbooks").glob("*.yml"))
    assert {path.stem for path in there} == {*LIFE, "report_merge"}
    called = [f"{NAME}.{path.stem}" for path in there]
    listed = ansible("playbook", "--list-tasks", "--inventory", "gw-0001,", *called, cwd=tmp_path, **installed)
    found = {text.partition("\n")[0]: text for text in re.split("^playbook: ", listed, flags=re.MULTILINE)[1:]}
    assert list(found) == list(map(str, there))
    assert [name for name, text in found.items() if "TAGS: []" not in text.partition("tasks:")[2]] == []


def test_every_playbook_runs_from_a_folder_of_the_user(
    installed: dict[str, str], platform: Emulator, tmp_path: Path
) -> None:
    """Every playbook runs from a user's folder, in order, over gateways that are in service at the reprovision and deleted at the end."""
    as_new(platform)
    platform.admin.delete_device(PRODUCT_KEY, "gw-0002")
    fleet = inventory(2, tmp_path, **role_variables(platform), **account(platform), gateway_verify="none")
    said = ["-e", "target=gateways", "-e", "gateway_report_to=run.html", "-e", "decommission_platform=delete"]
    lives = [f"{NAME}.{name}" for name in LIFE]
    run = run_playbook(lives[-1], fleet, tmp_path, *said, *lives[:-1], env=installed)
    assert run.rc == 0, run
    for host in ("gw-0001", "gw-0002"):
        outcomes = [result["reason"] for result in results(run, host)]
        assert outcomes == ["missing", "reset", "exists"], run
        assert not (tmp_path / host / "device.json").exists()
    left = {device["device_name"] for device in platform.admin.devices(PRODUCT_KEY)}
    assert not left & {"gw-0001", "gw-0002"}
    said = ["-e", "gateway_report_from=run.json", "-e", "gateway_report_to=fleet.html"]
    merged = run_playbook(f"{NAME}.report_merge", fleet, tmp_path, *said, env=installed)
    assert merged.rc == 0, merged
    assert "gw-0002" in (tmp_path / "fleet.html").read_text()


@pytest.mark.parametrize(("kind", "folder"), [("module", "plugins/modules"), ("role", "roles")])
def test_everything_is_documented(installed: dict[str, str], tmp_path: Path, kind: str, folder: str) -> None:
    collection = Path(installed["ANSIBLE_COLLECTIONS_PATH"], "ansible_collections", *NAME.split("."))
    there = sorted(f"{NAME}.{path.stem}" for path in (collection / folder).glob("[a-z]*"))
    told = json.loads(ansible("doc", "--json", "--type", kind, *there, cwd=tmp_path, **installed))
    assert sorted(told) == there
    assert all("short_description" in json.dumps(told[name]) for name in there)
    ansible("doc", "--type", kind, *there, cwd=tmp_path, **installed)
