# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the real platform what its documents leave open, on a throwaway product, and writes it into README's table.

make live PRODUCT_KEY=... REGION=... CONFIRM=...

It adds devices whose names begin with fleetops-live-, registers and resets them, and deletes them in the end, however it ends; what a
run left behind that was killed, the next one deletes. It touches no other device, and refuses a product that has any. The AccessKey is
that of the vendor's default chain (ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET), or of PROFILE. CONFIRM is the product's
name, as the console shows it. INSTANCE_ID is the instance's, if it has one. MQTT_ENDPOINT (HOST:PORT) and CA_PATH are for a host or an
authority that the system does not know, REGISTER_URL and OPENAPI_ENDPOINT for another platform than the real one; README is the file to
write. PATIENCE is how many seconds a session may take to end after a reset (10).
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from platform_under_test import Live, Places, others, sweep
from questions import STEPS, Row, SwitchedOff, certificates

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import openapi_spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import mqtt
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.https_registration import register_url
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import (
    OpenApi,
    connect,
    find_credential,
    openapi_host,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import (
    product_of_key,
    product_secret,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.wire import access_key
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import TROUBLE

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"(?<=<!-- live -->\n).*?(?=<!-- end of live -->)", re.DOTALL)
ELSEWHERE = ("REGISTER_URL", "OPENAPI_ENDPOINT")
DONE, INCOMPLETE, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(given: Mapping[str, str]) -> int:
    if given.get("CI"):
        return refused("make live is for a person and an account, never for CI.")
    product_key, region = given.get("PRODUCT_KEY"), given.get("REGION")
    if not (product_key and region):
        return refused(str(__doc__))
    try:
        api, live = opened(given, product_key, region)
    except FleetopsError as error:
        return refused(str(error))
    found = others(api, product_key)
    if found:
        return refused(
            f"The product {product_key} has devices that are not of make live, such as {found[0]}: it is no throwaway."
        )
    if given.get("CONFIRM") != live.product.product_name:
        return refused(
            f"In the product {product_key} ({live.product.node_type}, no devices but those of make live) devices would be added, "
            "registered, reset and deleted, and the account's quotas used. To let that happen, set CONFIRM to the product's name."
        )
    rows: list[Row] = []
    try:
        with interruptible():
            sweep(api, product_key)
            observe(live, rows, places_of(given, live.places, region))
    except KeyboardInterrupt:
        return cleaned(api, product_key, INTERRUPTED)
    except SwitchedOff:
        say("Dynamic Registration is switched off. Switch it on on the Product Details page in the console; run again.")
        return cleaned(api, product_key, INCOMPLETE)
    except BaseException:
        cleaned(api, product_key, INCOMPLETE)
        raise
    ended = cleaned(api, product_key, DONE)
    write(given, live.masked(laid_out(rows, live, region)))
    return ended


def opened(given: Mapping[str, str], product_key: str, region: str) -> tuple[OpenApi, Live]:
    """Ask for the product; nothing is changed."""
    options = {name: option.get("default") for name, option in openapi_spec().items()}
    account = {"profile": given["PROFILE"]} if given.get("PROFILE") else {"credentials": "default_chain"}
    options.update(account, region=region, instance_id=given.get("INSTANCE_ID"), ca_path=given.get("CA_PATH"))
    options.update(openapi_endpoint=given.get("OPENAPI_ENDPOINT"))
    api = connect(options)
    key = access_key(find_credential(options))
    secret = product_secret(api, product_key)
    places = Places(
        register_url(region, given.get("REGISTER_URL")),
        mqtt.address(product_key, region, given.get("INSTANCE_ID"), given.get("MQTT_ENDPOINT")),
        given.get("CA_PATH"),
    )
    seen = {secret, key.secret, key.security_token}
    patience = float(given.get("PATIENCE") or 10)
    return api, Live(api, product_of_key(api, product_key), secret, places, seen, patience)


def places_of(given: Mapping[str, str], places: Places, region: str) -> list[tuple[str, int]]:
    """Return the hosts whose certificates are looked at; those of the real platform only where it is asked."""
    url, (host, port) = urlsplit(places.register_url), places.mqtt
    openapi, _colon, openapi_port = openapi_host(region, given.get("OPENAPI_ENDPOINT")).partition(":")
    found = [(str(url.hostname), url.port or 443), (openapi, int(openapi_port or 443)), (host, port)]
    if not any(given.get(name) for name in ELSEWHERE):
        found += [(host, other) for other in (443, 1883, 8883) if other != port]
        found += [("iot-auth.us-east-1.aliyuncs.com", 443)] if region != "us-east-1" else []
        if instance := given.get("INSTANCE_ID"):
            found.append((f"{instance}.auth.iothub.aliyuncs.com", 443))
    return list(dict.fromkeys(found))


def observe(live: Live, rows: list[Row], places: list[tuple[str, int]]) -> None:
    """Ask every question; one that cannot be settled does not keep the others from being asked."""
    rows.append(("ProductSecret in the answer of QueryProduct", "yes"))
    for step in STEPS:
        try:
            for row in step(live):
                rows.append(row)
                say(live.masked(": ".join(row)))
        except (FleetopsError, *TROUBLE) as error:
            rows.append((str(step.__doc__).rstrip("."), live.masked(f"not settled: {error}")[:200]))
            say(": ".join(rows[-1]))
    for row in certificates(places):
        rows.append(row)
        say(": ".join(row))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end this as Ctrl-C does, and neither of them what comes after it, which cleans up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def cleaned(api: OpenApi, product_key: str, code: int) -> int:
    """Delete what the run has added; return the exit code."""
    say("Deleting the devices of this run")
    try:
        left = sweep(api, product_key)
    except FleetopsError as error:
        say(f"Could not clean up: {error}. Run again, or delete the devices fleetops-live-... in the console.")
        return code or INCOMPLETE
    if left:
        say(f"Could not delete {', '.join(left)}. Run again, or delete them in the console.")
        return code or INCOMPLETE
    return code


def laid_out(rows: list[Row], live: Live, region: str) -> str:
    """Return the table, with the day and what it was found on."""
    cells = [tuple(cell.replace("|", "\\|").replace("<", "&lt;") for cell in row) for row in rows]
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return "\n".join(
        [
            f"Found by `make live` on {day} in {region}, on a product of node type {live.product.node_type}:\n",
            "| what | found |",
            "| --- | --- |",
            *(f"| {question} | {finding} |" for question, finding in cells),
            "",
        ]
    )


def write(given: Mapping[str, str], table: str) -> None:
    print(table)
    elsewhere = any(given.get(name) for name in ELSEWHERE)
    if elsewhere and not given.get("README"):
        say("README.md is not written: this was not the real platform.")
        return
    readme = Path(given.get("README") or ROOT / "README.md")
    text = readme.read_text(encoding="utf-8")
    readme.write_text(TABLE.sub(lambda _match: table, text), encoding="utf-8")


def refused(why: str) -> int:
    say(why)
    return REFUSED


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(os.environ))
