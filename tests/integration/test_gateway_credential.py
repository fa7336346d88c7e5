# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gateway_credential, both ways, over HTTPS and over MQTT, three times each: check mode, run, run again."""

from __future__ import annotations

import grp
import json
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator
from gateways import (
    IS_ROOT,
    MQTT_WAYS,
    PRODUCTS,
    WAYS,
    Found,
    Gateway,
    Prepare,
    credential_text,
    fingerprint,
    new_gateway,
    run_task,
    told,
)
from playbook import Run

JSON = Any

OLD_SECRET = "0dd5ec2e70dd5ec2e70dd5ec2e7bef00"
OTHER_NAME = "another-device"

ME = pwd.getpwuid(os.geteuid()).pw_name
MY_GROUP = grp.getgrgid(os.getegid()).gr_name

TEMPLATE = """\
# {{ device_name }} on {{ inventory_hostname }}
[{{ product_key }}]
secret = "{{ device_secret }}" ; {{ device_secret }}
"""
EXPORTED = {
    "agent.env": (
        "ALIYUN_IOT_PRODUCT_KEY={product_key}\nALIYUN_IOT_DEVICE_NAME={device_name}\n"
        "ALIYUN_IOT_DEVICE_SECRET={device_secret}\n"
    ),
    "agent.properties": "productKey={product_key}\ndeviceName={device_name}\ndeviceSecret={device_secret}\n",
    "agent.json": (
        '{{\n  "productKey": "{product_key}",\n  "deviceName": "{device_name}",\n'
        '  "deviceSecret": "{device_secret}"\n}}\n'
    ),
    "agent.conf": '# {device_name} on {host}\n[{product_key}]\nsecret = "{device_secret}" ; {device_secret}\n',
}
EXPORTS = [
    {"dest": "{root}/agent.env", "format": "env"},
    {"dest": "{root}/agent.properties", "format": "properties"},
    {"dest": "{root}/agent.json", "format": "json"},
    {"dest": "{root}/agent.conf", "template": "agent.conf.j2", "mode": "0440"},
]


def interfaces() -> list[str]:
    """Return the machine's network interfaces, hardware first."""
    cards = sorted(card for card in Path("/sys/class/net").glob("*") if (card / "address").exists())
    return [card.name for card in sorted(cards, key=lambda card: not (card / "device").exists())]


@dataclass(frozen=True)
class Case:
    """The initial state of a gateway, the options of the task, and the calls that it may make."""

    name: str
    reason: str
    options: dict[str, JSON] = field(default_factory=dict)  # {root} is the gateway's folder
    prepare: Prepare = lambda gateway: None
    calls: int = 1
    registered: bool | None = None  # None: every call is a registration
    again: str = "up_to_date"
    owner: str = ME
    group: str = MY_GROUP
    mode: str = "0600"
    exports: tuple[str, ...] = ()
    device_name: str | None = None
    doubt: bool = False  # a login has to prove the secret, if a login is possible
    kept: bool = False  # the credential stays the same, octet by octet, whatever its layout
    needs_root: bool = False

    @property
    def does_register(self) -> bool:
        return bool(self.calls) if self.registered is None else self.registered


def right(gateway: Gateway) -> None:
    gateway.store(gateway.valid_text)


def loose(gateway: Gateway) -> None:
    gateway.store(gateway.valid_text, mode=0o644)


def pretty(gateway: Gateway, mode: int = 0o600) -> None:
    """Store the credential as an editor or another tool would."""
    gateway.store(json.dumps({"note": "edited", **json.loads(gateway.valid_text)}, indent=2), mode)


def interrupted(gateway: Gateway) -> None:
    right(gateway)
    gateway.journal()


def interrupted_and_activated(gateway: Gateway) -> None:
    interrupted(gateway)
    gateway.platform.admin.activate(gateway.product_key, gateway.device_name)


def pretty_and_interrupted(gateway: Gateway) -> None:
    """Store a credential that only a login can prove, because the platform refuses to register an active device."""
    interrupted_and_activated(gateway)
    pretty(gateway)


def staged(gateway: Gateway) -> None:
    """Prepare the state after a run that died between the journal's last line and the rename."""
    gateway.store(credential_text(gateway.product_key, gateway.device_name, OLD_SECRET))
    gateway.staged_path.write_text(gateway.valid_text)
    gateway.journal(f"stored {gateway.valid_fingerprint}")


