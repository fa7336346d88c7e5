# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of begin before a registration, and their remains: none in check mode, the journal and the room in a run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from script_box import CLIENT, PLACEHOLDER, ROOT, Box, Shell
from shells import write_script

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.certificate import KINDS, compose, fields_of
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export

# Check mode, and a run.
PROOFS = ("yes", "no")


def with_tools(box: Box, folder: Path, **tools: str) -> Box:
    """Return the same gateway with these tools before its own."""
    folder.mkdir()
    for name, script in tools.items():
        write_script(folder / name, script)
    return Box(Shell(box.shell.command, f"{folder}:{box.shell.path}"), box.folder, box.exports, box.attributes)


def snapshot(box: Box) -> dict[str, tuple[int, int, bytes]]:
    """Return the state of everything in the folder, the lock included."""
    found = {}
    for path in box.folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_ino, path.read_bytes() if path.is_file() else b"")
    return found


def export(path: Path, content: str = "x\n") -> Export:
    return Export(str(path), None, None, 0o600, content, "0")


@pytest.mark.parametrize("before", ["nothing", "a directory", "a credential", "leftovers"])
def test_check_mode_leaves_everything_as_it_was(box: Box, before: str) -> None:
    box.exports = (export(box.path.parent / "agent.env"), export(box.folder / "agent.conf"))
    if before != "nothing":
        box.path.parent.mkdir()
    if before in ("a credential", "leftovers"):
        box.provision()
        (box.folder / "agent.conf").write_text("old\n")
        (box.folder / "agent.conf").chmod(0o600)
    if before == "leftovers":
        box.new.write_text("half\n")
        (box.folder / ".agent.conf.new").write_text("half\n")
    had = snapshot(box)
    assert box.begin(box.look(), proof="yes").outcome == "begun"
    assert snapshot(box) == had


@pytest.mark.parametrize("proof", PROOFS)
def test_a_proof_that_fails_leaves_nothing(box: Box, proof: str) -> None:
    box.exports = (export(box.path.parent / "agent.env"), export(box.folder / "missing/agent.env"))
    had = snapshot(box)
    with pytest.raises(StorageError, match=r"missing/agent\.env: its directory does not exist"):
        box.begin(box.look(), proof=proof)
    if proof == "yes":
        assert snapshot(box) == had
    assert box.files() == (["iot"] if proof == "no" else [])


@pytest.mark.parametrize("proof", PROOFS)
def test_a_stale_look_proves_nothing(box: Box, proof: str) -> None:
    found = box.look()
    box.provision()
    had = snapshot(box)
    assert box.begin(found, proof=proof).outcome == "stale"
    assert snapshot(box) == had


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize(
    ("tool", "says"),
    [("chmod", r"stores the permissions -rw------- instead of -rw-r-----"), ("chown", r"stores the owner")],
)
def test_a_file_system_that_keeps_no_attributes(box: Box, tmp_path: Path, proof: str, tool: str, says: str) -> None:
    box.attributes = {"owner": "12345" if tool == "chown" else None, "group": None, "mode": "0640"}
    deaf = with_tools(box, tmp_path / "tools", **{tool: "exit 0"})
    with pytest.raises(StorageError, match=says) as caught:
        deaf.begin(deaf.look(), proof=proof)
    assert caught.value.kind == "storage"
    assert not box.new.exists()
    assert not box.journal.exists()


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize(
    ("chmod", "says"),
    [
        ("exit 0", "stores the permissions -rwxr-xr-x instead of -rw-------"),
        ("echo 'chmod: Operation not permitted' >&2; exit 1", "chmod: Operation not permitted"),
    ],
    ids=["deaf", "denied"],
)
def test_a_file_system_without_permissions(box: Box, tmp_path: Path, proof: str, chmod: str, says: str) -> None:
    """A file system where every file has the mount's mode, such as vfat, is refused, and no access control list is named as the reason."""
    ls = f"{box.shell.tool('ls')} \"$@\" | sed 's/^-rw-------/-rwxr-xr-x/'"
    fat = with_tools(box, tmp_path / "tools", ls=ls, chmod=chmod, sed=f'exec {shutil.which("sed")} "$@"')
    with pytest.raises(StorageError, match=says) as caught:
        fat.begin(fat.look(), proof=proof)
    assert caught.value.kind == "storage"
    assert not box.journal.exists()
    if chmod == "exit 0":
        box.attributes["mode"] = "0755"
        assert fat.begin(fat.look(), proof=proof).outcome == "begun"


@pytest.mark.parametrize("bits", ["0400", "0600", "0640", "0660", "0750", "0710"])
def test_a_file_system_that_keeps_them(box: Box, bits: str) -> None:
    box.attributes = {"owner": str(os.geteuid()), "group": str(os.getegid()), "mode": bits}
    assert box.begin(box.look(), proof="yes").outcome == "begun"


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize("which", ["credential", "export"])
@pytest.mark.parametrize("says", ["Invalid cross-device link", "Cross-device link", "Operation not permitted"])
def test_a_file_that_no_rename_can_replace(box: Box, tmp_path: Path, proof: str, which: str, says: str) -> None:
    """No rename can replace a file if a hard link of it fails, and one of another file does not."""
    box.provision()
    box.exports = (export(box.folder / "agent.env"),)
    (box.folder / "agent.env").write_text("old\n")
    name = "device.json" if which == "credential" else "agent.env"
    link = f'case " $* " in *" ./{name} "*) echo "ln: ./{name}: {says}" >&2; exit 1 ;; esac; exec {box.shell.tool("ln")} "$@"'
    stuck = with_tools(box, tmp_path / "tools", ln=link)
    had = snapshot(box)
    found = stuck.look()
    with pytest.raises(StorageError, match=f"cannot replace .*/{name}: it is mounted by itself"):
        stuck.begin(found, proof=proof)
    assert snapshot(box) == had


