# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other users of the gateway: files that they prepare, keep or change never make them owners or readers of a secret.

The other user is a real one; the scripts run as root, in every kind of shell.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from script_box import NEW_SECRET, PLACEHOLDER, ROOT, SECRET, Box, Shell, fingerprint, identity, line, mode

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Export, Wanted, decide

pytestmark = pytest.mark.skipif(not ROOT, reason="only root becomes somebody else")

NOBODY = 65534
# The number of looks while another user swaps directories.
ROUNDS = 100
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*AS_NOBODY, *command], check=False, capture_output=True, text=True)


class Deep(Box):
    """A gateway whose credential is in a folder that other users can reach."""

    below = "iot"

    @property
    def path(self) -> Path:
        return self.folder / self.below / "device.json"


@pytest.fixture
def open_box(box: Box) -> Deep:
    box.folder.chmod(0o755)
    return Deep(box.shell, box.folder)


def refused(box: Box, *words: str) -> None:
    """Check that every script refuses, and names the directory that it does not trust."""
    scripts = {
        "look": lambda: box.gateway.script("look"),
        "begin": lambda: box.gateway.beginning(expected="", token="t", ttl=9, intent="register", **box.values()),
        "store": lambda: box.store_script(Issued(NEW_SECRET), "t"),
        "finish": lambda: box.gateway.changing("finish", expected="", stored="-", token="t", **box.values()),
        "repair": lambda: box.gateway.changing("repair", expected="", **box.values()),
        "settle": lambda: box.gateway.changing("settle", stored="-", end="closed", token="t", **box.values()),
        "abandon": lambda: box.gateway.script("abandon", token="t", **box.values()),
        "remove": lambda: box.gateway.script("remove", expected="", **box.values()),
    }
    for name, script in scripts.items():
        with pytest.raises(StorageError) as caught:
            box.run(script())
        assert caught.value.kind == "unsafe_path", name
        for word in words:
            assert word in caught.value.msg, name


# Owners and modes of directories


def test_a_directory_of_somebody_else(open_box: Deep) -> None:
    open_box.provision()
    os.chown(open_box.path.parent, NOBODY, -1)
    refused(open_box, str(open_box.path.parent), f"belongs to user {NOBODY}")


@pytest.mark.parametrize("above", [False, True], ids=["its own", "one above"])
@pytest.mark.parametrize("mode", [0o775, 0o777, 0o2775])
def test_a_directory_that_others_can_write(open_box: Deep, mode: int, above: bool) -> None:
    open_box.below = "shared/iot"
    open_box.path.parent.mkdir(parents=True)
    open_box.path.write_text(line())
    weak = open_box.path.parent.parent if above else open_box.path.parent
    os.chown(weak, 0, NOBODY)
    weak.chmod(mode)
    refused(open_box, str(weak), "can be written by")
    weak.chmod(0o755)
    assert open_box.look().credential == identity()


def test_a_directory_of_roots_group_may_be_above(open_box: Deep) -> None:
    open_box.below = "shared/iot"
    open_box.path.parent.mkdir(parents=True)
    open_box.path.parent.parent.chmod(0o775)
    assert open_box.begin(open_box.look()).outcome == "begun"


def test_a_sticky_directory_may_be_above(open_box: Deep) -> None:
    open_box.below = "tmp/iot"
    open_box.path.parent.mkdir(parents=True)
    open_box.path.parent.parent.chmod(0o1777)
    assert open_box.begin(open_box.look()).outcome == "begun"
    open_box.path.parent.chmod(0o1777)
    refused(open_box, "can be written by others")


# Links


def test_a_link_of_somebody_else_is_not_followed(open_box: Deep) -> None:
    (open_box.folder / "real").mkdir()
    (open_box.folder / "real" / "device.json").write_text(line())
    link = open_box.folder / "iot"
    link.symlink_to("real")
    assert open_box.look().credential == identity(), "root's own link in root's own directory"
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    refused(open_box, str(link), f"is a symbolic link of user {NOBODY}")