def staged_without_a_mark(gateway: Gateway) -> None:
    """Prepare the state after a run that died between the content and the journal's line about it."""
    staged(gateway)
    gateway.journal()


def staged_without_a_journal(gateway: Gateway) -> None:
    """Prepare a staged secret without its journal: the secret may still be the only valid one."""
    staged(gateway)
    gateway.journal_path.unlink()


def stored(gateway: Gateway) -> None:
    """Prepare the state after a run that died between the rename and the end of the journal."""
    right(gateway)
    gateway.journal(f"stored {gateway.valid_fingerprint}")


def dead(gateway: Gateway) -> None:
    """Prepare the state after a refused login, because a late request had replaced the secret."""
    gateway.store(credential_text(gateway.product_key, gateway.device_name, OLD_SECRET))
    stored = fingerprint(gateway.product_key, gateway.device_name, OLD_SECRET)
    gateway.journal(f"stored {stored}", f"dead {stored}")


def half_staged(gateway: Gateway) -> None:
    """Prepare the state after a run that died while it checked that there is room."""
    right(gateway)
    gateway.staged_path.write_text('{"deviceName":"fleetops-pro')


def somebody_elses(gateway: Gateway) -> None:
    right(gateway)
    os.chown(gateway.path, 1, 1)


def garbled_journal(gateway: Gateway) -> None:
    right(gateway)
    gateway.journal_path.write_bytes(b"\0\xff\n")


def exported(gateway: Gateway) -> None:
    right(gateway)
    for name, text in EXPORTED.items():
        (gateway.root / name).write_text(in_words(text, gateway, gateway.device["device_secret"]))
        (gateway.root / name).chmod(0o440 if name == "agent.conf" else 0o600)


def exported_before(gateway: Gateway) -> None:
    exported(gateway)
    for name, text in EXPORTED.items():
        (gateway.root / name).chmod(0o600)
        (gateway.root / name).write_text(in_words(text, gateway, OLD_SECRET))


def exported_loosely(gateway: Gateway) -> None:
    exported(gateway)
    (gateway.root / "agent.env").chmod(0o644)


def pretty_and_exported(gateway: Gateway) -> None:
    exported(gateway)
    pretty(gateway)


def in_words(text: str, gateway: Gateway, device_secret: str) -> str:
    parts = {"product_key": gateway.product_key, "device_name": gateway.device_name, "host": gateway.host}
    return text.format(device_secret=device_secret, **parts)


def everything(gateway: Gateway) -> None:
    exported(gateway)
    gateway.journal()
    gateway.staged_path.write_text("half")


