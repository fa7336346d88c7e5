# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control plane, run by Ansible on the controller: products, devices, resets, the inventory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account import EXPIRED_KEY, KEY, SEED, TEMPORARY_KEY
from canary import new_secret
from emulator import Emulator
from gateways import fingerprint
from playbook import Run, run_playbook

JSON = Any

NAMESPACE = "fleetops.aliyun_iot."
PRODUCT = "a1IoKTestP1"
GATEWAYS = "a1IoKTestP2"
DEVICES = "a1IoKTestP3"
SENSORS = "a1IoKTestP4"
PASSES = ("check", "run", "check again", "run again")
# A host without AccessKeys and without a RAM role; with pipelining, each task takes one process instead of four.
NOBODY = {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true", "ANSIBLE_PIPELINING": "true"}


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    names = ("product", "gateway", "device")
    return {name: new_secret() for name in names}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, secrets: dict[str, str]) -> Iterator[Emulator]:
    """Yield a platform that throttles as the cloud does, and has gateways with and without sub-devices."""
    products = [
        {"product_key": PRODUCT, "product_secret": secrets["product"]},
        {
            "product_key": GATEWAYS,
            "product_secret": new_secret(),
            "node_type": "gateway",
            "devices": [{"name": "gw-0001", "secret": secrets["gateway"]}, "gw-0002", "gw-0003", "gw-0004"],
        },
        {"product_key": SENSORS, "product_secret": new_secret()},
        {
            "product_key": DEVICES,
            "product_secret": new_secret(),
            "devices": [
                {"name": "hz-0001", "secret": secrets["device"], "status": "OFFLINE"},
                "hz-0002",
                {"name": "sh-0001", "status": "DISABLE"},
            ],
        },
    ]
    seed = {**SEED, "products": products, "settings": {"throttling": True}}
    with Emulator(tmp_path_factory.mktemp("platform"), seed) as emulator:
        yield emulator


def connection(platform: Emulator) -> dict[str, JSON]:
    """Return the options to connect to the platform."""
    return {
        "access_key_id": KEY.id,
        "access_key_secret": KEY.secret,
        "openapi_endpoint": platform.endpoints["openapi_endpoint"],
        "ca_path": platform.endpoints["ca_file"],
    }


def task(name: str, module: str, **options: JSON) -> JSON:
    """Return a task whose failure does not end the play."""
    return {"name": name, NAMESPACE + module: options, "ignore_errors": True}


def play(platform: Emulator, tasks: list[JSON], **keywords: JSON) -> JSON:
    """Return a play on the controller, with the connection as the action group's defaults."""
    return {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {f"group/{NAMESPACE}aliyun_iot": connection(platform)},
        "tasks": tasks,
        **keywords,
    }


def run(playbook: JSON, tmp_path: Path, *arguments: str) -> Run:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": {"localhost": local}}}
    return run_playbook(playbook, inventory, tmp_path, "--diff", *arguments, env=NOBODY)


def results(ended: Run) -> dict[str, JSON]:
    """Return the result of each task by its name, with the key `failed`."""
    return {
        told["task"]: {**told["result"], "failed": told["status"] == "failed"} for told in ended.results["localhost"]
    }


def four_passes(platform: Emulator, tasks: list[JSON], tmp_path: Path) -> dict[str, dict[str, JSON]]:
    """Return the results of each task in each pass."""
    plays = [
        play(platform, [{**item, "name": f"{number}: {item['name']}"} for item in tasks], check_mode=number % 2 == 0)
        for number in range(4)
    ]
    told = results(run(plays, tmp_path))
    return {
        item["name"]: {name: told[f"{number}: {item['name']}"] for number, name in enumerate(PASSES)} for item in tasks
    }


def reasons(result: JSON) -> dict[str, str]:
    return {item["device_name"]: item["reason"] for item in result["devices"]}


def calls(platform: Emulator, **equal: str) -> list[str]:
    return [request["action"] for request in platform.admin.requests(**equal)]


def on_platform(platform: Emulator, product_key: str) -> dict[str, str]:
    return {device["device_name"]: device["status"] for device in platform.admin.devices(product_key)}