def test_a_link_in_a_directory_that_others_can_write(open_box: Deep) -> None:
    open_box.below = "tmp/link"
    (open_box.folder / "real").mkdir()
    tmp = open_box.folder / "tmp"
    tmp.mkdir()
    (tmp / "link").symlink_to(open_box.folder / "real")
    tmp.chmod(0o777)
    refused(open_box, str(tmp), "can be written by everyone")


def test_a_link_that_leads_through_somebody_elses(open_box: Deep) -> None:
    """Root's link is followed, but its target is checked in the same way."""
    (open_box.folder / "real").mkdir()
    open_to_all = open_box.folder / "tmp"
    open_to_all.mkdir()
    open_to_all.chmod(0o1777)
    assert as_nobody("ln", "-s", str(open_box.folder / "real"), str(open_to_all / "planted")).returncode == 0
    (open_box.folder / "iot").symlink_to(open_to_all / "planted")
    refused(open_box, f"{open_to_all}/planted", f"is a symbolic link of user {NOBODY}")


@pytest.mark.parametrize("target", ["real\nstat 41ed 0 0 root root /", "real;id", "$(id)", "r\u00e9al", "re\x1bal"])
def test_a_link_whose_target_forges_lines(open_box: Deep, target: str) -> None:
    (open_box.folder / target.partition("/")[0]).mkdir()
    (open_box.folder / "iot").symlink_to(target.partition("/")[0])
    refused(open_box, "characters that are not allowed")


def test_links_without_end(open_box: Deep) -> None:
    (open_box.folder / "iot").symlink_to("again")
    (open_box.folder / "again").symlink_to("iot")
    refused(open_box, "too many symbolic links")


@pytest.mark.parametrize("name", [".device.json.lock", ".device.json.journal", ".device.json.new"])
def test_what_belongs_to_the_credential_is_never_a_link(open_box: Deep, name: str) -> None:
    """Only root can have created such a link, but nothing is written through it."""
    open_box.provision()
    victim = open_box.folder / "victim"
    victim.write_text("victim's\n")
    (open_box.path.parent / name).symlink_to(victim)
    found = open_box.look()
    try:
        if open_box.begin(found).outcome == "begun":
            open_box.store(NEW_SECRET)
    except StorageError:
        pass
    assert (victim.read_text(), victim.stat().st_uid, mode(victim)) == ("victim's\n", 0, 0o644)


def test_the_link_that_an_export_leads_through(open_box: Deep) -> None:
    agent = open_box.folder / "agent"
    agent.mkdir()
    (open_box.folder / "elsewhere").mkdir()
    (agent / "conf").symlink_to(open_box.folder / "elsewhere")
    os.chown(agent / "conf", NOBODY, NOBODY, follow_symlinks=False)
    open_box.exports = (Export(str(agent / "conf" / "iot.env"), "65534", None, 0o600, f"{PLACEHOLDER}\n", "0"),)
    with pytest.raises(StorageError, match="is a symbolic link of user") as caught:
        open_box.look()
    assert caught.value.kind == "unsafe_path"
    assert list((open_box.folder / "elsewhere").iterdir()) == []


# Changes between two scripts, and during one


def test_a_directory_that_was_planted_after_the_look(open_box: Deep) -> None:
    open_box.below = "tmp/iot"
    tmp = open_box.folder / "tmp"
    tmp.mkdir()
    tmp.chmod(0o1777)
    found = open_box.look()
    assert as_nobody("mkdir", str(tmp / "iot")).returncode == 0
    with pytest.raises(StorageError, match=f"belongs to user {NOBODY}"):
        open_box.begin(found)
    assert list((tmp / "iot").iterdir()) == []


@pytest.mark.parametrize("step", ["store", "settle"])
def test_a_directory_that_was_opened_after_begin(open_box: Deep, step: str) -> None:
    open_box.provision()
    open_box.begin(open_box.look())
    if step == "settle":
        open_box.store(NEW_SECRET, doubt=True)
    open_box.path.parent.chmod(0o777)
    with pytest.raises(StorageError, match="can be written by others"):
        open_box.store(NEW_SECRET) if step == "store" else open_box.settle(identity(NEW_SECRET), token="token1")
    assert open_box.path.read_text() == line(SECRET if step == "store" else NEW_SECRET)


