# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that a bug of the collection is reported with its type and place, once, and without its text."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader

from ansible_collections.fleetops.aliyun_iot.plugins.action import device_login
from ansible_collections.fleetops.aliyun_iot.plugins.inventory.devices import InventoryModule
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import register_url
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, internal
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._controller_only import ControllerAction

SECRET = "0123456789abcdef"


def raised(call: Any) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_place_is_a_file_and_a_line() -> None:
    error = internal(raised(lambda: {}[SECRET]))
    assert re.fullmatch(r"KeyError at unit/plugins/test_internal\.py:\d+", error.where)
    assert SECRET not in str(error)
    assert error.kind == "internal"
    assert "https://github.com/fleetops/aliyun_iot/issues" in error.hint
    assert "Running again is safe" in error.hint


def test_the_place_in_the_collection_comes_first() -> None:
    where = internal(raised(lambda: register_url("cn-shanghai", 5))).where  # type: ignore[arg-type]
    assert re.fullmatch(r"TypeError at plugins/module_utils/_endpoints\.py:\d+", where)
    found = raised(lambda: register_url("cn-shanghai", Other()))  # type: ignore[arg-type]
    pattern = r"ValueError at plugins/module_utils/_endpoints\.py:\d+, in unit/plugins/test_internal\.py:\d+"
    assert re.fullmatch(pattern, internal(found).where)


class Other:
    """An object that raises an error when the collection uses it."""

    def __contains__(self, _item: object) -> bool:
        raise ValueError(SECRET)


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert internal(KeyError()).where == "KeyError at an unknown place"


def run(error: Exception, secret: str = SECRET) -> dict[str, Any]:
    """Run an action of the controller that raises this error; return its result."""

    class Action(ControllerAction):
        @staticmethod
        def _spec() -> Any:
            return {"secret": {"no_log": True}}

        def _perform(self, options: Any) -> Any:
            raise error

        def _options(self) -> dict[str, Any]:
            return {}

    # With failed_when, the result of a failure is returned, not raised.
    keywords = {"failed_when": ["true"]}
    task = SimpleNamespace(args={"secret": secret}, no_log=False, async_val=0, check_mode=False, diff=False, **keywords)
    task.get_path = lambda: "/srv/site.yml:3"
    action = Action(task, SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)), SimpleNamespace(), None, None, None)
    action._supports_async = True
    return dict(action.run(task_vars={}))


@pytest.mark.parametrize("error", [KeyError(SECRET), ValueError(f"x {SECRET}"), RecursionError(SECRET)], ids=repr)
def test_an_action_on_the_controller_reports_it(error: Exception) -> None:
    result = run(error)
    assert (result["failed"], result["error"]["kind"]) == (True, "internal")
    assert type(error).__name__ in result["msg"]
    assert "test_internal.py:" in result["msg"]
    assert SECRET not in json.dumps(result)


@pytest.mark.parametrize("value", [" ", "\n", "a", "secret", " secret "])
def test_a_value_that_is_too_short_for_a_secret_leaves_the_message_readable(value: str) -> None:
    error = FleetopsError("the call of a secret API failed", kind="refused")
    assert run(error, value)["error"]["message"] == "the call of a secret API failed"
    assert run(error, "secret API")["error"]["message"] == "the call of a ******** failed"


def test_a_login_that_failed_before_it_began_was_not_accepted() -> None:
    task = SimpleNamespace(async_val=0, check_mode=False, diff=False, args={})
    action = device_login.ActionModule(task, SimpleNamespace(), SimpleNamespace(), None, None, None)
    action._known = {}
    result = action._failed(FleetopsError("no", kind="invalid_option"))
    assert (result["accepted"], "registered" in result) == (False, False)


def test_what_is_no_mistake_stays_what_it_is() -> None:
    assert run(FleetopsError("no", kind="job"))["error"]["kind"] == "job"
    with pytest.raises(AnsibleError, match="skip this"):
        run(AnsibleError("skip this"))


def test_an_inventory_source_reports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def devices(*_arguments: object) -> Any:
        raise KeyError(SECRET)

    for name in ("get_option", "get_cache_key"):
        monkeypatch.setattr(InventoryModule, name, lambda *_arguments: None)
    monkeypatch.setattr(InventoryModule, "_read_config_data", lambda *_arguments: {})
    monkeypatch.setattr(InventoryModule, "option_definitions", {})
    monkeypatch.setattr(InventoryModule, "_devices", devices)
    with pytest.raises(AnsibleParserError, match=r"a mistake in the collection .*: KeyError at ") as caught:
        InventoryModule().parse(InventoryData(), DataLoader(), "devices.yml")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
