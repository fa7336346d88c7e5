# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run every block of README and the guides as printed.

Each page has one user, with a home and the files that the page has had the user write. Gateways are folders of this machine and the
platform is the emulator: ``ansible`` and ``ansible-playbook`` get ``-e @local.yml`` for this, unless the page starts an emulator itself.
``ansible-playbook`` is forked where a fork does the same, because its imports take most of its time.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fork_server
import pages
import processes
import pytest
import yaml
from emulator import Emulator
from pages import COMMANDS, PAGES, Block, Step, blocks

PRODUCT = {"product_key": "a1Example01", "product_secret": "productsecret0001", "node_type": "gateway"}
ACCOUNT = {"platform_access_key_id": "testKeyId", "platform_access_key_secret": "testKeySecret"}
GATEWAYS = [f"gw-{number:04}" for number in (1, 2)]
# The user answers every question with the password of the vault.
TYPED = "a password of the vault\n" * 4
SECONDS = 300

# Pages that start a platform, to which their inventory points.
WITH_A_PLATFORM = {"molecule_guide", "tutorial"}
# The folder in which a page's user works, if it has a name.
FOLDERS = {"molecule_guide": "agent"}
# The gateways with a valid credential and an activated device at the start of a page.
PROVISIONED = {
    "audit_guide": GATEWAYS,
    "decommission_guide": GATEWAYS,
    "migration_guide": GATEWAYS,
    "replacement_guide": GATEWAYS[:1],
}
# This machine may have no serial number; test_names.py tests names from hardware.
OTHER_VARIABLES = {"hardware_names_guide": {"gateway_device_name_from": "inventory_hostname"}}

NETWORK = "needs the network; the environment that make keeps has what it installs"
# Commands that are not run, each with the reason. Their syntax is checked, and names of packages are compared with the repository's.
UNTRIED: dict[str, str] = {
    "pip install requests alibabacloud-tea-openapi alibabacloud-credentials rich": NETWORK,
    "ansible-galaxy collection install git+https://github.com/fleetops/aliyun_iot": NETWORK,
    "git clone https://github.com/fleetops/aliyun_iot": NETWORK,
    "cd aliyun_iot": "it needs the clone",
    "make demo": "test_demo.py tries it",
    "python3 -m venv .venv": NETWORK,
    ". .venv/bin/activate": NETWORK,
    "pip install ansible-core requests alibabacloud-tea-openapi alibabacloud-credentials aiohttp amqtt cryptography PyYAML": NETWORK,
    "ansible-builder build -f execution-environment.yml -t aliyun-iot-ee": f"needs podman, and {NETWORK.partition(';')[0]}",
    "ansible-navigator run fleetops.aliyun_iot.provision -i inventory.yml --execution-environment-image aliyun-iot-ee "
    "--enable-prompts --ask-vault-pass": "needs podman and the image",
    "pip install molecule aiohttp amqtt cryptography PyYAML": NETWORK,
}


