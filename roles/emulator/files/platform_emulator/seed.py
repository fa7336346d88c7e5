# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""seed.yml: the initial content of the platform.

An entry is applied if it is new or has changed since it was applied. So a restart with the same seed changes nothing,
even if devices have changed meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from platform_emulator import access_keys, faults, settings, topology
from platform_emulator.access_keys import AccessKey
from platform_emulator.catalogue import DEVICE_ATTRIBUTES, PRODUCT_ATTRIBUTES, put_device, put_product, refuse_cycle
from platform_emulator.fields import Fields, Invalid, Reader, list_of, within
from platform_emulator.products import device_name, product_key, secret
from platform_emulator.settings import Settings
from platform_emulator.store import Store, opened
from platform_emulator.topology import Claim

FORM = "a colon, a bracket or a quote is missing, or text that begins with a mark such as * or % has no quotes,"
_node_types = {0: "device", 1: "gateway"}


@dataclass(frozen=True)
class SeedDevice:
    name: str
    attributes: dict[str, object] = field(repr=False)


@dataclass(frozen=True)
class SeedProduct:
    key: str
    attributes: dict[str, object] = field(repr=False)
    devices: list[SeedDevice]


@dataclass(frozen=True)
class Seed:
    """A validated seed; `settings` and `faults` are as in the file. `name` is the file's, for messages."""

    access_keys: list[AccessKey]
    products: list[SeedProduct]
    settings: object
    faults: list[object]
    name: str = "seed"


def load(path: Path) -> Seed:
    """Read a seed; raises Invalid with the file's name, the key, what is wrong and what to do."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path}: cannot be read: {error.strerror}") from None
    return parse(content, str(path))


def parse(content: bytes, name: str) -> Seed:
    """Return the seed in a file's content; raises Invalid with this name of the file, as `load`."""
    with within(name):
        return replace(read(_parsed(content)), name=name)


def check(seed: Seed, database: Path) -> None:
    """Raise Invalid if the seed cannot be applied to the state. Nothing is changed."""
    with opened(database, copy=True) as store:
        apply(store, seed)


class _Mistake(yaml.MarkedYAMLError):
    """A mistake that only this loader refuses. Its problem quotes no text."""


