# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Demonstrate the playbooks with five gateways and an emulator on this machine: `make demo`.

Run the playbook fleetops.aliyun_iot.provision three times: the first time, again, and after two credentials were damaged. Log in with
every credential, issue a new secret with fleetops.aliyun_iot.reprovision, and log in again. Compare each run with the platform's log of
requests and with the files. The exit code is 0 if all checks pass. At the end, also after an error or a signal, stop the emulator and
remove the gateways.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import pty
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any, NoReturn

import requests
from rich.console import Console
from rich.markup import escape
from rich.table import Table

DEMO = Path(__file__).parent
CALLBACKS = DEMO.parent / "tests" / "support" / "callbacks"
GATEWAYS = ["bakery", "dairy", "mill", "orchard", "winery"]
CUT_SHORT, OPENED_UP, RESET = "dairy", "orchard", "mill"
PRODUCT_KEY = "a1IoKDemo01"
ACCESS_KEY_ID = "demo"
REPORT = Path(os.environ.get("DEMO_REPORT") or DEMO.parent / ".demo" / "report.html").absolute()
REPORT_FILES = [REPORT.with_suffix(suffix) for suffix in (".html", ".json", ".csv")]
NOT_AUTHORIZED = 5  # of a CONNACK
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

CONFIGURATION = f"""
[defaults]
callback_plugins = {CALLBACKS}
callbacks_enabled = json_lines
stdout_callback = fleetops.aliyun_iot.fleet_progress
localhost_warning = false

[inventory]
inventory_unparsed_warning = false
"""

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)

Results = dict[str, dict[str, Any]]


class Wrong(Exception):
    """A check of the demo failed."""


def main() -> int:
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        with Platform() as platform:
            demonstrate(platform)
    except Wrong as error:
        console.print(f"[bold red]✗ {escape(str(error))}")
        return 1
    return 0


def demonstrate(platform: Platform) -> None:
    folder = platform.folder
    write_inventory(platform)
    REPORT.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in REPORT_FILES:
        file.unlink(missing_ok=True)

    say("Provision five gateways that have no credential")
    first = provision(platform)
    check(all(of(first, "registered").values()), "every gateway was registered")
    check(platform.registered() == sorted(map(device, GATEWAYS)), "the platform received one registration of each")
    check_files(platform, first)

    say("Run the playbook again")
    second = provision(platform)
    check(not any(of(second, "changed").values()), "nothing was changed")
    check(platform.registered() == [], "the platform received no registration")
    check_files(platform, second)

    say(f"Damage two credentials: {CUT_SHORT}'s is truncated, {OPENED_UP}'s becomes readable for everyone")
    os.truncate(credential(folder, CUT_SHORT), 20)
    credential(folder, OPENED_UP).chmod(0o644)
    third = provision(platform)
    damage = {CUT_SHORT: "unreadable", OPENED_UP: "attributes"}
    check(of(third, "reason") == {name: damage.get(name, "up_to_date") for name in GATEWAYS}, "both were repaired")
    check(
        platform.registered() == [device(CUT_SHORT)], f"the platform received one registration, of {device(CUT_SHORT)}"
    )
    check_files(platform, third)

    say("Log in with every credential")
    check_logins(platform, log_in(platform), GATEWAYS)

    say(f"Issue a new secret for {RESET}, whose device is now activated")
    old = keep(credential(folder, RESET))
    fourth = gateway_results(
        run(platform, "fleetops.aliyun_iot.reprovision", "-e", "@account.json", "-e", f"target={RESET}")
    )
    check(platform.saw("ResetThing") == [(device(RESET), None)], f"the platform received one reset, of {device(RESET)}")
    check(platform.registered() == [device(RESET)], f"the platform received one registration, of {device(RESET)}")
    check(
        platform.saw("connect") == [(device(RESET), 0)], "the platform accepted one login, which tests the new secret"
    )
    check_files(platform, {**third, **fourth})

    say(f"Log in with the old credential of {RESET}")
    [refused] = log_in(platform, "--limit", RESET, "-e", f"credential={old}", ends_with=2).values()
    check(not refused["accepted"] and refused["error"]["code"] == NOT_AUTHORIZED, "the old credential is refused")
    check(
        platform.saw("connect") == [(device(RESET), NOT_AUTHORIZED)], "the platform received one login, and refused it"
    )

    say("Log in with every credential again")
    logins = log_in(platform)
    check_logins(platform, logins, GATEWAYS)

    show(folder, [first, second, third, fourth], logins)
    console.print(f"The report of the third run, to open in a browser: {REPORT}", soft_wrap=True)


# The platform


