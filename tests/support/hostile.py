# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compromised gateways, which give any answer at any point.

`attack` runs every entry point of the collection on them with one ansible-core, and returns what they achieved, which must be nothing.
"""

from __future__ import annotations

import json
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from account import KEY
from core_keys import SPECIAL
from emulator import Emulator
from gateways import credential_text
from playbook import PRODUCT_KEY, Run, connection, inventory, mqtt_endpoint, start_playbook
from shells import write_script

JSON = Any

ROOT = Path(__file__).parents[2]
# Text that a gateway has chosen; in a warning it would appear to be from ansible-core.
MARK = "OWNED-BY-THE-GATEWAY"
TITLE = f"\x1b]0;{MARK}\x07"
IDENTITY = {"product_key": PRODUCT_KEY, "device_name": "gw-0001", "fingerprint": "0123456789abcdef"}
# Keys that ansible-core itself adds to a result.
OF_CORE = {
    "changed",
    "exception",
    "failed",
    "msg",
    "diff",
    "_ansible_no_log",
    "_ansible_parsed",
    "_ansible_delegated_vars",
}
# A command that prints more than any answer contains.
LONG = "yes a | head -c 3000000"
# Files that a command chosen by a gateway would create in the home of a run.
PROXY, TEMPLATE = "made-by-proxy-command", "made-by-template"


@dataclass(frozen=True)
class Case:
    """One gateway: the task that runs on it, and the shell that answers."""

    host: str
    module: str
    options: dict[str, JSON]
    shell: str
    credential: bool = False
    check: bool = False


def attack(platform: Emulator, home: Path, python: str = sys.executable, callback: str = "default") -> list[str]:
    """Run the tasks of all gateways in one run, displayed by a callback; return the problems, one line each."""
    everyone = list(cases(platform, home))
    assert len({case.host for case in everyone}) == len(everyone)
    hosts = {case.host: _host(platform, home, case) for case in everyone}
    plays = [_play(module, [case for case in everyone if case.module == module]) for module in MODULES]
    # This play would run on hosts that a gateway has added, with a command that the gateway chose.
    plays.append({"hosts": "owned", "gather_facts": False, "tasks": [{"ansible.builtin.raw": "true"}]})
    facts = "{{ groups.gateways | map('extract', hostvars) | map(attribute='owned', default='') | unique | list }}"
    told = {"ansible.builtin.debug": {"msg": {"facts": facts, "groups": "{{ groups.keys() | list }}"}}}
    plays.append({"hosts": "witness", "gather_facts": False, "tasks": [told]})
    gateways = inventory({**hosts, "witness": {}}, home)
    env = {"ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_STDOUT_CALLBACK": callback}
    if python != sys.executable:
        env["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".venv/collections")
    with start_playbook(plays, gateways, home, env=env, python=python) as started:
        run = started.wait()
    return [
        *_problems(run, everyone, home),
        *(f"{name} was made" for name in (PROXY, TEMPLATE) if (home / name).exists()),
    ]


def _play(module: str, everyone: list[Case]) -> JSON:
    place = () if module == "service_restart" else ("path",)
    names = sorted({name for case in everyone for name in (*place, *case.options)})
    options = {name: f"{{{{ wanted.{name} | default(omit) }}}}" for name in names}
    task = {f"fleetops.aliyun_iot.{module}": options, "register": "told", "ignore_errors": True}
    task["check_mode"] = "{{ wanted_check }}"
    # A gateway's text must not be templated when a later task uses it.
    use = {"ansible.builtin.debug": {"msg": "{{ told.msg | default('') ~ told.error | default('') }}"}}
    tasks = [task, *[use] * (module == "gateway_credential")]
    return {"hosts": [case.host for case in everyone], "gather_facts": False, "tasks": tasks}


def _host(platform: Emulator, home: Path, case: Case) -> JSON:
    root = home / case.host
    root.mkdir(mode=0o700)
    shell = write_script(root / "shell", case.shell)
    if case.credential:
        secret = platform.admin.device(PRODUCT_KEY, case.host)["device_secret"]
        (root / "device.json").write_text(credential_text(PRODUCT_KEY, case.host, secret))
        (root / "device.json").chmod(0o600)
    wanted = {"path": f"{root}/device.json", **case.options}
    return {"wanted": wanted, "wanted_check": case.check, "ansible_shell_executable": str(shell)}


# Shells


def saying(output: str | bytes) -> str:
    """Return a shell that prints this output, whatever it is to run."""
    data = output if isinstance(output, bytes) else output.encode("utf-8", "surrogateescape")
    octets = "".join(f"\\{octet:03o}" for octet in data)
    return f"cat >/dev/null\nprintf {shlex.quote(octets)}"


def changing(program: str, before: str = "") -> str:
    """Return a shell that prints `before`, then runs the script and edits its output with sed."""
    octets = "".join(f"\\{octet:03o}" for octet in before.encode())
    return (
        f'[ "$1" != -c ] || exec /bin/sh "$@"\nprintf {shlex.quote(octets)}\n/bin/sh "$@" | sed {shlex.quote(program)}'
    )


def unfinished(names: str) -> str:
    """Return a shell that always reports a staged credential of this device, and reports that it was installed."""
    script = "sed 's/^unchanged$/state; say installed/' | /bin/sh"
    return f'[ "$1" != -c ] || exec /bin/sh "$@"\n{script} | sed "s/^staged .*/staged 0123456789abcdef {names}/"'


def programmed(python: str) -> str:
    """Return an honest shell with a hostile Python."""
    return f'case "$*" in *" -I -S "*) ;; *) exec /bin/sh "$@" ;; esac\n{python}'


def later(outcome: str, shell: str) -> str:
    """Return a shell that is honest until the script with this outcome; then it creates the file `answered` and acts as `shell`."""
    honest = f'*"say {outcome}"*) touch "${{0%/*}}/answered" ;; *) printf "%s\\n" "$script" | /bin/sh; exit ;;'
    return f'[ "$1" != -c ] || exec /bin/sh "$@"\nscript=$(cat)\ncase $script in {honest} esac\n{shell}'


def printed(result: JSON) -> str:
    return f"\nfleetops-result {json.dumps(result)}\n"


def values(home: Path) -> dict[str, JSON]:
    """Return the most harmful value for each key."""
    text = f"{TITLE}{{{{ lookup('pipe', 'touch {home}/{TEMPLATE}') }}}}"
    return {**dict.fromkeys(sorted(SPECIAL), text), **harmful(home)}


def harmful(home: Path) -> dict[str, JSON]:
    """Return the values on which ansible-core acts if they have a certain type."""
    proxy = f"-o ProxyCommand='touch {home}/{PROXY}'"
    owned = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_ssh_common_args": proxy}
    return {
        "add_host": {"host_name": "owned-1", "groups": ["owned", "gateways"], "host_vars": owned},
        "add_group": "owned",
        "parent_groups": ["all"],
        "ansible_facts": {"owned": MARK, "ansible_python_interpreter": f"touch {home}/{PROXY};"},
        "_ansible_facts_cacheable": True,
        "ansible_stats": {"data": {MARK: 1}, "aggregate": True, "per_host": False},
        "warnings": [MARK],
        "deprecations": [{"msg": MARK, "version": "99"}],
        "exception": f"{TITLE}{MARK}",
        "results": [{"ansible_facts": {"owned": MARK}, "changed": True}],
        "_ansible_notify": [MARK],
        "_ansible_no_log": True,
        "_ansible_delegated_vars": {"ansible_host": MARK},
        "unreachable": True,
        "skipped": True,
        "changed": True,
        "failed": False,
        "rc": 1,
        "diff": {"before": TITLE, "after": TITLE},
    }


def cases(platform: Emulator, home: Path) -> Iterator[Case]:
    """Yield all gateways; add the devices of those that register to the platform."""
    everything = values(home)
    evil = str(everything["msg"])
    failure = {"kind": "add_host", "code": None, "message": evil, "hint": evil}
    failed = {"error": failure, "may_have_registered": False, "registered": False}
    programs = {
        "keys": printed({**IDENTITY, **everything}),
        "all": printed({**IDENTITY, "outcome": "installed", "lines": [evil], **everything}),
        "error": printed(failed),
        "error-keys": printed({**failed, "error": {**failure, **everything}, **everything}),
        "crash": printed({"crash": evil, "lacks": evil, **everything}),
        "lines": printed({"outcome": "installed", "lines": [f"{key} {text}" for key, text in everything.items()]}),
        "outcome": printed({"outcome": evil, "lines": []}),
        "deep": "\nfleetops-result " + '{"add_host":' * 5000,
        "twice": printed(IDENTITY) + printed({**IDENTITY, **everything}),
        "text": f"{TITLE}{evil}\n",
    }
    # In addition to the shells that print the texts above, one whose result has no end.
    endless = f"cat >/dev/null\nprintf '\\nfleetops-result \"'\n{LONG}"
    shells = {name: saying(output) for name, output in programs.items()} | {"long": endless}
    login = {"mqtt_endpoint": mqtt_endpoint(platform), "ca_path": platform.endpoints["ca_file"], "timeout": 5}
    for number, key in enumerate(harmful(home)):
        shell = saying(printed({**IDENTITY, key: everything[key]}))
        yield Case(f"login-key-{number}", "device_login", {**login, "login_from": "gateway"}, shell)
    for name, shell in shells.items():
        yield Case(f"login-program-{name}", "device_login", {**login, "login_from": "gateway"}, shell)
        host = _device(platform, f"program-{name}")
        options = {**connection(platform), "register_from": "gateway"}
        yield Case(host, "gateway_credential", options, programmed(shell))
    account = {"access_key_id": KEY.id, "access_key_secret": KEY.secret, "ca_path": platform.endpoints["ca_file"]}
    account.update(openapi_endpoint=platform.endpoints["openapi_endpoint"], product_key=PRODUCT_KEY)
    shells = _shells(everything, evil)
    controller = {**login, "login_from": "controller"}
    for name in (*OF_ANY, *OF_LOGIN):
        yield Case(_device(platform, f"login-{name}"), "device_login", controller, shells[name], credential=True)
    for name in (*OF_ANY, *OF_LOOK):
        options = {**connection(platform), "register_from": "controller"}
        if name == "hardware":
            options["device_name_from"] = "mac"
        host, held = _device(platform, f"look-{name}"), name in ("identity", "mode", "owner")
        # Check mode for false looks: a change would look again until the state is the same as in the last look.
        yield Case(host, "gateway_credential", options, shells[name], held, check=name in OF_LOOK)
    for word in ("begun", "installed"):
        for name in ("escape", "failed", "busy", "silent", "octets", "end"):
            host = _device(platform, f"{word}-{name}")
            yield Case(
                host,
                "gateway_credential",
                connection(platform) | {"register_from": "controller"},
                later(word, shells[name]),
            )
    for name in OF_ANY:
        yield Case(
            _device(platform, f"restart-{name}"), "service_restart", {"service": "agent"}, shells[name], check=True
        )
    # This gateway always reports an interrupted change, which is finished first.
    again = {**connection(platform), "register_from": "controller", "register": "always"}
    yield Case(_device(platform, "look-again"), "gateway_credential", again, unfinished(f"{PRODUCT_KEY} look-again"))
    for name in ("title", "lines", "failed", "octets"):
        options = {**connection(platform), "register_from": "gateway"}
        yield Case(_device(platform, f"register-{name}"), "gateway_credential", options, shells[name])
    for name in ("title", "lines", "failed", "octets", "owner", "path"):
        yield Case(
            _device(platform, f"recover-{name}"),
            "gateway_recovery",
            account,
            shells[name],
            name == "owner",
            name in OF_LOOK,
        )


# The shells by the scripts to which they give false answers: any script, the script login, look and the scripts after it.
OF_ANY = (
    "title",
    "lines",
    "json",
    "end",
    "escape",
    "failed",
    "kind",
    "kind2",
    "busy",
    "silent",
    "octets",
    "long",
    "none",
)
OF_LOGIN = ("identity", "host", "password", "short")
OF_LOOK = (
    *(
        "uid",
        "digits",
        "path",
        "owner",
        "mode",
        "entries",
        "surrogate",
        "identity",
        "clock",
        "tool",
        "journal",
        "hardware",
    ),
)


def _shells(everything: dict[str, JSON], evil: str) -> dict[str, str]:
    """Return the shells by name."""
    line = json.dumps(everything)
    lines = "".join(f"{key} {json.dumps(text)}\n{key}={json.dumps(text)}\n" for key, text in everything.items())
    escaped = TITLE.replace("\x1b", "\\x1b").replace("\x07", "\\x07")
    return {
        "title": changing("", before=TITLE),
        "lines": changing("", before=f"{line}\n{lines}"),
        "json": saying(line),
        "end": saying(f"{lines}fleetops-end {line}\n"),
        "escape": saying(f"uid 0\nfleetops-end {evil}\n"),
        "failed": saying(f"error storage {evil}\nfleetops-end failed\n"),
        "kind": saying(f"error add_host {evil}\nfleetops-end failed\n"),
        "kind2": saying(f"error {evil}\nfleetops-end failed\n"),
        "busy": saying(f"error busy {evil}\nfleetops-end failed\n"),
        "silent": saying(f"{evil}\n{TITLE}"),
        "octets": saying(b"\xff\xfe\x80uid 0\nfleetops-end \xff\n"),
        "long": f"cat >/dev/null\n{LONG}\necho fleetops-end looked",
        "uid": changing(f"s/^uid .*/uid {escaped}/"),
        "digits": changing(f"s/^uid .*/uid {'9' * 5000}/"),
        "path": changing(f"s|^path .*|path /{escaped}|"),
        "owner": changing(f"s/^\\(entry 0 .* \\)[^ ]* [^ ]*$/\\1{escaped} {escaped}/"),
        "mode": changing("s/^entry 0 [^ ]*/entry 0 frwsrwsrwt/"),
        "entries": changing("s/^path /entry 99999999999999999999999 -rw------- 0 0 1 a b\\n&/"),
        "surrogate": changing("s|^path |place 1 /\\xff\\n&|"),
        "identity": changing(f"s/^\\(credential\\|staged\\|identity\\) .*/\\1 0123456789abcdef a1 {escaped}/"),
        "host": changing("s/^identity [^ ]* [^ ]*/identity 0123456789abcdef evil.example./"),
        "password": changing(f"s/^password .*/password {escaped}/"),
        "short": changing("s/^password .*/password 00/"),
        "none": changing("/^\\(identity\\|password\\|uid\\|clock\\)/d"),
        "clock": changing(f"s/^clock .*/clock {escaped} {'9' * 5000}/"),
        "tool": changing(f"1s/^/missing_tool {escaped}\\n/"),
        "journal": changing(
            f"s/^path /journal 1 token={escaped} pid={'9' * 5000} intent={escaped}\\njournal stored {escaped}\\n&/"
        ),
        "hardware": changing(f"s/^hardware_name .*/hardware_name {escaped}/"),
    }


def _device(platform: Emulator, name: str) -> str:
    platform.admin.put_device(PRODUCT_KEY, name)
    return name


# Problems

MODULES = ("device_login", "gateway_credential", "gateway_recovery", "service_restart")


def documented(module: str) -> set[str]:
    """Return the documented keys of a module's results."""
    text = (ROOT / f"plugins/modules/{module}.py").read_text(encoding="utf-8")
    return set(yaml.safe_load(text.split('RETURN = r"""')[1].split('"""')[0]))


