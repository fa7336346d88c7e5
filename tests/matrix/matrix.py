# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test every ansible-core with every Python of gateways, and compare the results with the table in README.md.

usage: matrix.py [--write | --try] CORE=PYTHON...

PYTHON is the interpreter of an environment with this ansible-core. With --write, the results replace the table; with --try, they are only
printed.

Each core provisions one gateway for each Python, and one without Python. The gateways with Python prove their credential by a login. A
second run must change nothing. With --write, reprovision then resets and registers all of them. A Python that a core does not support is
not tested. The gateways are folders of this machine, which the playbooks reach over SSH, Ansible's default connection, with another
program in place of ssh. So a core that connects to the controller instead is found. Compromised gateways attack each core; if an attack
succeeds, the core fails for all Pythons.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import core_keys
from ansible.parsing.vault import VaultLib, VaultSecret
from emulator import Emulator
from hostile import attack
from interpreters import PYTHONS, interpreter
from operations import ENV, PLATFORM, account, credential_file, role_variables, valid_text
from playbook import PRODUCT_KEY, Run, inventory, start_playbook

ROOT = Path(__file__).parents[2]
NONE = "none"
GATEWAYS = (*PYTHONS, NONE)
YES, NO, NOT_SUPPORTED, NOT_HERE = "✓", "fails", "-", "?"
TABLE = re.compile(r"(?<=<!-- matrix -->\n).*?(?=<!-- end of matrix -->)", re.DOTALL)
SUPPORTED = (
    "from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS;"
    "print(*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS)"
)

Row = dict[str, str]


