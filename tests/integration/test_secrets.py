# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of a registration: ProductSecret stays on the controller, DeviceSecret on the gateway, and neither is shown.

Every secret is a canary. One run at the highest verbosity has many gateways, each with another outcome; then the tests search for the
canaries wherever something was written, sent or shown.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from canary import Canaries, Watch, new_secret
from emulator import Emulator
from playbook import PRODUCT_KEY, Run, inventory, run_playbook
from shells import write_script

WAYS = ("gateway", "controller")
TOOLS = ("awk", "cat", "chmod", "chown", "id", "mkdir", "mv", "rm", "sha256sum", "sort", "stat", "sync", "tr")


@pytest.fixture(autouse=True)
def known_secrets(request: pytest.FixtureRequest, new_platform: None) -> None:
    """Make every registration return the secret that the device has from the start, so that the test knows it."""
    if "platform" in request.fixturenames:
        request.getfixturevalue("platform").admin.settings(reregistration="same")


@dataclass
class Stage:
    """The folders of one test: `home` is Ansible's, `vault` the only one on the controller that may contain secrets."""

    platform: Emulator
    folder: Path
    product_secret: str = field(default_factory=new_secret)
    device_secret: str = field(default_factory=new_secret)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.vault = self.folder / "vault"
        self.gateways = self.folder / "gateways"
        self.shells = self.folder / "shells"
        for place in (self.home, self.vault, self.gateways, self.shells):
            place.mkdir()
        (self.vault / "secrets.json").write_text(json.dumps({"vault_product_secret": self.product_secret}))
        self.platform.admin.patch_product(PRODUCT_KEY, product_secret=self.product_secret)
        self.canaries = Canaries({"ProductSecret": self.product_secret, "DeviceSecret": self.device_secret})

    def add(self, host: str, **variables: Any) -> None:
        """Add a device and its gateway, whose shell records the data that the connection sends and returns."""
        self.platform.admin.put_device(PRODUCT_KEY, host, device_secret=self.device_secret)
        shell = recording_shell(self.shells / host, self.folder / "remote" / host)
        self.hosts[host] = {
            "ansible_shell_executable": str(shell),
            "ansible_remote_tmp": str(self.folder / "remote" / host),
            **variables,
        }

    def run(self, plays: Any, env: dict[str, str]) -> Run:
        """Run at high verbosity and under watch; the playbook may contain a secret, and the extra variables do."""
        playbook = self.home / "playbook.yml"
        # One line for each option, as users write it, since errors show lines.
        playbook.write_text(yaml.safe_dump(plays, sort_keys=False, width=1000), encoding="utf-8")
        before = set(temporary())
        with Watch(self.canaries) as self.watch:
            run = run_playbook(
                str(playbook),
                inventory(self.hosts, self.gateways),
                self.home,
                *("-vvvv", "--diff", "--extra-vars", f"@{self.vault}/secrets.json"),
                env={"ANSIBLE_FORKS": "30", "ANSIBLE_LOG_PATH": str(self.home / "ansible.log"), **env},
            )
        playbook.unlink()
        self.strays = set(temporary()) - before
        return run

    def traces(self, run: Run) -> dict[str, list[str]]:
        """Return where the secrets occur: on the controller, on the platform, in processes, and in sent and returned data."""
        exports = ("etc/device.json", "etc/.device.json.new", "agent.env", "agent.conf")
        kept = [self.gateways / host / name for host in self.hosts for name in exports]
        found = {
            "output": self.canaries.in_text(run.stdout + run.stderr),
            "files": self.canaries.in_files(self.folder, *self.strays, apart=[self.vault, self.shells, *kept]),
            "processes": sorted(self.watch.seen),
            "platform": self.canaries.in_text(self.platform.log + json.dumps(self.platform.admin.requests())),
        }
        for host in self.hosts:
            for way in ("sent", "returned", "shown"):
                found[f"{way} {host}"] = self.canaries.in_text(self.recorded(way, host))
        return {place: traces for place, traces in found.items() if traces}

    def recorded(self, way: str, host: str) -> bytes:
        file = self.shells / host / way
        return file.read_bytes() if file.exists() else b""


def temporary() -> list[Path]:
    """Return the files in the folders of all users; the folder of the tests is in an existing subfolder."""
    folders = (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]


