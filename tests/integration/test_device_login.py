# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""device_login in playbooks against the emulator: accepted logins and every failure, from the gateway and from the controller.

Every case is a host of two plays, check mode and a run, with its own device.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dated_server import DatedServer
from emulator import Emulator
from gateways import WAYS, Gateway, Prepare, changed, credential_text, run_task, told
from mqtt_client import Client, registration
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, connection, inventory, mqtt_endpoint, run_playbook
from shells import write_script

JSON = Any

DEAD_SECRET = "0dd5ec2e70dd5ec2e70dd5ec2e7bef00"
YEARS = {"expired": 2001, "early": 2999}


def nothing(gateway: Gateway) -> None:
    """Prepare nothing, for cases in which only the options differ."""


@dataclass(frozen=True)
class Case:
    """A gateway with its device's valid credential, a change of either, and the expected outcome of a login.

    In `options`, names in braces are filled in: {expired} and {early} are servers with certificates of other years, {expired_ca} and
    {early_ca} are the CAs to trust them.
    """

    name: str
    kind: str | None = None  # of the error; None: the login is accepted
    says: tuple[str, ...] = ()  # in the message or in the hint
    code: int | None = None
    options: dict[str, JSON] = field(default_factory=dict)
    prepare: Prepare = nothing
    fault: dict[str, JSON] | None = None
    logins: int = 0  # that reach the platform
    ways: tuple[str, ...] = WAYS
    at_once: bool = False  # fails before anything is done, and so in check mode too


# Changes of a gateway or of its device


def replace_secret(gateway: Gateway) -> None:
    gateway.store(credential_text(PRODUCT_KEY, gateway.device_name, DEAD_SECRET))


def rename(gateway: Gateway) -> None:
    text = gateway.path.read_text()
    gateway.device_name += "-nobody"
    gateway.store(text.replace(gateway.host, gateway.device_name))


def disable(gateway: Gateway) -> None:
    gateway.platform.admin.put_device(PRODUCT_KEY, gateway.device_name, status="DISABLE")


def delete(gateway: Gateway) -> None:
    gateway.platform.admin.delete_device(PRODUCT_KEY, gateway.device_name)


def take_token(gateway: Gateway) -> None:
    """Store the result of a registration without pre-registration."""
    whose = registration(PRODUCT_KEY, gateway.device_name, PRODUCT_SECRET, "regnwl")
    with Client(gateway.platform.endpoints, *whose) as device:
        issued = device.content()
    gateway.store(json.dumps(issued, sort_keys=True, separators=(",", ":")))


def take_half_a_token(gateway: Gateway) -> None:
    take_token(gateway)
    token = json.loads(gateway.path.read_text())["deviceToken"]
    gateway.store(gateway.path.read_text().replace(token, token[:-4]))


def lose_python(gateway: Gateway) -> None:
    gateway.variables["ansible_python_interpreter"] = "/nowhere/python3"


def show_a_banner(gateway: Gateway) -> None:
    banner = 'echo "password expires in 3 days"; echo "identity of $0"; exec /bin/sh "$@"'
    gateway.variables["ansible_shell_executable"] = str(write_script(gateway.root / "sh", banner))


def move_home(gateway: Gateway) -> None:
    """Give the gateway, and not the controller, a home that contains the CA."""
    home = gateway.root / "their home"
    home.mkdir()
    (home / "ca.pem").write_bytes(Path(gateway.platform.endpoints["ca_file"]).read_bytes())
    shell = write_script(gateway.root / "sh", f'HOME="{home}"\nexport HOME\nexec /bin/sh "$@"')
    gateway.variables["ansible_shell_executable"] = str(shell)


def make_pipe(gateway: Gateway) -> None:
    gateway.path.unlink()
    os.mkfifo(gateway.path)


def lay_out(gateway: Gateway) -> None:
    """Reformat the file and add a field, as an editor may, without changing its values."""
    fields = {"note": "edited", **json.loads(gateway.path.read_text())}
    gateway.store(json.dumps(fields, indent=2) + "\r\n")


