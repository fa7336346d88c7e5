# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loopback fleet, and gateway_credential over real SSH: with and without sudo, pipelining and Python."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import processes
import pytest
from emulator import Emulator
from fleet import Size, unusable
from gateways import credential_text
from loopback import Loopback, command
from playbook import PRODUCT_KEY, connection, run_playbook

CREDENTIAL = "etc/aliyun-iot/device.json"
BOTH = ("gw-0001", "gw-0002")  # one with Python, one with BusyBox alone
CA_PATH = "/etc/aliyun-iot-ca.pem"

pytestmark = pytest.mark.skipif(bool(unusable(Size(1))), reason=unusable(Size(1)) or "")


# Without pipelining only sudo is tried: root handles files in the same way.
@pytest.mark.parametrize(
    ("become", "pipelining"),
    [(False, "1"), (True, "1"), (True, "0")],
    ids=["root-pipelining", "sudo-pipelining", "sudo-files"],
)
def test_provisions_over_ssh(
    fleet: Callable[..., Loopback], platform: Emulator, tmp_path: Path, become: bool, pipelining: str
) -> None:
    gateways = fleet(len(BOTH), busybox=1, become=become)
    for name in BOTH:
        platform.admin.put_device(PRODUCT_KEY, name)
    (gateways.root(BOTH[0]) / CA_PATH.lstrip("/")).write_text(Path(platform.endpoints["ca_file"]).read_text())
    platform.admin.clear_requests()
    options = connection(platform)
    options["ca_path"] = f"{{{{ '{CA_PATH}' if 'gateways_python' in group_names else '{options['ca_path']}' }}}}"
    options["register_from"] = "{{ gateway_register_from | default(omit) }}"
    plays = [
        {
            "hosts": "gateways_python",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.ping": {}}],
        },
        {
            "hosts": "gateways",
            "gather_facts": False,
            "tasks": [{"fleetops.aliyun_iot.gateway_credential": options}],
        },
    ]
    env = {"ANSIBLE_PIPELINING": pipelining}

    run = run_playbook(plays, gateways.hosts, tmp_path, env=env)

    assert run.rc == 0, run
    for name in BOTH:
        secret = platform.admin.device(PRODUCT_KEY, name)["device_secret"]
        file = gateways.root(name) / CREDENTIAL
        assert file.read_text() == credential_text(PRODUCT_KEY, name, secret)
        assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, 0)
    calls = platform.admin.requests(action="register")
    assert len(calls) == len(BOTH)

    again = run_playbook(plays, gateways.hosts, tmp_path, env=env)

    assert (again.rc, again.changed) == (0, 0), again
    assert platform.admin.requests(action="register") == calls


def test_gateways_share_nothing(fleet: Callable[..., Loopback]) -> None:
    """Gateways share no files with each other or with the machine."""
    gateways = fleet(2)
    one, other = gateways.root("gw-0001"), gateways.root("gw-0002")
    for place in ("dev/shm", "etc", "home", "root", "run", "tmp", "usr", "var", "var/tmp"):
        (one / place / "fleet-was-here").write_text("one")
        assert not (other / place / "fleet-was-here").exists()
        assert not Path("/", place, "fleet-was-here").exists()
    assert not list((other / "tmp").iterdir())
    with pytest.raises(OSError, match="Read-only"):
        (one / "proc/sys/kernel/hostname").write_text("one")


def test_down_leaves_no_process(fleet: Callable[..., Loopback], tmp_path: Path) -> None:
    gateways = fleet(3)
    port = gateways.hosts["gateways"]["vars"]["ansible_port"]
    # The processes that a gateway has started end with it.
    task = {"ansible.builtin.command": "sleep 4242", "async": 4242, "poll": 0}
    run_playbook({"hosts": "gateways", "gather_facts": False, "tasks": [task]}, gateways.hosts, tmp_path)
    assert len(of_fleet(str(port))) >= 3
    processes.wait_for(lambda: len(of_fleet("sleep 4242")) >= 3, "what the gateways were told to start")
    assert gateways.down() == 3
    assert of_fleet(str(port)) == of_fleet("sleep 4242") == []


def test_down_after_a_crash_of_up(tmp_path: Path) -> None:
    gateways = Loopback(tmp_path / "fleet")
    with subprocess.Popen(command("up", "40", "--dir", gateways.directory)) as up:
        processes.wait_for(lambda: len(list(gateways.directory.glob("log/*"))) >= 3, "three gateways")
        up.kill()
    # A gateway has a log before it is an sshd, and becomes one although `up` is dead.
    port = gateways.hosts["gateways"]["vars"]["ansible_port"]
    processes.wait_for(lambda: len(of_fleet(f":{port}")) >= 3, "what outlives the start of its fleet")
    subprocess.run(command("down", "--dir", gateways.directory), check=True)
    assert of_fleet(f":{port}") == of_fleet(str(gateways.directory)) == []


def of_fleet(text: str) -> list[str]:
    """Return the command lines of running processes that contain this text."""
    lines = [processes.read(pid, "cmdline").replace(b"\0", b" ").decode() for pid in processes.everyone()]
    return [line for line in lines if text in line]
