# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fill the gateway's disk between two scripts of one change: begin has reserved all that the scripts after it need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from script_box import NEW_SECRET, SECRET, Box, identity, line, on_small_disk

# The limits of a file system: its blocks, or its files.
LIMITS = ("size=16k", "size=64k,nr_inodes=12")


@pytest.fixture(params=LIMITS)
def disk(request: pytest.FixtureRequest, box: Box, tmp_path: Path) -> Iterator[Box]:
    """Yield the box on a very small file system."""
    with on_small_disk(box, tmp_path / "disk", request.param):
        yield box


def fill(disk: Box) -> None:
    """Take all free blocks, and all files that can still be created, as far as their number is limited."""
    with suppress(OSError), (disk.folder / "blocks").open("ab", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass
    with suppress(OSError):
        for number in range(100):
            (disk.folder / f"{number}").touch()


@pytest.mark.parametrize("before", [None, SECRET])
def test_begin_reserves_what_store_needs(disk: Box, before: str | None) -> None:
    if before:
        disk.provision(before)
    assert disk.begin(disk.look()).outcome == "begun"
    fill(disk)
    assert disk.store(NEW_SECRET).outcome == "installed"
    assert disk.path.read_text() == line(NEW_SECRET)


@pytest.mark.parametrize("before", [None, SECRET])
def test_begin_reserves_what_settle_needs(disk: Box, before: str | None) -> None:
    if before:
        disk.provision(before)
    assert disk.begin(disk.look()).outcome == "begun"
    fill(disk)
    assert disk.store(NEW_SECRET, doubt=True).outcome == "installed"
    fill(disk)
    assert disk.settle(identity(NEW_SECRET), token="token1").outcome == "settled"
    assert {path.name for path in disk.path.parent.iterdir()} == {"device.json"}


def test_begin_reserves_what_abandon_needs(disk: Box) -> None:
    disk.provision()
    assert disk.begin(disk.look()).outcome == "begun"
    fill(disk)
    assert disk.abandon().outcome == "abandoned"
    assert {path.name for path in disk.path.parent.iterdir()} == {"device.json"}


@pytest.mark.parametrize("times", [1, 2])
def test_a_lease_is_renewed_on_a_disk_that_is_full_by_now(disk: Box, times: int) -> None:
    """After the reset, which begin's check has allowed, the registration can begin, and its secret is stored."""
    disk.provision()
    assert disk.begin(disk.look(), intent="reset").outcome == "begun"
    for _time in range(times):
        fill(disk)
        assert disk.begin(disk.look(), intent="renew", continues="yes").outcome == "begun"
    assert "intent=renew over=yes" in disk.journal.read_text()
    fill(disk)
    assert disk.store(NEW_SECRET).outcome == "installed"
    assert disk.path.read_text() == line(NEW_SECRET)
    assert disk.settle(identity(NEW_SECRET), token="token1").outcome == "settled"


def test_a_renewed_lease_reserves_the_space_again(disk: Box) -> None:
    """The file that reserves the space is missing before, because somebody has removed it."""
    disk.provision()
    disk.begin(disk.look(), intent="reset")
    disk.new.unlink()
    assert disk.begin(disk.look(), intent="renew", continues="yes").outcome == "begun"
    fill(disk)
    assert disk.store(NEW_SECRET).outcome == "installed"


@pytest.mark.parametrize("script", ["store", "settle", "finish", "abandon", "repair", "remove"])
def test_what_begin_has_reserved_is_removed_with_its_change(one: Box, script: str) -> None:
    one.provision()
    one.begin(one.look())
    if script == "finish":
        one.new.write_text(line(NEW_SECRET))
    elif script in ("settle", "repair"):
        one.path.write_text(line(NEW_SECRET))
    if script == "repair":
        one.journal.unlink()
    found = one.look()
    {
        "store": one.store,
        "settle": lambda: one.settle(identity(NEW_SECRET), token="token1"),
        "finish": lambda: one.finish(found, identity(NEW_SECRET)),
        "abandon": one.abandon,
        "repair": lambda: one.repair(found),
        "remove": lambda: one.remove(found),
    }[script]()
    assert not one.path.with_name(".device.json.spare").exists()