SWAPPING = """\
#!/bin/sh
# Before the tool does its work, another user tries to put a link in the place of whatever it is about to change.
{nobody} sh -c 'cd {directory} && for name in device.json .device.json.new; do
    ln -sf {victim} "$name.planted" && mv -f "$name.planted" "$name"; done' 2>/dev/null
exec {tool} "$@"
"""


@pytest.mark.parametrize("owner", ["65534", None], ids=["their file", "root's file"])
def test_a_user_who_races_never_becomes_the_owner_of_a_file_of_roots(
    open_box: Deep, tmp_path: Path, owner: str | None
) -> None:
    open_box.provision()
    victim = open_box.folder / "victim"
    victim.write_text("victim's\n")
    victim.chmod(0o600)
    open_box.attributes["owner"] = owner
    values = {"nobody": " ".join(AS_NOBODY), "directory": open_box.path.parent, "victim": victim}
    for tool in ("chown", "chmod", "mv", "rm", "sync", "cat"):
        (tmp_path / tool).write_text(SWAPPING.format(tool=open_box.shell.tool(tool), **values))
        (tmp_path / tool).chmod(0o755)
    open_box.environment = {"PATH": f"{tmp_path}:{open_box.shell.path}:{os.environ['PATH']}"}
    open_box.begin(open_box.look())
    assert open_box.store(NEW_SECRET).outcome == "installed"
    open_box.path.chmod(0o644)
    open_box.repair(open_box.look())
    assert (victim.read_text(), victim.stat().st_uid, mode(victim)) == ("victim's\n", 0, 0o600)
    assert (open_box.path.read_text(), mode(open_box.path)) == (line(NEW_SECRET), 0o600)
    assert open_box.path.stat().st_uid == (NOBODY if owner else 0)


def test_an_owner_that_is_a_link_is_changed_itself(open_box: Deep) -> None:
    """chown changes a link itself, and not its target, if a name became a link between two commands."""
    script = open_box.gateway.script("abandon", token="t", **open_box.values())
    assert "chown -h" in script
    assert script.count("chown ") == script.count("chown -h ")


# The lock


def test_nobody_else_can_hold_the_lock(open_box: Deep) -> None:
    open_box.provision()
    found = open_box.look()
    hold = "exec 8<. && flock -x 8 && echo held && sleep 60"
    with subprocess.Popen(
        [*AS_NOBODY, "sh", "-c", hold], cwd=open_box.path.parent, stdout=subprocess.PIPE, start_new_session=True
    ) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == b"held\n"
            assert open_box.begin(found).outcome == "begun"
            assert open_box.store(NEW_SECRET).outcome == "installed"
        finally:
            os.killpg(holder.pid, 9)
    assert as_nobody("sh", "-c", f": >{open_box.lock}.-.1.1").returncode != 0


def test_a_script_that_was_killed_leaves_no_lock(one: Box, tmp_path: Path) -> None:
    """A killed script leaves a file of the lock, which the next script that changes something removes."""
    for name in ("awk", "cat", "chmod", "chown", "id", "ln", "ls", "mkdir", "mv", "readlink", "rm", "sha256sum"):
        (tmp_path / name).symlink_to(one.shell.tool(name))
    for name in ("sleep", "sync", "tr"):
        (tmp_path / name).symlink_to(one.shell.tool(name))
    plain = Box(Shell((one.shell.tool("sh"),), str(tmp_path)), one.folder)
    plain.provision()
    found = plain.look()
    (tmp_path / "sync").unlink()
    (tmp_path / "sync").write_text("#!/bin/sh\nkill -9 $PPID\n")
    (tmp_path / "sync").chmod(0o755)
    plain.output(plain.begin_script(found))
    assert len(list(plain.path.parent.glob(".device.json.lock.*"))) == 1
    (tmp_path / "sync").unlink()
    (tmp_path / "sync").symlink_to(one.shell.tool("sync"))
    plain.new.unlink(missing_ok=True)
    found = plain.look()
    assert found.leftover, "a run that finds nothing else to do removes it"
    assert plain.repair(found).outcome == "installed"
    assert not list(plain.path.parent.glob(".device.json.lock*"))
    assert not plain.look().leftover


# Access control lists


