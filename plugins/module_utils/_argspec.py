# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specifications of the modules. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.signing import SIGN_METHODS

Spec = t.Dict[str, t.Dict[str, t.Any]]


def registration_spec() -> Spec:
    """Return the product, and how to reach the platform's registration."""
    return {
        "product_key": {"type": "str", "required": True, "no_log": False},
        "product_secret": {"type": "str", "no_log": True},
        "region": {"type": "str"},
        "endpoint": {"type": "str"},
        "ca_path": {"type": "str"},  # a path on the host that connects, where tls_context() expands it
        "validate_certs": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 10},
        "retry_time": {"type": "int", "default": 30},
        "sign_method": {"type": "str", "choices": list(SIGN_METHODS), "default": "hmacsha256"},
        "proxy": {"type": "str", "no_log": True},  # it may contain a password
    }


def mqtt_spec() -> Spec:
    """Return the options of the connection over MQTT, beside the host."""
    return {
        "mqtt_endpoint": {"type": "str"},
        "mqtt_port": {"type": "int"},
        "mqtt_ca_path": {"type": "str"},  # a path on the host that connects, where tls_context() expands it
    }


def device_registration_spec() -> Spec:
    """Return the options of device_registration."""
    return dict(
        registration_spec(),
        device_name={"type": "str", "required": True},
        return_secret={"type": "bool", "default": False, "no_log": False},
    )


def device_login_spec() -> Spec:
    """Return the options of device_login."""
    return {
        "path": {"type": "str", "default": "/etc/aliyun-iot/device.json"},
        "region": {"type": "str"},
        "instance_id": {"type": "str"},
        **mqtt_spec(),
        "ca_path": {"type": "str"},  # a path on the host that connects, where tls_context() expands it
        "validate_certs": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 10},
        "sign_method": {"type": "str", "choices": list(SIGN_METHODS), "default": "hmacsha256"},
        "proxy": {"type": "str", "no_log": True},  # it may contain a password
        "wait_for_clock": {"type": "int", "default": 0},
        "login_from": {"type": "str", "choices": ["gateway", "controller"], "default": "gateway"},
    }


def service_restart_spec() -> Spec:
    """Return the options of service_restart."""
    return {"service": {"type": "str", "required": True}}


def credential_spec() -> Spec:
    """Return the options of a credential: its device, and its files on the gateway."""
    return {
        "device_name": {"type": "str"},
        "device_name_from": {
            "type": "str",
            "choices": ["inventory_hostname", "mac", "serial"],
            "default": "inventory_hostname",
        },
        "device_name_interface": {"type": "str"},
        "expected_names": {"type": "list", "elements": "str", "default": []},
        "reported_name": {"type": "str"},
        "path": {"type": "str", "default": "/etc/aliyun-iot/device.json"},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str", "default": "0600"},
        "service": {"type": "str"},
        "follow_up": {"type": "bool"},
        "exports": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "dest": {"type": "str", "required": True},
                "format": {"type": "str", "choices": ["env", "properties", "json"]},
                "template": {"type": "path"},
                "owner": {"type": "str"},
                "group": {"type": "str"},
                "mode": {"type": "str"},
            },
            "mutually_exclusive": [("format", "template")],
            "required_one_of": [("format", "template")],
        },
    }


def gateway_credential_spec() -> Spec:
    """Return the options of gateway_credential."""
    return dict(
        registration_spec(),
        transport={"type": "str", "choices": ["https", "mqtt"]},
        auth_type={"type": "str", "choices": ["register", "regnwl"], "default": "register"},
        instance_id={"type": "str"},
        **mqtt_spec(),
        wait_for_clock={"type": "int", "default": 0},
        **credential_spec(),
        state={
            "type": "str",
            "choices": ["present", "absent", "reset_intended", "reset_withdrawn", "followed_up"],
            "default": "present",
        },
        lease={"type": "str", "no_log": False},
        lease_time={"type": "int", "default": 0},
        due={"type": "str", "no_log": False},
        verify={"type": "str", "choices": ["none", "login"], "default": "none"},
        register={"type": "str", "choices": ["if_needed", "always", "never"], "default": "if_needed"},
        register_from={"type": "str", "choices": ["gateway", "controller"], "default": "gateway"},
    )


def openapi_spec() -> Spec:
    """Return the options of an account, and of the platform's OpenAPI."""
    return {
        "access_key_id": {"type": "str", "no_log": False},
        "access_key_secret": {"type": "str", "no_log": True},
        "security_token": {"type": "str", "no_log": True},
        "profile": {"type": "str"},
        "credentials": {"type": "str", "choices": ["default_chain"]},
        "region": {"type": "str"},
        "openapi_endpoint": {"type": "str"},
        "instance_id": {"type": "str"},
        "ca_path": {"type": "path"},
        "timeout": {"type": "int", "default": 10},
        "retry_time": {"type": "int", "default": 30},
        "qps_share": {"type": "float", "default": 1.0},
    }