class Platform:
    """The emulator, started by its role in the temporary folder of the demo."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aliyun-iot-demo-"))
        self.product_secret = secrets.token_hex(8)
        self.access_key_secret = secrets.token_hex(15)
        self._state_dir = self.folder / "platform"
        self._seen: dict[str, int] = {}

    def __enter__(self) -> Platform:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        say("The end")
        with to_the_end():
            try:
                self._bring_to("stopped")
            finally:
                shutil.rmtree(self.folder)
        check(not self.folder.exists(), "the platform is stopped, and its folder and those of the gateways are removed")

    def _start(self) -> None:
        say("Start the platform")
        console.print(f"Its folder, and those of the gateways, are in {self.folder}", soft_wrap=True)
        (self.folder / "ansible.cfg").write_text(CONFIGURATION)
        with to_the_end():
            self._bring_to("started")
        self.endpoints = json.loads((self._state_dir / "endpoints.json").read_text())

    def registered(self) -> list[str]:
        """Return the devices that have registered since the last call."""
        return [name for name, _code in self.saw("register")]

    def saw(self, action: str) -> list[tuple[str, int | None]]:
        """Return device and code of the requests with this action since the last call; a successful OpenAPI call has no code."""
        log = self._ask(f"/requests?action={action}&since={self._seen.get(action, 0)}")
        self._seen[action] = max([self._seen.get(action, 0), *(entry["id"] for entry in log)])
        return sorted((entry["device_name"], entry["code"]) for entry in log)

    def secret(self, name: str) -> str:
        """Return the valid DeviceSecret of the device."""
        return str(self._ask(f"/products/{PRODUCT_KEY}/devices/{name}")["device_secret"])

    def secrets(self) -> list[str]:
        return [self.secret(device(name)) for name in GATEWAYS]

    def _ask(self, path: str) -> Any:
        answer = requests.get(self.endpoints["admin_url"] + path, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def _bring_to(self, state: str) -> None:
        product = {"product_key": PRODUCT_KEY, "product_secret": self.product_secret}
        seed = {
            "access_keys": [{"id": ACCESS_KEY_ID, "secret": self.access_key_secret}],
            "products": [{**product, "devices": [device(name) for name in GATEWAYS]}],
        }
        variables = {"emulator_state": state, "emulator_state_dir": str(self._state_dir), "emulator_seed": seed}
        write(self.folder / "platform.json", variables)
        playbook(self.folder, str(DEMO / "platform.yml"), "-e", "@platform.json", quiet=True)


# The gateways


def device(gateway: str) -> str:
    return f"demo-{gateway}"


def credential(folder: Path, gateway: str) -> Path:
    return folder / gateway / "device.json"


def write_inventory(platform: Platform) -> None:
    """Write the inventory, whose gateways are folders of this machine."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "gateway_product_key": PRODUCT_KEY,
        "gateway_product_secret": platform.product_secret,
        "gateway_endpoint": platform.endpoints["register_url"],
        "gateway_ca_path": platform.endpoints["ca_file"],
        "gateway_mqtt_endpoint": "{host}:{port}".format_map(platform.endpoints["mqtts"]),
        "gateway_device_name": "demo-{{ inventory_hostname }}",
        "gateway_report": "all",
        "gateway_path": f"{platform.folder}/{{{{ inventory_hostname }}}}/device.json",
    }
    write(platform.folder / "inventory.json", {"gateways": {"hosts": dict.fromkeys(GATEWAYS), "vars": variables}})
    account = {
        "platform_access_key_id": ACCESS_KEY_ID,
        "platform_access_key_secret": platform.access_key_secret,
        "platform_openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "platform_ca_path": platform.endpoints["ca_file"],
    }
    write(platform.folder / "account.json", account)


def provision(platform: Platform) -> Results:
    report = f"gateway_report_to={REPORT}"
    results = gateway_results(run(platform, "fleetops.aliyun_iot.provision", "-e", report))
    written = "".join(path.read_text() for path in REPORT_FILES)
    check(not any(secret in written for secret in platform.secrets()), "no secret is in the report", quiet=True)
    return results


def log_in(platform: Platform, *arguments: str, ends_with: int = 0) -> Results:
    return results_of("device_login", run(platform, str(DEMO / "login.yml"), *arguments, ends_with=ends_with))


def run(platform: Platform, name: str, *arguments: str, ends_with: int = 0) -> list[dict[str, Any]]:
    """Run the playbook over the inventory; return the result of every task on every gateway."""
    folder = platform.folder
    hidden = [platform.product_secret, platform.access_key_secret, *platform.secrets()]
    output = playbook(folder, name, "-i", "inventory.json", *arguments, ends_with=ends_with)
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    shown = output + json.dumps(lines)
    check(not any(secret in shown for secret in [*hidden, *platform.secrets()]), "no secret was shown")
    return lines


def gateway_results(lines: list[dict[str, Any]]) -> Results:
    return results_of("fleet_report", lines)


def results_of(action: str, lines: list[dict[str, Any]]) -> Results:
    """Return the last result of this action for each gateway."""
    return {line["host"]: line["result"] for line in lines if line.get("action") == f"fleetops.aliyun_iot.{action}"}


def keep(path: Path) -> Path:
    """Copy the credential, with its permissions, within its folder; return the path of the copy."""
    copy = path.with_name("old.json")
    shutil.copy2(path, copy)
    return copy