def lists(box: Box) -> None:
    """Skip the test if access control lists are not available."""
    if not shutil.which("setfacl"):
        pytest.skip("setfacl is not installed")
    box.path.parent.mkdir()
    if subprocess.run(["setfacl", "-m", "u:65534:r", str(box.path.parent)], check=False).returncode:
        pytest.skip("the file system knows no access control lists")
    subprocess.run(["setfacl", "-b", str(box.path.parent)], check=True)


@pytest.fixture
def with_lists(one: Box) -> Box:
    """Return a gateway whose ls shows access control lists, unlike that of BusyBox."""
    one.folder.chmod(0o755)
    lists(one)
    return one


@pytest.mark.parametrize("when", ["before", "after begin", "of the export"])
@pytest.mark.parametrize("bits", ["0600", "0640"])
@pytest.mark.parametrize("entry", ["u:65534:rw", "o::r"])
def test_where_ls_shows_no_lists_none_is_inherited(open_box: Deep, when: str, bits: str, entry: str) -> None:
    """If ls shows no access control lists, as in BusyBox, a directory that passes one on is refused."""
    lists(open_box)
    agent = open_box.folder / "agent"
    agent.mkdir()
    open_box.attributes["mode"] = bits
    open_box.exports = (Export(str(agent / "iot.env"), None, None, int(bits, 8), f"{PLACEHOLDER}\n", "0"),)
    if when == "after begin":
        open_box.begin(open_box.look())
    listed = agent if when == "of the export" else open_box.path.parent
    subprocess.run(["setfacl", "-d", "-m", entry, str(listed)], check=True)
    with pytest.raises(StorageError, match="access control list") as caught:
        open_box.store() if when == "after begin" else open_box.begin(open_box.look())
    assert caught.value.kind == "unsafe_path"
    assert str(listed) in caught.value.msg
    assert [path.name for path in listed.iterdir() if path.name in ("iot.env", ".iot.env.new", "device.json")] == []
    if when == "after begin":
        # Without the list, the next run continues.
        subprocess.run(["setfacl", "-b", str(listed)], check=True)
        assert open_box.begin(open_box.look()).outcome == "begun"
        assert open_box.store().outcome == "installed"
        assert as_nobody("cat", str(open_box.path)).returncode != 0


@pytest.mark.parametrize("arguments", [("-d", "-m", "u:65534:r"), ("-m", "u:65534:rwx")], ids=["default", "of its own"])
def test_a_directory_with_an_access_control_list(with_lists: Box, arguments: tuple[str, ...]) -> None:
    subprocess.run(["setfacl", *arguments, str(with_lists.path.parent)], check=True)
    refused(with_lists, "access control list")
    subprocess.run(["setfacl", "-b", str(with_lists.path.parent)], check=True)
    assert with_lists.begin(with_lists.look()).outcome == "begun"


def test_a_credential_with_an_access_control_list_is_written_anew(with_lists: Box) -> None:
    laid_out = json.dumps({"note": "edited", **json.loads(line())}, indent=2)
    with_lists.provision()
    with_lists.path.write_text(laid_out)
    with_lists.attributes["mode"] = "0640"
    with_lists.path.chmod(0o640)
    subprocess.run(["setfacl", "-m", "u:65534:r", str(with_lists.path)], check=True)
    assert as_nobody("cat", str(with_lists.path)).stdout == laid_out
    found = with_lists.look()
    assert found.credential is not None
    wanted = Wanted(found.credential.product_key, found.credential.device_name, None, None, 0o640)
    assert (decide(found, wanted).reason, decide(found, wanted).step) == ("attributes", "repair")
    with_lists.repair(found)
    assert as_nobody("cat", str(with_lists.path)).returncode != 0
    assert (with_lists.path.read_text(), mode(with_lists.path)) == (laid_out, 0o640)
    assert decide(with_lists.look(), wanted).reason == "up_to_date"


