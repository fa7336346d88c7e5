# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit finds when it compares looks at gateways with the platform's list of devices."""

from __future__ import annotations

import typing as t

DOCUMENTATION = r"""
name: audit_findings
short_description: Compares gateways with the platform's devices
version_added: 1.0.0
description:
  - Says of every gateway whether its credential is as it should be, and which devices of the platform no gateway of the inventory
    stands for.
positional: devices, inventory
options:
  _input:
    description:
      - A dictionary of gateway to the result of M(fleetops.aliyun_iot.gateway_credential) in check mode with C(register=never), failed and
        unreachable ones included.
    type: dict
    required: true
  devices:
    description: The results of M(fleetops.aliyun_iot.devices_info) for every product, as a loop registers them.
    type: list
    elements: dict
    required: true
  inventory:
    description:
      - A dictionary of gateway to its C(product_key) and C(device_name), for those that can't be looked at, as
        P(fleetops.aliyun_iot.device_names#filter) returns them. C(device_name) is V(null) where only the hardware gives it.
    type: dict
    default: {}
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: Compare one gateway with the platform
  ansible.builtin.debug:
    msg: "{{ {'gw-0001': gateway_result} | fleetops.aliyun_iot.audit_findings([devices]) }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary for each gateway, then one for each device that no gateway stands for (C(gateway) is null). C(finding) is one of
      V(ok), V(unreachable), V(failed), V(name_changed), V(unexpected_name), V(missing), V(unreadable), V(interrupted), V(duplicate),
      V(identity_changed), V(not_on_platform), V(disabled), V(fingerprint_differs), V(unfinished), V(attributes), V(export),
      V(no_gateway).
  type: list
  elements: dict
"""

Result = t.Mapping[str, t.Any]
Identity = tuple[str, str]
ACTIVATED = "the device is activated, so a registration is refused: recover the gateway, or reprovision it"
REFUSED_NAMES = ("name_changed", "unexpected_name")
FINDINGS = ("missing", "unreadable", "interrupted", "identity_changed")


def audit_findings(
    looks: t.Mapping[str, Result],
    devices: t.Iterable[Result],
    inventory: t.Mapping[str, Result] | None = None,
) -> list[dict[str, t.Any]]:
    """One dictionary a gateway, in the inventory's order, then one a device without a gateway, by name."""
    known = inventory or {}
    looks = {
        name: {**{key: known[name][key] for key in ("product_key", "device_name") if name in known}, **look}
        for name, look in looks.items()
    }
    platform = {(r["product_key"], d["device_name"]): d for r in devices for d in r.get("devices", [])}
    holders: dict[Identity, list[str]] = {}
    for name, look in looks.items():
        held = _identity(look.get("credential"))
        if held:
            holders.setdefault(held, []).append(name)
    findings = []
    for name, look in looks.items():
        wanted = _identity(look)
        device = platform.get(wanted) if wanted else None
        finding, detail = _finding(name, look, device, holders, looks)
        findings.append(
            {
                "gateway": name,
                "product_key": look.get("product_key"),
                "device_name": look.get("device_name"),
                "path": look.get("path"),
                "fingerprint": look.get("fingerprint"),
                "status": device["status"] if device else None,
                "finding": finding,
                "detail": detail,
            }
        )
    spoken_for = {_identity(look) for look in looks.values()} | set(holders)
    return findings + [
        {
            "gateway": None,
            "product_key": identity[0],
            "device_name": identity[1],
            "path": None,
            "fingerprint": None,
            "status": device["status"],
            "finding": "no_gateway",
            "detail": "no gateway of the inventory stands for this device",
        }
        for identity, device in sorted(platform.items())
        if identity not in spoken_for
    ]


def _identity(names: Result | None) -> Identity | None:
    if not names or not names.get("device_name"):
        return None
    return names["product_key"], names["device_name"]


def _finding(
    name: str,
    look: Result,
    device: Result | None,
    holders: t.Mapping[Identity, list[str]],
    looks: t.Mapping[str, Result],
) -> tuple[str, str]:
    error = look.get("error") or {}
    if look.get("unreachable"):
        return "unreachable", str(look.get("msg", ""))
    if error.get("kind") in REFUSED_NAMES:
        return str(error["kind"]), str(look.get("msg", ""))
    if "reason" not in look or (error and error.get("kind") != "registration_needed"):
        return "failed", str(look.get("msg", ""))
    held, wanted = _identity(look.get("credential")), _identity(look)
    others = [other for other in holders.get(held, []) if other != name] if held else []
    # Where one of them is the right gateway for it, only the others are wrong.
    if others and (held != wanted or any(_identity(looks[other]) == held for other in others)):
        return "duplicate", "holds the same credential as %s" % ", ".join(others)
    if look["reason"] in FINDINGS:
        activated = device and device.get("activated") and look["reason"] != "interrupted"
        return look["reason"], ACTIVATED if activated else "the next provision registers the gateway"
    if device is None:
        return "not_on_platform", "the platform does not know the device"
    if device["status"] == "DISABLE":
        return "disabled", "the device is disabled on the platform"
    # Of a device token the platform says nothing.
    if device["fingerprint"] != look.get("fingerprint") and (look.get("credential") or {}).get("kind") != "token":
        return "fingerprint_differs", "the platform holds another DeviceSecret: recover the gateway"
    if look.get("due"):
        return "unfinished", "what follows a change, such as a restart, was not done: the next provision does it"
    if look["reason"] in ("attributes", "export"):
        return look["reason"], "the next provision mends it"
    return "ok", ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"audit_findings": audit_findings}