class User:
    """A user who reads a page from beginning to end and follows it."""

    def __init__(self, page: Path, home: Path, platform: Emulator | None) -> None:
        self.home = home
        self._folder = home / FOLDERS.get(page.stem, "fleet")
        self._blocks = blocks(page)
        self._programs = home / "bin"
        self._folder.mkdir()
        self._programs.mkdir()
        self._local: list[str] = []
        self._wrap("ansible-vault", "--skip-tty-check")
        if platform:
            for name in GATEWAYS:
                (home / "gateways" / name / "etc/agent").mkdir(parents=True)
            (home / "local.yml").write_text(
                json.dumps({**_local(platform, home), **OTHER_VARIABLES.get(page.stem, {})})
            )
            self._local = ["-e", f"@{home}/local.yml"]
            for name in ("ansible", "ansible-playbook"):
                self._wrap(name, *self._local)
        self._state = home / "state"
        self._state.write_text(f"cd {shlex.quote(str(self._folder))}\n")

    def read(self) -> None:
        for block in self._blocks:
            if block.language in COMMANDS:
                self._type(block)
            elif block.file:
                self._write(block.file, block.text)

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.exists() and path.read_text().startswith("$ANSIBLE_VAULT")):
            path.write_text(text.replace(" /etc/", f" {self.home}/gateways/{{{{ inventory_hostname }}}}/etc/"))

    def _type(self, block: Block) -> None:
        steps = [step for step in block.steps if step.command not in UNTRIED]
        for step, after in zip(steps, [*steps[1:], Step("")], strict=False):
            code, output = self._run(step)
            told = f"{block}: {step.command}\nexit code {code}\n{output}"
            assert code == 0 or after.command == "echo $?", told
            assert (wanted := pages.missing(output, step.output)) is None, f"no line: {wanted}\n{told}"

    def _run(self, step: Step) -> tuple[int, str]:
        """Run a command in the user's shell, which keeps its folder, its variables and the exit code."""
        if step.command.startswith("ansible-vault create "):
            self._prepare_editor(step.command.split()[-1])
        if step.command.startswith("ansible-playbook ") and (forked := self._fork(step.command)):
            return forked
        state = shlex.quote(str(self._state))
        return self._bash(
            f". {state}\neval {shlex.quote(step.command)}\ncode=$?\n"
            f'{{ export -p; pwd | sed "s/.*/cd \'&\'/"; echo "(exit $code)"; }} >{state}\nexit $code\n'
        )

    def _fork(self, command: str) -> tuple[int, str] | None:
        """Run ansible-playbook in a fork; return None if it needs a process of its own."""
        script = f". {shlex.quote(str(self._state))}\neval set -- {shlex.quote(command)}\n"
        code, output = self._bash(f"{script}printf '%s\\0' \"$@\" '' && env -0")
        assert code == 0, output
        words, _end, variables = output.partition("\0\0")
        told = dict(each.split("=", 1) for each in variables.split("\0") if each)
        environment = {**fork_server.STANDARD, "RESULTS_FILE": str(self.home / "results.jsonl"), **told}
        same = all(fork_server.same_imports(environment, folder) for folder in (self.home, self._folder))
        if not same:
            return None
        printed, typed = self.home / "printed", self.home / "typed"
        typed.write_text(TYPED)
        with printed.open("wb") as file:
            arguments = [*words.split("\0")[1:], *self._local]
            process = fork_server.fork("ansible-playbook", arguments, environment, self._folder, file, file, typed)
            code = process.wait(SECONDS)
        with self._state.open("a") as state:
            state.write(f"(exit {code})\n")
        return code, printed.read_text()

    def _bash(self, script: str) -> tuple[int, str]:
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", script],
            cwd=self._folder,
            env={
                "PATH": f"{self._programs}:{os.environ['PATH']}",
                "LC_ALL": "C.UTF-8",
                "HOME": str(self.home),
                "NO_COLOR": "1",
                "EDITOR": str(self._programs / "editor"),
            },
            input=TYPED,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
            start_new_session=True,
        )
        return ran.returncode, ran.stdout

    def _prepare_editor(self, name: str) -> None:
        """Make the editor write the content that the page prints for the file."""
        [text] = [block.text for block in self._blocks if block.file == name]
        wanted = self.home / "wanted"
        wanted.write_text(text)
        (self._folder / name).unlink(missing_ok=True)
        self._program("editor", f'cat {shlex.quote(str(wanted))} >"$1"')

    def _wrap(self, name: str, *arguments: str) -> None:
        real = shutil.which(name)
        assert real
        self._program(name, f'exec {shlex.quote(real)} "$@" {shlex.join(arguments)}')

    def _program(self, name: str, text: str) -> None:
        (self._programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self._programs / name).chmod(0o755)


def _local(platform: Emulator, home: Path) -> dict[str, Any]:
    """Return the variables with which gateways are folders and the platform is the emulator."""
    return {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "gateway_endpoint": platform.endpoints["register_url"],
        "gateway_mqtt_endpoint": "{host}:{port}".format_map(platform.endpoints["mqtts"]),
        "gateway_ca_path": platform.endpoints["ca_file"],
        "gateway_path": f"{home}/gateways/{{{{ inventory_hostname }}}}/device.json",
        "gateway_service": "",
        "platform_openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "platform_ca_path": platform.endpoints["ca_file"],
    }