def no_credential(name: str, text: str) -> Case:
    return Case(name, "unreadable", prepare=lambda gateway: gateway.store(text))


def faulty(name: str, kind: str, code: int | None = None, **fault: JSON) -> Case:
    return Case(name, kind, code=code, options={"timeout": 2}, fault=fault, logins=1)


def in_options(name: str, value: JSON, option: str) -> Case:
    return Case(f"{name}-{value}", "invalid_option", (f"{option}: ",), options={name: value}, at_once=True)


HALF = '{"productKey":"a1IoKTestP1","deviceName":"gw-0001"}'

CASES = [
    *(Case(method, options={"sign_method": method}, logins=1) for method in ("hmacmd5", "hmacsha1", "hmacsha256")),
    Case("token", prepare=take_token, logins=1, ways=("gateway",)),
    Case("token-cut-short", "refused", code=5, prepare=take_half_a_token, logins=1, ways=("gateway",)),
    Case("token-stays", "invalid_option", ("login_from: gateway",), prepare=take_token, ways=("controller",)),
    Case("python-is-missing", "no_python", ("login_from: controller",), prepare=lose_python, ways=("gateway",)),
    Case("python-is-not-needed", prepare=lose_python, logins=1, ways=("controller",)),
    Case("banner", prepare=show_a_banner, logins=1),
    Case("laid-out", prepare=lay_out, logins=1),
    # Refusals of the platform
    Case("replaced", "refused", ("recover",), code=5, prepare=replace_secret, logins=1),
    Case("disabled", "refused", ("disabled",), code=5, prepare=disable, logins=1),
    Case("deleted", "refused", ("deleted",), code=5, prepare=delete, logins=1),
    Case("unknown", "refused", code=5, prepare=rename, logins=1),
    faulty("connack-1", "refused", 1, connack=1),
    faulty("connack-2", "refused", 2, connack=2),
    faulty("connack-3", "throttled", 3, connack=3),
    faulty("connack-4", "refused", 4, connack=4),
    faulty("dropped-before", "network", drop_before=True),
    faulty("dropped-after", "network", drop_after=True),
    faulty("silent", "network", hang=8),
    # The server's certificate
    Case("home", options={"ca_path": "~/ca.pem"}, prepare=move_home, logins=1, ways=("gateway",)),
    Case("home-of-a-gateway", "tls", options={"ca_path": "~/ca.pem"}, prepare=move_home, ways=("controller",)),
    Case("other-authority", "tls", options={"ca_path": None}),
    *(
        Case(name, "tls", (problem, "clock"), options={"mqtt_endpoint": f"{{{name}}}", "ca_path": f"{{{name}_ca}}"})
        for name, problem in (("expired", "expired"), ("early", "not yet valid"))
    ),
    # The file on the gateway
    Case("no-file", "unreadable", prepare=lambda gateway: gateway.path.unlink()),
    no_credential("empty", ""),
    no_credential("brace", "{"),
    no_credential("list", "[]"),
    no_credential("half", HALF),
    Case("pipe", "unreadable", prepare=make_pipe),
    # Options
    in_options("timeout", 0, "timeout"),
    in_options("mqtt_endpoint", None, "region"),
    in_options("mqtt_endpoint", "a b", "mqtt_endpoint"),
]
HOSTS = {f"{case.name.replace(' ', '-')}.{way}": (case, way) for case in CASES for way in case.ways}


@dataclass
class Story:
    """One host: the results of check mode and a run, its secrets, and the logins that reached the platform in each."""

    case: Case
    gateway: Gateway
    secrets: set[str]
    results: list[JSON] = field(default_factory=list)
    logins: list[int] = field(default_factory=list)


def logins(gateway: Gateway) -> int:
    return len(gateway.platform.admin.requests(action="connect", device_name=gateway.device_name))


