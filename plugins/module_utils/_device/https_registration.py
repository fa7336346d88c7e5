# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dynamic registration over HTTPS: endpoint, request, and the meaning of the answer. PRIVATE to the collection."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import check_seconds
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    FleetopsError,
    InvalidOption,
    Refused,
    Throttled,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    LONGEST_ANSWER,
    MQTT_ONLY_REGIONS,
    check_device_name,
    check_product_key,
    check_product_secret,
    check_region,
    is_device_secret,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._retry import retry, retry_noting_doubt

if t.TYPE_CHECKING:
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import HttpReply, Post

PATH = "/auth/register/device"

ALREADY_ACTIVE = 6289
# The documented codes of a directly connected device's registration: what they mean and what to do next.
CODES: dict[int, tuple[str, str]] = {
    400: ("the request was malformed", "Check product_key, device_name and endpoint"),
    401: ("the request was not authorised", "Check product_key and product_secret"),
    460: ("a request parameter was empty or malformed", "Check product_key and device_name"),
    5005: ("the product could not be found", "Check product_key and region: they must be those of the product"),
    6100: (
        "the device is not known to the platform",
        "Add the device to the product under exactly this DeviceName, then run again",
    ),
    6204: ("the device is disabled", "Enable the device on its Device Details page in the console, then run again"),
    6250: ("the product could not be found", "Check product_key and region: they must be those of the product"),
    6288: (
        "dynamic registration is switched off for the product",
        "Switch on Dynamic Registration on the Product Details page in the console, then run again",
    ),
    ALREADY_ACTIVE: (
        "the device is already activated",
        "Its DeviceSecret is in use and was not changed. If the gateway has lost it, run the playbook fleetops.aliyun_iot.recover; to "
        "issue a new one, fleetops.aliyun_iot.reprovision, which resets the device (ResetThing)",
    ),
    6292: ("the signature method is not supported", "Use sign_method hmacsha256, hmacsha1 or hmacmd5"),
    6600: (
        "the signature was refused",
        "Check that product_secret is the ProductSecret of this product_key (not a DeviceSecret or an AccessKey)",
    ),
}


class Request(t.NamedTuple):
    """One signed registration, without ProductSecret: the URL, the form, and the device that it is for."""

    url: str
    body: str
    product_key: str
    device_name: str


def signed_request(options: t.Mapping[str, t.Any], device_name: str) -> Request:
    """Check the options of a registration and sign it.

    :param options: as in ``registration_spec()``
    :raises InvalidOption: one is missing or invalid
    """
    # Imported lazily: gateways send a signed request and never load this.
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.signing import registration_body

    product_key, product_secret = check_registration(options, device_name)
    url = register_url(options["region"], options["endpoint"])
    body = registration_body(product_key, product_secret, device_name, options["sign_method"])
    return Request(url, body, product_key, device_name)


def check_registration(options: t.Mapping[str, t.Any], device_name: str) -> tuple[str, str]:
    """Return ProductKey and ProductSecret, once the options that every transport needs are checked.

    :raises InvalidOption: one of them is missing or invalid
    """
    product_key = check_product_key(options["product_key"])
    product_secret = check_product_secret(options["product_secret"])
    check_device_name(device_name)
    check_seconds(options, "timeout", "retry_time")
    return product_key, product_secret


def register_url(region: str | None, endpoint: str | None) -> str:
    """Return the URL to register at: ``endpoint`` if there is one, else the platform's host in ``region``.

    :param endpoint: ``host``, ``host:port`` or an ``https`` URL, with or without the path
    :raises InvalidOption: an unknown region, one that offers registration over MQTT only, or an endpoint that is no HTTPS URL
    """
    if endpoint:
        return _endpoint_url(endpoint)
    region = check_region(region, "endpoint")
    if region in MQTT_ONLY_REGIONS:
        raise InvalidOption(
            "region",
            region,
            "offers dynamic registration over MQTT only",
            "Set transport: mqtt (device_registration supports HTTPS only)",
        )
    return "https://iot-auth.%s.aliyuncs.com%s" % (region, PATH)


def _endpoint_url(endpoint: str) -> str:
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._endpoints import parse_endpoint

    hint = "Give https://HOST[:PORT]%s or HOST[:PORT]" % PATH
    parts = parse_endpoint("endpoint", endpoint, "is not a host or a plain URL", hint)
    if parts.scheme not in ("", "https"):
        raise InvalidOption(
            "endpoint", endpoint, "is not an HTTPS URL, and a DeviceSecret is sent over HTTPS only", hint
        )
    return "https://%s%s" % (parts.address, parts.path if parts.path not in ("", "/") else PATH)