def product_spec() -> Spec:
    """Return the options of product."""
    return dict(
        openapi_spec(),
        product_key={"type": "str", "no_log": False},
        product_name={"type": "str"},
        node_type={"type": "str", "choices": ["gateway", "device"]},
        authentication={"type": "str", "choices": ["secret"]},
        description={"type": "str"},
        net_type={"type": "str", "choices": ["wifi", "cellular", "ethernet", "other"]},
        data_format={"type": "str", "choices": ["custom", "alink"]},
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    )


def product_info_spec() -> Spec:
    """Return the options of product_info."""
    return dict(
        openapi_spec(),
        product_key={"type": "str", "no_log": False},
        product_name={"type": "str"},
    )


def devices_spec() -> Spec:
    """Return the options of devices."""
    return dict(
        openapi_spec(),
        product_key={"type": "str", "required": True, "no_log": False},
        names={"type": "list", "elements": "str", "required": True},
        state={"type": "str", "choices": ["present", "absent", "enabled", "disabled"], "default": "present"},
        purge={"type": "bool", "default": False},
        purge_maximum={"type": "int", "default": 10},
        batch_threshold={"type": "int", "default": 100},
        job_timeout={"type": "int", "default": 600},
    )


def devices_info_spec() -> Spec:
    """Return the options of devices_info."""
    return dict(
        openapi_spec(),
        product_key={"type": "str", "required": True, "no_log": False},
        names={"type": "list", "elements": "str"},
    )


def device_reset_spec() -> Spec:
    """Return the options of device_reset."""
    return dict(
        openapi_spec(),
        product_key={"type": "str", "required": True, "no_log": False},
        names={"type": "list", "elements": "str", "required": True},
        fingerprints={"type": "dict", "default": {}},
        leases={"type": "dict", "default": {}},
        reset_topology={"type": "bool", "default": False},
        job_timeout={"type": "int", "default": 600},
    )


def audit_report_spec() -> Spec:
    """Return the options of audit_report."""
    return {
        "findings": {"type": "list", "elements": "dict", "required": True},
        "dest": {"type": "path", "required": True},
    }


def run_report_spec() -> Spec:
    """Return the options of run_report."""
    return {
        "dest": {"type": "path", "required": True},
        "variable": {"type": "str", "default": "gateway_fleet"},
        "looked_only": {"type": "bool", "default": False},
        "findings": {"type": "list", "elements": "dict"},
    }


def report_merge_spec() -> Spec:
    """Return the options of report_merge."""
    return {
        "reports": {"type": "list", "elements": "path", "required": True},
        "dest": {"type": "path", "required": True},
    }


def gateway_recovery_spec() -> Spec:
    """Return the options of gateway_recovery."""
    return dict(
        openapi_spec(),
        product_key=registration_spec()["product_key"],
        **mqtt_spec(),
        **credential_spec(),
        force={"type": "bool", "default": False},
    )


def fleet_credentials_spec() -> Spec:
    """Return the options of fleet_credentials."""
    return {
        "state": {"type": "str", "choices": ["present", "absent", "reset_intended"]},
        "register": {"type": "str", "choices": ["if_needed", "always", "never"]},
        "recover": {"type": "bool", "default": False},
        "add_devices": {"type": "bool", "default": False},
        "hardware_names": {"type": "bool", "default": False},
        "look_only": {"type": "bool", "default": False},
        "lease_time": {"type": "int"},
        "looked": {"type": "dict", "default": {}},
        "continues": {"type": "dict", "default": {}},
        "refused": {"type": "dict", "default": {}},
        "withdraw": {"type": "list", "elements": "str", "default": []},
        "device_changes": {"type": "dict", "default": {}},
        "most_failed": {"type": "raw", "default": 100},
        "fleet_size": {"type": "int", "default": 0},
        "at_once": {"type": "int", "default": 0},
        "connections": {"type": "int", "default": 100},
        "report": {"type": "str", "choices": ["changed", "all"], "default": "changed"},
        "keep_right": {"type": "bool", "default": False},
        "fallback": {"type": "bool", "default": True},
    }


def fleet_devices_spec() -> Spec:
    """Return the options of fleet_devices."""
    return {
        "state": {
            "type": "str",
            "choices": ["present", "absent", "enabled", "disabled", "listed", "reset"],
            "required": True,
        },
        "gateways": {"type": "dict", "default": {}},
        "known_alone": {"type": "bool", "default": False},
        "all_devices": {"type": "bool", "default": False},
        "account_only": {"type": "bool", "default": False},
    }


def fleet_report_spec() -> Spec:
    """Return the options of fleet_report."""
    return {"variable": {"type": "str", "default": "gateway_fleet"}, "if_skipped": {"type": "str"}}