def test_products_and_devices_in_four_passes(platform: Emulator, tmp_path: Path) -> None:
    """Each task predicts its changes in check mode, makes them, and then has nothing left to do."""
    tasks = [
        task("create", "product", product_name="Ovens", node_type="gateway", description="hot"),
        task("change", "product", product_key=PRODUCT, product_name="Stoves", description="hotter"),
        task("add", "devices", product_key=PRODUCT, names=["oven-0001", "oven-0002"]),
        task("disable", "devices", product_key=DEVICES, names=["hz-0002", "sh-0001"], state="disabled"),
        task("enable", "devices", product_key=DEVICES, names=["hz-0001", "hz-0002", "sh-0001"], state="enabled"),
        task("remove", "devices", product_key=GATEWAYS, names=["gw-0004", "gw-none"], state="absent"),
    ]
    # `enable` is left out: its devices must be disabled first, and each pass would find the other task's work.
    told = four_passes(platform, [item for item in tasks if item["name"] != "enable"], tmp_path)
    for name, passes in told.items():
        changed = [passes[number]["changed"] for number in PASSES]
        assert changed == [True, True, False, False], (name, passes)
        assert passes["check"]["diff"] == passes["run"]["diff"] or name == "create", name
        assert "product" not in passes["run"] or passes["run"]["dynamic_registration"]["known"] is False
    create = told["create"]
    assert [create[number]["reason"] for number in PASSES] == ["missing", "missing", "up_to_date", "up_to_date"]
    key = create["run"]["product_key"]
    assert create["run again"]["product"] == {
        **create["run"]["product"],
        "created": create["run again"]["product"]["created"],
    }
    ovens = next(product for product in platform.admin.products() if product["product_key"] == key)
    assert (ovens["product_name"], ovens["node_type"], ovens["dynamic_registration"]) == ("Ovens", "gateway", False)
    stoves = next(product for product in platform.admin.products() if product["product_key"] == PRODUCT)
    assert stoves["product_name"] == "Stoves"
    assert on_platform(platform, PRODUCT) == {"oven-0001": "UNACTIVE", "oven-0002": "UNACTIVE"}
    assert reasons(told["add"]["run"]) == {"oven-0001": "missing", "oven-0002": "missing"}
    assert on_platform(platform, DEVICES)["hz-0002"] == "DISABLE"
    assert reasons(told["disable"]["run"]) == {"hz-0002": "enabled", "sh-0001": "up_to_date"}
    assert "gw-0004" not in on_platform(platform, GATEWAYS)
    assert reasons(told["remove"]["run"]) == {"gw-0004": "exists", "gw-none": "up_to_date"}

    tasks = [
        next(item for item in tasks if item["name"] == "enable"),
        task("purge", "devices", product_key=PRODUCT, names=["oven-0001"], purge=True, purge_maximum=1),
        task("delete", "product", product_name="Ovens", state="absent"),
    ]
    told = four_passes(platform, tasks, tmp_path)
    for name, passes in told.items():
        assert [passes[number]["changed"] for number in PASSES] == [True, True, False, False], (name, passes)
    assert on_platform(platform, DEVICES) == {"hz-0001": "OFFLINE", "hz-0002": "UNACTIVE", "sh-0001": "UNACTIVE"}
    assert reasons(told["purge"]["run"]) == {"oven-0001": "up_to_date", "oven-0002": "not_listed"}
    assert on_platform(platform, PRODUCT) == {"oven-0001": "UNACTIVE"}
    assert key not in [product["product_key"] for product in platform.admin.products()]


def test_check_mode_changes_nothing_and_reading_never_does(platform: Emulator, tmp_path: Path) -> None:
    platform.admin.clear_requests()
    tasks = [
        task("create", "product", product_name="Never", node_type="device"),
        task("delete", "product", product_key=DEVICES, state="absent"),
        task("add many", "devices", product_key=PRODUCT, names=[f"new-{n:04}" for n in range(150)]),
        task("reset", "device_reset", product_key=DEVICES, names=["hz-0001"]),
        task("find", "product_info", product_name="Stoves"),
        task("all", "product_info"),
        task("none", "product_info", product_key="a1Nowhere"),
        task("devices", "devices_info", product_key=DEVICES, names=["hz-0001", "hz-none"]),
        task("all devices", "devices_info", product_key=DEVICES),
    ]
    told = results(run(play(platform, tasks, check_mode=True), tmp_path))
    assert set(calls(platform)) <= {
        "BatchQueryDeviceDetail",
        "QueryDevice",
        "QueryProduct",
        "QueryProductList",
    }
    assert told["create"]["product"]["node_type"] == "device"
    assert told["delete"]["error"]["kind"] == "has_devices"
    assert reasons(told["add many"])["new-0000"] == "missing"
    assert told["reset"]["changed"]
    assert len(told["all"]["products"]) >= 3
    assert told["none"]["products"] == []
    [device] = told["devices"]["devices"]
    secret = platform.admin.device(DEVICES, "hz-0001")["device_secret"]
    assert (device["status"], device["activated"]) == ("OFFLINE", True)
    assert device["fingerprint"] == fingerprint(DEVICES, "hz-0001", secret)
    assert told["devices"]["missing"] == ["hz-none"]
    assert {item["device_name"] for item in told["all devices"]["devices"]} == set(on_platform(platform, DEVICES))