def recording_shell(folder: Path, remote: Path) -> Path:
    """Return a shell that, if a connection runs it with -c, records its commands, its standard input and the modules copied before.

    A shell without -c is private to the gateway: there the secret goes into the credential. But the arguments and the environment of its
    tools are visible to every user.
    """
    (folder / "bin").mkdir(parents=True)
    for tool in TOOLS:
        shown = f'printf "%s\\n" "$0" "$@" >>{folder}/shown\n/bin/cat /proc/$$/environ >>{folder}/shown'
        write_script(folder / "bin" / tool, f'{shown}\nexec {shutil.which(tool)} "$@"')
    script = """\
folder={folder}
PATH=$folder/bin:$PATH
[ "${{1-}}" = -c ] || exec /bin/sh "$@"
printf '%s\\n' "$@" >>$folder/sent
cat {remote}/*/* >>$folder/sent 2>/dev/null
{{
    tee -a $folder/sent | {{ /bin/sh "$@"; echo $? >$folder/status.$$; }} 2>&1 >&4 | tee -a $folder/returned >&2
}} 4>&1 | tee -a $folder/returned
read -r status <$folder/status.$$
rm $folder/status.$$
exit $status"""
    return write_script(folder / "sh", script.format(folder=shlex.quote(str(folder)), remote=shlex.quote(str(remote))))


def play(hosts: str, platform: Emulator, no_log: bool, *, ignore_errors: bool = False, **options: Any) -> Any:
    """Return a play with one task for all `hosts` of a pattern, which differ in their variables."""
    known = {
        "product_key": "{{ key | default('" + PRODUCT_KEY + "') }}",
        "product_secret": "{{ product_secret | default(vault_product_secret) }}",
        "endpoint": platform.endpoints["register_url"],
        "ca_path": platform.endpoints["ca_file"],
        "path": "{{ root }}/etc/device.json",
        "register_from": "{{ way }}",
        "exports": "{{ exports | default([]) }}",
        "timeout": 60,
        "retry_time": 0,
    }
    task = {"fleetops.aliyun_iot.gateway_credential": {**known, **options}, "no_log": no_log}
    task["ignore_errors"] = ignore_errors
    return {"hosts": hosts, "gather_facts": False, "tasks": [task]}


EXPORTS = [{"dest": "{{ root }}/agent.env", "format": "env"}, {"dest": "{{ root }}/agent.conf", "template": "agent.j2"}]
# Each outcome of a gateway: the kind of its error, and the mistake.
FATES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "well": (None, {"exports": EXPORTS}),
    "product": ("refused", {"key": "a1NoSuchProd"}),
    "unknown": ("refused", {}),
    "sign": ("refused", {"product_secret": "{{ vault_product_secret | reverse }}"}),
    "list": ("invalid_option", {"product_secret": ["{{ vault_product_secret }}"]}),
    "newline": ("invalid_option", {"product_secret": "{{ vault_product_secret }}\n"}),
    "another": ("bad_answer", {}),
    "half": ("network", {}),
    "full": ("storage", {}),
    "changes": ("invalid_option", {"exports": [{"dest": "{{ root }}/agent.conf", "template": "changes.j2"}]}),
    "breaks": ("invalid_option", {"exports": [{"dest": "{{ root }}/agent.conf", "template": "breaks.j2"}]}),
    "nowhere": ("invalid_option", {"exports": [{"dest": "{{ root }}/agent.conf", "template": "nowhere.j2"}]}),
}
# Outcomes of plays with the secret in the playbook itself.
INLINE: dict[str, tuple[str | None, dict[str, Any]]] = {
    "inline": (None, {}),
    "typo": ("invalid_option", {"product_secrets": "{{ vault_product_secret }}"}),
    "type": ("invalid_option", {"timeout": "soon"}),
}
DISK_FULL = """\
case $* in *device.json.new*) echo 'No space left on device' >&2; exit 1 ;; esac
exec /bin/mv "$@\""""