def _problems(run: Run, everyone: list[Case], home: Path) -> Iterator[str]:
    allowed = {module: documented(module) | OF_CORE for module in MODULES}
    for case in everyone:
        if case.host not in run.results:
            yield f"{case.host}: no result\n{run}"
            continue
        told = run.results[case.host][0]
        result = told["result"]
        if unknown := set(result) - allowed[case.module]:
            yield f"{case.host}: has {sorted(unknown)}: {result}"
        if told["status"] not in ("ok", "failed") or (told["status"] == "failed" and not result.get("error")):
            yield f"{case.host}: {told['status']}: {result}"
        if case.host.startswith(("begun-", "installed-")) and not (home / case.host / "answered").exists():
            yield f"{case.host}: was not asked: {result}"
        if MARK in f"{result.get('exception')}{result.get('warnings')}":
            yield f"{case.host}: core has a word of the gateway's: {result}"
        if raw := [text for text in texts(result) if unprintable(text)]:
            yield f"{case.host}: can not be shown: {raw!r:.300}"
    if raw := sorted(unprintable(run.stdout + run.stderr)):
        yield f"the terminal was sent {raw}"
    if warned := [line for line in (run.stdout + run.stderr).splitlines() if "[WARNING]" in line and MARK in line]:
        yield f"warned: {warned}"
    if "CUSTOM STATS" in run.stdout:
        yield "statistics were set"
    witness = run.result("witness")["msg"] if "witness" in run.results else None
    if witness != {"facts": [""], "groups": ["all", "ungrouped", "gateways"]}:
        yield f"the inventory was changed: {witness}\n{run}"


def texts(found: JSON) -> Iterator[str]:
    """Yield all strings in a value."""
    if isinstance(found, str):
        yield found
    for item in found if isinstance(found, list) else found.items() if isinstance(found, dict) else ():
        yield from texts(list(item) if isinstance(item, tuple) else item)


def unprintable(text: str) -> set[str]:
    """Return the characters that control a terminal or the direction of text."""
    return {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs")} - {"\n"}