def test_thousands_of_devices(platform: Emulator, tmp_path: Path) -> None:
    """Four thousand devices are added with at most 20 calls and read with at most 160, and no call is throttled."""
    platform.admin.put_product("a1Thousands", product_secret=new_secret())
    platform.admin.clear_requests()
    names = "{{ ['gw-'] | product(range(10001, 14001)) | map('join') }}"
    tasks = [
        task("add", "devices", product_key="a1Thousands", names=names),
        task("mark", "product_info", product_key=PRODUCT),
        task("read", "devices_info", product_key="a1Thousands", names=names),
    ]
    told = results(run(play(platform, tasks), tmp_path))
    log = platform.admin.requests()
    mark = next(number for number, request in enumerate(log) if request["product_key"] == PRODUCT)
    assert [request for request in log if request["code"]] == []
    assert mark <= 20, calls(platform)[:mark]
    assert len(log) - mark - 1 <= 160
    assert (len(told["add"]["devices"]), set(reasons(told["add"]).values())) == (4_000, {"missing"})
    assert (len(told["read"]["devices"]), told["read"]["missing"]) == (4_000, [])
    platform.admin.delete_product("a1Thousands")


def test_bad_input(platform: Emulator, tmp_path: Path) -> None:
    """Every mistake is reported with its remedy, and none changes anything."""
    before = [on_platform(platform, key) for key in (PRODUCT, GATEWAYS, DEVICES)]
    nobody = {"access_key_id": "", "access_key_secret": ""}
    read = {"product_key": DEVICES, "names": ["hz-0001"]}
    cases = {
        "no credentials": (task("", "devices_info", **read, **nobody), "credential", "access_key_secret"),
        "half": (
            task("", "devices_info", **read, access_key_secret=""),
            "invalid_option",
            "access_key_secret: is missing",
        ),
        "expired": (
            task("", "devices_info", **read, **_options(EXPIRED_KEY)),
            "refused",
            "refused with InvalidSecurityToken.Expired",
        ),
        "wrong secret": (
            task("", "devices_info", **read, access_key_secret="Wrong1"),
            "refused",
            "SignatureDoesNotMatch",
        ),
        "no product": (
            task("", "devices", product_key="a1Nowhere", names=["gw-1234"]),
            "not_found",
            "NotExistedProduct",
        ),
        "no instance": (task("", "product_info", instance_id="iot-no"), "refused", "Set instance_id"),
        "no region": (task("", "product_info", openapi_endpoint=""), "invalid_option", "region: is missing"),
        "no CA": (task("", "product_info", ca_path="/dev/null"), "tls", "ca_path"),
        "nobody there": (
            task("", "product_info", openapi_endpoint="127.0.0.1:1", retry_time=0),
            "network",
            "Connection refused",
        ),
        "no name": (task("", "product"), "invalid_option", "one of the following is required"),
        "new key": (task("", "product", product_key="a1Nowhere", product_name="Ab12"), "invalid_option", "product_key"),
        "no node type": (task("", "product", product_name="Ab12"), "invalid_option", "node_type: is missing"),
        "another type": (
            task("", "product", product_key=GATEWAYS, node_type="device"),
            "immutable",
            "cannot be changed",
        ),
        "bad name": (
            task("", "product", product_name="!", node_type="device"),
            "invalid_option",
            "product_name: '!' cannot be",
        ),
        "half a character": (
            task("", "product", product_name="Ab12", node_type="device", description="{{ half }}"),
            "invalid_option",
            "description: is not valid Unicode",
        ),
        "half an instance": (
            task("", "product_info", instance_id="iot-{{ half }}"),
            "invalid_option",
            "instance_id: ",
        ),
        "delete another name": (
            task("", "product", product_key=GATEWAYS, product_name="Oven", state="absent"),
            "invalid_option",
            "product_name: 'Oven' is not that of the product",
        ),
        "delete another type": (
            task("", "product", product_key=GATEWAYS, node_type="device", state="absent"),
            "invalid_option",
            "node_type: 'device' is not that of the product",
        ),
        "reset": (task("", "device_reset", product_key=DEVICES, names=["hz-none"]), "not_found", "hz-none"),
        "switch": (
            task("", "devices", product_key=DEVICES, names=["hz-none"], state="enabled"),
            "not_found",
            "hz-none",
        ),
    }
    tasks = [{**item, "name": name} for name, (item, _kind, _says) in cases.items()]
    told = results(run(play(platform, tasks), tmp_path, "-e", "half=\udcd6fen"))  # an octet of another encoding
    for name, (_item, kind, says) in cases.items():
        assert told[name]["failed"], (name, told[name])
        assert told[name].get("error", {}).get("kind") == kind, (name, told[name])
        assert says in told[name]["msg"], (name, told[name]["msg"])
    assert [on_platform(platform, key) for key in (PRODUCT, GATEWAYS, DEVICES)] == before


