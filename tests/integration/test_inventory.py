# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin with ansible-inventory: hosts are made from devices, and the platform's answers gain no authority."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account import KEY, SEED
from canary import Canaries, new_secret
from emulator import Emulator

JSON = Any

FIRST = "a1IoKTestP1"
SECOND = "a1IoKTestP2"
DEVICE_SECRET = new_secret()
OTHERS = {
    "webservers": {"hosts": {"web-0001": {"ansible_host": "192.0.2.1"}}},
    "dbservers": {"hosts": {"db-0001": None}, "vars": {"password": "x"}},
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    devices = [{"name": "hz-0001", "secret": DEVICE_SECRET, "status": "OFFLINE"}, "hz-0002"]
    products = [
        {"product_key": FIRST, "product_secret": new_secret(), "devices": devices},
        {"product_key": SECOND, "product_secret": new_secret(), "devices": ["hz-0002", "sh-0001"]},
    ]
    with Emulator(tmp_path_factory.mktemp("platform"), {**SEED, "products": products}) as emulator:
        yield emulator


def source(platform: Emulator, **options: JSON) -> JSON:
    return {
        "plugin": "fleetops.aliyun_iot.devices",
        "products": [FIRST],
        "credentials": "default_chain",
        "openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "ca_path": platform.endpoints["ca_file"],
        "strict": True,
        **options,
    }


def listed(home: Path, *sources: JSON) -> tuple[JSON, str]:
    """Return the hosts of OTHERS and these sources from ansible-inventory, without markers of unsafe text, and its messages in one line."""
    files = {"hosts.json": OTHERS, **{f"{number}-devices.yml": options for number, options in enumerate(sources)}}
    for name, content in files.items():
        (home / name).write_text(json.dumps(content))
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "1000",  # Ansible wraps lines
        "ANSIBLE_INVENTORY_ENABLED": "auto,yaml",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY.id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY.secret,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "ansible", "inventory", *(f"--inventory={home / name}" for name in files), "--list"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return without_marks(ended.stdout), ended.stderr.replace("\n", " ")


def without_marks(text: str) -> JSON:
    return json.loads(text, object_hook=lambda found: found.get("__ansible_unsafe", found))


def test_devices_are_hosts(platform: Emulator, tmp_path: Path) -> None:
    options = source(
        platform,
        compose={"ansible_host": "iot_device_name ~ '.example'", "greeting": "'hello ' ~ iot_nickname"},
        groups={"never_connected": "not iot_activated", "webservers": "iot_device_name == 'hz-0002'"},
        keyed_groups=[
            {"key": "iot_device_name.split('-')[0]", "prefix": "site", "parent_group": "sites"},
            {"key": "iot_created[:4] ~ '-' ~ iot_product_name", "separator": ""},
        ],
        cache=True,
        cache_plugin="ansible.builtin.jsonfile",
        cache_connection=str(tmp_path / "cache"),
    )
    platform.admin.patch_device(FIRST, "hz-0001", nickname="{{ 7 * 6 }}")
    platform.admin.clear_requests()
    first, said = listed(tmp_path, options)
    assert "Failed to parse" not in said
    asked = len(platform.admin.requests())
    again, _said = listed(tmp_path, options)
    assert again == first
    assert len(platform.admin.requests()) == asked > 0
    hosts = first["_meta"]["hostvars"]
    assert hosts.keys() == {"hz-0001", "hz-0002", "web-0001", "db-0001"}
    host = hosts["hz-0001"]
    assert (host["ansible_host"], host["iot_status"], host["iot_activated"]) == ("hz-0001.example", "OFFLINE", True)
    assert (host["iot_nickname"], host["greeting"]) == ("{{ 7 * 6 }}", "hello {{ 7 * 6 }}")
    assert hosts["db-0001"]["password"] == "x"
    assert sorted(first[f"product_{FIRST}"]["hosts"]) == ["hz-0001", "hz-0002"]
    assert first["status_offline"]["hosts"] == ["hz-0001"]
    assert first["sites"]["children"] == ["site_hz"]
    assert sorted(first["site_hz"]["hosts"]) == ["hz-0001", "hz-0002"]
    assert "hz-0001" not in first["never_connected"]["hosts"]
    assert first["webservers"]["hosts"] == ["web-0001", "hz-0002"], "the options name this group"
    assert not [name for name in first if "-" in name], "a name that is no variable's is replaced"
    canaries = Canaries({"DeviceSecret": DEVICE_SECRET, "AccessKey": KEY.secret})
    assert canaries.in_text(json.dumps(first)) == []
    assert canaries.in_files(tmp_path / "cache") == []


def named(expression: str) -> JSON:
    """Return an option that gives one device this name; the other keeps its own."""
    return {"hostname": f"{expression} if iot_device_name == 'hz-0001' else iot_device_name"}


MISPLACED = "secret-in-the-wrong-place"
REFUSED = [
    ({"products": [FIRST, SECOND]}, "two devices would be the host hz-0002"),
    ({"access_key_secret": "{{ lookup('env', 'KEY') }}"}, "access_key_secret: is a template"),
    ({"access_key_secret": [MISPLACED]}, "access_key_secret: is a list"),
    ({"security_token": {MISPLACED: MISPLACED}}, "security_token: is a dictionary"),
    (
        {"acess_key_secret": MISPLACED},
        "acess_key_secret: is not an option of this plugin. Did you mean access_key_secret?",
    ),
    (named("'localhost'"), "hostname: 'localhost' is a name of the controller"),
    (named("'web-0001'"), "hostname: 'web-0001' is a host of another inventory source"),
    (named("'dbservers'"), "hostname: 'dbservers' is the name of a group"),
    (named("'status_unactive'"), "hostname: 'status_unactive' is the name of a group"),
    (named("iot_device_name ~ ':web-0001:all'"), "hostname: 'hz-0001:web-0001:all' is a pattern of several hosts"),
    (named("iot_nickname"), "hostname: '{{ 7 * 6 }}' is not 1 to 253 of"),
    (
        {"keyed_groups": [{"key": "'dbservers'", "separator": ""}]},
        "keyed_groups: 'dbservers' is a group of another inventory source",
    ),
    (
        {"keyed_groups": [{"key": "'x'", "prefix": "x", "parent_group": "{{ 'webservers' }}"}]},
        "keyed_groups: 'webservers' is a group of another inventory source",
    ),
    ({"keyed_groups": [{"key": "'all'", "separator": ""}]}, "keyed_groups: 'all' is a group"),
    (
        {"keyed_groups": [{"key": "iot_status | replace('UNACTIVE', 'localhost')", "separator": ""}]},
        "keyed_groups: 'localhost' is a name of the controller",
    ),
    (
        {"keyed_groups": [{"key": "'x'", "separator": "", "parent_group": "{{ 'x' }}"}]},
        "keyed_groups: 'x' would be its own parent_group",
    ),
    ({"compose": {"ansible_host": "'-oProxyCommand=id'"}}, "compose: '-oProxyCommand=id' is not an address"),
    ({"compose": {"ansible_host": "'127.1'"}}, "compose: '127.1' leads to the controller"),
]


def test_what_would_be_authority_is_refused_as_a_whole(platform: Emulator, tmp_path: Path) -> None:
    """A source that would gain authority adds no host, and the hosts of other sources stay the same."""
    platform.admin.patch_device(FIRST, "hz-0001", nickname="{{ 7 * 6 }}")
    hosts, said = listed(tmp_path, *(source(platform, **options) for options, _says in REFUSED))
    assert [says for _options, says in REFUSED if says not in said] == []
    assert MISPLACED not in said
    assert hosts["_meta"]["hostvars"] == {"web-0001": {"ansible_host": "192.0.2.1"}, "db-0001": {"password": "x"}}
    assert sorted(hosts["all"]["children"]) == ["dbservers", "ungrouped", "webservers"]


FORGED = ({"ansible_connection": "local"}, {"iot_status": "x"}, {"iot_device_name": "all"}, {"iot_product_key": SECOND})


def test_a_cache_is_a_stranger_too(platform: Emulator, tmp_path: Path) -> None:
    """A forged entry of a cache file is checked like a fresh answer."""
    folders = [tmp_path / f"cache-{number}" for number in range(len(FORGED))]
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile"}
    sources = [
        source(platform, **cache, hostname=f"iot_device_name ~ '-{number}'", cache_connection=str(folder))
        for number, folder in enumerate(folders)
    ]
    first, _said = listed(tmp_path, *sources)
    assert len(first["_meta"]["hostvars"]) == 2 + 2 * len(FORGED)
    for folder, forged in zip(folders, FORGED, strict=True):
        [file] = folder.iterdir()
        file.write_text(forge(file.read_text(), forged))
    hosts, said = listed(tmp_path, *sources)
    assert hosts["_meta"]["hostvars"].keys() == {"web-0001", "db-0001"}
    assert said.count("the cache has a device") >= len(FORGED), said
    assert "--flush-cache" in said


def forge(text: str, change: JSON) -> str:
    """Return the cache with another first device; since ansible-core 2.19 the content is JSON within JSON."""
    stored = json.loads(text)
    wrapped = isinstance(stored, dict)
    devices = json.loads(stored["__payload__"]) if wrapped else stored
    devices[0].update(change)
    return json.dumps({**stored, "__payload__": json.dumps(devices)} if wrapped else devices)


def test_the_cache_is_of_what_the_source_asks_for(platform: Emulator, tmp_path: Path) -> None:
    """A source of other products, another instance or another AccessKey does not use what is cached."""
    folder = tmp_path / "cache"
    cache = {
        "hostname": "iot_product_key[-1] ~ '-' ~ iot_device_name",
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(folder),
    }
    first = ["1-hz-0001", "1-hz-0002"]
    second = ["2-hz-0002", "2-sh-0001"]
    own_key = {"credentials": None, "access_key_id": KEY.id, "access_key_secret": KEY.secret}
    endpoint = platform.endpoints["openapi_endpoint"]
    for options, hosts in (
        ({"products": [FIRST]}, first),
        ({"products": [FIRST, SECOND]}, first + second),
        ({"products": [SECOND]}, second),
        ({"region": "cn-beijing"}, first),
        (own_key, first),
        ({"openapi_endpoint": endpoint.replace("127.0.0.1", "localhost")}, first),
        ({"instance_id": "iot-other"}, []),
    ):
        platform.admin.clear_requests()
        changed = {name: value for name, value in source(platform, **cache, **options).items() if value is not None}
        found, said = listed(tmp_path, changed)
        assert sorted(found["_meta"]["hostvars"].keys() - {"web-0001", "db-0001"}) == hosts, (options, said)
        assert platform.admin.requests() or not hosts, options
    platform.admin.clear_requests()
    again, _said = listed(tmp_path, source(platform, **cache, products=[FIRST, SECOND]))
    assert again["_meta"]["hostvars"].keys() - {"web-0001", "db-0001"} == {*first, *second}
    assert not platform.admin.requests(), "each of them is still there"
    text = "".join(path.name + path.read_text() for path in folder.iterdir())
    assert not [part for part in (KEY.id, KEY.secret) if part in text]


def test_a_cache_of_an_earlier_version_is_not_read(platform: Emulator, tmp_path: Path) -> None:
    """The cache of an earlier version is not read: its name was that of the file alone, so its source is unknown."""
    folder = tmp_path / "cache"
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder)}
    first, _said = listed(tmp_path, source(platform, **cache))
    [file] = folder.iterdir()
    name, digest = file.name.rsplit("_", 1)
    assert len(digest) == 16
    file.rename(folder / name)
    (folder / name).write_text(forge((folder / name).read_text(), {"iot_nickname": "of old"}))
    again, said = listed(tmp_path, source(platform, **cache))
    assert "of old" not in json.dumps(again), said
    assert again == first