CASES = [
    Case("right", "up_to_date", prepare=right, calls=0),
    Case("missing", "missing"),
    Case("no-folder", "missing", {"path": "{root}/etc/aliyun iot/device.json"}),
    Case("empty", "unreadable", prepare=lambda gateway: gateway.store("")),
    Case("binary", "unreadable", prepare=lambda gateway: gateway.store(bytes(range(256)))),
    Case("pretty", "up_to_date", prepare=pretty, calls=0, kept=True),
    Case(
        "pretty-exported",
        "up_to_date",
        {"exports": EXPORTS},
        prepare=pretty_and_exported,
        calls=0,
        exports=tuple(EXPORTED),
        kept=True,
    ),
    Case("pretty-export", "export", {"exports": EXPORTS}, pretty, calls=0, exports=tuple(EXPORTED), kept=True),
    Case("pretty-loose", "attributes", prepare=lambda gateway: pretty(gateway, mode=0o644), calls=0, kept=True),
    Case("pretty-active", "interrupted", prepare=pretty_and_interrupted, registered=False, doubt=True, kept=True),
    Case("cut-off", "unreadable", prepare=lambda gateway: gateway.store(gateway.valid_text[:-3])),
    Case(
        "other-device",
        "identity_changed",
        prepare=lambda gateway: gateway.store(credential_text(gateway.product_key, OTHER_NAME, OLD_SECRET)),
    ),
    Case(
        "other-product",
        "identity_changed",
        prepare=lambda gateway: gateway.store(credential_text("a1Another00", gateway.device_name, OLD_SECRET)),
    ),
    Case("interrupted", "interrupted", prepare=interrupted, doubt=True),
    Case("garbled-journal", "interrupted", prepare=garbled_journal, doubt=True),
    Case("staged", "interrupted", prepare=staged, calls=0, doubt=True),
    Case("unmarked", "interrupted", prepare=staged_without_a_mark, calls=0, doubt=True),
    Case("no-journal", "interrupted", prepare=staged_without_a_journal, calls=0, doubt=True),
    Case("stored", "interrupted", prepare=stored, calls=0, doubt=True),
    Case("dead", "interrupted", prepare=dead, doubt=True),
    Case("half-staged", "interrupted", prepare=half_staged, calls=0),
    Case("activated", "interrupted", prepare=interrupted_and_activated, registered=False, doubt=True),
    Case("forced", "forced", {"register": "always"}, prepare=right, again="forced"),
    Case("loose", "attributes", prepare=loose, calls=0),
    Case("somebody-elses", "attributes", prepare=somebody_elses, calls=0, needs_root=True),
    Case("never", "attributes", {"register": "never", "product_secret": None}, prepare=loose, calls=0),
    Case("wider", "attributes", {"mode": "0640"}, prepare=right, calls=0, mode="0640"),
    Case(
        "given-away",
        "attributes",
        {"owner": "daemon", "group": "1", "mode": "0640"},
        prepare=right,
        calls=0,
        owner="daemon",
        group="daemon",
        mode="0640",
        needs_root=True,
    ),
    Case("new-owner", "missing", {"owner": "1"}, owner="daemon", group="root", needs_root=True),
    Case("exports", "missing", {"exports": EXPORTS}, exports=tuple(EXPORTED)),
    Case("exported", "up_to_date", {"exports": EXPORTS}, prepare=exported, calls=0, exports=tuple(EXPORTED)),
    Case("unexported", "export", {"exports": EXPORTS}, prepare=right, calls=0, exports=tuple(EXPORTED)),
    Case("exported-before", "export", {"exports": EXPORTS}, exported_before, calls=0, exports=tuple(EXPORTED)),
    Case("exported-loosely", "export", {"exports": EXPORTS}, exported_loosely, calls=0, exports=tuple(EXPORTED)),
    Case(
        "export-given",
        "missing",
        {"exports": [{**EXPORTS[0], "owner": "daemon", "group": "daemon", "mode": "0640"}]},
        exports=("agent.env",),
        needs_root=True,
    ),
    Case("absent", "exists", {"state": "absent", "exports": EXPORTS}, everything, calls=0),
    Case(
        "template-gone",
        "exists",
        {"state": "absent", "exports": [*EXPORTS[:3], {"dest": "{root}/agent.conf", "template": "gone.j2"}]},
        everything,
        calls=0,
    ),
    Case("nothing", "up_to_date", {"state": "absent"}, calls=0),
    Case("named", "missing", {"device_name": "a.name:of@its-own_"}, device_name="a.name:of@its-own_"),
    *(
        Case(
            f"mac-{interface}",
            "missing",
            {"device_name_from": "mac", "device_name_interface": interface, "exports": EXPORTS},
            exports=tuple(EXPORTED),
            device_name=Path(f"/sys/class/net/{interface}/address").read_text().strip(),
        )
        for interface in interfaces()[:1]
    ),
]
# Every way sends the same request, whatever was on the gateway, and ends an interrupted change alike; these cases prove it.
EVERY_WAY = ("missing", "exports", "interrupted", "activated")