def cast(stage: Stage) -> None:
    """Add a gateway for each outcome and each way."""
    (stage.home / "agent.j2").write_text("secret={{ device_secret }}\nname={{ device_name }}\n")
    (stage.home / "changes.j2").write_text("secret={{ device_secret | b64encode }}\n")
    (stage.home / "breaks.j2").write_text("secret={{ device_secret }} {{ nothing.like.it }}\n")
    admin = stage.platform.admin
    for way in WAYS:
        for fate, (_kind, variables) in FATES.items():
            stage.add(f"{fate}-{way}", way=way, **variables)
        for fate in INLINE:
            stage.add(f"{fate}-{way}", way=way)
        admin.delete_device(PRODUCT_KEY, f"unknown-{way}")
        admin.fault(device_name=f"well-{way}", hold_after=1)
        admin.fault(device_name=f"another-{way}", other_device=True)
        admin.fault(device_name=f"half-{way}", truncate=True)
        write_script(stage.shells / f"full-{way}" / "bin" / "mv", DISK_FULL)


@pytest.mark.parametrize(
    ("no_log", "env"),
    [
        (False, {"ANSIBLE_PIPELINING": "1"}),
        (True, {"ANSIBLE_PIPELINING": "0"}),
        (False, {"ANSIBLE_PIPELINING": "0", "ANSIBLE_DEBUG": "1"}),
    ],
    ids=["pipelining", "no_log", "debug"],
)
def test_nobody_is_told_a_secret(platform: Emulator, tmp_path: Path, no_log: bool, env: dict[str, str]) -> None:
    stage = Stage(platform, tmp_path)
    cast(stage)
    plays = [
        play(":".join(f"{fate}-*" for fate in FATES), platform, no_log),
        play("well-*", platform, no_log, mode="0640"),
    ]
    for fate, (_kind, options) in INLINE.items():
        options = {"product_secret": stage.product_secret, **options}
        plays.append(play(f"{fate}-*", platform, no_log, ignore_errors=True, **options))
    run = stage.run(plays, env)

    # A gateway receives its secret over the connection only if the controller registers for it.
    stored = [f"{fate}-controller" for fate in ("well", "full", "inline")]
    assert stage.traces(run) == {f"sent {host}": ["DeviceSecret as it is"] for host in stored}, run

    # All of these places had content to search.
    assert stage.watch.rounds > 10
    assert "gateway_credential" in (stage.home / "ansible.log").read_text()
    assert b"signMethod" in stage.recorded("sent", "well-gateway")
    for way in WAYS:
        assert b"fleetops-end looked" in stage.recorded("returned", f"well-{way}")
        assert {b"awk", b"sha256sum"} <= {
            line.rpartition(b"/")[2] for line in stage.recorded("shown", f"well-{way}").split(b"\n")
        }
        for name in ("etc/device.json", "agent.env", "agent.conf"):
            assert stage.device_secret in (stage.gateways / f"well-{way}" / name).read_text()
        for fate, (kind, _variables) in {**FATES, **INLINE}.items():
            host = f"{fate}-{way}"
            ends = [told["status"] for told in run.results[host]]
            assert ends == (["failed"] if kind else ["ok"] * (2 if fate == "well" else 1)), (host, run)
            if kind and no_log:
                assert f"[WARNING]: {host}: " in run.stderr
            elif kind:
                assert run.result(host)["error"]["kind"] == kind, host


def test_device_registration_hands_out_what_nobody_prints(platform: Emulator, tmp_path: Path) -> None:
    """device_registration prints no secret, and works in the controller's process, whatever host the task is for."""
    stage = Stage(platform, tmp_path)
    stage.add("gw-0001")
    options = {
        "product_key": PRODUCT_KEY,
        "product_secret": "{{ vault_product_secret }}",
        "endpoint": platform.endpoints["register_url"],
        "ca_path": platform.endpoints["ca_file"],
        "device_name": "gw-0001",
    }

    def task(no_log: bool, **further: Any) -> Any:
        module = {"fleetops.aliyun_iot.device_registration": {**options, **further}}
        return {**module, "no_log": no_log, "ignore_errors": True, "register": "registration"}

    fingerprint = {"ansible.builtin.debug": {"msg": "{{ registration.device_secret | hash('sha256') }}"}}
    tasks = [
        task(True, return_secret=True),
        fingerprint,
        task(False, return_secret=True),
        task(False),
        task(False, product_key="a1NoSuchProd"),
        task(False, product_key="a1NoSuchProd", product_secret=stage.product_secret),
        task(True, return_secret=True, device_name="gw-9999"),
    ]
    play = {"hosts": "gateways", "gather_facts": False, "tasks": tasks}
    run = stage.run(play if isinstance(play, list) else [play], {"ANSIBLE_PIPELINING": "0"})
    assert stage.traces(run) == {}, run
    assert stage.recorded("sent", "gw-0001") == b""
    told = [(entry["status"], entry["result"]) for entry in run.results["gw-0001"]]
    assert [status for status, _result in told] == ["ok", "ok", "failed", "ok", "failed", "failed", "failed"]
    assert told[1][1]["msg"] == hashlib.sha256(stage.device_secret.encode()).hexdigest()
    assert "no_log: true" in told[2][1]["msg"]
    assert len(platform.admin.requests(device_name="gw-0001", product_key=PRODUCT_KEY)) == 2


