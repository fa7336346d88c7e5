# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the accounts of many hosts: one client per account, one query for simultaneous questions, failures for the account's hosts only."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    BusyError,
    FleetopsError,
    NetworkError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import client, products
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi import devices as openapi_devices
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.device_states import DeviceOutcome, Outcome
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.devices import NAMES_PER_QUERY
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils import _fleet_devices
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._accounts import Accounts, SecretReader, _Question
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_devices import HostDevice, ensure_all

JSON = Any
KEY, OTHER = "a1IoKTestP1", "a1IoKTestP2"


def account(name: str, **options: JSON) -> JSON:
    return {"access_key_id": name, "region": "cn-shanghai", **options}


def test_one_client_for_each_account_region_and_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[JSON] = []

    def connect(options: JSON) -> JSON:
        made.append(options)
        return SimpleNamespace(options=options)

    monkeypatch.setattr(client, "connect", connect)
    accounts = Accounts()
    one = accounts.client(account("one"))
    assert accounts.client(account("one")) is one
    others = [account("two"), account("one", region="eu-central-1"), account("one", instance_id="iot-1")]
    others.append(account("one", qps_share=0.1))
    assert len({id(accounts.client(options)) for options in others}) == 4
    assert len(made) == 5


def test_what_is_asked_for_at_the_same_time_is_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    first, go_on = threading.Event(), threading.Event()

    def device_secrets(_api: JSON, _key: str, names: list[str]) -> dict[str, str]:
        asked.append(sorted(names))
        if len(asked) == 1:
            first.set()
            assert go_on.wait(30)
        return {name: f"secret of {name}" for name in names if name != "gone"}

    monkeypatch.setattr(openapi_devices, "device_secrets", device_secrets)
    api: JSON = None
    reader = SecretReader(api, KEY)
    with ThreadPoolExecutor(6) as pool:
        answers = {"a": pool.submit(reader.read, ["a"])}
        assert first.wait(30)
        answers |= {name: pool.submit(reader.read, [name]) for name in ("b", "c", "d", "gone")}
        while len(reader._waiting) < 4:
            pass
        go_on.set()
        found = {name: answer.result(30) for name, answer in answers.items()}
    assert asked == [["a"], ["b", "c", "d", "gone"]]
    assert found == {**{name: {name: f"secret of {name}"} for name in "abcd"}, "gone": {}}


