# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of an audit, which compares looks at gateways with the platform's list of devices."""

from __future__ import annotations

import typing as t

DOCUMENTATION = r"""
name: audit_findings
short_description: Compares gateways with the platform's devices
version_added: 1.0.0
description:
  - Reports for every gateway whether its credential is as it should be, and which devices of the platform belong to no gateway of the
    inventory.
positional: devices, inventory
options:
  _input:
    description:
      - A dictionary of gateway to the result of M(fleetops.aliyun_iot.gateway_credential) in check mode with C(register=never), failed and
        unreachable ones included.
    type: dict
    required: true
  devices:
    description:
      - The results of M(fleetops.aliyun_iot.devices_info) for every product, as a loop registers them. A result that failed or was skipped
        is refused, because its devices would be reported as missing.
      - A gateway of a product that is not among them has the finding V(failed), unless another finding does not need its device.
    type: list
    elements: dict
    required: true
  inventory:
    description:
      - A dictionary of gateway to its C(product_key) and C(device_name), as P(fleetops.aliyun_iot.device_names#filter) returns them, for
        gateways that could not be inspected, and for gateways of the inventory that are not in O(_input).
      - C(device_name) is V(null) if only the hardware reports it. If such a gateway is not in O(_input), V(no_gateway) is found for no
        device of its product, since any of them may be this gateway's.
      - C(product_key) is empty if the variables of the gateway are wrong. Its device may be of any product.
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
    - A dictionary for each gateway, then one for each device that belongs to no gateway (C(gateway) is V(null)). C(finding) is one of
      V(ok), V(unreachable), V(failed), V(name_changed), V(unexpected_name), V(missing), V(unreadable), V(interrupted), V(duplicate),
      V(identity_changed), V(not_on_platform), V(disabled), V(fingerprint_differs), V(unfinished), V(attributes), V(export),
      V(exists), V(no_gateway).
    - C(detail) describes the finding, C(command) is the command that repairs it and C(repaired_by) a word for that command. If no command
      can repair the finding, C(command) is V(null) and C(repaired_by) is empty.
    - C(product_key), C(device_name) and C(status) describe the device, C(path) and C(fingerprint) the stored credential. They are V(null)
      if they are not known.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._commands import command, with_report
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._filter_inputs import checked_dictionary, checked_list
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._fleet_result import shown

Result = t.Mapping[str, t.Any]
Identity = tuple[str, str]
REFUSED_NAMES = ("name_changed", "unexpected_name")
# Details of the reasons for which a gateway needs a credential.
NEEDED = {
    "missing": "there is no credential",
    "unreadable": "the file is not a valid credential",
    "interrupted": "a change was interrupted, or another run is changing the gateway",
    "identity_changed": "the gateway has the credential of another device",
}


class Finding(t.NamedTuple):
    """A finding about a gateway; ``repaired_by`` is a word for the command that repairs it, empty if no command can repair it."""

    finding: str
    detail: str
    repaired_by: str = ""


def audit_findings(
    looks: t.Mapping[str, Result],
    devices: t.Iterable[Result],
    inventory: t.Mapping[str, Result] | None = None,
) -> list[dict[str, t.Any]]:
    """Return a dictionary for each gateway, in the order of the inventory, then one for each device without a gateway, by name."""
    looks = checked_dictionary("audit_findings: the input is not a dictionary of results by gateway", looks)
    known = checked_dictionary(
        "audit_findings: inventory is not a dictionary of devices by gateway", {} if inventory is None else inventory
    )
    looks = {
        name: {**{key: known[name][key] for key in ("product_key", "device_name") if name in known}, **look}
        for name, look in looks.items()
    }
    read = _checked_devices(devices)
    platform = {(each["product_key"], device["device_name"]): device for each in read for device in each["devices"]}
    products = {each["product_key"] for each in read}
    holders: dict[Identity, list[str]] = {}
    for name, look in looks.items():
        held = _identity(look.get("credential"))
        if held:
            holders.setdefault(held, []).append(name)
    claims: dict[Identity, list[str]] = {}
    # By DeviceName, hosts whose product cannot be read, so that it may be any one; other hosts without a product are no gateways.
    of_any_product: dict[str | None, list[str]] = {}
    for name, names in {**known, **looks}.items():
        if claimed := _identity(names):
            claims.setdefault(claimed, []).append(name)
        if not names.get("product_key") and (name in looks or names.get("problem")):
            of_any_product.setdefault(names.get("device_name"), []).append(name)
    findings = []
    for name, look in looks.items():
        wanted = _identity(look)
        device = platform.get(wanted) if wanted else None
        found = _finding(name, look, device, holders, looks)
        if wanted and wanted[0] not in products:
            found = _without_platform(found, wanted[0])
        same = [*claims.get(wanted, ()), *of_any_product.get(wanted[1], ())] if wanted else []
        same = [other for other in dict.fromkeys(same) if other != name]
        if found.repaired_by and same:  # the command would invalidate their credential
            found = _duplicate(same)
        findings.append(_row(name, look, device, found))
    others = {name: names for name, names in known.items() if name not in looks}
    spoken_for = {_identity(look) for look in (*looks.values(), *others.values())} | set(holders)
    # A gateway that was not inspected may have any device of its product, if only its hardware reports the name.
    unknown = {names.get("product_key") for names in others.values() if not names.get("device_name")}
    nameless: dict[str | None, list[str]] = {}
    for name, look in looks.items():
        if not look.get("device_name") and look.get("product_key"):
            nameless.setdefault(look["product_key"], []).append(name)
    return findings + [
        _row(
            None,
            {"product_key": identity[0], "device_name": identity[1]},
            device,
            Finding("no_gateway", _without_gateway([*nameless.get(identity[0], ()), *of_any_product.get(None, ())])),
        )
        for identity, device in sorted(platform.items())
        if identity not in spoken_for and identity[0] not in unknown and identity[1] not in of_any_product
    ]


def _checked_devices(devices: t.Any) -> list[Result]:
    """Return the results of devices_info.

    :raises AnsibleFilterError: one is not, such as that of a task that failed or was skipped: its devices would seem not to exist
    """
    read = checked_list("audit_findings: devices is not a list of results of devices_info", devices)
    for number, each in enumerate(read):
        result = each if isinstance(each, t.Mapping) else {}
        error = result.get("msg") or (result.get("error") or {}).get("message")
        listed = result.get("devices") if result.get("product_key") else None
        is_read = isinstance(listed, list) and all(
            isinstance(one, t.Mapping) and "device_name" in one for one in listed
        )
        if error or result.get("failed") or not is_read:
            raise AnsibleFilterError(
                "audit_findings: devices[%d] is not a result of devices_info with the devices of a product%s"
                % (number, ": %s" % error if error else "")
            )
    return read


def _without_platform(found: Finding, product_key: str) -> Finding:
    """Return the finding for a gateway whose product is not among the devices that were read: no device of it is known to be missing."""
    if found.finding == "not_on_platform":
        return Finding(
            "failed", "not compared: the devices of product %s are not among those that were read" % product_key
        )
    return found._replace(repaired_by="") if found.finding == "duplicate" else found


def _row(gateway: str | None, look: Result, device: Result | None, found: Finding) -> dict[str, t.Any]:
    """Return the finding with its device, credential and command; ``gateway`` is None for a device without one."""
    return {
        "gateway": gateway,
        **{name: look.get(name) for name in ("product_key", "device_name", "path", "fingerprint")},
        "status": device["status"] if device else None,
        **found._asdict(),
        "command": command(found.repaired_by, [gateway], look.get("device_name"))
        if gateway and found.repaired_by
        else None,
    }


def _without_gateway(nameless: t.Sequence[str]) -> str:
    """Return what to do about a device without a gateway.

    :param nameless: the hosts that may have any device of its product
    """
    if nameless:
        return "no gateway that was inspected has this device, but one of these may have it: %s" % shown(nameless)
    return "no gateway of the inventory has this device; add the gateway, or remove the device with fleetops.aliyun_iot.devices"


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
) -> Finding:
    error = look.get("error") or {}
    if look.get("unreachable"):
        return Finding("unreachable", str(look.get("msg", "")))
    if error.get("kind") in REFUSED_NAMES:
        return Finding(str(error["kind"]), str(look.get("msg", "")))
    if "reason" not in look or (error and error.get("kind") != "registration_needed"):
        return Finding("failed", str(look.get("msg", "")))
    # A gateway that is to have no credential, whatever the platform has.
    if look["reason"] == "exists":
        return Finding(
            "exists",
            "a credential, an export or a part of one is still there, although gateway_state is absent",
            "provision",
        )
    if look["reason"] == "up_to_date" and not look.get("credential"):
        return Finding("ok", "")
    held, wanted = _identity(look.get("credential")), _identity(look)
    others = [other for other in holders.get(held, []) if other != name] if held else []
    twins = [other for other in others if held == wanted == _identity(looks[other])]
    if twins:
        return _duplicate(twins)
    # If one of the gateways is the credential's own, only the others are wrong.
    if others and held != wanted:
        detail = "has the same credential as %s" % ", ".join(others)
        return Finding("duplicate", detail, _way_to_a_credential(look, device))
    if device is None:
        return Finding("not_on_platform", "the platform does not know the device", _way_to_a_credential(look, device))
    if device["status"] == "DISABLE":
        return Finding("disabled", "the device is disabled on the platform", _enabling(look))
    if look["reason"] in NEEDED:
        return Finding(look["reason"], NEEDED[look["reason"]], _way_to_a_credential(look, device))
    # The platform does not return device tokens, so they cannot be compared.
    if device["fingerprint"] != look.get("fingerprint") and (look.get("credential") or {}).get("kind") != "token":
        return Finding("fingerprint_differs", "the platform has another DeviceSecret", _recovery(look, force=True))
    if look["reason"] == "unfinished":
        return Finding("unfinished", "handlers of an earlier change, such as a restart, have still to run", "provision")
    if look["reason"] in ("attributes", "export"):
        return Finding(
            look["reason"], "owner, group or mode" if look["reason"] == "attributes" else "an export", "provision"
        )
    return Finding("ok", "")


def _duplicate(others: t.Sequence[str]) -> Finding:
    detail = "%s has the same device: give every host a device of its own (gateway_device_name)"
    return Finding("duplicate", detail % shown(others))


def _way_to_a_credential(look: Result, device: Result | None) -> str:
    """Return the word for the command that gives a gateway the credential of its device."""
    if device is None:  # which provision adds before it registers
        return "provision" if look["reason"] in NEEDED else "register"
    if device["status"] == "DISABLE":
        return _enabling(look)
    # The platform refuses to register an activated device.
    return _recovery(look) if device.get("activated") else "provision"


def _enabling(look: Result) -> str:
    return "enable_named" if _is_unproven(look) else "enable"


def _recovery(look: Result, force: bool = False) -> str:
    if _is_unproven(look):
        return "recover_named"
    return "recover_force" if force else "recover"


def _is_unproven(look: Result) -> bool:
    """Return whether only the hardware reports the name: the operator who types the command confirms the device."""
    return look.get("device_name_proven") is False


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"audit_findings": with_report(audit_findings)}
