# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of a device's life cycle."""

from __future__ import annotations

import pytest
from platform_emulator import lifecycle
from platform_emulator.products import Device
from platform_emulator.refusals import Refusal
from platform_emulator.settings import Settings

NEW = Device("a1IoKTestP1", "gw-0001")
ROTATE, SAME, REFUSE = (Settings(reregistration=value) for value in ("rotate", "same", "refuse"))


def test_a_login_activates() -> None:
    online = lifecycle.log_in(NEW)
    assert (NEW.status, online.status, lifecycle.log_out(online).status) == ("UNACTIVE", "ONLINE", "OFFLINE")
    assert online.registration == "activated"


def test_the_time_of_activation_is_the_first_logins() -> None:
    first = lifecycle.log_in(NEW)
    again = lifecycle.log_in(lifecycle.reset(lifecycle.log_out(first), ROTATE))
    assert again.activated_at == first.activated_at


@pytest.mark.parametrize("status", ["UNACTIVE", "ONLINE", "OFFLINE"])
def test_disabling_hides_the_status_and_enabling_shows_it_again(status: str) -> None:
    device = lifecycle.with_status(NEW, status)
    disabled = lifecycle.disable(device)
    assert (device.status, disabled.status) == (status, "DISABLE")
    assert lifecycle.enable(disabled) == device
    assert lifecycle.with_status(device, "DISABLE") == disabled


@pytest.mark.parametrize("settings", [ROTATE, SAME, REFUSE])
def test_a_device_that_logged_in_without_registering_cannot_register(settings: Settings) -> None:
    with pytest.raises(Refusal, match="6289"):
        lifecycle.register(lifecycle.log_in(NEW), settings)


def test_a_login_with_a_doomed_secret_leaves_registration_open() -> None:
    reset = lifecycle.reset(lifecycle.log_in(NEW), Settings(reset_revokes="at_registration"))
    registered = lifecycle.register(lifecycle.log_in(reset), SAME)
    assert registered.device_secret != NEW.device_secret
    with pytest.raises(Refusal, match="6289"):
        lifecycle.register(lifecycle.log_in(registered), SAME)


def test_only_the_first_registration_after_a_reset_renews() -> None:
    reset = lifecycle.reset(lifecycle.log_in(NEW), Settings(reset_revokes="at_registration"))
    first = lifecycle.register(reset, SAME)
    assert lifecycle.register(first, SAME).device_secret == first.device_secret


def test_deactivating_forgets_a_reset() -> None:
    reset = lifecycle.reset(lifecycle.log_in(NEW), Settings(reset_revokes="at_registration"))
    assert lifecycle.deactivate(reset) == NEW


@pytest.mark.parametrize("shown", [repr(NEW), str(NEW)])
def test_a_device_does_not_show_its_secret(shown: str) -> None:
    assert NEW.device_secret not in shown