def test_more_questions_than_a_call_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that calls may be the last one in the queue."""
    monkeypatch.setattr(openapi_devices, "device_secrets", lambda _api, _key, names: dict.fromkeys(names, "secret"))
    api: JSON = None
    reader = SecretReader(api, KEY)
    reader._waiting.extend(_Question([f"gw-{number:04}"]) for number in range(2 * NAMES_PER_QUERY))
    found: list[JSON] = []
    thread = threading.Thread(target=lambda: found.append(reader.read(["gw-last"])), daemon=True)
    thread.start()
    thread.join(30)
    assert found == [{"gw-last": "secret"}]


def test_a_failure_is_that_of_all_who_asked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def device_secrets(_api: JSON, _key: str, _names: list[str]) -> dict[str, str]:
        raise NetworkError("no answer")

    monkeypatch.setattr(openapi_devices, "device_secrets", device_secrets)
    api: JSON = None
    reader = SecretReader(api, KEY)
    for _question in range(2):
        with pytest.raises(NetworkError):
            reader.read(["a"])


def test_one_accounts_failure_is_that_of_its_own_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of all devices fails for all hosts, because conclusions from an incomplete list would be wrong."""

    def connect(options: JSON) -> JSON:
        if options["access_key_id"] == "wrong":
            raise FleetopsError("no such key", kind="credential")
        return options["access_key_id"]

    def devices(api: JSON, key: str, names: JSON) -> JSON:
        return {
            name: SimpleNamespace(as_result=lambda name=name: {"device_name": name, "of": (api, key)})
            for name in names or ()
        }

    monkeypatch.setattr(client, "connect", connect)
    monkeypatch.setattr(_fleet_devices, "devices_as_asked", devices)
    hosts = [
        HostDevice("a", account("right"), KEY, "gw-0001"),
        HostDevice("b", account("right"), OTHER, "gw-0001"),
        HostDevice("c", account("right"), KEY, "gw-0003"),
    ]
    listed = ensure_all(hosts, Accounts(), {"state": "listed", "all_devices": False}, False)
    assert [(each["product_key"], each["hosts"]) for each in listed.products] == [(KEY, ["a", "c"]), (OTHER, ["b"])]
    wrong = [*hosts, HostDevice("d", account("wrong"), KEY, "gw-0004")]
    with pytest.raises(FleetopsError, match=r"no such key\. It was called for d\."):
        ensure_all(wrong, Accounts(), {"state": "listed", "all_devices": True}, False)
    some = ensure_all(wrong, Accounts(), {"state": "listed", "all_devices": False}, False)
    assert (list(some.refused), [each["hosts"] for each in some.products]) == (["d"], [["a", "c"], ["b"], ["d"]])
    monkeypatch.setattr(_fleet_devices, "_ensure", lambda *_arguments: ({"changed": True}, {}))
    done = ensure_all(wrong, Accounts(), {"state": "present"}, False)
    assert {host: error.kind for host, error in done.refused.items()} == {"d": "credential"}
    assert done.unsent == ["d"]
    assert "access_key_id" not in repr(hosts)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        *(("present", "added"), ("enabled", "enabled"), ("disabled", "disabled"), ("absent", "deleted")),
        ("reset", "reset"),
    ],
)
def test_what_was_done_to_devices(monkeypatch: pytest.MonkeyPatch, state: str, word: str) -> None:
    """Changes are reported by host; a change that did not last is no change, but a reset whose job has failed is one."""
    items = [
        DeviceOutcome("changed", "x", changed=True),
        DeviceOutcome("right", "up_to_date"),
        DeviceOutcome("refused", "x", error=FleetopsError("no", kind="refused")),
        DeviceOutcome("again", "x", changed=True, error=FleetopsError("it is back", kind="in_service")),
        DeviceOutcome("late", "x", changed=True, error=FleetopsError("its job takes long", kind="job")),
    ]
    by_name = {item.device_name: item for item in items}
    monkeypatch.setattr(client, "connect", lambda options: options)
    monkeypatch.setattr(_fleet_devices, "_ensure", lambda *_arguments: ({"changed": True}, dict(by_name)))
    hosts = [HostDevice("host of " + name, account("right"), KEY, name) for name in by_name]
    done = ensure_all(hosts, Accounts(), {"state": state}, False)
    assert done.changes == {"host of changed": word, "host of late": word}
    assert set(done.refused) == {"host of refused", "host of again", "host of late"}


# Proofs before a reset


def reset_of(monkeypatch: pytest.MonkeyPatch, secret: str | None, hosts: list[HostDevice]) -> tuple[JSON, list[str]]:
    """Return the result of a reset on a platform with this ProductSecret (None if it is not shown), and the names that were sent."""
    sent: list[str] = []

    def product_secret(_api: JSON, _key: str) -> str:
        if secret is None:
            raise BadAnswer("no ProductSecret")
        return secret

    def reset(_api: JSON, options: JSON, _check_mode: bool) -> Outcome:
        sent.extend(options["names"])
        return Outcome([DeviceOutcome(name, "requested", changed=True) for name in options["names"]])

    monkeypatch.setattr(client, "connect", lambda options: options)
    monkeypatch.setattr(products, "product_secret", product_secret)
    monkeypatch.setattr(_fleet_devices, "reset", reset)
    return ensure_all(hosts, Accounts(), {"state": "reset"}, False), sent