@pytest.mark.parametrize("proof", PROOFS)
@pytest.mark.parametrize("which", ["device.json", "agent.env"])
def test_what_an_interrupted_run_left_does_not_hide_such_a_file(
    one: Box, tmp_path: Path, proof: str, which: str
) -> None:
    """The check does not need a name that such a run has taken, and a run removes what a check of its own would find there."""
    one.provision()
    one.exports = (export(one.path.with_name("agent.env")),)
    one.path.with_name("agent.env").write_text("old\n")
    for name in (".device.json.new", ".device.json.journal.new", ".agent.env.new"):
        one.path.with_name(name).write_text("half\n")
    if proof == "no":
        one.path.with_name(f".{which}.check.new").write_text("half\n")
    # As link(2), which looks at the new name first.
    link = f'[ "$2" != ./{which} ] || {{ says="File exists"; [ -e "$3" ] || says="Invalid cross-device link"\n'
    link += f'echo "ln: $3: $says" >&2; exit 1; }}; exec {one.shell.tool("ln")} "$@"'
    stuck = with_tools(one, tmp_path / "tools", ln=link)
    with pytest.raises(StorageError, match=f"cannot replace .*/{which}: it is mounted by itself"):
        stuck.begin(stuck.look(), proof=proof)
    assert not one.journal.exists()


@pytest.mark.parametrize("says", ["Operation not permitted", "Permission denied", "Function not implemented"])
def test_a_file_system_without_links(box: Box, tmp_path: Path, says: str) -> None:
    box.provision()
    without = with_tools(box, tmp_path / "tools", ln=f'echo "ln: {says}" >&2; exit 1')
    assert without.begin(without.look()).outcome == "begun"
    assert sorted(path.name for path in box.path.parent.iterdir()) == [
        *(".device.json.journal", ".device.json.new", ".device.json.spare", "device.json")
    ]


@pytest.mark.parametrize("proof", PROOFS)
def test_a_mount_of_its_own(box: Box, proof: str) -> None:
    box.provision()
    mount = ["mount", "--bind", str(box.path), str(box.path)]
    if not ROOT or subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root can mount, and not everywhere")
    try:
        with pytest.raises(StorageError, match="it is mounted by itself"):
            box.begin(box.look(), proof=proof)
    finally:
        subprocess.run(["umount", str(box.path)], check=True)
    assert box.begin(box.look(), proof=proof).outcome == "begun"


@pytest.fixture
def disk(box: Box, tmp_path: Path) -> Iterator[Box]:
    """Yield the box, with a file system of 16 KiB for its export."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=0755", "tmpfs", str(place)]
    if not ROOT or subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield box
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("proof", PROOFS)
def test_exports_that_are_too_long_for_their_disk_together(disk: Box, tmp_path: Path, proof: str) -> None:
    disk.exports = tuple(export(tmp_path / f"disk/{name}.conf", "x" * 10_000 + "\n") for name in ("a", "b"))
    with pytest.raises(StorageError, match=r"/\.b\.conf\.new.*No space left"):
        disk.begin(disk.look(), proof=proof)
    assert list((tmp_path / "disk").iterdir()) == []
    assert not disk.new.exists()
    disk.exports = disk.exports[:1]
    assert disk.begin(disk.look(), proof=proof).outcome == "begun"
    assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_probe_is_as_long_as_a_credential_can_be(one: Box, kind: str) -> None:
    one.kind = kind
    one.begin(one.look())
    most = {field.name: int(field.pattern.pattern.rpartition(",")[2].rstrip("}")) for field in fields_of(kind)}
    assert one.new.stat().st_size == len(compose({name: "x" * length for name, length in most.items()}))


def test_an_export_is_proved_with_its_longest_values(one: Box) -> None:
    content = f"{PLACEHOLDER} {PLACEHOLDER}\n{PLACEHOLDER} {CLIENT} {CLIENT}\n"
    one.exports = (export(one.folder / "agent.env", content),)
    [proved] = re.findall(r"^export_1_size=(\d+)$", one.begin_script(one.look()), re.MULTILINE)
    assert int(proved) >= len(content.replace(PLACEHOLDER, "t" * 256).replace(CLIENT, "c" * 64))


@pytest.mark.parametrize("proof", PROOFS)
def test_an_export_that_is_too_long_for_its_disk(disk: Box, tmp_path: Path, proof: str) -> None:
    for length, fits in ((10_000, True), (20_000, False)):
        disk.exports = (export(tmp_path / "disk/agent.conf", "x" * length + "\n"),)
        if fits:
            assert disk.begin(disk.look(), proof="yes").outcome == "begun"
        else:
            with pytest.raises(StorageError, match="No space left"):
                disk.begin(disk.look(), proof=proof)
        assert list((tmp_path / "disk").iterdir()) == []


def test_a_failure_of_one_line_is_reported_without_a_tool(one: Box, tmp_path: Path) -> None:
    """A gateway that can start no program reports what has failed."""
    one.exports = (export(one.folder / "missing/agent.env"),)
    found = one.look()
    without = with_tools(one, tmp_path / "tools", tr="exit 1")
    with pytest.raises(StorageError, match=r"missing/agent\.env: its directory does not exist"):
        without.begin(found)
