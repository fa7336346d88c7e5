# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The codes of the OpenAPI and their messages.

The gateway in front of the API answers HTTP 4xx or 5xx; the API itself HTTP 200 with `Success` false. Codes and messages:
https://www.alibabacloud.com/help/doc-detail/87387.htm for those that begin with `iot.`; the others are the public error
codes, as the products that document them agree.
"""

from __future__ import annotations

from collections.abc import Mapping

from platform_emulator.refusals import Refusal

# Code: HTTP status, message.
GATEWAY: Mapping[str, tuple[int, str]] = {
    "IncompleteSignature": (400, "The request signature does not conform to Aliyun standards."),
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
    "InvalidAction.NotFound": (404, "Specified api is not found, please check your url and method."),
    "InvalidSecurityToken.Expired": (400, "Specified SecurityToken is expired."),
    "InvalidSecurityToken.MismatchWithAccessKey": (400, "Specified SecurityToken mismatch with the AccessKey."),
    "InvalidTimeStamp.Expired": (400, "Specified time stamp or date value is expired."),
    "InvalidTimeStamp.Format": (400, "Specified time stamp or date value is not well formatted."),
    "InvalidRequestBody": (400, "The request body cannot be read."),
    "MissingSecurityToken": (400, "SecurityToken is mandatory for this action."),
    "RequestEntityTooLarge": (413, "The request body is too large."),
    "SignatureDoesNotMatch": (400, "Specified signature is not matched with our calculation."),
    "SignatureNonceUsed": (400, "Specified signature nonce was used already."),
    "Throttling": (400, "Request was denied due to request throttling."),
    "Throttling.Api": (400, "Request was denied due to api flow control."),
    "Throttling.User": (400, "Request was denied due to user flow control."),
    "UnsupportedHTTPMethod": (405, "This http method is not supported."),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
    "InternalError": (500, "The request processing has failed due to some unknown error."),
}

BUSINESS: Mapping[str, str] = {
    "iot.common.InvalidPageParams": "The specified page size or page number is invalid.",
    "iot.device.AlreadyExistedDeviceName": "The device name already exists.",
    "iot.device.ApplyManyDevicesFailed": "Failed to batch register devices.",
    "iot.device.CreateDeviceFailed": "Failed to create the device.",
    "iot.device.CreateDeviceTaskIsRunning": "The device creation task is still in progress.",
    "iot.device.DeleteDeviceFailed": "Failed to delete the device.",
    "iot.device.DeviceApplyIsNotFound": "The ApplyId is not found.",
    "iot.device.DeviceCountExceeded": "Number of devices requested exceeds the maximum limit.",
    "iot.device.IncorrentDeviceApplyInfo": "The device application information is not correct.",
    "iot.device.InvalidFormattedDeviceName": "The format of the device name is invalid.",
    "iot.device.InvalidIoTId": "The device IotId is incorrect.",
    "iot.device.NoneDeviceNameElement": "The device name list cannot be empty.",
    "iot.device.NotExistedDevice": "The specified device does not exist.",
    "iot.device.NullDeviceName": "Device name cannot be empty.",
    "iot.prod.AlreadyExistedProductName": "The same product name already exists.",
    "iot.prod.InvalidFormattedProductName": "The format of the ProductName is invalid.",
    "iot.prod.InvalidNodeType": "The node type of the product is invalid.",
    "iot.prod.LongProductDesc": "The product description length exceeds the maximum limit.",
    "iot.prod.NotExistedProduct": "The specified product does not exist.",
    "iot.prod.NullProductKey": "ProductKey cannot be empty.",
    "iot.system.IllegalRequest": "The request parameter is invalid.",
    "iot.system.InstanceNotFound": "The specified instance ID does not exist.",
    "iot.system.SystemException": "A system exception occurred.",
}


class OpenApiRefusal(Refusal):
    """A refusal by the gateway in front of the API, with an HTTP status, or by the API itself, without.

    `http_status` replaces the usual one; `data` is the Data of the API's answer.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        http_status: int | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        usual_status, usual_message = GATEWAY.get(code, (None, BUSINESS.get(code, "error")))
        super().__init__(code, usual_message if message is None else message)
        self.http_status = http_status or usual_status
        self.data = data


def not_supplied(parameter: str) -> OpenApiRefusal:
    """Return the refusal for a missing parameter that all actions have."""
    text = f'The input parameter "{parameter}" that is mandatory for processing this request is not supplied.'
    return OpenApiRefusal("MissingParameter", text, 400)


def missing(parameter: str) -> OpenApiRefusal:
    """Return the refusal for a missing parameter of one action."""
    return OpenApiRefusal(f"Missing{parameter}", f"{parameter} is mandatory for this action.", 400)


def invalid(parameter: str) -> OpenApiRefusal:
    return OpenApiRefusal(f"Invalid{parameter}", f"Specified parameter {parameter} is not valid.", 400)