def test_a_copy_that_was_to_replace_the_credential_is_no_new_one(with_lists: Box, tmp_path: Path) -> None:
    """A script is killed before it renames the copy, and then somebody stores a newer credential."""
    with_lists.provision()
    subprocess.run(["setfacl", "-m", "u:65534:r", str(with_lists.path)], check=True)
    (tmp_path / "mv").write_text("#!/bin/sh\nkill -9 $PPID\n")
    (tmp_path / "mv").chmod(0o755)
    killed = Box(Shell(with_lists.shell.command, f"{tmp_path}:{with_lists.shell.path}"), with_lists.folder)
    killed.output(killed.gateway.changing("repair", (), **killed.values(killed.look())))
    with_lists.path.unlink()
    with_lists.provision(NEW_SECRET)
    found = with_lists.look()
    assert (found.credential, found.staged, found.leftover) == (identity(NEW_SECRET), None, True)
    with_lists.repair(found)
    assert with_lists.path.read_text() == line(NEW_SECRET)
    assert with_lists.files() == ["iot", "iot/device.json"]


# Credentials and exports that another user has created


def test_a_credential_of_somebody_else_becomes_the_remote_users(open_box: Deep) -> None:
    open_box.provision()
    os.chown(open_box.path, NOBODY, NOBODY)
    found = open_box.look()
    assert found.credential is not None
    wanted = Wanted(found.credential.product_key, found.credential.device_name, None, None, 0o600)
    assert (decide(found, wanted).reason, decide(found, wanted).step) == ("attributes", "repair")
    open_box.repair(found)
    assert (open_box.path.stat().st_uid, open_box.path.stat().st_gid) == (0, 0)
    assert decide(open_box.look(), wanted).reason == "up_to_date"


def test_what_is_too_large_is_not_read(one: Box, tmp_path: Path) -> None:
    one.provision()
    one.exports = (Export(str(one.folder / "1.conf"), None, None, 0o600, f"{PLACEHOLDER}\n", "0"),)
    (one.folder / "1.conf").touch()
    os.truncate(one.folder / "1.conf", 300 * 2**20)
    log = tmp_path / "log"
    for tool in ("awk", "sha256sum"):
        (tmp_path / tool).write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{log}\nexec {one.shell.tool(tool)} "$@"\n')
        (tmp_path / tool).chmod(0o755)
    one.environment = {"PATH": f"{tmp_path}:{one.shell.path}"}
    found = one.look()
    assert (found.credential, found.exports) == (identity(), {})
    assert "1.conf" not in log.read_text()
    log.unlink()
    os.truncate(one.path, 300 * 2**20)
    os.truncate(one.journal, 300 * 2**20) if one.journal.exists() else one.journal.touch()
    os.truncate(one.journal, 300 * 2**20)
    found = one.look()
    assert found.entry is not None
    assert (found.credential, found.journal is not None) == (None, True)
    assert not log.exists(), "nothing was read"


# The environment of the shell


@pytest.mark.parametrize(
    "option", ["set -a", "set -x", "set -v", "set -axv", "export device_secret=x client_id=y stored=z"]
)
def test_what_a_start_up_file_of_the_shell_switches_on(folder: Path, tmp_path: Path, option: str) -> None:
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    start_up, log = tmp_path / "start-up", tmp_path / "log"
    start_up.write_text(f"{option}\n")
    box = Box(Shell(("bash",), os.environ["PATH"]), folder, environment={"BASH_ENV": str(start_up)})
    box.exports = (Export(str(folder / "1.conf"), None, None, 0o600, f"a={PLACEHOLDER}\n", "0"),)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("awk", "cat", "chmod", "ls", "mv", "rm", "sha256sum", "sync"):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\ntr "\\0" "\\n" </proc/$$/environ >>{log}\nexec {shutil.which(name)} "$@"\n')
        tool.chmod(0o755)
    box.environment["PATH"] = f"{tools}:{box.shell.path}"
    box.begin(box.look())
    script = box.store_script(Issued(SECRET))
    done = subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, check=True, env={**box.environment}, timeout=60
    )
    assert "fleetops-end installed" in done.stdout
    assert SECRET not in done.stdout
    assert SECRET not in done.stderr
    assert SECRET not in log.read_text()
    assert box.path.read_text() == line()
    assert fingerprint(SECRET) in done.stdout


