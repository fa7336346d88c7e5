# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device that uses the vendor's SDK: python device.py, with its orders as JSON on standard input.

{"how": "https" | "register" | "regnwl", "product_key", "product_secret", "device_name", "endpoints": endpoints.json}
It registers, logs in with the credential received, posts a property, and prints the answers as JSON: "secret" (of register and
https), "connack", "reply" (the code of the answer to the property).
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from linkkit.linkkit import LinkKit

SECONDS = 20
REGION = "cn-shanghai"

told: queue.Queue[tuple[str, Any]] = queue.Queue()


def main(orders: dict[str, Any]) -> dict[str, Any]:
    endpoints = orders["endpoints"]
    lead_here(f"iot-auth.{REGION}.aliyuncs.com", urlsplit(endpoints["register_url"]).port)
    result = {}
    if orders["how"] == "https":
        # The SDK registers and then logs in by itself.
        device = connect(orders, product_secret=orders["product_secret"])
        result["secret"] = expect("registered")
    elif orders["how"] == "register":
        connect(orders, product_secret=orders["product_secret"], auth_type="register")
        result["secret"] = expect("registered")
        device = connect(orders, device_secret=result["secret"])
    else:
        connect(orders, product_secret=orders["product_secret"], auth_type="regnwl")
        client_id, user_name, password = expect("admitted")
        device = connect(orders, client_id=client_id, username=user_name, password=password)
    result["connack"] = expect("connack")
    device.thing_post_property({"Temperature": 21})
    result["reply"] = expect("reply")
    return result


def connect(orders: dict[str, Any], device_secret: str = "", **credentials: str) -> LinkKit:
    device = LinkKit(REGION, orders["product_key"], orders["device_name"], device_secret, **credentials)
    with open(orders["endpoints"]["ca_file"], encoding="ascii") as file:
        device.config_mqtt(port=orders["endpoints"]["mqtts"]["port"], cadata=file.read())
    lead_here(f"{orders['product_key']}.iot-as-mqtt.{REGION}.aliyuncs.com", orders["endpoints"]["mqtts"]["port"])
    device.on_device_dynamic_register = lambda code, value, _: told.put(
        ("registered" if code == 0 else "failed", value)
    )
    device.on_device_dynamic_register_nwl_reply = lambda code, *got: told.put(
        ("admitted" if code == 0 else "failed", got)
    )
    # The CONNACK of a registration is not reported.
    if "auth_type" not in credentials:
        device.on_connect = lambda _session, code, _data: told.put(("connack", code))
    device.on_thing_prop_post = lambda _id, code, *_: told.put(("reply", code))
    device.thing_setup()
    device.connect_async()
    return device


def expect(what: str) -> Any:
    name, value = told.get(timeout=SECONDS)
    if name != what:
        raise SystemExit(f"{name} came instead of {what}: {value}")
    return value


def lead_here(host: str, port: int | None) -> None:
    """Redirect connections for the cloud's host name to this machine; the SDK still verifies the cloud's name."""
    really = socket.create_connection

    def create_connection(address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        return really(("127.0.0.1", port) if address[0] == host else address, *arguments, **options)

    socket.create_connection = create_connection


if __name__ == "__main__":
    print(json.dumps(main(json.load(sys.stdin))), flush=True)
    os._exit(0)  # the SDK's threads would keep the process alive