class _Loader(yaml.SafeLoader):
    """A loader that refuses duplicate keys, of which YAML would use the last value, and reports the place of each mistake."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            value: object = super().construct_object(node, deep)
        except (
            ValueError,
            OverflowError,
            LookupError,
            AttributeError,
        ):  # what PyYAML lets through, depending on the tag
            problem = "has a number, a time or a !! tag with a value that cannot be"
            raise _Mistake(None, None, problem, node.start_mark) from None
        return value

    def compose_mapping_node(self, anchor: dict[str, yaml.Node]) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _Mistake(None, None, "is not YAML: a key stands twice in one mapping", key.start_mark)
                seen.add((key.tag, key.value))
        return node


def _parsed(content: bytes) -> object:
    """Return the content of a seed. The role writes JSON: read as YAML, it would be slow, and an emoji two halves.

    Messages contain the place only: what YAML quotes of the text may be a secret.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Invalid("is not UTF-8 text") from None
    try:
        return json.loads(text, object_pairs_hook=_mapping)
    except ValueError:
        pass  # YAML, or JSON with a mistake, whose place YAML finds
    except RecursionError:
        raise Invalid("is nested too deeply") from None
    try:
        loader = _Loader(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"is not YAML: a character that cannot be printed in line {line}"
        raise Invalid(f"{problem}; write it as an escape") from None
    try:
        value: object = loader.get_single_data()
    except _Mistake as error:
        raise Invalid(f"{error.problem} at {_place(error.problem_mark)}; correct it") from None
    except yaml.MarkedYAMLError as error:
        raise Invalid(f"is not YAML: {FORM} at {_place(error.problem_mark or error.context_mark)}, or before") from None
    except (ValueError, OverflowError):  # of an escape: the scanner lets it through
        raise Invalid(f"is not YAML: {FORM} at {_place(loader.get_mark())}, or before") from None
    except RecursionError:
        raise Invalid("is nested too deeply") from None
    return value


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "its end"


def _mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a key stands twice")
    return mapping


def read(content: object) -> Seed:
    """Return a seed from the mapping in its file; raises Invalid."""
    fields = Fields({} if content is None else content, "")
    seed = Seed(
        access_keys=fields.get("access_keys", _access_keys) or [],
        products=fields.get("products", _products) or [],
        settings=fields.get("settings", _checked_settings) or {},
        faults=fields.get("faults", list_of(_checked_fault)) or [],
    )
    fields.close()
    topology.check(list(_claims(seed)))
    return seed


def _claims(seed: Seed) -> Iterator[Claim]:
    for at, product in enumerate(seed.products):
        for index, device in enumerate(product.devices):
            wanted: Any = device.attributes.get("sub_devices", [])
            for number, (key, name) in enumerate(wanted):
                place = f"{_device_place(at, index)}.sub_devices[{number}]"
                yield place, (product.key, device.name), (key or product.key, name)


def _device_place(product: int, device: int) -> str:
    return f"products[{product}].devices[{device}]"


def apply(store: Store, seed: Seed) -> None:
    """Apply the new and changed entries of the seed, in one transaction; raises Invalid for an unknown product."""
    with store.transaction(), within(seed.name):
        for access_key in seed.access_keys:
            if _news(store, f"access_key {access_key.id}", asdict(access_key)):
                access_keys.save(store, access_key)
        for product in seed.products:
            if _news(store, f"product {product.key}", product.attributes):
                put_product(store, product.key, product.attributes)
        changed = []
        for at, product in enumerate(seed.products):
            # A product that was deleted since stays so, with its devices.
            for index, device in enumerate(product.devices if store.product(product.key) else []):
                if _news(store, f"device {product.key} {device.name}", device.attributes):
                    with within(_device_place(at, index)):
                        put_device(store, product.key, device.name, device.attributes)
                    changed.append((_device_place(at, index), product.key, device.name))
        for place, *names in changed:
            with within(place):
                refuse_cycle(store, *names)
        if _news(store, "settings", seed.settings):
            settings.save(store, settings.changed(Settings(), seed.settings, "settings"))
        if _news(store, "faults", seed.faults):
            faults.clear(store)
            for number, fault in enumerate(seed.faults):
                faults.add(store, fault, f"faults[{number}]")


def _news(store: Store, entry: str, content: object) -> bool:
    """Return whether the entry is new or has changed, and store a digest of it."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    row = store.row("SELECT digest FROM seeded WHERE entry = ?", (entry,))
    store.rows("INSERT OR REPLACE INTO seeded (entry, digest) VALUES (?, ?)", (entry, digest))
    return row is None or row["digest"] != digest


def _distinct(names: list[str], where: str, key: str) -> None:
    seen = set()
    for index, name in enumerate(names):
        if name in seen:
            raise Invalid(f"{where}[{index}].{key}: {name} is listed twice; remove one")
        seen.add(name)


def _access_keys(value: object, where: str) -> list[AccessKey]:
    keys = list_of(access_keys.read)(value, where)
    _distinct([key.id for key in keys], where, "id")
    return keys


def _products(value: object, where: str) -> list[SeedProduct]:
    products = list_of(_product)(value, where)
    _distinct([product.key for product in products], where, "product_key")
    return products


def _product(value: object, where: str) -> SeedProduct:
    fields = Fields(value, where)
    readers: dict[str, Reader[object]] = {**PRODUCT_ATTRIBUTES, "node_type": _node_type}
    fields.need("product_secret", secret)
    product = SeedProduct(
        fields.need("product_key", product_key), fields.named(readers), fields.get("devices", _devices) or []
    )
    fields.close()
    return product


def _node_type(value: object, where: str) -> object:
    """Return the node type, given as a name or as a number of the platform."""
    number = value if isinstance(value, int) and not isinstance(value, bool) else -1
    return PRODUCT_ATTRIBUTES["node_type"](_node_types.get(number, value), where)


def _devices(value: object, where: str) -> list[SeedDevice]:
    devices = list_of(_device)(value, where)
    _distinct([device.name for device in devices], where, "name")
    return devices


def _device(value: object, where: str) -> SeedDevice:
    if not isinstance(value, dict):
        return SeedDevice(device_name(value, where), {})
    fields = Fields(value, where)
    name = fields.need("name", device_name)
    readers = {name: DEVICE_ATTRIBUTES[name] for name in ("status", "sub_devices")}
    attributes = fields.named({"secret": secret, **readers})
    fields.close()
    if "secret" in attributes:
        attributes["device_secret"] = attributes.pop("secret")
    return SeedDevice(name, attributes)


def _checked_settings(value: object, where: str) -> object:
    settings.changed(Settings(), value, where)
    return value


def _checked_fault(value: object, where: str) -> object:
    faults.read(value, where)
    return value