def test_the_search_finds_what_there_is(platform: Emulator, tmp_path: Path) -> None:
    """The search finds the secrets that users put on a command line, in a variable, in a message or in a file."""
    stage = Stage(platform, tmp_path)
    stage.add("gw-0001")
    shown = "{{ vault_product_secret | b64encode }}"
    tasks = [
        {"ansible.builtin.debug": {"msg": "{{ vault_product_secret }}"}},
        {
            "ansible.builtin.raw": f"sleep 1; cat {shown}; echo {shown}; true",
            "args": {"executable": "{{ ansible_shell_executable }}"},
        },
        {
            "ansible.builtin.command": {"cmd": "sleep 1", "creates": "{{ root }}/nothing"},
            "environment": {"SECRET": "x{{ vault_product_secret }}"},
        },
        {"ansible.builtin.copy": {"content": "{{ vault_product_secret }}", "dest": "{{ root }}/left"}},
    ]
    stray = Path(tempfile.gettempdir()) / f"{stage.product_secret}.tmp"
    tasks.append({"ansible.builtin.file": {"path": str(stray), "state": "touch"}})
    try:
        run = stage.run([{"hosts": "gateways", "gather_facts": False, "tasks": tasks}], {})
        traces = stage.traces(run)
    finally:
        stray.unlink(missing_ok=True)
    assert run.rc == 0, run
    assert set(traces) == {"output", "files", "processes", "sent gw-0001", "returned gw-0001", "shown gw-0001"}
    assert {name.rpartition(": ")[0] for name in traces["files"]} >= {
        str(stray),
        *(str(stage.home / name) for name in ("ansible.log", "stdout.txt")),
        str(stage.gateways / "gw-0001" / "left"),
    }
    assert {name.partition(" ")[0] for name in traces["processes"]} == {"cmdline", "environ"}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_a_secret_is_found_in_every_form(before: str) -> None:
    secret = new_secret()
    canaries = Canaries({"it": secret})
    assert canaries.in_text(f"{before}{secret}{before}") == ["it as it is"]
    assert canaries.in_text(base64.b64encode(f"{before}{secret}{before}".encode())) != []
    assert canaries.in_text(secret.encode().hex()) == ["it in hexadecimal"]
    assert canaries.in_text(new_secret()) == []


@pytest.mark.parametrize("written", [True, False], ids=["literal", "variable"])
def test_ansible_shows_a_secret_that_is_written_into_a_task(tmp_path: Path, written: bool) -> None:
    """A variable in its place is not shown, as the guide says."""
    secret = new_secret()
    asked = {"product_key": PRODUCT_KEY, "path": f"{tmp_path}/device.json", "register": "never"}
    task = {**asked, "product_secret": secret if written else "{{ a_secret }}"}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [{"fleetops.aliyun_iot.gateway_credential": task}]}
    env = {"ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit", "JUNIT_OUTPUT_DIR": f"{tmp_path}/junit"}
    env["ANSIBLE_DISPLAY_ARGS_TO_STDOUT"] = "1"
    run = run_playbook(play, inventory(1, tmp_path, a_secret=secret), tmp_path, env=env)
    [file] = (tmp_path / "junit").iterdir()
    assert ("product_secret=" in run.stdout, secret in run.stdout, secret in file.read_text()) == (
        True,
        written,
        written,
    )