def new_login(platform: Emulator, directory: Path, host: str, way: str) -> Gateway:
    """Return a gateway with its device's valid credential that logs in this way."""
    gateway = Gateway(host, directory / host, platform, PRODUCT_KEY, host)
    gateway.options = {
        **{"mqtt_endpoint": mqtt_endpoint(platform), "ca_path": platform.endpoints["ca_file"], "timeout": 5},
        **{"login_from": way, "path": f"{gateway.root}/device.json"},
    }
    gateway.root.mkdir(mode=0o700)
    platform.admin.put_device(PRODUCT_KEY, host)
    gateway.store(gateway.valid_text)
    return gateway


def log_in(gateways: list[Gateway], directory: Path, *arguments: str, **keywords: JSON) -> Run:
    return run_task(gateways, directory, *arguments, module="device_login", **keywords)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateways")


@pytest.fixture(scope="module")
def dated(directory: Path) -> Iterator[dict[str, DatedServer]]:
    """Yield a server for each host that logs in to one, so that its connections are counted."""
    with ExitStack() as stack:
        servers = {}
        for host, (case, way) in HOSTS.items():
            if case.name in YEARS:
                folder = directory / f"server-{way}"
                folder.mkdir(exist_ok=True)
                servers[host] = stack.enter_context(DatedServer(folder, YEARS[case.name]))
        yield servers


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """Return the list that `stories` fills with both runs."""
    return []


@pytest.fixture(scope="module")
def stories(
    platform: Emulator,
    directory: Path,
    dated: dict[str, DatedServer],
    runs: list[Run],
    asked_for: Callable[[str], bool],
) -> dict[str, Story]:
    """Run every selected case in check mode and in a run, each in one play over all hosts."""
    stories = {}
    for host, (case, way) in HOSTS.items():
        if asked_for(host):
            gateway = new_login(platform, directory, host, way)
            secret = gateway.device["device_secret"]
            case.prepare(gateway)
            names: dict[str, object] = {}
            if host in dated:
                names = {case.name: dated[host].address, f"{case.name}_ca": dated[host].ca_file}
            gateway.options = changed(gateway.options, case.options, **names)
            if case.fault:
                platform.admin.fault("connect", device_name=gateway.device_name, **case.fault)
            stories[host] = Story(case, gateway, {secret, *held(gateway)})
    platform.admin.clear_requests()
    for check in (True, False):
        run = log_in([story.gateway for story in stories.values()], directory, check=check)
        runs.append(run)
        for host, story in stories.items():
            [task] = run.results[host]
            story.results.append({**task["result"], "status": task["status"]})
            story.logins.append(logins(story.gateway))
    return stories


def held(gateway: Gateway) -> set[str]:
    """Return the secrets in the gateway's file."""
    text = gateway.path.read_text() if gateway.path.is_file() else ""
    parts = json.loads(text) if text.startswith('{"') else {}
    return {parts[name] for name in ("deviceSecret", "deviceToken") if name in parts}


@pytest.fixture
def story(request: pytest.FixtureRequest, stories: dict[str, Story]) -> Story:
    return stories[request.param]


every_case = pytest.mark.parametrize("story", HOSTS, indirect=True)


@every_case
def test_check_mode_says_what_is_wrong_with_the_options_and_does_nothing(story: Story) -> None:
    check, run = story.results
    if story.case.at_once:
        assert check["error"] == run["error"]
    else:
        assert (check["status"], check["changed"], check["accepted"]) == ("ok", False, None), check
    assert story.logins[0] == 0


@every_case
def test_a_login_is_accepted_or_the_error_says_why_not(story: Story) -> None:
    case, result = story.case, story.results[1]
    assert (result["accepted"], result["changed"]) == (case.kind is None, False), result
    assert story.logins[1] == case.logins
    if case.kind is None:
        assert result["status"] == "ok"
        assert result["device_name"] == story.gateway.device_name
        # The device is activated, and no session is open.
        assert [story.gateway.device[name] for name in ("activated", "status")] == [True, "OFFLINE"]
        return
    error = result["error"]
    assert result["status"] == "failed"
    assert (error["kind"], error["code"]) == (case.kind, case.code), result
    assert error["hint"]
    assert [text for text in case.says if text not in result["msg"]] == [], result["msg"]