def _options(key: Any) -> dict[str, JSON]:
    return {"access_key_id": key.id, "access_key_secret": key.secret, "security_token": key.security_token}


def test_what_is_wrong_with_some(platform: Emulator, tmp_path: Path) -> None:
    """The other devices are processed; the module fails and reports each error. Throttling and lost answers are retried."""
    platform.admin.clear_requests()
    platform.admin.fault("RegisterDevice", code="iot.device.CreateDeviceFailed", device_name="new-0002")
    platform.admin.fault("BatchRegisterDeviceWithApplyId", fail_names=["new-0101", "new-0102"])
    platform.admin.fault("BatchQueryDeviceDetail", code="Throttling.User", http_status=400, times=3)
    platform.admin.fault("DeleteDevice", drop_after=True)
    many = [f"new-{number:04}" for number in range(100, 250)]
    tasks = [
        task(
            "few",
            "devices",
            product_key=PRODUCT,
            names=["new-0001", "new-0002", "x", "new-0003", "new-0001", "new-0004"],
        ),
        task("many", "devices", product_key=PRODUCT, names=[*many, "new-0004"]),
        task(
            "temporary", "devices", product_key=PRODUCT, names=["new-0004"], state="absent", **_options(TEMPORARY_KEY)
        ),
    ]
    told = results(run(play(platform, tasks), tmp_path))
    few, all_, temporary = told["few"], told["many"], told["temporary"]
    assert few["failed"]
    assert [(item["device_name"], item["reason"], item["changed"]) for item in few["devices"]] == [
        ("new-0002", "missing", False),
        ("new-0003", "missing", True),
        ("new-0004", "missing", True),
        ("new-0001", "invalid", False),
        ("x", "invalid", False),
    ]
    assert few["msg"].startswith("3 of 5 devices failed: new-0002: RegisterDevice DeviceName=new-0002 ")
    assert all_["failed"]
    assert {item["device_name"] for item in all_["devices"] if "error" in item} == {"new-0101", "new-0102"}
    assert reasons(all_)["new-0004"] == "up_to_date"
    assert set(on_platform(platform, PRODUCT)) >= {*many, "new-0003"} - {"new-0101", "new-0102"}
    assert temporary["changed"]
    assert not {"new-0001", "new-0004"} & set(on_platform(platform, PRODUCT))
    assert len(calls(platform, action="BatchQueryDeviceDetail")) > 3


def test_resets(platform: Emulator, tmp_path: Path) -> None:
    """A reset removes a gateway's topology only with reset_topology, waits for jobs, and reports a job that failed."""
    for gateway, count in (("gw-0001", 2), ("gw-0002", 2001), ("gw-0003", 2001)):
        _sub_devices(platform, gateway, count)
    platform.admin.fault("ResetThing", device_name="gw-0003", fail_after=1000)
    platform.admin.clear_requests()
    names = ["gw-0001", "gw-0002", "gw-0003"]
    tasks = [
        task("refused", "device_reset", product_key=GATEWAYS, names=names),
        task("allowed", "device_reset", product_key=GATEWAYS, names=[*names, "gw-none"], reset_topology=True),
        task("again", "device_reset", product_key=GATEWAYS, names=["gw-0001"]),
        task("devices", "device_reset", product_key=DEVICES, names=["hz-0001"]),
    ]
    told = results(run(play(platform, tasks), tmp_path))
    assert {item["error"]["kind"] for item in told["refused"]["devices"]} == {"has_sub_devices"}
    assert "2001 sub-devices" in told["refused"]["msg"]
    assert not told["refused"]["changed"]
    kinds = {item["device_name"]: item.get("error", {}).get("kind") for item in told["allowed"]["devices"]}
    assert kinds == {"gw-0001": None, "gw-0002": None, "gw-0003": "job", "gw-none": "not_found"}
    assert reasons(told["again"]) == {"gw-0001": "requested"}
    assert platform.admin.device(DEVICES, "hz-0001")["registration"] == "unregistered"
    assert platform.admin.device(DEVICES, "hz-0001")["status"] == "OFFLINE"


def _sub_devices(platform: Emulator, gateway: str, count: int) -> None:
    """Put devices of another product into a gateway's topology."""
    names = [f"{gateway}-{number:04}" for number in range(count)]
    attached = [{"product_key": SENSORS, "name": name} for name in names]
    platform.admin.put_device(GATEWAYS, gateway, sub_devices=attached)
