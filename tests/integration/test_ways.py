# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to a gateway that README lists: connections, become methods and login shells, with the pass and with a task."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from pwd import getpwnam
from typing import Any

import pytest
from emulator import Emulator
from fleet import USER, Size, unusable
from gateways import credential_text
from loopback import Loopback, command
from operations import role_variables
from playbook import PRODUCT_KEY, Run, connection, gateway_play, inventory, run_playbook
from shells import write_script
from ways import NO_BECOME, WAYS, Way

JSON = Any

CREDENTIAL = "etc/aliyun-iot/device.json"
CA_PATH = "/etc/aliyun-iot-ca.pem"
USED = "var/login-shell-used"
PASSWORD = "of-root-and-fleet"
# The program that a way needs on this machine, whose files its gateway has.
PROGRAMS = {"doas": "doas", "BusyBox ash": "busybox", "fish": "fish", "csh": "csh", "bash": "bash", "dash": "dash"}
REMOTE = [way for way in WAYS if way.connection == "ssh"]


def lacking(way: Way) -> str:
    """Return the reason why a way cannot be tried here, or an empty string."""
    programs = [PROGRAMS[part] for part in (way.become, way.shell) if part in PROGRAMS]
    missing = [program for program in programs if not shutil.which(program)]
    return f"{', '.join(missing)} is not installed" if missing else ""


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """Yield a running gateway for each way."""
    if problem := unusable(Size(len(REMOTE))):
        pytest.skip(problem)
    directory = tmp_path_factory.mktemp("ways") / "fleet"
    subprocess.run(command("up", str(len(REMOTE)), "--dir", directory), check=True)
    yield Loopback(directory)
    subprocess.run(command("down", "--dir", directory), check=True)


@pytest.fixture(scope="module")
def runs(gateways: Loopback, platform: Emulator, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Run the playbook, then a task, over all ways that can be tried: the first registers, the second finds nothing to do."""
    platform.admin.clear_requests()
    hosts = gateways.hosts
    common = hosts["gateways"]["vars"]
    del common["ansible_become"], common["ansible_user"]
    variables = {**role_variables(platform), "gateway_ca_path": CA_PATH}
    common.update(variables)
    known = hosts["gateways"]["children"]["gateways_python"]["hosts"]
    for name, way in named().items():
        platform.admin.put_device(PRODUCT_KEY, name)
        if lacking(way):
            del known[name]
        else:
            known[name].update(prepare(way, gateways.root(name), Path(platform.endpoints["ca_file"])))
    home = tmp_path_factory.mktemp("home")
    options = {**connection(platform), "ca_path": CA_PATH}
    task = {"fleetops.aliyun_iot.gateway_credential": options}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [task]}
    plays: list[JSON] = ["fleetops.aliyun_iot.provision", play]
    said = ["-e", "gateway_report=all"]
    return [run_playbook(each, hosts, home, *said, env={"ANSIBLE_FORKS": "20"}) for each in plays]


def named() -> dict[str, Way]:
    return {f"gw-{number:04}": way for number, way in enumerate(REMOTE, 1)}


def prepare(way: Way, root: Path, ca_file: Path) -> JSON:
    """Prepare a gateway for a way, and return the variables of its host."""
    shutil.copy(ca_file, root / CA_PATH.lstrip("/"))
    (root / CA_PATH.lstrip("/")).chmod(0o644)
    (root / "bin/ash").symlink_to(shutil.which("busybox") or "busybox")
    shell = "/bin/ash" if way.shell == "BusyBox ash" else shutil.which(PROGRAMS[way.shell])
    # The login shell is a script that records its use.
    write_script(root / "bin/login-shell", f'echo "{way.shell}" >/{USED}\nexec {shell} "$@"')
    (root / USED).touch()
    (root / USED).chmod(0o666)
    passwd = root / "etc/passwd"
    passwd.write_text(passwd.read_text().replace(f"/home/{USER}:/bin/sh", f"/home/{USER}:/bin/login-shell"))
    secret = ["openssl", "passwd", "-6", PASSWORD]
    hashed = subprocess.run(secret, check=True, capture_output=True, text=True).stdout.strip()
    shadow = root / "etc/shadow"
    shadow.write_text(
        shadow.read_text().replace("root:*:", f"root:{hashed}:").replace(f"{USER}:*:", f"{USER}:{hashed}:")
    )
    (root / "etc/doas.conf").write_text(f"permit nopass {USER}\n")
    (root / "etc/doas.conf").chmod(0o400)
    sudoers = root / "etc/sudoers"
    if way.become == "sudo with a password":
        sudoers.write_text(sudoers.read_text().replace(f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL", f"{USER} ALL=(ALL) ALL"))
    if way.become == NO_BECOME:
        return {"ansible_user": "root"}
    method, _with, password = way.become.partition(" ")
    given = {"ansible_become_password": PASSWORD} if password else {}
    return {"ansible_user": USER, "ansible_become": True, "ansible_become_method": method, **given}


@pytest.mark.parametrize(("name", "way"), named().items(), ids=str)
def test_a_gateway_over_ssh(gateways: Loopback, runs: list[Run], platform: Emulator, name: str, way: Way) -> None:
    if problem := lacking(way):
        pytest.skip(problem)
    first, again = runs
    assert first.result(name).get("reason") == "missing", first
    secret = platform.admin.device(PRODUCT_KEY, name)["device_secret"]
    file = gateways.root(name) / CREDENTIAL
    assert file.read_text() == credential_text(PRODUCT_KEY, name, secret)
    assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, 0)
    assert (again.result(name).get("reason"), again.result(name)["changed"]) == ("up_to_date", False), again
    assert len(platform.admin.requests(action="register", device_name=name)) == 1
    if way.become != NO_BECOME:
        assert (gateways.root(name) / USED).read_text().strip() == way.shell


@pytest.mark.parametrize("way", [way for way in WAYS if way.connection == "local"], ids=str)
def test_a_gateway_that_is_the_controller(platform: Emulator, folder: Path, new_platform: None, way: Way) -> None:
    """The controller may be the gateway; if Ansible already runs as root, it becomes another user, who owns the folder."""
    user = os.geteuid()
    become: JSON = {}
    if way.become == "sudo":
        if not shutil.which("sudo") or user:
            pytest.skip("only root becomes anybody by sudo without a password")
        user = getpwnam("nobody").pw_uid
        become = {"ansible_become": True, "ansible_become_method": "sudo", "ansible_become_user": "nobody"}
    gateway = folder / "gateway"
    gateway.mkdir(mode=0o700)
    os.chown(gateway, user, -1)
    folder.chmod(0o711)
    variables = {**role_variables(platform), "gateway_path": f"{gateway}/device.json", **become}
    hosts = inventory({"gw-0001": variables}, folder, gateway_register_from="controller")
    play = gateway_play(platform, register_from="controller", path="{{ gateway_path }}")
    first, again = (run_playbook(each, hosts, folder) for each in ("fleetops.aliyun_iot.provision", play))
    assert (first.rc, first.changed, again.rc, again.changed) == (0, 1, 0, 0), (first, again)
    assert (gateway / "device.json").stat().st_uid == user
