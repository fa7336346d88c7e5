# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes and faults: the task reports each with its remedy, loses nothing, and converges after the repair.

Every gateway begins with the credential of another device, so that each needs a registration. Each case is a host of up to four plays:
check mode and a run while something is wrong, and two runs after the repair.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from emulator import Emulator
from gateways import (
    IS_ROOT,
    PRODUCTS,
    WAYS,
    Gateway,
    Prepare,
    changed,
    credential_text,
    end_lease,
    new_gateway,
    run_task,
    told,
)
from playbook import Run

JSON = Any

OLD_SECRET = "0dd5ec2e70dd5ec2e70dd5ec2e7bef00"
# The content that reserves room for a secret: as long as the longest credential, and of no existing device.
PROBE = (
    b'{"deviceName":"fleetops-probe-0123456789abcdefg","deviceSecret":"'
    b'0123456789012345678901234567890123456789012345678901234567890123","productKey":"fleetopsprobe0123456789abcdefghi"}\n'
)
SWITCHED_OFF = {"gateway": "a1SwitchOf1", "controller": "a1SwitchOf2"}
TEMPLATES = {
    "changed.j2": "secret={{ device_secret | b64encode }}\n",
    "broken.j2": "{% if device_secret %}\n",
    "undefined.j2": "{{ no_such_variable }} {{ device_secret }}\n",
    "random.j2": "{{ device_secret }} {{ 1000000000 | random }}\n",
}
# Error kinds that only the platform's answer to a registration reveals.
OF_AN_ANSWER = ("refused", "bad_answer", "throttled")
# Cases that leave everything as it was, as another case of their kind does: secret-wrong, not-trusted, throttled or owner-unknown.
ALIKE = (
    *("product-unknown", "unheard-of", "other-host", "not-tls", "ca-missing", "ca-empty", "impatient"),
    "group-unknown",
)


def nothing(gateway: Gateway) -> None:
    """Prepare nothing, for cases in which only the options are wrong."""


@dataclass(frozen=True)
class Bad:
    """A mistake in the options, on the gateway or on the platform, with its expected message and its repair.

    In `options` and `says`, names in braces are filled in: {root} is the gateway's folder.
    """

    name: str
    kind: str
    says: tuple[str, ...]
    options: dict[str, JSON] = field(default_factory=dict)
    spoil: Prepare = nothing
    fault: dict[str, JSON] | None = None
    repair: Prepare = nothing
    code: int | None = None
    calls: int = 0
    in_doubt: bool = False  # the platform may have issued a secret, so the journal stays open
    reason: str | None = None  # of the run after the repair, unless it follows from in_doubt
    repaired: dict[str, JSON] = field(default_factory=dict)
    path: str = "{root}/device.json"
    ways: tuple[str, ...] = WAYS
    needs: str = ""

    @property
    def is_foreseen(self) -> bool:
        """Return whether check mode fails with the run's error."""
        return self.kind not in OF_AN_ANSWER and self.fault is None

    @property
    def needs_repair(self) -> bool:
        """Return whether the runs after the repair may differ from those of other cases.

        A mistake that leaves everything as it was, gateway and platform, needs one case of each kind.
        """
        return self.name not in ALIKE and (self.ways != ("controller",) or self.name == "never")

    @property
    def reason_after(self) -> str:
        return self.reason or ("interrupted" if self.in_doubt else "identity_changed")


# Mistakes on the platform and their repairs


def delete_device(gateway: Gateway) -> None:
    gateway.platform.admin.delete_device(gateway.product_key, gateway.device_name)


def put_device(gateway: Gateway) -> None:
    gateway.platform.admin.put_device(gateway.product_key, gateway.device_name)


def switch_off(gateway: Gateway) -> None:
    """Give the gateway its own product, because the other gateways of a product would be refused too."""
    product_secret = PRODUCTS[gateway.options["register_from"]][1]
    gateway.product_key = SWITCHED_OFF[gateway.options["register_from"]]
    gateway.options["product_key"] = gateway.product_key
    switch = {"product_secret": product_secret, "dynamic_registration": False}
    gateway.platform.admin.put_product(gateway.product_key, **switch)
    put_device(gateway)


def switch_on(gateway: Gateway) -> None:
    gateway.platform.admin.patch_product(gateway.product_key, dynamic_registration=True)


def activate(gateway: Gateway) -> None:
    gateway.platform.admin.activate(gateway.product_key, gateway.device_name)


