# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The seed: its content, its refusals, and its application only once."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from emulator import PROGRAM, Emulator
from platform_emulator import seed
from platform_emulator.fields import Invalid

PRODUCT = {"product_key": "a1IoKTestP1", "product_secret": "6vEu5Qlj5STest01"}
SECRET = "0123456789abcdef0123456789abcdef"
HUGE = 10**5000  # more digits than Python converts to text
DEVICE = {"name": "gw-0002", "secret": "0123456789abcdef0123456789abcdef", "status": "OFFLINE"}
FULL: dict[str, Any] = {
    "access_keys": [{"id": "testKeyId", "secret": "testKeySecret"}],
    "products": [
        {
            **PRODUCT,
            "product_name": "Ovens",
            "node_type": "gateway",
            "dynamic_registration": False,
            "devices": ["gw-0001", DEVICE],
        }
    ],
    "settings": {"reregistration": "same"},
    "faults": [{"action": "register", "code": 500, "times": 2}],
}


def state(platform: Emulator) -> dict[str, Any]:
    """Return everything that a seed can define, read from the platform."""
    admin = platform.admin
    return {
        "products": admin.products(),
        "devices": [admin.devices(product["product_key"]) for product in admin.products()],
        "settings": admin.settings(),
        "faults": admin.faults(),
    }


@pytest.fixture
def sown(tmp_path: Path) -> Any:
    with Emulator(tmp_path, FULL) as platform:
        yield platform


def test_everything_it_says_stands_on_the_platform(sown: Emulator) -> None:
    (product,) = sown.admin.products()
    assert {key: product[key] for key in ("product_secret", "product_name", "node_type", "dynamic_registration")} == {
        "product_secret": "6vEu5Qlj5STest01",
        "product_name": "Ovens",
        "node_type": "gateway",
        "dynamic_registration": False,
    }
    first, second = sown.admin.devices("a1IoKTestP1")
    assert (first["device_name"], first["status"]) == ("gw-0001", "UNACTIVE")
    assert (second["device_secret"], second["status"]) == (DEVICE["secret"], "OFFLINE")
    assert sown.admin.settings()["reregistration"] == "same"
    assert [(fault["code"], fault["remaining"]) for fault in sown.admin.faults()] == [(500, 2)]


def test_a_restart_with_the_same_seed_changes_nothing(sown: Emulator) -> None:
    sown.admin.patch_product("a1IoKTestP1", dynamic_registration=True, product_secret="changed")
    sown.admin.patch_device("a1IoKTestP1", "gw-0002", device_secret="changed", status="DISABLE")
    sown.admin.put_device("a1IoKTestP1", "gw-0003")
    sown.admin.settings(reregistration="refuse")
    sown.admin.clear_faults()
    before = state(sown)
    sown.restart()
    assert state(sown) == before
    sown.admin.delete_device("a1IoKTestP1", "gw-0001")
    sown.restart()
    assert [device["device_name"] for device in sown.admin.devices("a1IoKTestP1")] == ["gw-0002", "gw-0003"]


def test_only_what_changed_in_the_seed_is_sown_again(sown: Emulator) -> None:
    before = state(sown)
    changed = copy.deepcopy(FULL)
    changed["products"][0]["dynamic_registration"] = True
    changed["products"][0]["devices"].append("gw-0003")
    changed["settings"] = {"unknown_device_code": 6250}
    sown.seed(changed)
    sown.admin.patch_device("a1IoKTestP1", "gw-0002", device_secret="changed")
    sown.restart()
    after = state(sown)
    assert after["products"] == [{**before["products"][0], "dynamic_registration": True}]
    assert after["devices"][0][0] == before["devices"][0][0]
    assert after["devices"][0][1] == {**before["devices"][0][1], "device_secret": "changed"}
    assert after["devices"][0][2]["device_name"] == "gw-0003"
    assert (after["settings"]["reregistration"], after["settings"]["unknown_device_code"]) == ("rotate", 6250)
    assert after["faults"] == before["faults"]


def test_a_deleted_product_stays_deleted(sown: Emulator) -> None:
    sown.admin.delete_product("a1IoKTestP1")
    changed = copy.deepcopy(FULL)
    changed["products"][0]["devices"].append("gw-0003")
    sown.seed(changed)
    sown.restart()
    assert sown.admin.products() == []


@pytest.mark.parametrize(("number", "name"), [(0, "device"), (1, "gateway")])
def test_a_node_type_may_be_the_platforms_number(number: int, name: str) -> None:
    sown = seed.read({"products": [{**PRODUCT, "node_type": number}]})
    assert sown.products[0].attributes["node_type"] == name


@pytest.mark.parametrize("content", [None, {}, {"products": []}])
def test_an_empty_seed_is_a_seed(content: object) -> None:
    assert seed.read(content).products == []