def of(results: Results, key: str) -> dict[str, Any]:
    """Return the value of this key in the result of each gateway, in the order of the gateways."""
    return {name: results[name][key] for name in GATEWAYS}


def check_files(platform: Platform, results: Results) -> None:
    for name, told in results.items():
        path = credential(platform.folder, name)
        stored = json.loads(path.read_text())
        valid = {"deviceName": device(name), "deviceSecret": platform.secret(device(name)), "productKey": PRODUCT_KEY}
        right = [stored == valid, told["fingerprint"] == fingerprint(stored), told["mode"] == mode(path) == "0600"]
        check(all(right), f"{name} has the credential that the platform knows, of mode 0600", quiet=True)
    check(True, "every gateway has the credential that the platform knows, of mode 0600")


def check_logins(platform: Platform, logins: Results, names: list[str]) -> None:
    check(all(of(logins, "accepted").values()), "every credential is accepted")
    fingerprints = {name: fingerprint(json.loads(credential(platform.folder, name).read_text())) for name in names}
    check(of(logins, "fingerprint") == fingerprints, "each login used the gateway's own credential", quiet=True)
    check(
        platform.saw("connect") == sorted((device(name), 0) for name in names),
        "the platform received one login of each",
    )


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"


def fingerprint(stored: dict[str, str]) -> str:
    text = "fleetops:{productKey}:{deviceName}:{deviceSecret}".format_map(stored)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Output


def show(folder: Path, passes: list[Results], logins: Results) -> None:
    table = Table(title="The fleet", caption=f"The paths are in {folder}, which is removed now.")
    for column in ("gateway", "device", "path", "mode", "fingerprint", "login", "what happened", "why"):
        table.add_column(column, no_wrap=True)
    for name in GATEWAYS:
        path = credential(folder, name)
        changes = [results[name] for results in passes if name in results and results[name]["changed"]]
        happened = ["registered" if change["registered"] else "repaired" for change in changes]
        why = [change["reason"] for change in changes]
        login = logins[name]
        row = [name, login["device_name"], str(path.relative_to(folder)), mode(path), login["fingerprint"]]
        row.append("accepted" if login["accepted"] else "refused")
        table.add_row(*row, "\n".join(happened), "\n".join(why))
    console.print()
    console.print(table)


def say(text: str) -> None:
    console.print(f"\n[bold]{text}")


def check(right: bool, text: str, quiet: bool = False) -> None:
    """Print the text if the check has passed; otherwise end the demo."""
    if not right:
        raise Wrong(f"Expected: {text}")
    if not quiet:
        console.print(f"[green]✓[/] {text}")


# Processes


def playbook(folder: Path, *arguments: str, quiet: bool = False, ends_with: int = 0) -> str:
    """Run ansible-playbook in the folder; return its output.

    :raises Wrong: the exit code is not ``ends_with``
    """
    shown = " ".join(["ansible-playbook", *arguments]).replace(f"{DEMO.parent}/", "").replace(f"{folder}/", "")
    console.print(f"[dim]$ {escape(shown)}")
    output = ""
    command = [sys.executable, "-m", "ansible", "playbook", *arguments]
    shows, end = output_of(quiet)
    with open(shows, "rb", buffering=0) as shown_there, started(command, folder, end) as process:
        try:
            for text in read(shown_there):
                output += text
                if not quiet:
                    sys.stdout.write(text)
                    sys.stdout.flush()
        except BaseException:
            process.terminate()
            raise
    if process.returncode != ends_with:
        raise Wrong(f"{shown} ended with {process.returncode}" + (f":\n{output}" if quiet else ""))
    return output


def started(command: list[str], folder: Path, output: int) -> subprocess.Popen[bytes]:
    """Start the command with this file descriptor as its output, and close the descriptor here."""
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(output)


def output_of(quiet: bool) -> tuple[int, int]:
    """Open a terminal of the same size, so that Ansible prints as on this terminal, or a pipe; return both ends."""
    ours, its = pty.openpty() if console.is_terminal and not quiet else os.pipe()
    if os.isatty(its):
        termios.tcsetwinsize(its, (console.height, console.width))
    return ours, its


def read(file: RawIOBase) -> Iterator[str]:
    """Yield the text that is written to the other end, until the other end is closed."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        try:
            data = file.read(65536)
        except OSError:  # the other end of the terminal was closed
            return
        if not data:
            return
        yield decoder.decode(data)


def environment(folder: Path) -> dict[str, str]:
    """Return this environment without the user's settings for Ansible; the folder is the home, so that Ansible writes no other files."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {
        **inherited,
        "HOME": str(folder),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": str(console.is_terminal),
        "RESULTS_FILE": str(folder / "results.jsonl"),
    }


@contextmanager
def to_the_end() -> Iterator[None]:
    """Delay signals until the block has ended."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            stop(came[0], None)


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def stop(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