def main(arguments: list[str]) -> int:
    write = "--write" in arguments
    cores = dict(argument.split("=") for argument in arguments if "=" in argument)
    with (
        tempfile.TemporaryDirectory() as home,
        Emulator(Path(home), PLATFORM) as platform,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        rows = dict(zip(cores, pool.map(lambda core: try_core(platform, core, cores[core], write), cores), strict=True))
    table = markdown(rows)
    print(table)
    if any(mark == NO for row in rows.values() for mark in row.values()):
        return 1
    if "--try" in arguments:
        return 0
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    if not write:
        return compare(read(text), rows)
    missing = [python for python in PYTHONS if not interpreter(python)]
    if missing:
        print(f"The table was not written, because Python {', '.join(missing)} is missing.")
        return 1
    readme.write_text(TABLE.sub(table, text), encoding="utf-8")
    return 0


def try_core(platform: Emulator, core: str, python: str, whole: bool) -> Row:
    """Return the result of each gateway, by its Python."""
    printed = subprocess.run([python, "-c", SUPPORTED], check=True, capture_output=True, text=True).stdout
    supported = printed.split()
    row = {name: YES if name == NONE or name in supported else NOT_SUPPORTED for name in GATEWAYS}
    row.update({name: NOT_HERE for name in PYTHONS if row[name] == YES and not interpreter(name)})
    hosts = {f"core-{core}-python-{name}": name for name in GATEWAYS if row[name] == YES}
    with tempfile.TemporaryDirectory() as folder:
        wrong = {hosts[host] for host in run_playbooks(platform, python, Path(folder), hosts, whole)}
    if problems := attacks(platform, python):
        print(f"ansible-core {core}, attacked by gateways:", *problems, sep="\n")
        wrong.update(hosts.values())
    return {name: NO if name in wrong else mark for name, mark in row.items()}


def attacks(platform: Emulator, python: str) -> list[str]:
    """Return what compromised gateways achieve, and the keys of results that this core obeys and the tests do not know."""
    keys = subprocess.run([python, core_keys.__file__], check=False, capture_output=True, text=True)
    unknown = [f"unknown keys: {keys.stdout}{keys.stderr}"] if keys.returncode else []
    with tempfile.TemporaryDirectory() as folder:
        return [*unknown, *attack(platform, Path(folder), python)]


# A play of the users' own; ansible-core checks the variables of the role before it runs.
ROLE = {"hosts": "gateways", "gather_facts": False, "roles": ["fleetops.aliyun_iot.gateway"]}
# The callback of the runs, and the heading of the table that it prints at their end.
CALLBACK, TABLE_OF_RUN = "fleetops.aliyun_iot.fleet_progress", "OUTCOME"
# In the output if fleet_credentials cannot make a connection with this core.
LEFT = "left to a task of its own"
# In place of ssh: note the host, and run the command on this machine.
SSH = """#!/bin/sh
for last; do :; done
echo "$*" >>%s
exec /bin/sh -c "$last"
"""
PASSWORD = "password"


def run_playbooks(platform: Emulator, python: str, home: Path, hosts: dict[str, str], whole: bool) -> set[str]:
    """Run the playbooks over the gateways; return the gateways with a wrong result.

    :param whole: also run reprovision
    """
    for host in hosts:
        platform.admin.put_device(PRODUCT_KEY, host)
    gateways = inventory({host: variables(name) for host, name in hosts.items()}, home, **role_variables(platform))
    connections = home / "connections"
    (home / "ssh").write_text(SSH % shlex.quote(str(connections)))
    (home / "ssh").chmod(0o700)
    del gateways["gateways"]["vars"]["ansible_connection"]
    gateways["gateways"]["vars"]["ansible_ssh_executable"] = str(home / "ssh")
    mqtts = platform.endpoints["mqtts"]
    gateways["gateways"]["vars"]["gateway_mqtt_endpoint"] = f"{mqtts['host']}:{mqtts['port']}"
    (home / "password").write_text(PASSWORD)
    (home / "secret.yml").write_text(encrypted(gateways["gateways"]["vars"].pop("gateway_product_secret")))
    wrong = set()

    def run(name: str, reason: str, changed: bool, registrations: int) -> None:
        connections.write_text("")
        ended = run_playbook(name, platform, python, gateways, home)
        if TABLE_OF_RUN not in ended.stdout:
            wrong.update(hosts)
            print(f"{name}: {CALLBACK} printed no table")
        if LEFT in " ".join((ended.stdout + ended.stderr).split()):  # older cores break lines
            wrong.update(hosts)
            print(f"{name}: fleet_credentials left gateways to a task of their own")
        reached = connections.read_text()
        for host, gateway_python in hosts.items():
            last = ([r["result"] for r in ended.results.get(host, []) if "reason" in r["result"]] or [{}])[-1]
            device = platform.admin.device(PRODUCT_KEY, host)
            file = credential_file(home, host)
            right = {
                "connection": f" {host} " in reached,
                "reason": last.get("reason") == reason,
                "changed": bool(ended.stats.get(host, {}).get("changed")) is changed,
                "failures": not ended.stats.get(host, {"failures": 1})["failures"],
                "registrations": device["registrations"] == registrations,
                "login": device["activated"] is (gateway_python != NONE),
                "credential": file.exists() and file.read_text() == valid_text(platform, host),
            }
            if not all(right.values()):
                wrong.add(host)
                print(f"{host}: {name}: wrong {', '.join(each for each in right if not right[each])}: {last}")
        if wrong:
            print(ended)

    run("provision", "missing", changed=True, registrations=1)
    run("provision", "up_to_date", changed=False, registrations=1)
    run("role", "up_to_date", changed=False, registrations=1)
    if whole:
        run("reprovision", "reset", changed=True, registrations=2)
    return wrong


@functools.cache
def encrypted(secret: str) -> str:
    """Return a variables file with the encrypted ProductSecret; each core passes such a value to the plugins in its own way."""
    vault = VaultLib([("default", VaultSecret(PASSWORD.encode()))])
    text = vault.encrypt(secret).decode()
    return f"gateway_product_secret: !vault |\n{textwrap.indent(text, '  ')}"


def variables(python: str) -> dict[str, Any]:
    """Return the variables of a gateway; one without Python is registered from the controller, and cannot log in."""
    if python == NONE:
        return {"ansible_python_interpreter": "/nonexistent/python", "gateway_register_from": "controller"}
    return {"ansible_python_interpreter": str(interpreter(python)), "gateway_verify": "login"}


def run_playbook(name: str, platform: Emulator, python: str, gateways: Any, home: Path) -> Run:
    arguments = ["--vault-password-file", str(home / "password"), "-e", f"@{home}/secret.yml"]
    arguments += ["-e", json.dumps({**account(platform), "gateway_serial": "100%", "gateway_report": "all"})]
    env = {**ENV, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_STDOUT_CALLBACK": CALLBACK}
    playbook = ROLE if name == "role" else f"fleetops.aliyun_iot.{name}"
    with start_playbook(playbook, gateways, home, *arguments, env=env, python=python) as started:
        return started.wait()


def markdown(rows: dict[str, Row]) -> str:
    lines = [["ansible-core", *GATEWAYS], ["---"] * (len(GATEWAYS) + 1)]
    lines += [[core, *row.values()] for core, row in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def read(text: str) -> dict[str, Row]:
    """Return the rows of the table in README.md."""
    found = TABLE.search(text)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in (found[0] if found else "").splitlines()]
    return {line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[2:]}


def compare(table: dict[str, Row], rows: dict[str, Row]) -> int:
    """Print the differences between the table and the results; return 1 if there is one."""
    differences = [
        f"ansible-core {core} with Python {name}: README says {table.get(core, {}).get(name)}, this run {mark}"
        for core, row in rows.items()
        for name, mark in row.items()
        if mark not in (NOT_HERE, table.get(core, {}).get(name))
    ]
    print("\n".join([*differences, "Run make matrix."] if differences else ["README says the same."]))
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
