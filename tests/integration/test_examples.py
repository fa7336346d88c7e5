# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the EXAMPLES of the plugins' documentation as printed.

One playbook has a play for each plugin, with the tasks that its documentation prints; an example that is a play is used unchanged. Gateways
are folders of this machine, and the platform is the emulator: defaults of modules and variables of the inventory point to them. Plays
between the examples prepare what the next one requires. The inventory's example is a file for ansible-inventory.
"""

from __future__ import annotations

import getpass
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from account import KEY, SEED
from emulator import Emulator
from operations import account, role_variables, stored_fingerprint, valid_fingerprint
from playbook import PRODUCT_KEY, PRODUCT_SECRET, Run, environment_of, inventory, mqtt_endpoint, names, run_playbook
from shells import write_script

JSON = Any

PLUGINS = Path(__file__).parents[2] / "plugins"
KINDS = ("modules", "filter", "lookup", "inventory")
HOSTS = names(2)
MACS, SERIALS = ["00:16:3e:00:00:01", "00:16:3e:00:00:02"], ["SN0001", "SN0002"]
NEW_PRODUCT = "OvenGateways"
REPORT = PLUGINS.parent / "roles/gateway/tasks/report.yml"

# Printed text and its replacement here: a gateway is a folder, and only root can give files away.
STANDS_FOR = {"/etc/agent/iot.conf": "'{{ root }}/iot.conf'", "owner: agent": f"owner: {getpass.getuser()}"}

GATEWAY = "fleetops.aliyun_iot.gateway_credential"
FLEET = "fleetops.aliyun_iot.fleet_credentials"
UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
ABSENT = {GATEWAY: {"product_key": PRODUCT_KEY, "state": "absent"}}
LOOK = {FLEET: {"report": "all"}, "run_once": True, "check_mode": True}
LISTED = {"fleetops.aliyun_iot.fleet_devices": {"state": "listed", "all_devices": True}, "run_once": True}
# The plugins in an order in which a user could follow their examples.
ORDER = (
    *("modules/product", "modules/product_info", "modules/devices", "modules/devices_info"),
    *("modules/device_registration", "modules/gateway_credential", "modules/gateway_recovery", "modules/device_login"),
    *("modules/service_restart", "modules/device_reset", "modules/fleet_devices", "modules/fleet_credentials"),
    *("modules/fleet_report", "modules/run_report", "modules/report_merge", "filter/audit_findings"),
    *("filter/audit_table", "modules/audit_report", "filter/decommission_devices", "filter/device_names"),
    *("filter/mqtt_login", "lookup/fleet_target", "lookup/fleet_hosts"),
)
# Preconditions of an example that no earlier example creates: tasks of a play over the gateways. The key is a plugin and the number of its
# example, because the names of examples are prose.
BEFORE: dict[str, list[JSON]] = {
    # A gateway does not change its name by itself.
    "modules/gateway_credential 2": [ABSENT],
    "modules/gateway_credential 3": [ABSENT],
    "modules/gateway_credential 4": [ABSENT],
    "modules/gateway_credential 5": [ABSENT],
    "modules/fleet_credentials 1": [ABSENT],
    "modules/fleet_report 1": [
        ABSENT,
        {FLEET: {}, "run_once": True, "register": "gateway_fleet", "changed_when": False},
    ],
    "modules/report_merge 1": [
        {"fleetops.aliyun_iot.run_report": {"dest": f"slices/{number}.html"}, "run_once": True} for number in (1, 2)
    ],
    "filter/audit_findings 1": [
        {GATEWAY: {"product_key": PRODUCT_KEY, "register": "never"}, "check_mode": True, "register": "gateway_result"},
        {
            "fleetops.aliyun_iot.devices_info": {"product_key": PRODUCT_KEY, "region": "cn-shanghai"},
            "register": "devices",
        },
        {
            "ansible.builtin.set_fact": {
                "findings": "{{ {inventory_hostname: gateway_result} | fleetops.aliyun_iot.audit_findings([devices]) }}"
            }
        },
    ],
    "modules/audit_report 1": [
        {**LOOK, "register": "looked"},
        {**LISTED, "register": "platform_devices"},
        {"ansible.builtin.set_fact": {"looks": "{{ looked.gateways }}"}},
    ],
    "filter/decommission_devices 1": [
        {**LOOK, FLEET: {"state": "absent", "report": "all"}, "register": "fleet"},
        {**LISTED, "register": "platform"},
    ],
    "lookup/fleet_target 1": [{"ansible.builtin.add_host": {"name": "gw-0003", "groups": "gateways", **UNREACHABLE}}],
    "lookup/fleet_hosts 1": [{**LOOK, "register": "gateway_fleet"}],
}
CHANGES = {
    "modules/product 1",
    "modules/devices 1",
    "modules/devices 2",
    "modules/device_registration 1",
    "modules/gateway_credential 1",
    "modules/gateway_credential 2",
    "modules/gateway_credential 3",
    "modules/gateway_credential 4",
    "modules/gateway_credential 6",
    "modules/gateway_recovery 1",
    "modules/service_restart 1",
    "modules/device_reset 1",
    "modules/fleet_credentials 1",
    "modules/fleet_credentials 2",
    "modules/fleet_report 1",
    "modules/run_report 1",
    "modules/report_merge 1",
    "modules/audit_report 1",
}


def documented() -> list[str]:
    """Return every plugin that a play can use, as FOLDER/NAME."""
    paths = [path for kind in KINDS for path in PLUGINS.glob(f"{kind}/[a-z]*.py")]
    return [path.relative_to(PLUGINS).with_suffix("").as_posix() for path in paths]


def printed(plugin: str) -> str:
    return importlib.import_module(
        f"ansible_collections.fleetops.aliyun_iot.plugins.{plugin.replace('/', '.')}"
    ).EXAMPLES


def examples(plugin: str) -> list[JSON]:
    """Return the tasks or the plays that the documentation of a plugin prints."""
    text = printed(plugin)
    for there, here in STANDS_FOR.items():
        text = text.replace(there, here)
    return yaml.safe_load(text)


def play(*tasks: JSON, **keywords: JSON) -> JSON:
    return {"hosts": "gateways", "gather_facts": False, "ignore_unreachable": True, **keywords, "tasks": tasks}


def plays() -> list[JSON]:
    """Return the examples as plays, each after the play of its preconditions."""
    notified = {"name": "Restart agent", "ansible.builtin.file": {"path": "{{ root }}/notified", "state": "touch"}}
    found = []
    for key, example in EXAMPLES.items():
        if tasks := BEFORE.get(key):
            found.append(play(*tasks))
        found.append(example if "hosts" in example else play(example, name=key, handlers=[notified]))
    return found


EXAMPLES = {f"{plugin} {number}": example for plugin in ORDER for number, example in enumerate(examples(plugin), 1)}


@dataclass(frozen=True)
class Tried:
    """The one run of all examples that are plays or tasks."""

    run: Run
    platform: Emulator
    home: Path

    def secret(self, device: str) -> str:
        return self.platform.admin.device(PRODUCT_KEY, device)["device_secret"]


def machine(home: Path, number: int) -> dict[str, JSON]:
    """Return the variables of a gateway with its own hardware, and with a systemctl that records restarts."""
    folder = home / f"machine-{number}"
    for file, text in {"class/net/eth0/address": MACS[number], "class/dmi/id/product_serial": SERIALS[number]}.items():
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text(f"{text}\n")
    record = f'[ "$1" = restart ] || {{ echo LoadState=loaded; exit; }}; echo "$@" >>{folder}/restarted'
    (folder / "tools").mkdir()
    write_script(folder / "tools/systemctl", record)
    shell = f'export PATH="{folder}/tools:$PATH"\n[ $# = 0 ] || exec /bin/sh "$@"\nsed "s|^sysfs=.*|sysfs={folder}|" | /bin/sh'
    return {
        "ansible_shell_executable": str(write_script(folder / "sh", shell)),
        "serial_in_the_inventory": SERIALS[number],
    }


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Yield a platform with the product of the examples, and with its devices that no example adds."""
    product = {"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET, "node_type": "gateway"}
    product["devices"] = ["OvenDevice01", "gw-0013", *MACS, *SERIALS]
    with Emulator(tmp_path_factory.mktemp("platform"), {**SEED, "products": [product]}) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def tried(platform: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    home = tmp_path_factory.mktemp("home")
    (home / "iot.conf.j2").write_text("secret={{ device_secret }}\n")
    (home / "slices").mkdir()
    path = "{{ root }}/device.json"
    registration = {"endpoint": platform.endpoints["register_url"], "ca_path": platform.endpoints["ca_file"]}
    openapi = {name.removeprefix("platform_"): value for name, value in account(platform).items()}
    login = {"mqtt_endpoint": mqtt_endpoint(platform), "ca_path": platform.endpoints["ca_file"], "path": path}
    defaults = {
        "group/fleetops.aliyun_iot.openapi": openapi,
        "fleetops.aliyun_iot.gateway_credential": {**registration, "path": path},
        "fleetops.aliyun_iot.gateway_recovery": {"path": path},
        "fleetops.aliyun_iot.device_registration": registration,
        "fleetops.aliyun_iot.device_login": login,
    }
    hosts = inventory(
        {host: machine(home, number) for number, host in enumerate(HOSTS)},
        home,
        **role_variables(platform),
        **account(platform),
        gateway_region="cn-shanghai",
        gateway_verify="none",
        vault_product_secret=PRODUCT_SECRET,
        vault_access_key_id=KEY.id,
        vault_access_key_secret=KEY.secret,
    )
    printed_ones = [{**each, "module_defaults": defaults} for each in plays()]
    return Tried(run_playbook(printed_ones, hosts, home), platform, home)


def test_every_plugin_has_examples_of_itself() -> None:
    assert sorted(documented()) == sorted([*ORDER, "inventory/devices"])
    assert [
        plugin for plugin in documented() if f"fleetops.aliyun_iot.{plugin.partition('/')[2]}" not in printed(plugin)
    ] == []
    assert {*BEFORE, *CHANGES} <= set(EXAMPLES)
    # The results are found by these names.
    assert len({example["name"] for example in EXAMPLES.values()}) == len(EXAMPLES)


@pytest.mark.parametrize("key", EXAMPLES)
def test_an_example_does_what_it_says(tried: Tried, key: str) -> None:
    example = EXAMPLES[key]
    if "hosts" in example:
        assert f"PLAY [{example['name']}]" in tried.run.stdout
        return
    shown = example["name"]
    if "ansible.builtin.import_role" in example:
        shown = f"fleetops.aliyun_iot.gateway : {yaml.safe_load(REPORT.read_text())[0]['name']}"
    found = [each for host in HOSTS for each in tried.run.results[host] if each["task"] == shown]
    assert found, tried.run
    for each in found:
        assert (each["status"], each["result"]["changed"]) == ("ok", key in CHANGES), tried.run


def test_what_the_examples_have_done(tried: Tried) -> None:
    run, admin, home = tried.run, tried.platform.admin, tried.home
    # The last example shows a gateway that did not answer, which Ansible counts as unreachable.
    assert (run.rc, run.stats["gw-0003"]["unreachable"]) == (4, 1), run
    assert [host for host, stats in run.stats.items() if stats["failures"]] == []
    assert NEW_PRODUCT in {product["product_name"] for product in admin.products()}
    assert admin.device(PRODUCT_KEY, "gw-0013")["status"] == "DISABLE"
    for number, host in enumerate(HOSTS):
        assert stored_fingerprint(home, host) == valid_fingerprint(tried.platform, host)
        assert (home / host / "iot.conf").read_text() == f"secret={tried.secret(MACS[number])}\n"
        assert (home / host / "notified").exists()
        assert (home / f"machine-{number}/restarted").read_text() == "restart -- agent\n" * 2
        done = {each["task"]: each["result"] for each in run.results[host]}
        assert done["Register the device under the lease"]["reason"] == "reset"
        assert done["Remove the note"]["reason"] == "followed_up"
    assert {finding["finding"] for finding in json.loads((home / "audit.json").read_text())} >= {"ok", "no_gateway"}
    assert all(host in (home / "provision.html").read_text() for host in HOSTS)
    assert not [secret for secret in (PRODUCT_SECRET, KEY.secret) if secret in run.stdout + run.stderr]


def test_the_inventory_is_as_it_is_printed(tmp_path: Path) -> None:
    product = {"product_key": PRODUCT_KEY, "product_secret": PRODUCT_SECRET, "devices": ["oven-0001"]}
    with Emulator(tmp_path / "platform", {**SEED, "products": [product]}) as emulator:
        there = {
            name.removeprefix("platform_"): value for name, value in account(emulator).items() if "access" not in name
        }
        source = tmp_path / "devices.yml"
        source.write_text(printed("inventory/devices") + yaml.safe_dump(there))
        ended = subprocess.run(
            [sys.executable, "-m", "ansible", "inventory", "--inventory", source, "--list"],
            env={
                **environment_of(tmp_path),
                "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY.id,
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY.secret,
            },
            check=False,
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 0, ended
    found = json.loads(ended.stdout)
    assert "oven-0001.gateways.example.com" in str(found["_meta"]["hostvars"]["oven-0001"]["ansible_host"])
    assert found["never_connected"]["hosts"] == found["site_oven"]["hosts"] == ["oven-0001"]