def within(product: dict[str, Any]) -> dict[str, Any]:
    return {"products": [{**PRODUCT, **product}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must be a mapping of keys to values, not a value of type list"),
        ({"product": []}, "product: is not a known key; the known ones are access_keys, products, settings, faults"),
        ({"products": {}}, "products: must be a list"),
        ({"products": ["a1"]}, "products[0]: must be a mapping"),
        ({"products": [{"product_secret": "s"}]}, "products[0].product_key: is missing; add it"),
        ({"products": [{"product_key": "a1"}]}, "products[0].product_secret: is missing; add it"),
        ({"products": [PRODUCT, PRODUCT]}, "products[1].product_key: a1IoKTestP1 is listed twice; remove one"),
        (
            within({"product_key": 11}),
            "products[0].product_key: must be text, not a value of type int; put it in quotes",
        ),
        (within({"product_key": "a 1"}), "products[0].product_key: has the wrong form; write 1 to 20 letters"),
        (within({"node_type": True}), "products[0].node_type: True is not possible; choose one of device, gateway"),
        (within({"node_type": 2}), "products[0].node_type: 2 is not possible; choose one of device, gateway"),
        (within({"dynamic_registration": 1}), "products[0].dynamic_registration: must be true or false"),
        (within({"node_type": HUGE}), "products[0].node_type: a value of type int is not possible; choose one of"),
        (within({"product_name": "\ud800"}), "products[0].product_name: has the wrong form; write up to 64"),
        (within({"colour": "red"}), "products[0].colour: is not a known key"),
        (within({"devices": "gw-0001"}), "products[0].devices: must be a list"),
        (within({"devices": ["gw"]}), "products[0].devices[0]: has the wrong form; write 4 to 32 letters"),
        (within({"devices": [12345]}), "products[0].devices[0]: must be text"),
        (within({"devices": [{"status": "ONLINE"}]}), "products[0].devices[0].name: is missing"),
        (within({"devices": [{"name": "gw-1", "status": "on"}]}), "devices[0].status: 'on' is not possible"),
        (within({"devices": [{"name": "gw-1", "secret": ""}]}), "devices[0].secret: has the wrong form"),
        (within({"devices": [{"name": "gw-1", "device_secret": "x"}]}), "device_secret: is not a known key"),
        (within({"devices": ["gw-1", {"name": "gw-1"}]}), "products[0].devices[1].name: gw-1 is listed twice"),
        ({"access_keys": [{"id": "k"}]}, "access_keys[0].secret: is missing"),
        ({"access_keys": [{"id": "k", "secret": "s"}] * 2}, "access_keys[1].id: k is listed twice"),
        ({"settings": {"reregistration": "no"}}, "settings.reregistration: 'no' is not possible; choose one of rotate"),
        ({"settings": {"colour": "red"}}, "settings.colour: is not a known key"),
        ({"settings": {"job_polls": HUGE}}, "settings.job_polls: a value of type int is not possible; write a whole"),
        ({"settings": {HUGE: 1}}, "settings: has an unknown key (a colon may be missing); the known ones are rereg"),
        ({"settings": {5: 1}}, "settings: has an unknown key"),
        ({5: 1}, "has an unknown key (a colon may be missing); the known ones are access_keys, products, settings"),
        ({"faults": [{"action": "register"}]}, "faults[0]: needs exactly one effect"),
        ({"faults": [{"action": "register", "delay": "x"}]}, "faults[0].delay: must be a number"),
        (
            {"faults": [{"action": "register", "dealy": 1, "times": 2}]},
            "faults[0]: needs exactly one effect, has none (dealy is not one); choose one of delay",
        ),
        ({"faults": [{"action": "register", SECRET: 1}]}, "has none (a key that is not shown is not one); choose one"),
    ],
)
def test_what_it_refuses(content: object, message: str) -> None:
    with pytest.raises(Invalid) as error:
        seed.read(content)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ({f"secret {SECRET}": None}, "products[0].devices[0]: has an unknown key (a colon may be missing); the known"),
        ({SECRET: None}, "products[0].devices[0]: has an unknown key"),
        ({"status": SECRET}, "products[0].devices[0].status: a value of type str is not possible; choose one of"),
        ({"status": 1234567890123456}, "products[0].devices[0].status: a value of type int is not possible"),
        ({"status": [SECRET]}, "products[0].devices[0].status: a value of type list is not possible"),
        ({"status": {SECRET: ""}}, "products[0].devices[0].status: a value of type dict is not possible"),
        ({"status": None}, "products[0].devices[0].status: None is not possible"),
    ],
)
def test_a_refusal_does_not_quote_what_may_be_a_secret(device: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as error:
        seed.read(within({"devices": [{"name": "gw-0001", **device}]}))
    assert message in str(error.value)
    assert SECRET not in str(error.value)
    assert "1234567890123456" not in str(error.value)


@pytest.fixture
def serve(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return a function that runs `serve` with a seed that is refused."""

    def run(content: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "seed.yml").write_text(content)
        arguments = ["serve", "--state-dir", str(tmp_path / "state"), "--seed", str(tmp_path / "seed.yml")]
        return subprocess.run(
            [sys.executable, "-m", "platform_emulator", *arguments],
            env={"PYTHONPATH": str(PROGRAM)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_bad_seed_is_one_line_and_exit_code_2(serve: Any, tmp_path: Path) -> None:
    ended = serve(yaml.safe_dump(within({"product_secret": "not possible"})))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"platform_emulator: {tmp_path}/seed.yml: products[0].product_secret: has the wrong form;"
        " write 1 to 64 letters and digits\n"
    )


@pytest.mark.parametrize(
    "content",
    [
        *("products: [{product_secret: TopSecret1", "product_secret: TopSecret1: x", "product_secret: !TopSecret1 x"),
        *("security_token: *TopSecret1", "product_secret: !a!TopSecret1 x", "TopSecret1: %TopSecret1"),
        *(
            'product_secret: "\\qTopSecret1"',
            'product_secret: "\\UFFFFFFFFTopSecret1"',
            "%TopSecret1",
            "*TopSecret1",
            "<<: TopSecret1",
            "a: 1\n- TopSecret1",
        ),
    ],
)
def test_bad_yaml_is_one_line_with_the_place_and_without_its_content(serve: Any, content: str) -> None:
    ended = serve(content)
    assert ended.returncode == 2
    assert re.search(r"seed\.yml: (is not YAML: .* at line \d+, column \d+|must be a mapping)", ended.stderr)
    assert ended.stderr.count("\n") == 1
    assert "TopSecret1" not in ended.stderr


def test_a_control_character_in_yaml_is_refused_with_its_line(serve: Any) -> None:
    ended = serve("products: []\nsettings: TopSecret1\x07\n")
    problem = "is not YAML: a character that cannot be printed in line 2; write it as an escape"
    assert ended.stderr.endswith(f"seed.yml: {problem}\n")


@pytest.mark.parametrize(
    "value",
    [
        *("2026-02-30T00:00:00Z", "2026-02-30", "2026-01-02T03:04:05+99:00", "!!int abc", "!!int ''", "!!float abc"),
        *("!!bool abc", "!!timestamp abc", pytest.param("9" * 5000, id="5000 digits")),
    ],
)
def test_a_value_that_cannot_be(serve: Any, tmp_path: Path, value: str) -> None:
    ended = serve(f"access_keys: [{{id: TopSecret1, secret: s, expires: {value}}}]")
    assert (ended.returncode, ended.stderr) == (
        2,
        f"platform_emulator: {tmp_path}/seed.yml: has a number, a time or a !! tag with a value that cannot be"
        " at line 1, column 52; correct it\n",
    )


@pytest.mark.parametrize("content", ["[", "{a: ", "- "])
def test_a_seed_without_bottom(serve: Any, tmp_path: Path, content: str) -> None:
    ended = serve(content * 3000)
    message = f"platform_emulator: {tmp_path}/seed.yml: is nested too deeply\n"
    assert (ended.returncode, ended.stderr) == (2, message)


@pytest.mark.parametrize(
    "content", ["settings: {}\nproducts: []\nsettings: {}\n", '{"settings": {},\n "products": [],\n"settings": {}}']
)
def test_a_key_that_stands_twice(serve: Any, tmp_path: Path, content: str) -> None:
    ended = serve(content)
    message = f"platform_emulator: {tmp_path}/seed.yml: is not YAML: a key stands twice in one mapping at line 3, column 1; correct it\n"
    assert (ended.returncode, ended.stderr) == (2, message)


def test_a_merged_key_may_stand_again(tmp_path: Path) -> None:
    content = "products:\n- &first {product_key: a1, product_secret: s}\n- &second {<<: *first, product_key: a2}\n"
    (tmp_path / "seed.yml").write_text(f"{content}- {{<<: *second, product_key: a3}}\n")
    assert [product.key for product in seed.load(tmp_path / "seed.yml").products] == ["a1", "a2", "a3"]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_has_all_characters(tmp_path: Path, ascii_only: bool) -> None:
    content = json.dumps(within({"product_name": "Öfen 😀"}), ensure_ascii=ascii_only)
    (tmp_path / "seed.yml").write_text(content, encoding="utf-8")
    [product] = seed.load(tmp_path / "seed.yml").products
    assert product.attributes["product_name"] == "Öfen 😀"


def test_many_devices_are_read_in_seconds(tmp_path: Path) -> None:
    content = within({"devices": [f"gw-{number:06}" for number in range(40_000)]})
    (tmp_path / "seed.yml").write_text(json.dumps(content))
    before = time.process_time()
    [product] = seed.load(tmp_path / "seed.yml").products
    assert time.process_time() - before < 5
    assert len(product.devices) == 40_000


def test_half_a_character_is_one_line(serve: Any) -> None:
    ended = serve('products: [{product_key: a1, product_secret: s, product_name: "\\ud800"}]')
    assert ended.returncode == 2
    assert "seed.yml: products[0].product_name: has the wrong form" in ended.stderr


def test_a_missing_seed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"absent\.yml: cannot be read: No such file"):
        seed.load(tmp_path / "absent.yml")


def test_a_seed_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "seed.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="is not UTF-8 text"):
        seed.load(tmp_path / "seed.yml")