def _provision(platform: Emulator, home: Path, name: str) -> None:
    """Give a gateway the credential of its device, which has logged in before."""
    platform.admin.activate(PRODUCT["product_key"], name)
    secret = platform.admin.device(PRODUCT["product_key"], name)["device_secret"]
    credential = home / "gateways" / name / "device.json"
    credential.parent.mkdir(parents=True, exist_ok=True)
    credential.write_text(
        json.dumps({"productKey": PRODUCT["product_key"], "deviceName": name, "deviceSecret": secret})
    )
    credential.chmod(0o600)


@pytest.fixture(scope="module")
def local_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Yield the one platform of all pages."""
    key = {"id": ACCOUNT["platform_access_key_id"], "secret": ACCOUNT["platform_access_key_secret"]}
    with Emulator(tmp_path_factory.mktemp("platform"), {"access_keys": [key]}) as emulator:
        yield emulator


@pytest.fixture
def user(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[User]:
    """Yield the user of a page; the processes that the user started end with the test."""
    page = request.param
    platform = None if page.stem in WITH_A_PLATFORM else request.getfixturevalue("local_platform")
    if platform:
        admin = platform.admin
        for product in admin.products():
            admin.delete_product(product["product_key"])
        admin.put_product(PRODUCT["product_key"], **{name: PRODUCT[name] for name in ("product_secret", "node_type")})
        for name in GATEWAYS:
            admin.put_device(PRODUCT["product_key"], name)
            if name in PROVISIONED.get(page.stem, ()):
                _provision(platform, tmp_path, name)
    yield User(page, tmp_path, platform)
    processes.kill(lambda: processes.at_home(tmp_path))


WITH_COMMANDS = [page for page in PAGES if any(block.language in COMMANDS for block in blocks(page))]


@pytest.mark.parametrize("user", WITH_COMMANDS, ids=lambda page: page.stem, indirect=True)
def test_what_a_page_says_works_as_printed_and_leaves_no_process(user: User) -> None:
    user.read()
    assert [processes.read(pid, "cmdline") for pid in processes.at_home(user.home)] == []
    assert list(user.home.rglob("endpoints.json")) == []


def test_a_command_that_is_not_tried_is_on_a_page_and_can_be_parsed() -> None:
    assert set(UNTRIED) <= pages.commands()
    for command in UNTRIED:
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_the_packages_of_the_pages_are_those_of_the_repository() -> None:
    wanted = "\n".join(path.read_text() for path in pages.ROOT.glob("requirements/*.in"))
    wanted += (pages.ROOT / "requirements.txt").read_text()
    known = set(re.findall(r"^([A-Za-z][\w.-]*)", wanted, re.MULTILINE))
    named = {word for command in pages.commands() if command.startswith("pip install ") for word in command.split()[2:]}
    assert {"requests", "molecule"} <= named <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_nothing_to_type_is_outside_of_what_is_tried(page: Path) -> None:
    """All commands are in blocks that are tested: a block of another language, or a literal block, would not be."""
    for block in blocks(page):
        if block.language in ("yaml", "yaml+jinja"):
            assert yaml.safe_load(block.text), block
        elif block.language not in COMMANDS:
            assert not re.search(r"^(\$|ansible|make|pip|molecule)\b", block.text, re.MULTILINE), block
    assert not re.search(r"::\n\n +\S", pages.prose(page).replace(":local:", "")), page
    assert not re.search(r"^    +(\$ |ansible-|make |pip )", pages.prose(page), re.MULTILINE), page


def test_a_page_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "wrong.md"
    for text in (
        "```shell\nfalse\n```\n",
        "```console\n$ echo one two\none three\n```\n",
        "```console\n$ false\n$ true\n```\n",
    ):
        page.write_text(text)
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        home.mkdir()
        user = User(page, home, None)
        user._blocks = [Block(pages.ROOT / "README.md", 1, block.language, block.text) for block in user._blocks]
        with pytest.raises(AssertionError):
            user.read()