@pytest.mark.parametrize("step", ["store", "repair"])
def test_an_owner_who_races_gets_no_shell_code_into_an_export(open_box: Deep, tmp_path: Path, step: str) -> None:
    """A credential's owner who changes it after the look gets no shell code into another user's export."""
    export = open_box.folder / "etc" / "iot.env"
    export.parent.mkdir()
    open_box.attributes["owner"] = "65534"
    open_box.exports = (Export(str(export), None, None, 0o600, f"SECRET='{PLACEHOLDER}'\n", "0"),)
    forged = open_box.folder / "forged"
    forged.write_text(line("'$(id)'"))
    script = f"""\
#!/bin/sh
# While an export is staged.
case "$*" in *.iot.env.new*) {" ".join(AS_NOBODY)} sh -c 'cat {forged} >{open_box.path}' 2>/dev/null ;; esac
exec {open_box.shell.tool("ls")} "$@"
"""
    (tmp_path / "ls").write_text(script)
    (tmp_path / "ls").chmod(0o755)
    quiet = open_box.environment
    open_box.begin(open_box.look())
    racing = {"PATH": f"{tmp_path}:{open_box.shell.path}:{os.environ['PATH']}"}
    if step == "repair":
        open_box.store(NEW_SECRET)
        export.unlink()
    found = open_box.look()
    open_box.environment = racing
    with pytest.raises(StorageError):
        open_box.store(NEW_SECRET) if step == "store" else open_box.repair(found, 1)
    open_box.environment = quiet
    assert open_box.path.read_text() == forged.read_text(), "the race took place"
    assert not export.exists()


def test_an_export_that_repeats_the_secret_is_read_in_time(open_box: Deep) -> None:
    """An export that only repeats a secret of one character, both chosen by their owner, is read in time."""
    open_box.provision("a")
    export = open_box.path.with_name("iot.env")
    export.write_text("a" * 200_000 + "\n")
    open_box.exports = (Export(str(export), None, None, 0o600, f"{PLACEHOLDER}\n", "0"),)
    assert open_box.look().exports[1] == hashlib.sha256(PLACEHOLDER.encode() * 200_000 + b"\n").hexdigest()


SWAPPER = """\
import os
while True:
    os.rename("theirs", "kept")
    os.rename("link", "theirs")
    os.rename("theirs", "link")
    os.rename("kept", "theirs")
"""


def test_a_directory_that_is_swapped_all_the_time(open_box: Deep) -> None:
    """No look trusts a directory that another user, below a sticky one, alternates with a link to one of root's."""
    open_box.below = "tmp/theirs/iot"
    tmp, safe = open_box.folder / "tmp", open_box.folder / "safe"
    (safe / "iot").mkdir(parents=True)
    tmp.mkdir()
    tmp.chmod(0o1777)
    assert as_nobody("mkdir", "-p", str(tmp / "theirs" / "iot")).returncode == 0
    (tmp / "theirs" / "iot" / "device.json").write_text(line())
    assert as_nobody("ln", "-s", str(safe), str(tmp / "link")).returncode == 0
    with subprocess.Popen([*AS_NOBODY, sys.executable, "-I", "-S", "-c", SWAPPER], cwd=tmp) as swapper:
        try:
            found = 0
            for _try in range(ROUNDS):
                with suppress(StorageError):
                    found += open_box.look().credential is not None
        finally:
            swapper.kill()
    assert found == 0


def test_a_planted_link_gets_no_directory_of_roots(open_box: Deep, tmp_path: Path) -> None:
    """mkdir follows no planted link: another user replaces a missing directory below a sticky one just before it is created."""
    open_box.below = "tmp/a/iot"
    tmp, victim = open_box.folder / "tmp", open_box.folder / "victim"
    victim.mkdir()
    tmp.mkdir()
    tmp.chmod(0o1777)
    found = open_box.look()
    nobody = " ".join(AS_NOBODY)
    (tmp_path / "mkdir").write_text(
        f'#!/bin/sh\n{nobody} ln -s {victim} {tmp}/a 2>/dev/null\nexec {open_box.shell.tool("mkdir")} "$@"\n'
    )
    (tmp_path / "mkdir").chmod(0o755)
    open_box.environment = {"PATH": f"{tmp_path}:{open_box.shell.path}:{os.environ['PATH']}"}
    with pytest.raises(StorageError):
        open_box.begin(found)
    assert list(victim.iterdir()) == []