def test_no_run_shows_a_secret(stories: dict[str, Story], runs: list[Run]) -> None:
    secrets = {secret for story in stories.values() for secret in story.secrets}
    assert len(secrets) > len(stories)
    for run in runs:
        assert "Traceback" not in told(run)
        assert [secret for secret in secrets if secret in told(run)] == []


def test_a_clock_that_is_wrong_is_found_in_one_connection(
    stories: dict[str, Story], dated: dict[str, DatedServer]
) -> None:
    assert {host: (server.connections, server.handshakes) for host, server in dated.items()} == dict.fromkeys(
        dated, (1, 0)
    )
    assert len(dated) == len(YEARS) * len(WAYS)
    assert dated.keys() <= stories.keys()


def test_a_host_that_speaks_something_else_or_nothing(platform: Emulator, tmp_path: Path) -> None:
    """A silent host or another protocol is a failure. Only these gateways connect, because the fault applies to the next connections."""
    silent = [new_login(platform, tmp_path, f"silent.{way}", way) for way in WAYS]
    https = [new_login(platform, tmp_path, f"https.{way}", way) for way in WAYS]
    for gateway in silent:
        gateway.options["timeout"] = 2
    for gateway in https:
        gateway.options["mqtt_endpoint"] = platform.endpoints["register_url"].split("/")[2]
    platform.admin.fault("mqtt_tcp", hang=8, times=len(silent))
    run = log_in([*silent, *https], tmp_path)
    assert platform.admin.faults() == []
    for gateway in silent:
        assert run.result(gateway.host)["error"]["kind"] == "network", run
    for gateway in https:
        assert run.result(gateway.host)["error"]["kind"] in ("bad_answer", "network"), run


def test_nobody_is_told_the_password_that_the_controller_uses(platform: Emulator, tmp_path: Path) -> None:
    """The password is not shown even with the highest verbosity, which prints a gateway's answers."""
    gateway = new_login(platform, tmp_path, "gw-talkative", "controller")
    secret = gateway.device["device_secret"]
    name = gateway.device_name
    content = f"clientId{PRODUCT_KEY}.{name}deviceName{name}productKey{PRODUCT_KEY}timestamp2524608000000"
    password = hmac.new(secret.encode(), content.encode(), "sha256").hexdigest()
    log = tmp_path / "ansible.log"
    env = {"ANSIBLE_DEBUG": "1", "ANSIBLE_LOG_PATH": str(log)}
    run = log_in([gateway], tmp_path, "-vvvvv", env=env)
    assert run.result(gateway.host)["accepted"] is True
    shown = (told(run) + log.read_text()).lower()
    assert "fleetops-end signed" in shown, "what the gateway answers is shown"
    assert [text for text in (secret, password) if text in shown] == []


def test_the_role_logs_in_only_when_asked_and_only_with_what_is_new(platform: Emulator, tmp_path: Path) -> None:
    variables = {f"gateway_{name}": value for name, value in connection(platform).items()}
    wanted = {f"gw-role-{verify}": {"gateway_verify": verify} for verify in ("none", "login")}
    hosts = inventory(wanted, tmp_path, **variables, gateway_mqtt_endpoint=mqtt_endpoint(platform))
    for host in wanted:
        platform.admin.put_device(PRODUCT_KEY, host)
    role = {"ansible.builtin.import_role": {"name": "fleetops.aliyun_iot.gateway"}}
    play = {"hosts": "gateways", "gather_facts": False, "tasks": [role]}
    platform.admin.clear_requests()
    run = run_playbook(play, hosts, tmp_path)
    assert run.rc == 0, run
    assert [each["device_name"] for each in platform.admin.requests(action="connect")] == ["gw-role-login"]
    for host in wanted:
        assert platform.admin.device(PRODUCT_KEY, host)["activated"] is (host == "gw-role-login")
    platform.admin.clear_requests()
    assert run_playbook(play, hosts, tmp_path).changed == 0
    assert platform.admin.requests() == []