def ways_of(number: int, case: Case) -> tuple[str, ...]:
    """Return the ways of a case: with and without a login if it may need one to prove a secret, and one in turn for all other cases."""
    ways = WAYS + MQTT_WAYS
    if case.name in EVERY_WAY:
        return ways
    return (WAYS[number % 2], MQTT_WAYS[number // 2 % 2]) if case.doubt else (ways[number % len(ways)],)


HOSTS = {f"{case.name}.{way}": (case, way) for number, case in enumerate(CASES) for way in ways_of(number, case)}
UNCHANGED = ("up_to_date", "absent")


@dataclass(frozen=True)
class Pass:
    """One host in one run: the result of the task, and the state of the gateway and the platform after it."""

    status: str
    result: JSON
    files: dict[str, Found]
    calls: int
    secret: str


@dataclass(frozen=True)
class Story:
    """One host in all three runs."""

    case: Case
    gateway: Gateway
    before: dict[str, Found]
    passes: list[Pass]


@pytest.fixture(scope="module")
def told_by(platform: Emulator) -> list[Run]:
    """Return the list that `stories` fills with the three runs."""
    return []


@pytest.fixture(scope="module")
def stories(
    platform: Emulator,
    told_by: list[Run],
    asked_for: Callable[[str], bool],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Story]:
    """Run every selected case, every way, in check mode and in two runs, each in one play over all hosts."""
    directory = tmp_path_factory.mktemp("gateways")
    (directory / "templates").mkdir()
    (directory / "templates" / "agent.conf.j2").write_text(TEMPLATE)
    stories = {}
    for host, (case, way) in HOSTS.items():
        if not asked_for(host) or (case.needs_root and not IS_ROOT):
            continue
        gateway = new_gateway(platform, directory, host, way, case.device_name, **case.options)
        case.prepare(gateway)
        stories[host] = Story(case, gateway, gateway.files(), [])
    for check in (True, False, False):
        gateways = [story.gateway for story in stories.values()]
        run = run_task(gateways, directory, "--diff", "-vvv", check=check)
        told_by.append(run)
        for host, story in stories.items():
            [task] = run.results[host]
            now = story.gateway
            seen = Pass(task["status"], task["result"], now.files(), len(now.calls), now.device["device_secret"])
            story.passes.append(seen)
    return stories


@pytest.fixture
def story(request: pytest.FixtureRequest, stories: dict[str, Story]) -> Story:
    if HOSTS[request.param][0].needs_root and not IS_ROOT:
        pytest.skip("only root can give files away")
    return stories[request.param]


every_case = pytest.mark.parametrize("story", HOSTS, indirect=True)


@every_case
def test_check_mode_says_what_it_would_do_and_does_nothing(story: Story) -> None:
    check = story.passes[0]
    assert check.status == "ok", check.result
    assert check.result["reason"] == story.case.reason
    assert check.result["changed"] is (story.case.reason not in UNCHANGED)
    assert check.result["registered"] is False
    assert check.files == story.before
    assert check.calls == 0


@every_case
def test_a_run_does_it(story: Story) -> None:
    case, run = story.case, story.passes[1]
    assert run.status == "ok", run.result
    assert run.result["reason"] == case.reason
    assert run.result["changed"] is (case.reason not in UNCHANGED)
    assert run.result["registered"] is case.does_register
    assert run.calls == case.calls
    if case.reason in UNCHANGED:
        assert run.files == story.before


@every_case
def test_the_gateway_holds_what_the_platform_accepts(story: Story) -> None:
    case, gateway, run = story.case, story.gateway, story.passes[1]
    place = str(gateway.path.relative_to(gateway.root))
    left = {name for name, found in run.files.items() if found.content is not None}
    if case.options.get("state") == "absent":
        assert left == set()
        return
    assert left == {place, *case.exports}
    credential = run.files[place]
    written = credential_text(gateway.product_key, gateway.device_name, run.secret).encode()
    assert credential.content == (story.before[place].content if case.kept else written)
    assert f"{credential.permissions:04o}" == case.mode
    assert pwd.getpwuid(credential.uid).pw_name == case.owner
    assert grp.getgrgid(credential.gid).gr_name == case.group


@every_case
def test_what_was_in_doubt_is_proven_where_it_can_be(story: Story) -> None:
    """A login proves the secret over MQTT; over HTTPS no address is known here. The device then is active: no request counts any more."""
    proven = story.gateway.options.get("mqtt_endpoint") is not None if story.case.doubt else None
    assert [seen.result.get("proven") for seen in story.passes] == [None, proven, None]
    if proven:
        assert story.gateway.device["activated"] is True


@every_case
def test_the_result_tells_what_is_there(story: Story) -> None:
    case, gateway, result = story.case, story.gateway, story.passes[1].result
    assert result["path"] == str(gateway.path)
    assert result["product_key"] == gateway.product_key
    assert result["device_name"] == gateway.device_name
    there = [result[name] for name in ("fingerprint", "owner", "group", "mode")]
    if case.options.get("state") == "absent":
        assert there == [None] * 4
    else:
        now = fingerprint(gateway.product_key, gateway.device_name, story.passes[1].secret)
        assert there == [now, case.owner, case.group, case.mode]


@every_case
def test_exports_follow_the_credential(story: Story) -> None:
    case, run = story.case, story.passes[1]
    for name in case.exports:
        assert run.files[name].content == in_words(EXPORTED[name], story.gateway, run.secret).encode()
    options = {Path(export["dest"]).name: export for export in case.options.get("exports", [])}
    for name in case.exports:
        assert f"{run.files[name].permissions:04o}" == options[name].get("mode", case.mode)
        assert pwd.getpwuid(run.files[name].uid).pw_name == options[name].get("owner", case.owner)
        assert grp.getgrgid(run.files[name].gid).gr_name == options[name].get("group", case.group)


@every_case
def test_a_second_time_there_is_nothing_to_do(story: Story) -> None:
    case, (run, again) = story.case, story.passes[1:]
    assert again.status == "ok", again.result
    assert again.result["reason"] == case.again
    if case.again in UNCHANGED:
        assert again.result["changed"] is False
        assert (again.files, again.calls) == (run.files, run.calls)
        assert again.result["registered"] is False
    else:
        assert again.result["changed"] is True
        assert (again.calls, again.secret) == (run.calls + 1, story.gateway.device["device_secret"])
        assert again.secret != run.secret


@every_case
def test_check_mode_foresees_the_diff(story: Story) -> None:
    foreseen, happened = (seen.result.get("diff") for seen in story.passes[:2])
    if story.case.reason in UNCHANGED:
        assert (foreseen, happened) == (None, None)
        return
    assert foreseen["before"] == happened["before"]
    assert foreseen["after"].keys() == happened["after"].keys()
    asked = {name: story.case.options.get(name) for name in ("owner", "group")}
    for name, value in foreseen["after"].items():
        if name == "exports":
            assert value.keys() == happened["after"]["exports"].keys()
        elif value == "(new)":
            kept = name == "fingerprint" and not story.case.does_register
            assert (happened["after"][name] == happened["before"].get(name)) is kept, name
        elif value != asked.get(name):  # as in the options, a number or a name
            assert value == happened["after"][name], name


def test_no_run_shows_a_secret(stories: dict[str, Story], told_by: list[Run]) -> None:
    secrets = {OLD_SECRET, *(product_secret for _product_key, product_secret in PRODUCTS.values())}
    secrets |= {seen.secret for story in stories.values() for seen in story.passes}
    assert len(secrets) > len(stories)
    for run in told_by:
        shown = told(run)
        assert "diff" in shown
        assert [secret for secret in secrets if secret in shown] == []


def test_a_settled_interruption_is_told(stories: dict[str, Story], told_by: list[Run]) -> None:
    """A run that tried a registration and kept the stored secret warns the operator."""
    for way in WAYS + MQTT_WAYS:
        assert f"activated.{way}: the stored credential was kept" in told_by[1].stderr


def test_what_no_login_could_prove_is_told(stories: dict[str, Story], told_by: list[Run]) -> None:
    said = " ".join(told_by[1].stderr.split())
    for host, story in stories.items():
        unproven = (
            story.case.doubt and story.case.registered is not False and "mqtt_endpoint" not in story.gateway.options
        )
        assert (f"{host}: the new credential is stored, but was not verified by a login" in said) is unproven, host


def test_no_lock_stays(stories: dict[str, Story]) -> None:
    for host, story in stories.items():
        assert list(story.gateway.path.parent.glob(".device.json.lock*")) == [], host


def test_a_gateway_that_knows_no_serial_number(platform: Emulator, tmp_path: Path) -> None:
    known = [Path("/sys/firmware/devicetree/base/serial-number"), Path("/sys/class/dmi/id/product_serial")]
    if any(os.access(place, os.R_OK) and place.read_bytes().strip(b"\0\n ") for place in known):
        pytest.skip("this machine knows its serial number")
    gateways = [new_gateway(platform, tmp_path, f"serial.{way}", way, device_name_from="serial") for way in WAYS]
    run = run_task(gateways, tmp_path)
    for gateway in gateways:
        result = run.result(gateway.host)
        assert result["error"]["kind"] == "invalid_option"
        assert result["msg"].startswith("device_name_from: 'serial' returned no value on this gateway")
        assert "become root to read a serial number" in result["msg"]
        assert (gateway.calls, list(gateway.root.iterdir())) == ([], [])


def test_no_log_hides_the_result_and_not_the_error(platform: Emulator, tmp_path: Path) -> None:
    good = [new_gateway(platform, tmp_path, f"good.{way}", way) for way in WAYS]
    bad = [new_gateway(platform, tmp_path, f"bad.{way}", way, product_secret="NotTheSecret0001") for way in WAYS]
    run = run_task(good + bad, tmp_path, "--diff", no_log=True)
    for gateway in good:
        assert gateway.path.read_text() == gateway.valid_text
        assert gateway.valid_fingerprint not in told(run)
    for gateway in bad:
        assert f"{gateway.host}: registration of {gateway.host}" in run.stderr
        assert "Check that product_secret" in " ".join(run.stderr.split())
    assert "NotTheSecret0001" not in told(run)
