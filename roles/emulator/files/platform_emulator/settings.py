# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings for the behaviour that the platform's documents leave open or contradict; they can be changed at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from platform_emulator.fields import Fields, Reader, choice, flag, integer, seconds, text
from platform_emulator.store import Store


@dataclass(frozen=True)
class Settings:
    """The behaviour of this platform where its documents disagree.

    * reregistration: a device that is not activated registers. `rotate`: every call issues a new secret, the last one
      is valid (https://www.alibabacloud.com/help/doc-detail/148667.htm). `same`: every call returns the secret that was
      issued when the device was added. `refuse`: that secret is issued once, then 6289.
    * reset_revokes: when a reset ends the old secret and the device tokens. `at_once`; `at_registration`: they work until
      a device registers again under the name (default: the documents promise nothing earlier); `never`: registering again
      follows `reregistration` alone.
    * refusals: a refused registration is HTTP 200 with another code, or HTTP 400 with it.
    * unknown_device_code: the code for a registration of a device that was never added.
    * registration_window: seconds after which a connection that registered over MQTT is closed
      (https://www.alibabacloud.com/help/doc-detail/132111.htm).
    * devices_per_name: how many physical devices may share a device name without pre-registration
      (https://www.alibabacloud.com/help/doc-detail/74006.htm).
    * shortest_keep_alive: seconds; a login with less, or with more than 1200, is refused
      (https://alibabacloud.com/help/en/iot/user-guide/ipv6-based-mqtt-connections).
    * connects_per_minute: logins of one device; 0 is no limit, the platform's is 5
      (https://www.alibabacloud.com/help/doc-detail/30527.htm).
    * instance_id: the instance's ID, which every OpenAPI call must then have, and every registration over MQTT without
      pre-registration; a legacy public instance has none.
    * timestamp_tolerance: by how many seconds an OpenAPI call's time may be off; 0 accepts any.
    * nonce_reuse: whether an OpenAPI call may repeat a nonce; `allow` is for recorded requests.
    * throttling: whether OpenAPI calls beyond the documented QPS are refused.
    * job_polls: how many queries find an asynchronous job in progress before it ends.
    """

    reregistration: str = "rotate"
    reset_revokes: str = "at_registration"
    refusals: str = "http_200"
    unknown_device_code: int = 6100
    registration_window: float = 15.0
    devices_per_name: int = 5
    shortest_keep_alive: int = 30
    connects_per_minute: int = 0
    instance_id: str = ""
    timestamp_tolerance: int = 900
    nonce_reuse: str = "refuse"
    throttling: bool = False
    job_polls: int = 1


READERS: Mapping[str, Reader[object]] = {
    "reregistration": choice("rotate", "same", "refuse"),
    "reset_revokes": choice("at_once", "at_registration", "never"),
    "refusals": choice("http_200", "http_4xx"),
    "unknown_device_code": integer(1, 999_999),
    "registration_window": seconds,
    "devices_per_name": integer(1, 1000),
    "shortest_keep_alive": integer(0, 1200),
    "connects_per_minute": integer(0, 1_000_000),
    "instance_id": text(r"[A-Za-z0-9_-]{0,64}", "up to 64 letters, digits, - and _"),
    "timestamp_tolerance": integer(0, 1_000_000_000),
    "nonce_reuse": choice("refuse", "allow"),
    "throttling": flag,
    "job_polls": integer(0, 1_000_000),
}


def changed(settings: Settings, changes: object, where: str) -> Settings:
    """Return the settings with some of them changed; raises Invalid."""
    fields = Fields(changes, where)
    values: dict[str, Any] = fields.named(READERS)
    fields.close()
    return replace(settings, **values)


def load(store: Store) -> Settings:
    values: dict[str, Any] = {row["name"]: row["value"] for row in store.rows("SELECT name, value FROM setting")}
    # SQLite keeps true and false as 1 and 0.
    return Settings(**{name: type(getattr(Settings, name))(value) for name, value in values.items()})


def save(store: Store, settings: Settings) -> None:
    for name, value in asdict(settings).items():
        store.rows("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", (name, value))