def test_what_was_not_attempted_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the host would register without a reset, or its device would be assumed to exist."""

    def reset(_api: JSON, options: JSON, _check_mode: bool) -> Outcome:
        trouble = NetworkError("no answer")
        own = FleetopsError("2 sub-devices", kind="has_sub_devices")
        return Outcome(
            [
                DeviceOutcome("gw-0001", "requested", changed=True),
                DeviceOutcome("gw-0002", "requested", error=trouble),
                DeviceOutcome("gw-0003", "not_attempted"),
                DeviceOutcome("gw-0004", "has_sub_devices", error=own),
                DeviceOutcome("gw-0005", "requested", error=BusyError("the lease has ended")),
            ]
        )

    monkeypatch.setattr(client, "connect", lambda options: options)
    monkeypatch.setattr(_fleet_devices, "reset", reset)
    hosts = [HostDevice(name, account("one"), KEY, name) for name in (f"gw-000{number}" for number in range(1, 6))]
    done = ensure_all(hosts, Accounts(), {"state": "reset"}, False)
    assert {host: error.kind for host, error in done.refused.items()} == {
        **{"gw-0002": "network", "gw-0003": "network", "gw-0004": "has_sub_devices", "gw-0005": "busy"}
    }
    assert "because of an error of another one: no answer" in done.refused["gw-0003"].msg
    assert sorted(done.unsent) == ["gw-0003", "gw-0004", "gw-0005"]
    assert done.changes == {"gw-0001": "reset"}


def test_what_was_done_is_told_if_the_query_after_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def states(_api: JSON, options: JSON, _check_mode: bool) -> Outcome:
        items = [DeviceOutcome(name, "enabled", changed=name == "gw-0001") for name in options["names"]]
        return Outcome(items)

    def query(*_arguments: JSON) -> JSON:
        raise NetworkError("no answer")

    monkeypatch.setattr(client, "connect", lambda options: options)
    monkeypatch.setattr(_fleet_devices, "ensure_states", states)
    monkeypatch.setattr(_fleet_devices, "devices_as_asked", query)
    hosts = [HostDevice(name, account("one"), KEY, name) for name in ("gw-0001", "gw-0002")]
    done = ensure_all(hosts, Accounts(), {"state": "disabled"}, False)
    assert (done.changes, done.unsent) == ({"gw-0001": "disabled"}, [])
    assert {host: error.kind for host, error in done.refused.items()} == {"gw-0001": "network"}
    assert [(device["device_name"], device["changed"]) for device in done.products[0]["devices"]] == [
        *(("gw-0001", True), ("gw-0002", False))
    ]


def test_a_topology_goes_only_with_the_consent_of_its_own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, bool] = {}

    def reset(_api: JSON, options: JSON, _check_mode: bool) -> Outcome:
        asked.update(dict.fromkeys(options["names"], options["reset_topology"]))
        return Outcome([])

    monkeypatch.setattr(client, "connect", lambda options: options)
    monkeypatch.setattr(_fleet_devices, "reset", reset)
    hosts = [
        HostDevice(host, account("one"), KEY, host, reset_topology=host == "gw-0002")
        for host in ("gw-0001", "gw-0002", "gw-0003")
    ]
    ensure_all(hosts, Accounts(), {"state": "reset"}, False)
    assert asked == {"gw-0001": False, "gw-0002": True, "gw-0003": False}


def signing(host: str, secret: str | None) -> HostDevice:
    check = (lambda other: other == secret) if secret else None
    return HostDevice(host, account("right"), KEY, host, {}, check)


def test_a_device_whose_host_signs_wrongly_is_not_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [signing("gw-0001", "right"), signing("gw-0002", "wrong"), signing("gw-0003", None)]
    done, sent = reset_of(monkeypatch, "right", hosts)
    assert sent == ["gw-0001", "gw-0003"]
    assert {host: error.kind for host, error in done.refused.items()} == {"gw-0002": "invalid_option"}
    assert (done.unsent, done.unproven) == (["gw-0002"], [])
    [product] = done.products
    reasons = {each["device_name"]: each["reason"] for each in product["devices"]}
    assert reasons == {"gw-0001": "requested", "gw-0003": "requested", "gw-0002": "wrong_secret"}
    assert "right" not in str(done.refused["gw-0002"])
    assert "wrong" not in repr(hosts)


def test_where_all_sign_wrongly_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    done, sent = reset_of(monkeypatch, "right", [signing("gw-0001", "wrong")])
    assert (sent, done.unsent) == ([], ["gw-0001"])


def test_a_platform_that_keeps_its_product_secret_leaves_the_signature_unproven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, sent = reset_of(monkeypatch, None, [signing("gw-0001", "whatever")])
    assert (sent, done.refused, done.unproven) == (["gw-0001"], {}, [KEY])