def reset(gateway: Gateway) -> None:
    gateway.platform.admin.reset(gateway.product_key, gateway.device_name)


def disable(gateway: Gateway) -> None:
    gateway.platform.admin.patch_device(gateway.product_key, gateway.device_name, status="DISABLE")


def enable(gateway: Gateway) -> None:
    gateway.platform.admin.patch_device(gateway.product_key, gateway.device_name, status="UNACTIVE")


# Mistakes on the gateway and their repairs


def make_directory(gateway: Gateway) -> None:
    gateway.path.unlink()
    gateway.path.mkdir()


def remove_directory(gateway: Gateway) -> None:
    gateway.path.rmdir()


def make_link(gateway: Gateway) -> None:
    gateway.path.rename(gateway.root / "elsewhere.json")
    gateway.path.symlink_to("elsewhere.json")


def remove_link(gateway: Gateway) -> None:
    gateway.path.unlink()


def open_directory(gateway: Gateway) -> None:
    gateway.path.parent.chmod(0o777)


def close_directory(gateway: Gateway) -> None:
    gateway.path.parent.chmod(0o755)


def open_above(gateway: Gateway) -> None:
    gateway.path.parent.parent.chmod(0o777)


def close_above(gateway: Gateway) -> None:
    gateway.path.parent.parent.chmod(0o755)


def give_directory_away(gateway: Gateway) -> None:
    shutil.chown(gateway.path.parent, "daemon")


def take_directory_back(gateway: Gateway) -> None:
    shutil.chown(gateway.path.parent, 0)


