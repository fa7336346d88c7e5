# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test on the real platform, with a throwaway product, what its documents leave open, and write the results into README's table.

make live PRODUCT_KEY=... REGION=... CONFIRM=...

The run adds devices whose names begin with fleetops-live-, registers, resets and disables them, and deletes them at the end, even after a
failure. If it was killed, the next run deletes them. It changes no other device, and refuses a product that has other devices.

The AccessKey is that of the vendor's default chain (ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET), or of PROFILE. CONFIRM
is the product's name, as the console shows it. INSTANCE_ID is the instance's ID, if it has one. MQTT_ENDPOINT (HOST:PORT) and CA_PATH are
for a host or an authority that the system does not know, REGISTER_URL and OPENAPI_ENDPOINT for another platform than the real one. README
is the file to write. PATIENCE is the number of seconds within which a session may end after a reset (10).
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

from platform_under_test import Endpoints, Live, delete_devices, foreign_devices
from questions import STEPS, RegistrationDisabled, Row, certificates

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
OTHER_PLATFORM = ("REGISTER_URL", "OPENAPI_ENDPOINT")
DONE, INCOMPLETE, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(variables: Mapping[str, str]) -> int:
    if variables.get("CI"):
        return refuse("make live is for a person and an account, never for CI.")
    product_key, region = variables.get("PRODUCT_KEY"), variables.get("REGION")
    if not (product_key and region):
        return refuse(str(__doc__))
    try:
        api, live = look_up(variables, product_key, region)
    except FleetopsError as error:
        return refuse(str(error))
    foreign = foreign_devices(api, product_key)
    if foreign:
        return refuse(
            f"The product {product_key} has devices that make live has not added, such as {foreign[0]}: it is no throwaway."
        )
    if variables.get("CONFIRM") != live.product.product_name:
        return refuse(
            f"make live would add, register, reset, disable and delete devices in the product {product_key} "
            f"({live.product.node_type}, without foreign devices), and use the account's quotas. "
            "To confirm this, set CONFIRM to the product's name."
        )
    rows: list[Row] = []
    try:
        with interruptible():
            delete_devices(api, product_key)
            observe(live, rows, certificate_hosts(variables, live.endpoints, region))
    except KeyboardInterrupt:
        return clean_up(api, product_key, INTERRUPTED)
    except RegistrationDisabled:
        report(
            "Dynamic Registration is switched off. Switch it on on the Product Details page in the console; run again."
        )
        return clean_up(api, product_key, INCOMPLETE)
    except BaseException:
        clean_up(api, product_key, INCOMPLETE)
        raise
    code = clean_up(api, product_key, DONE)
    write_readme(variables, live.mask(format_table(rows, live, region)))
    return code


def look_up(variables: Mapping[str, str], product_key: str, region: str) -> tuple[OpenApi, Live]:
    """Look up the product without changing anything."""
    options = {name: option.get("default") for name, option in openapi_spec().items()}
    account = {"profile": variables["PROFILE"]} if variables.get("PROFILE") else {"credentials": "default_chain"}
    options.update(account, region=region, instance_id=variables.get("INSTANCE_ID"), ca_path=variables.get("CA_PATH"))
    options.update(openapi_endpoint=variables.get("OPENAPI_ENDPOINT"))
    api = connect(options)
    key = access_key(find_credential(options))
    secret = product_secret(api, product_key)
    endpoints = Endpoints(
        register_url(region, variables.get("REGISTER_URL")),
        mqtt.address(product_key, region, variables.get("INSTANCE_ID"), variables.get("MQTT_ENDPOINT")),
        variables.get("CA_PATH"),
    )
    known_secrets = {secret, key.secret, key.security_token}
    patience = float(variables.get("PATIENCE") or 10)
    return api, Live(api, product_of_key(api, product_key), secret, endpoints, known_secrets, patience)


def certificate_hosts(variables: Mapping[str, str], endpoints: Endpoints, region: str) -> list[tuple[str, int]]:
    """Return the hosts whose certificates are inspected; on another platform than the real one, only those of its endpoints."""
    url, (host, port) = urlsplit(endpoints.register_url), endpoints.mqtt
    openapi, _colon, openapi_port = openapi_host(region, variables.get("OPENAPI_ENDPOINT")).partition(":")
    found = [(str(url.hostname), url.port or 443), (openapi, int(openapi_port or 443)), (host, port)]
    if not any(variables.get(name) for name in OTHER_PLATFORM):
        found += [(host, other) for other in (443, 1883, 8883) if other != port]
        found += [("iot-auth.us-east-1.aliyuncs.com", 443)] if region != "us-east-1" else []
        if instance := variables.get("INSTANCE_ID"):
            found.append((f"{instance}.auth.iothub.aliyuncs.com", 443))
    return list(dict.fromkeys(found))


def observe(live: Live, rows: list[Row], hosts: list[tuple[str, int]]) -> None:
    """Try to answer every question; a question that cannot be settled does not prevent the others."""
    rows.append(("ProductSecret in the answer of QueryProduct", "yes"))
    for step in STEPS:
        try:
            for row in step(live):
                rows.append(row)
                report(live.mask(": ".join(row)))
        except (FleetopsError, *TROUBLE) as error:
            rows.append((step.__name__.replace("_", " "), live.mask(f"not settled: {error}")[:200]))
            report(": ".join(rows[-1]))
    for row in certificates(hosts):
        rows.append(row)
        report(": ".join(row))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM interrupt the block as Ctrl-C does; ignore both after the block, so that they do not interrupt the clean-up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def clean_up(api: OpenApi, product_key: str, code: int) -> int:
    """Delete the devices that the run has added; return the exit code."""
    report("Deleting the devices of this run")
    try:
        remaining = delete_devices(api, product_key)
    except FleetopsError as error:
        report(f"Could not clean up: {error}. Run again, or delete the devices fleetops-live-... in the console.")
        return code or INCOMPLETE
    if remaining:
        report(f"Could not delete {', '.join(remaining)}. Run again, or delete them in the console.")
        return code or INCOMPLETE
    return code


def format_table(rows: list[Row], live: Live, region: str) -> str:
    """Return the table, with the day, the region and the node type."""
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


def write_readme(variables: Mapping[str, str], table: str) -> None:
    print(table)
    is_other_platform = any(variables.get(name) for name in OTHER_PLATFORM)
    if is_other_platform and not variables.get("README"):
        report("README.md is not written: this was not the real platform.")
        return
    readme = Path(variables.get("README") or ROOT / "README.md")
    text = readme.read_text(encoding="utf-8")
    readme.write_text(TABLE.sub(lambda _match: table, text), encoding="utf-8")


def refuse(reason: str) -> int:
    report(reason)
    return REFUSED


def report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(os.environ))
