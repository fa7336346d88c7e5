# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the functions of the loopback fleet that need no gateway."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import MOST, Fleet, Size, gateway, identity, inventory


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def recorded(directory: Path, line: str) -> Fleet:
    (directory / "state").mkdir()
    (directory / "state/processes").write_text(line + "\n")
    return Fleet(directory / "state")


def test_down_ends_what_up_recorded(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    fleet = recorded(tmp_path, f"gw-0001 {identity(sleeper.pid)}")
    assert fleet.down() == 1
    assert sleeper.wait(10) == -9
    assert not fleet.directory.exists()
    assert fleet.down() == 0


def test_down_spares_a_process_that_was_given_the_number_later(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    number, start, boot = (identity(sleeper.pid) or "").split()
    assert recorded(tmp_path, f"gw-0001 {number} {int(start) - 1} {boot}").down() == 0
    assert sleeper.poll() is None


def test_down_passes_over_a_process_that_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert identity(process.pid) is None
    assert recorded(tmp_path, f"gw-0001 {process.pid} 1 boot").down() == 0


def test_down_leaves_a_directory_that_holds_no_fleet(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    assert Fleet(tmp_path).down() == 0
    assert (tmp_path / "mine").exists()


def test_up_takes_no_directory_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="exists already"):
        Fleet(tmp_path).up(Size(1))
    assert tmp_path.exists()


@pytest.mark.parametrize("size", [(0, 0), (-1, 0), (MOST + 1, 0), (3, 4), (3, -1), (3, 2, 2), (3, 0, -1)])
def test_sizes_that_cannot_be(size: tuple[int, ...]) -> None:
    with pytest.raises(SystemExit, match="a fleet has"):
        Size(*size)


def test_every_gateway_has_a_loopback_address_of_its_own() -> None:
    gateways = [gateway(number, Size(MOST), 2222) for number in range(1, MOST + 1)]
    addresses = {ipaddress.ip_address(each.address) for each in gateways}
    assert len(addresses) == len({each.name for each in gateways}) == MOST
    assert all(address.is_loopback for address in addresses)


def test_the_inventory_tells_kinds_apart(tmp_path: Path) -> None:
    gateways = [gateway(number, Size(4, 1, 1), 2222) for number in (1, 2, 3, 4)]
    groups = inventory(gateways, tmp_path, become=True)["gateways"]["children"]
    assert list(groups["gateways_python"]["hosts"]) == ["gw-0001", "gw-0002"]
    assert list(groups["gateways_busybox"]["hosts"]) == ["gw-0003"]
    assert list(groups["gateways_openwrt"]["hosts"]) == ["gw-0004"]


@pytest.mark.parametrize(("become", "user"), [(False, "root"), (True, "fleet")])
def test_the_inventory_says_who_logs_in(tmp_path: Path, become: bool, user: str) -> None:
    common = inventory([gateway(1, Size(1), 2222)], tmp_path, become)["gateways"]["vars"]
    assert (common["ansible_user"], common["ansible_become"]) == (user, become)


def test_host_keys_are_checked(tmp_path: Path) -> None:
    arguments = inventory([gateway(1, Size(1), 2222)], tmp_path, False)["gateways"]["vars"]["ansible_ssh_common_args"]
    assert "StrictHostKeyChecking=yes" in arguments
    assert f"UserKnownHostsFile={tmp_path}/known_hosts" in arguments