def mount(place: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", place], check=True, capture_output=True)


def fill(gateway: Gateway) -> None:
    mount(gateway.path.parent, "size=64k", "mode=0755")
    gateway.store(credential_text(gateway.product_key, "another-device", OLD_SECRET))
    with contextlib.suppress(OSError), (gateway.path.parent / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def make_room(gateway: Gateway) -> None:
    (gateway.path.parent / "filler").unlink()


def write_protect(gateway: Gateway) -> None:
    mount(gateway.path.parent, "size=64k", "mode=0755")
    gateway.store(credential_text(gateway.product_key, "another-device", OLD_SECRET))
    mount(gateway.path.parent, "remount", "ro")


def write_enable(gateway: Gateway) -> None:
    mount(gateway.path.parent, "remount", "rw")


def mount_itself(path: Path) -> None:
    subprocess.run(["mount", "--bind", path, path], check=True, capture_output=True)


def mount_target(gateway: Gateway) -> None:
    mount_itself(gateway.path)


def mount_export(gateway: Gateway) -> None:
    (gateway.root / "agent.env").write_text("old\n")
    mount_itself(gateway.root / "agent.env")


def unmount_target(gateway: Gateway) -> None:
    subprocess.run(["umount", gateway.path], check=True, capture_output=True)


def unmount_export(gateway: Gateway) -> None:
    subprocess.run(["umount", gateway.root / "agent.env"], check=True, capture_output=True)


def write_empty_pem(gateway: Gateway) -> None:
    (gateway.root / "empty.pem").write_text("")


def make_export_directory(gateway: Gateway) -> None:
    (gateway.root / "agent").mkdir()


def make_directory_of_export(gateway: Gateway) -> None:
    (gateway.root / "agent.env").mkdir()


def remove_directory_of_export(gateway: Gateway) -> None:
    (gateway.root / "agent.env").rmdir()


def lose_python(gateway: Gateway) -> None:
    gateway.variables["ansible_python_interpreter"] = f"{gateway.root}/no-python"


def find_python(gateway: Gateway) -> None:
    gateway.variables["ansible_python_interpreter"] = sys.executable


def in_options(name: str, *says: str, kind: str = "invalid_option", **options: JSON) -> Bad:
    """Return a case that fails before anything is sent, so that one way to register is enough."""
    return Bad(name, kind, says, options, ways=("controller",))


def template(name: str) -> dict[str, JSON]:
    return {"exports": [{"dest": "{root}/agent.conf", "template": name}]}


def env_export(dest: str, **further: JSON) -> dict[str, JSON]:
    return {"exports": [{"dest": dest, "format": "env", **further}]}


NAME_RULE = "4 to 32 of the characters A-Z a-z 0-9 - _ @ . :"
WRONG_ANSWER = "Check endpoint, and the proxies between the host that connects and the platform; the stored credential was not changed"

CASES = [
    # Options
    in_options("name-blank", "device_name: 'gw 0001'", NAME_RULE, device_name="gw 0001"),
    in_options("name-short", "device_name: 'gw1'", "3 characters", NAME_RULE, device_name="gw1"),
    in_options("name-long", "device_name: ", "33 characters", NAME_RULE, device_name="x" * 33),
    in_options("name-not-ascii", "device_name: 'gätew-01'", NAME_RULE, device_name="gätew-01"),
    in_options(
        "mac-of-nothing",
        "device_name_from: 'mac' returned no value",
        "device_name_interface",
        device_name_from="mac",
        device_name_interface="no-such-card",
    ),
    in_options(
        "region-misspelt", "region: 'cn-shangai'", "Did you mean cn-shanghai?", endpoint=None, region="cn-shangai"
    ),
    in_options(
        "region-by-mqtt",
        "region: 'cn-beijing'",
        "over MQTT only",
        endpoint=None,
        region="cn-beijing",
        transport="https",
    ),
    in_options("region-missing", "region: is missing", "endpoint", "cn-shanghai", endpoint=None),
    in_options(
        "endpoint-http", "endpoint: ", "is not an HTTPS URL", "https://HOST", endpoint="http://127.0.0.1:{port}"
    ),
    in_options("product-key", "product_key: 'a1-IoT'", "Product Details", product_key="a1-IoT"),
    in_options("secret-missing", "product_secret: is missing", "signed with", product_secret=None),
    in_options("secret-empty", "product_secret: is missing", "signed with", product_secret=""),
    in_options("secret-line", "product_secret: ", "line break", "vault file", product_secret="6vEu5Qlj5STest01\n"),
    in_options(
        "secret-blank", "product_secret: ", "contains whitespace", "Copy it again", product_secret="6vEu5 Qlj5STest01"
    ),
    in_options("timeout", "timeout: 0 is out of range", "1 to 300", timeout=0),
    in_options("timeout-word", "timeout", "soon", "ansible-doc", timeout="soon"),
    in_options("method", "sign_method", "hmacsha512", "hmacsha256", "ansible-doc", sign_method="hmacsha512"),
    in_options(
        "mode-open", "mode: '0644'", "would let every user on the gateway read the secret", "'0640'", mode="0644"
    ),
    in_options("mode-number", "mode: '384'", "in quotes", "'0600'", mode=0o600),
    in_options("mode-shut", "mode: '0060'", "does not let the owner read the file", "'0600'", mode="0060"),
    in_options("owner-odd", "owner: 'a b'", "is not a name of a user", owner="a b"),
    in_options("path-relative", "path: 'device.json'", "is not an absolute path", path="device.json"),
    in_options("path-up", "path: '{root}/../device.json'", "is not an absolute path", path="{root}/../device.json"),
    in_options("path-folder", "path: '{root}/'", "of a file", path="{root}/"),
    in_options("path-newline", "path: ", "Use letters, digits", path="{root}/a\nb.json"),
    in_options("export-relative", "exports[0].dest: 'agent.env'", "absolute path", **env_export("agent.env")),
    in_options("export-open", "exports[0].mode: '0644'", "secret", **env_export("{root}/agent.env", mode="0644")),
    in_options("export-bare", "exports", "format", "template", exports=[{"dest": "{root}/agent.env"}]),
    in_options("export-itself", "exports[0].dest: ", "is the credential itself", **env_export("{root}/device.json")),
    in_options(
        "export-journal",
        "exports[0].dest: ",
        "is named like a working file of",
        **env_export("{root}/.device.json.journal"),
    ),
    in_options("template-changes", "exports[0].template: 'changed.j2'", "without a filter", **template("changed.j2")),
    in_options("template-random", "exports[0].template: 'random.j2'", "no random value", **template("random.j2")),
    in_options("template-missing", "exports[0].template: 'no-such.j2'", "could not be found", **template("no-such.j2")),
    in_options("template-broken", "exports[0].template: 'broken.j2'", "end of", **template("broken.j2")),
    in_options("template-undefined", "exports[0].template: ", "no_such_variable", **template("undefined.j2")),
    in_options("never", "a registration is needed (identity_changed)", kind="registration_needed", register="never"),
    # Refusals of the platform
    Bad(
        "secret-wrong",
        "refused",
        ("the signature was refused", "Check that product_secret"),
        {"product_secret": "NotTheSecret0001"},
        code=6600,
        calls=1,
    ),
    Bad("product-unknown", "refused", ("product", "Check product_key"), {"product_key": "a1Unknown00"}, code=6250),
    Bad(
        "device-unknown",
        "refused",
        ("device-unknown.{way}", "is not known", "Add the device"),
        spoil=delete_device,
        repair=put_device,
        code=6100,
        calls=1,
    ),
    Bad(
        "switched-off",
        "refused",
        ("switched off", "Switch on Dynamic Registration"),
        spoil=switch_off,
        repair=switch_on,
        code=6288,
        calls=1,
    ),
    Bad(
        "activated",
        "refused",
        ("already activated", "fleetops.aliyun_iot.recover", "ResetThing"),
        spoil=activate,
        repair=reset,
        code=6289,
        calls=1,
    ),
    Bad(
        "disabled",
        "refused",
        ("is disabled", "Enable the device"),
        spoil=disable,
        repair=enable,
        code=6204,
        calls=1,
    ),
    Bad("unheard-of", "refused", ("code 7777", "Look the code up"), fault={"code": 7777}, code=7777, calls=1),
    # The endpoint is not the platform
    Bad("not-trusted", "tls", ("certificate was not accepted", "Set ca_path"), {"ca_path": None}),
    Bad(
        "other-host", "tls", ("127.1", "certificate was not accepted", "endpoint"), {"endpoint": "https://127.1:{port}"}
    ),
    Bad("not-tls", "tls", ("no TLS connection", "Check endpoint"), {"endpoint": "https://127.0.0.1:{plain_port}"}),
    Bad("ca-missing", "tls", ("ca_path: '{root}/no.pem'", "No such file", "PEM file"), {"ca_path": "{root}/no.pem"}),
    Bad(
        "ca-empty",
        "tls",
        ("ca_path: '{root}/empty.pem'", "contains no certificate"),
        {"ca_path": "{root}/empty.pem"},
        spoil=write_empty_pem,
    ),
    Bad(
        "redirect",
        "bad_answer",
        ("HTTP status 307", "a redirect", WRONG_ANSWER),
        fault={"redirect": "https://elsewhere.example/"},
        calls=1,
        in_doubt=True,
    ),
    Bad("not-found", "bad_answer", ("HTTP status 404", WRONG_ANSWER), {"endpoint": "https://127.0.0.1:{port}/no-such"}),
    # Answers after which the platform may have issued a secret
    Bad(
        "cut-off",
        "network",
        ("no answer", "1 try", "Check the network"),
        fault={"truncate": True},
        calls=1,
        in_doubt=True,
    ),
    Bad("not-json", "bad_answer", ("not the JSON", WRONG_ANSWER), fault={"not_json": True}, calls=1, in_doubt=True),
    Bad(
        "other-device",
        "bad_answer",
        ("for another deviceName", WRONG_ANSWER),
        fault={"other_device": True},
        calls=1,
        in_doubt=True,
    ),
    Bad(
        "other-product",
        "bad_answer",
        ("for another productKey", WRONG_ANSWER),
        fault={"other_product": True},
        calls=1,
        in_doubt=True,
    ),
    Bad(
        "too-long",
        "bad_answer",
        ("longer than 65536 bytes", WRONG_ANSWER),
        fault={"oversize": 10_000_000},
        calls=1,
        in_doubt=True,
    ),
    Bad(
        "empty-secret",
        "bad_answer",
        ("contains no valid deviceSecret", WRONG_ANSWER),
        fault={"empty_secret": True},
        calls=1,
        in_doubt=True,
    ),
    Bad("hangs", "network", ("time", "Check the network"), {"timeout": 5}, fault={"hang": 20}, calls=1, in_doubt=True),
    Bad(
        "fails", "throttled", ("HTTP status 500", "1 try"), fault={"http_status": 500}, code=500, calls=1, in_doubt=True
    ),
    # Errors after which the platform has certainly issued no secret
    Bad("closed", "network", ("refused", "1 try", "endpoint"), {"endpoint": "https://127.0.0.1:{closed_port}"}),
    Bad(
        "throttled", "throttled", ("HTTP status 429", "Run again later"), fault={"http_status": 429}, code=429, calls=1
    ),
    Bad(
        "impatient",
        "throttled",
        ("HTTP status 429", "1 try"),
        {"retry_time": 5},
        fault={"http_status": 429, "retry_after": 60},
        code=429,
        calls=1,
    ),
    # The gateway's files
    Bad(
        "path-directory",
        "unsafe_path",
        ("{root}/device.json is a directory", "Nothing was changed"),
        spoil=make_directory,
        repair=remove_directory,
        reason="missing",
    ),
    Bad(
        "path-link",
        "unsafe_path",
        ("{root}/device.json is a symbolic link", "regular file"),
        spoil=make_link,
        repair=remove_link,
        reason="missing",
    ),
    Bad(
        "path-open",
        "unsafe_path",
        ("{root}/open/device.json", "can be written by others", "(drwxrwxrwx)", "0755"),
        spoil=open_directory,
        repair=close_directory,
        path="{root}/open/device.json",
    ),
    Bad(
        "path-open-above",
        "unsafe_path",
        ("{root}/open can be written by everyone (drwxrwxrwx)", "0755"),
        spoil=open_above,
        repair=close_above,
        path="{root}/open/below/device.json",
    ),
    Bad(
        "path-foreign",
        "unsafe_path",
        ("{root}/theirs belongs to user 1", "owner"),
        spoil=give_directory_away,
        repair=take_directory_back,
        path="{root}/theirs/device.json",
        needs="root",
    ),
    Bad(
        "full",
        "storage",
        ("cannot write {root}/small/.device.json.new", "No space left", "Correct the cause and run again"),
        spoil=fill,
        repair=make_room,
        path="{root}/small/device.json",
        needs="mount",
    ),
    Bad(
        "read-only",
        "storage",
        ("{root}/small/.device.json.lock", "Read-only file system", "Correct the cause and run again"),
        spoil=write_protect,
        repair=write_enable,
        path="{root}/small/device.json",
        needs="mount",
    ),
    Bad(
        "target-mounted",
        "storage",
        ("cannot replace {root}/device.json", "mounted by itself (findmnt)", "Correct the cause and run again"),
        spoil=mount_target,
        repair=unmount_target,
        needs="mount",
    ),
    Bad(
        "export-mounted",
        "storage",
        ("cannot replace {root}/agent.env", "mounted by itself (findmnt)"),
        env_export("{root}/agent.env"),
        spoil=mount_export,
        repair=unmount_export,
        repaired=env_export("{root}/agent.env"),
        needs="mount",
    ),
    Bad(
        "owner-unknown",
        "storage",
        ("invalid user", "no-such-user", "Correct the cause and run again"),
        {"owner": "no-such-user"},
    ),
    Bad("group-unknown", "storage", ("invalid group", "no-such-group"), {"group": "no-such-group"}),
    Bad(
        "export-nowhere",
        "storage",
        ("{root}/agent", "Correct the cause and run again"),
        env_export("{root}/agent/agent.env"),
        repair=make_export_directory,
        repaired=env_export("{root}/agent/agent.env"),
    ),
    Bad(
        "export-owner",
        "storage",
        ("invalid user", "no-such-user"),
        env_export("{root}/agent.env", owner="no-such-user"),
        repaired=env_export("{root}/agent.env"),
    ),
    Bad(
        "export-directory",
        "unsafe_path",
        ("{root}/agent.env is a directory",),
        env_export("{root}/agent.env"),
        spoil=make_directory_of_export,
        repair=remove_directory_of_export,
        repaired=env_export("{root}/agent.env"),
    ),
    Bad(
        "no-python",
        "no_python",
        ("no usable Python", "register_from: controller", "ansible_python_interpreter"),
        spoil=lose_python,
        repair=find_python,
        ways=("gateway",),
    ),
]
# A gateway that cannot store a credential fails before anything is sent, so each case uses one way, in turn.
OF_THE_GATEWAY = ("storage", "unsafe_path")


def ways_of(number: int, case: Bad) -> tuple[str, ...]:
    return case.ways if case.kind not in OF_THE_GATEWAY else (WAYS[number % len(WAYS)],)


HOSTS = {f"{case.name}.{way}": (case, way) for number, case in enumerate(CASES) for way in ways_of(number, case)}


@dataclass
class Story:
    """One host: its results, its files, and the calls that the platform received, after each run."""

    case: Bad
    gateway: Gateway
    names: dict[str, object]
    results: list[JSON] = field(default_factory=list)
    contents: list[JSON] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def says(self) -> list[str]:
        return [text.format_map(self.names) for text in self.case.says]


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """Yield a port on which no program listens, bound so that no other program can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("gateways")
    (directory / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (directory / "templates" / name).write_text(text)
    yield directory
    for place in (
        *directory.glob("*/small"),
        *directory.glob("*-mounted.*/*.json"),
        *directory.glob("*-mounted.*/*.env"),
    ):
        subprocess.run(["umount", place], check=False, capture_output=True)


@pytest.fixture(scope="module")
def missing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the privileges that these tests need and this machine refuses, each with the reason to skip."""
    lacking = {} if IS_ROOT else {"root": "only root can give files away", "mount": "only root can mount"}
    if IS_ROOT:
        place = tmp_path_factory.mktemp("mount")
        try:
            mount(place)
            subprocess.run(["umount", place], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            lacking["mount"] = f"root cannot mount here: {error}"
    return lacking


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """Return the list that `stories` fills with the four runs."""
    return []


@pytest.fixture(scope="module")
def stories(
    platform: Emulator,
    directory: Path,
    closed_port: int,
    missing: dict[str, str],
    runs: list[Run],
    asked_for: Callable[[str], bool],
) -> dict[str, Story]:
    """Run every selected case in check mode and in a run while something is wrong, and those that need it in two runs after the repair."""
    ports = {"port": platform.port, "plain_port": urlsplit(platform.endpoints["admin_url"]).port}
    stories = {}
    for host, (case, way) in HOSTS.items():
        if asked_for(host) and case.needs not in missing:
            gateway = new_gateway(platform, directory, host, way, path=case.path, retry_time=0)
            names = {**ports, "closed_port": closed_port, "root": gateway.root, "way": way}
            stories[host] = Story(case, gateway, names)
            spoil(stories[host])
    for check in (True, False):
        go_through(stories, directory, runs, check=check)
    platform.admin.clear_faults()
    repaired = {host: story for host, story in stories.items() if story.case.needs_repair}
    for story in repaired.values():
        story.case.repair(story.gateway)
        if story.case.in_doubt:
            end_lease(story.gateway.journal_path)
        story.gateway.options = changed(good(story), story.case.repaired, **story.names)
    for _attempt in range(2):
        go_through(repaired, directory, runs)
    return stories


def spoil(story: Story) -> None:
    case, gateway = story.case, story.gateway
    gateway.store(credential_text(gateway.product_key, "another-device", OLD_SECRET))
    case.spoil(gateway)
    if case.fault:
        gateway.platform.admin.fault(device_name=gateway.device_name, times="forever", **case.fault)
    gateway.options = changed(gateway.options, case.options, **story.names)
    story.contents.append(gateway.contents())


def good(story: Story) -> JSON:
    """Return the options without the mistake."""
    options = {**story.gateway.options}
    product_key, product_secret = PRODUCTS[story.names["way"]]
    for name in story.case.options:
        options.pop(name, None)
    endpoints = story.gateway.platform.endpoints
    return {
        "endpoint": endpoints["register_url"],
        "ca_path": endpoints["ca_file"],
        "path": story.case.path.format_map(story.names),
        "product_key": product_key,
        "product_secret": product_secret,
        **options,
    }


def go_through(stories: dict[str, Story], directory: Path, runs: list[Run], check: bool = False) -> None:
    run = run_task([story.gateway for story in stories.values()], directory, "--diff", check=check)
    runs.append(run)
    for host, story in stories.items():
        [task] = run.results[host]
        story.results.append({**task["result"], "status": task["status"]})
        story.contents.append(story.gateway.contents())
        story.calls.append(len(story.gateway.calls))


@pytest.fixture
def story(request: pytest.FixtureRequest, stories: dict[str, Story], missing: dict[str, str]) -> Story:
    if (needs := HOSTS[request.param][0].needs) in missing:
        pytest.skip(missing[needs])
    return stories[request.param]


every_case = pytest.mark.parametrize("story", HOSTS, indirect=True)


@every_case
def test_check_mode_sends_and_changes_nothing_and_fails_as_the_run_does(story: Story) -> None:
    """Check mode sends and changes nothing, and reports every error that can be known without a registration."""
    check = story.results[0]
    assert story.calls[0] == 0
    assert story.contents[1] == story.contents[0]
    if story.case.is_foreseen:
        assert check["error"] == story.results[1]["error"]
    else:
        assert (check["status"], check["changed"]) == ("ok", True), check


@every_case
def test_the_error_says_what_is_wrong_and_what_to_do(story: Story) -> None:
    result = story.results[1]
    assert (result["status"], result["changed"]) == ("failed", False), result
    error = result["error"]
    assert (error["kind"], error["code"]) == (story.case.kind, story.case.code), result["msg"]
    assert result["msg"] == f"{error['message']}. {error['hint']}"
    assert error["hint"]
    assert [text for text in story.says() if text not in result["msg"]] == [], result["msg"]


@every_case
def test_nothing_is_lost_and_nothing_half_written(story: Story) -> None:
    """A failed run changes no file. Journal and reserved room stay only if the platform may have issued a secret that is lost."""
    before, after = story.contents[0], dict(story.contents[2])
    left = {name: after.pop(name)[-1] for name in after.keys() - before.keys()}
    assert after == before
    if story.case.in_doubt:
        journal = left.pop(".device.json.journal")
        assert isinstance(journal, bytes)
        assert journal.startswith(b"2 token=")
        assert journal.count(b"\n") == 1, "no secret is stored"
        assert left == {".device.json.new": PROBE, ".device.json.spare": b""}
    else:
        assert left == {}
    assert story.calls[1] == story.case.calls


@pytest.mark.parametrize("story", [host for host, (case, _way) in HOSTS.items() if case.needs_repair], indirect=True)
def test_a_run_after_the_repair_converges(story: Story) -> None:
    run, again = story.results[2:]
    gateway = story.gateway
    assert (run["status"], run["reason"]) == ("ok", story.case.reason_after), run
    # Without a broker's address no login can prove that the earlier request is not processed late.
    assert (run["registered"], run["proven"]) == (True, False if story.case.in_doubt else None)
    assert gateway.path.read_text() == gateway.valid_text
    assert (again["status"], again["changed"], again["reason"]) == ("ok", False, "up_to_date"), again
    assert story.calls[2] == story.calls[3] == story.case.calls + 1
    assert {".device.json.new", ".device.json.journal", ".agent.env.new"} & gateway.beside == set()


def test_no_run_shows_a_secret(stories: dict[str, Story], runs: list[Run]) -> None:
    secrets = {OLD_SECRET, *(product_secret for _product_key, product_secret in PRODUCTS.values()), "NotTheSecret0001"}
    secrets |= {story.gateway.device["device_secret"] for story in stories.values()}
    for run in runs:
        assert [secret for secret in secrets if secret in told(run)] == []


# Temporary faults


@dataclass(frozen=True)
class Trouble:
    """A temporary fault, and the number of requests until it is over."""

    name: str
    fault: dict[str, JSON]
    calls: int = 2
    pause: float = 0.0
    doubt: bool = True  # the failed request may be processed late


TROUBLES = [
    Trouble("throttled-a-second", {"http_status": 429, "retry_after": 1}, pause=1.0, doubt=False),
    Trouble("failed-twice", {"http_status": 500, "times": 2}, calls=3),
    Trouble("code-429", {"code": 429}, doubt=False),
    Trouble("code-500-twice", {"code": 500, "times": 2}, calls=3),
    Trouble("bad-gateway", {"http_status": 502}),
    Trouble("lost-request", {"drop_before": True}),
    Trouble("lost-answer", {"drop_after": True}),
    Trouble("half-an-answer", {"truncate": True}),
]


def test_troubles_that_pass(platform: Emulator, directory: Path) -> None:
    gateways = {
        (trouble.name, way): new_gateway(platform, directory, f"{trouble.name}.{way}", way)
        for trouble in TROUBLES
        for way in WAYS
    }
    for trouble in TROUBLES:
        for way in WAYS:
            platform.admin.fault(device_name=f"{trouble.name}.{way}", **trouble.fault)
    run = run_task(gateways.values(), directory)
    assert run.rc == 0, run
    for trouble in TROUBLES:
        for way in WAYS:
            gateway = gateways[trouble.name, way]
            assert len(gateway.calls) == trouble.calls, gateway.host
            assert gateway.path.read_text() == gateway.valid_text
            assert gateway.beside == set()
            # Without a broker's address no login can prove the secret.
            assert run.result(gateway.host)["proven"] is (False if trouble.doubt else None), gateway.host
            sent = [datetime.fromisoformat(call["time"]) for call in gateway.calls]
            assert (sent[-1] - sent[0]).total_seconds() >= trouble.pause
