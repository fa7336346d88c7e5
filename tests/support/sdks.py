# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's own Python SDKs, each as a function of an action and its parameters, which are named as on the wire.

call = sdks.tea(platform.endpoints, KEY)
call("QueryDevice", ProductKey="a1IoKTestP1", PageSize=50)["Data"]["DeviceInfo"]

Each verifies the emulator's certificate, and raises Denied if the layer in front of the API refuses the request.
"""

from __future__ import annotations

import importlib
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from account import Key
from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.client import Client as GenericClient
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from darabonba.runtime import RuntimeOptions

Sdk = Callable[..., dict[str, Any]]


class Denied(Exception):
    """A refusal by the layer in front of the API: HTTP status, code, message."""

    def __init__(self, http_status: int, code: str, message: str) -> None:
        super().__init__(f"{http_status} {code}: {message}")
        self.http_status, self.code, self.message = http_status, code, message


def tea(endpoints: Mapping[str, Any], key: Key, signature_algorithm: str | None = None) -> Sdk:
    """Return alibabacloud-iot20180120 as a function; it signs with V3, or with V1 if the algorithm is `v2`."""
    client = Client(_config(endpoints, key, signature_algorithm))

    def call(action: str, **parameters: object) -> dict[str, Any]:
        request = getattr(models, f"{action}Request")().from_map(parameters)
        method = getattr(client, f"{_snake_case(action)}_with_options")
        with _denials_of_tea():
            answer: dict[str, Any] = method(request, RuntimeOptions()).body.to_map()
        return answer

    return call


def generic(endpoints: Mapping[str, Any], key: Key, read_timeout: int | None = None) -> Sdk:
    """Return alibabacloud-tea-openapi as a function: any action, the answer as received. `body` is the form; the time-out is in ms."""
    client = GenericClient(_config(endpoints, key, None))

    def call(action: str, body: Mapping[str, object] | None = None, **query: object) -> dict[str, Any]:
        params = Params(
            action=action,
            version="2018-01-20",
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        request = OpenApiRequest(query={name: str(value) for name, value in query.items()}, body=body)
        with _denials_of_tea():
            answer: dict[str, Any] = client.call_api(params, request, RuntimeOptions(read_timeout=read_timeout))["body"]
        return answer

    return call


def core(endpoints: Mapping[str, Any], key: Key) -> Sdk:
    """Return aliyun-python-sdk-core with aliyun-python-sdk-iot as a function; it signs with V1."""
    identity: dict[str, Any] = {"ak": key.id, "secret": key.secret}
    if key.security_token:
        identity = {"credential": StsTokenCredential(*key)}
    client = AcsClient(region_id="cn-shanghai", verify=endpoints["ca_file"], auto_retry=False, **identity)

    def call(action: str, **parameters: object) -> dict[str, Any]:
        module = importlib.import_module(f"aliyunsdkiot.request.v20180120.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(endpoints["openapi_endpoint"])
        request.set_protocol_type("https")
        for name, value in parameters.items():
            getattr(request, f"set_{name}s" if isinstance(value, list) else f"set_{name}")(value)
        try:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of its TLS settings
                answer: dict[str, Any] = json.loads(client.do_action_with_exception(request))
        except ServerException as error:
            raise Denied(error.get_http_status(), error.get_error_code(), error.get_error_msg()) from None
        return answer

    return call


def _config(endpoints: Mapping[str, Any], key: Key, signature_algorithm: str | None) -> Config:
    return Config(
        access_key_id=key.id,
        access_key_secret=key.secret,
        security_token=key.security_token,
        endpoint=endpoints["openapi_endpoint"],
        ca=endpoints["ca_file"],
        signature_algorithm=signature_algorithm,
    )


@contextmanager
def _denials_of_tea() -> Iterator[None]:
    try:
        yield
    except AlibabaCloudException as error:
        raise Denied(error.status_code, error.code, error.message) from None


def _snake_case(name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