def register(request: Request, post: Post, budget: float) -> Issued:
    """Send ``request`` until the platform has answered, and return what it issued.

    :param budget: seconds within which an attempt may start
    :raises FleetopsError: Refused, Throttled, BadAnswer, NetworkError, TlsError; ``may_have_registered`` is true if the
        platform may have issued a new DeviceSecret nevertheless
    """

    def attempt() -> str:
        return device_secret(request, post(request.url, request.body))

    try:
        secret, doubt = retry_noting_doubt(attempt, budget)
    except Refused as error:
        if error.code == ALREADY_ACTIVE and error.may_have_registered:
            error.hint = (
                "The answer to an earlier request of this run was lost, and since then the device has been activated or "
                "the platform issues a secret only once. " + error.hint
            )
        raise
    return Issued(secret, doubt=doubt)


def reach(request: Request, post: Post, budget: float) -> None:
    """Check that ``request`` could be sent: any answer over a verified connection will do.

    :raises FleetopsError: NetworkError or TlsError
    """

    def attempt() -> None:
        try:
            post(request.url, None)
        except FleetopsError as error:
            error.may_have_registered = False
            raise

    retry(attempt, budget)


def device_secret(request: Request, reply: HttpReply) -> str:
    """Return the DeviceSecret in ``reply``, which must be the answer to ``request``.

    :raises FleetopsError: Refused or Throttled by the platform's code, BadAnswer for anything else
    """
    what = "registration of %s at %s" % (request.device_name, request.url)
    answer = _parse(what, reply)
    code = answer["code"]
    if code != 200:
        raise _refusal(what, code, answer.get("message"), reply)
    data = answer.get("data")
    if not isinstance(data, dict):
        raise BadAnswer("%s: the answer has no data" % what, hint=WRONG_HOST)
    for name, asked in (("productKey", request.product_key), ("deviceName", request.device_name)):
        if data.get(name) != asked:
            raise BadAnswer("%s: the answer is for another %s" % (what, name), hint=WRONG_HOST)
    secret = data.get("deviceSecret")
    if not is_device_secret(secret):
        raise BadAnswer("%s: the answer contains no valid deviceSecret" % what, hint=WRONG_HOST)
    return str(secret)


WRONG_HOST = "Check endpoint, and the proxies between the host that connects and the platform; the stored credential was not changed"
# The platform's codes are far below; an integer without a limit would fill a message.
_LARGEST_CODE = 2**31


def _parse(what: str, reply: HttpReply) -> dict[str, t.Any]:
    if len(reply.body) > LONGEST_ANSWER:
        raise BadAnswer("%s: the answer is longer than %d bytes" % (what, LONGEST_ANSWER), hint=WRONG_HOST)
    try:
        answer = json.loads(reply.body.decode("utf-8"))
    except (ValueError, RecursionError):
        answer = None
    code = answer.get("code") if isinstance(answer, dict) else None
    if isinstance(code, int) and not isinstance(code, bool) and abs(code) < _LARGEST_CODE:
        return dict(answer)
    if _is_overload(reply.status):
        raise _throttled("%s: HTTP status %d" % (what, reply.status), None, reply)
    if reply.status != 200:
        raise _refused_by_http(what, reply.status)
    raise BadAnswer("%s: the answer is not the JSON that the platform sends" % what, hint=WRONG_HOST)


def _refusal(what: str, code: int, message: object, reply: HttpReply) -> FleetopsError:
    meaning, hint = CODES.get(
        code, ("the platform refused", "Look the code up in the platform's error codes for devices")
    )
    text = "%s: %s (code %d%s)" % (what, meaning, code, ", %.80r" % message if isinstance(message, str) else "")
    if code == 429 or 500 <= code < 600 or _is_overload(reply.status):
        return _throttled("%s: the platform is overloaded or failed (code %d)" % (what, code), code, reply)
    refusal = Refused(text, code=code, hint=hint)
    refusal.may_have_registered = reply.status != 200 and _may_be_processed(reply.status)
    return refusal


def _is_overload(status: int) -> bool:
    return status == 429 or status >= 500


def _may_be_processed(status: int) -> bool:
    """Return whether a server or a proxy may answer a processed request with this status. Many answer a processed form with a redirect."""
    return not 400 <= status < 500


def _throttled(text: str, code: int | None, reply: HttpReply) -> Throttled:
    error = Throttled(
        text, code=code or reply.status, hint="Run again later; if it happens again, lower forks or throttle"
    )
    error.retry_after = reply.retry_after
    error.may_have_registered = reply.status != 429 and code != 429
    return error


def _refused_by_http(what: str, status: int) -> FleetopsError:
    problem = "a redirect, which is not followed" if 300 <= status < 400 else "without the platform's JSON"
    error = BadAnswer("%s: HTTP status %d, %s" % (what, status, problem), hint=WRONG_HOST)
    error.may_have_registered = _may_be_processed(status)
    return error
