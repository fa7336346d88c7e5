# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's OpenAPI. For the controller. PRIVATE to the collection.

The vendor's library signs, and the vendor's credentials library finds the AccessKey. This module adds the endpoint, the quotas, retries,
and the meaning of answers.
"""

from __future__ import annotations

import os
import ssl
import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import check_seconds, clock
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._endpoints import parse_endpoint
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BadAnswer,
    BusyError,
    FleetopsError,
    InvalidOption,
    NotFound,
    OpenApiRefused,
    Throttled,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import HttpReply
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import (
    CODE,
    HINT,
    LONGEST_TEXT,
    OpenApiAnswer,
    parse,
    valid_texts,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.quotas import LIMITER, Limiter
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.wire import (
    LONGEST_ANSWER,
    AccessKey,
    CallApi,
    Masked,
    NoAccessKey,
    access_key,
    caller,
    from_vendor,
    is_usable,
    missing_library,
    no_credential,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import check_instance_id, check_region
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._retry import retry
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._text import clean
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._tls import (
    TROUBLE,
    Trouble,
    network_error,
    tls_context,
    trust,
)

LONGEST_CODE = 100

Parameters = t.Mapping[str, t.Union[str, int]]

# The only codes that mean that the device or the product does not exist.
NOT_THERE = ("iot.device.NotExistedDevice", "iot.prod.NotExistedProduct")

# Hints, by code or by the beginning of a code.
HINTS = {
    "iot.device.NotExistedDevice": "Check the DeviceName, and add the device if it is missing",
    "iot.prod.NotExistedProduct": "Check product_key, and that region and instance_id are the product's",
    "iot.system.InstanceNotFound": "Set instance_id to the ID on the Overview page in the console; leave it out if there is none",
    "iot.Sre.IotInstanceNotFound": "Set instance_id to the ID on the Overview page in the console; leave it out if there is none",
    "iot.common.RamActionPermissionDeny": "Allow the RAM user this action (iot:ACTION) in a policy",
    "iot.common.AuthActionPermissionDeny": "Check product_key and the AccessKey: the product belongs to another account",
    "iot.system.BillIsOverDue": "Settle the account's bill",
    "InvalidAccessKeyId": "Check access_key_id, and that the AccessKey is enabled in the RAM console",
    "SignatureDoesNotMatch": "Check access_key_secret: it is not the one of this AccessKey",
    "IncompleteSignature": "Check access_key_secret: it is not the one of this AccessKey",
    "InvalidSecurityToken": "Request a new temporary AccessKey with its token from STS; they expire",
    "MissingSecurityToken": "Set security_token: this AccessKey is a temporary one",
    "InvalidTimeStamp": "Set this host's clock",
    "NoPermission": "Allow the RAM user this action (iot:ACTION) in a policy",
    "Forbidden": "Allow the RAM user this action (iot:ACTION) in a policy",
    "MissingNetType": "Set net_type, which data_format requires",
    "iot.prod.InvalidFormattedProductName": "Correct product_name: 4 to 30 letters, digits, parentheses and _ - @",
    "iot.prod.LongProductDesc": "Shorten description to 100 characters",
    "iot.prod.AlreadyExistedProductName": "Set another product_name: a product of the account has this one",
    "Throttling": "Set qps_share below 1 if other programs or controllers use the same account, or raise retry_time",
}


# The hint after a request that may have been processed and must not be repeated.
LOST = "The platform may still process the request. Run again, which waits for the end of the lease on the gateway and finishes the change"


class OpenApi:
    """Calls actions by their names, one at a time, within the account's quotas."""

    def __init__(
        self,
        call_api: CallApi,
        *,
        endpoint: str = "",
        instance_id: str = "",
        retry_time: float = 30,
        qps_share: float = 1.0,
        secrets: t.Callable[[], t.Iterable[str]] = tuple,
        limiter: Limiter = LIMITER,
        was_sent: t.Callable[[], bool] = lambda: True,
    ) -> None:
        self._call_api = call_api
        self._endpoint = endpoint
        self._instance_id = instance_id
        self._retry_time = retry_time
        self._qps_share = qps_share
        self._secrets = secrets
        self._limiter = limiter
        self._was_sent = was_sent

    def call(
        self,
        action: str,
        parameters: Parameters,
        form: Parameters | None = None,
        depth: int = 0,
        not_after: float | None = None,
        once: bool = False,
    ) -> OpenApiAnswer:
        """Return the platform's answer to ``action``. Throttled requests and lost answers are retried.

        :param parameters: those of the query; IotInstanceId is added
        :param form: those sent in the body, since many names do not fit into a URL
        :param depth: of a page: its number times its size
        :param not_after: the value of clock() after which the request must not be sent
        :param once: do not retry after a lost answer or a server error, since the platform may still process the first request
        :raises BusyError: ``not_after`` has passed
        :raises FleetopsError: OpenApiRefused, NotFound among them; Throttled, BadAnswer, NetworkError, TlsError
        """
        query = {name: str(value) for name, value in parameters.items()}
        body = {name: str(value) for name, value in (form or {}).items()}
        if self._instance_id:
            query["IotInstanceId"] = self._instance_id

        def attempt() -> OpenApiAnswer:
            try:
                with self._limiter.turn(action, depth, self._qps_share):
                    if not_after is not None and clock() >= not_after:
                        raise BusyError(
                            "%s: too little time was left before the end of the lease on the gateway, so the request was not sent"
                            % _about(action, query),
                            hint="Run again; for a large batch, use a smaller gateway_serial or a longer gateway_lease_time",
                        )
                    reply = self._call_api(action, query, body)
            except (*TROUBLE, BadAnswer) as error:
                failure = self._failure(action, query, error)
                raise (_lost(failure) if once and self._was_sent() else failure) from None
            try:
                return self._answer(action, query, reply)
            except FleetopsError as error:
                raise (_lost(error) if once and _in_doubt(error, reply) else error) from None

        return retry(attempt, self._retry_time)

    def _answer(self, action: str, query: Parameters, reply: HttpReply) -> OpenApiAnswer:
        """Return the content of a successful reply; raise the error that any other reply means."""
        about = _about(action, query)
        if len(reply.body) > LONGEST_ANSWER:
            raise BadAnswer("%s: the answer is longer than %d bytes" % (about, LONGEST_ANSWER), hint=HINT)
        content = parse(reply.body)
        if _is_overload(reply):
            # A server in front of the API may have answered, in a form of its own.
            raise self._refusal(action, query, valid_texts(content or {}), reply)
        if 300 <= reply.status < 400:
            raise BadAnswer("%s: HTTP status %d, a redirect, which is not followed" % (about, reply.status), hint=HINT)
        if content is None:
            problem = "%s: the answer is not the JSON that the platform sends (HTTP status %d)" % (about, reply.status)
            raise BadAnswer(problem, hint=HINT)
        if content.get("Success") is True and reply.status < 400:
            return OpenApiAnswer(about, content)
        raise self._refusal(action, query, content, reply)

    def _refusal(self, action: str, query: Parameters, content: dict[str, t.Any], reply: HttpReply) -> FleetopsError:
        """Return the error for a refusal, by the API itself or (with an HTTP status) by the gateway in front of it."""
        answer, masked = OpenApiAnswer(_about(action, query), content), self._masked()
        no_code = str(reply.status) if reply.status >= 400 else "no code"
        code = clean(masked(answer.matching("Code", CODE)), LONGEST_CODE) or no_code
        words = "%s: refused with %s" % (_about(action, query), code)
        message = answer.text("ErrorMessage", masked) or answer.text("Message", masked)
        if message and not code.startswith("Signature"):  # its message repeats the whole request
            words += " (%s)" % message
        if request_id := answer.text("RequestId", masked):
            words += ", RequestId %s" % request_id
        hint = next((hint for start, hint in HINTS.items() if code.startswith(start)), "").replace("ACTION", action)
        if code.startswith("Throttling") or _is_overload(reply):
            error = Throttled(words, hint=hint or "Try again later", code=code)
            error.retry_after = reply.retry_after
            return error
        kind = NotFound if code in NOT_THERE else OpenApiRefused
        refusal = kind(words, hint=hint, code=code)
        data = content.get("Data")
        refusal.data = data if isinstance(data, dict) else {}
        return refusal

    def _failure(self, action: str, query: Parameters, error: Trouble | BadAnswer) -> FleetopsError:
        """Return the error for a request that got no usable reply: a transport error, or a bad answer."""
        what = "%s at https://%s" % (_about(action, query), self._endpoint)
        if isinstance(error, BadAnswer):
            return BadAnswer("%s: %s" % (what, error.msg), hint=HINT)
        return network_error(what, error, "openapi_endpoint", self._masked())

    def _masked(self) -> Masked:
        return Masked(self._secrets())


def _is_overload(reply: HttpReply) -> bool:
    return reply.status == 429 or reply.status >= 500


def _in_doubt(error: FleetopsError, reply: HttpReply) -> bool:
    """Return whether the platform may have processed the request although its reply is an error."""
    refused = isinstance(error, OpenApiRefused) or str(error.code).startswith("Throttling")
    return not refused and not 300 <= reply.status < 500


def _lost(error: FleetopsError) -> FleetopsError:
    """Return the final error of a request that must not be repeated."""
    return FleetopsError(error.msg, hint=LOST, code=error.code, kind=error.kind)


def check_ranges(options: t.Mapping[str, t.Any]) -> None:
    """Check the numbers of ``openapi_spec()``.

    :raises InvalidOption: one is out of range
    """
    check_seconds(options, "timeout", "retry_time")
    if not 0.01 <= options["qps_share"] <= 1:
        raise InvalidOption("qps_share", options["qps_share"], "is out of range", "Use 0.01 to 1")


def connect(options: t.Mapping[str, t.Any]) -> OpenApi:
    """Return the OpenAPI with an AccessKey.

    :param options: as in ``openapi_spec()``
    :raises FleetopsError: InvalidOption; of kind missing_library, or credential where there is no AccessKey
    """
    check_ranges(options)
    host = openapi_host(options["region"], options["openapi_endpoint"])
    context = tls_context(None, True)
    if options["ca_path"]:
        trust(context, options["ca_path"])
    credential = find_credential(options)
    keys: list[AccessKey] = []

    def key() -> AccessKey:
        keys[:] = [_usable_key(credential)]
        return keys[0]

    def secrets() -> t.Iterable[str]:
        return [part for known in keys for part in (known.secret, known.security_token)]

    try:
        import certifi

        call_api = caller(host, key, context, options["timeout"])
    except ImportError as error:
        raise missing_library(error) from None
    if not _system_has_authorities():
        trust(context, certifi.where())
    return OpenApi(
        call_api,
        endpoint=host,
        instance_id=check_instance_id(options["instance_id"]) if options["instance_id"] else "",
        retry_time=options["retry_time"],
        qps_share=options["qps_share"],
        secrets=secrets,
        was_sent=lambda: context.sent,
    )


def _system_has_authorities() -> bool:
    """Return whether the system has certificate authorities. Reading those of certifi as well would take longer than a request."""
    paths = ssl.get_default_verify_paths()
    try:
        # OpenSSL finds the files of the directory by names such as 5ad8a5d6.0, which update-ca-certificates and c_rehash give them.
        return bool(
            (paths.cafile and os.path.getsize(paths.cafile))
            or (paths.capath and any(name.endswith(".0") for name in os.listdir(paths.capath)))
        )
    except OSError:
        return False


def _usable_key(credential: t.Any) -> AccessKey:
    """Return the AccessKey to sign with.

    :raises FleetopsError: of kind credential: it could not be renewed, or cannot be sent
    """
    try:
        return access_key(credential)
    except NoAccessKey:
        raise no_credential("the AccessKey cannot be used, or could not be renewed") from None


def find_credential(options: t.Mapping[str, t.Any]) -> t.Any:
    """Return the vendor's credentials client, that has an AccessKey: the options', the profile's, or the default chain's.

    The default chain asks the metadata address of a cloud, so it is never a fallback.

    :raises FleetopsError: InvalidOption; of kind missing_library, or credential where there is no AccessKey
    """
    key_id, secret, token, profile, chain = (
        options[name] or None
        for name in ("access_key_id", "access_key_secret", "security_token", "profile", "credentials")
    )
    if bool(key_id) != bool(secret) or (token and not key_id):
        missing = "access_key_secret" if key_id else "access_key_id"
        raise InvalidOption(missing, None, "is missing", "Set access_key_id and access_key_secret, or neither")
    given = {"access_key_id": key_id, "profile": profile, "credentials": chain}
    several = [name for name, value in given.items() if value]
    if len(several) > 1:
        raise InvalidOption(several[1], given[several[1]], "cannot be combined with %s" % several[0], "Set one of them")
    if not several:
        raise no_credential("no AccessKey is set")
    try:
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.models import Config
        from alibabacloud_credentials.provider import CLIProfileCredentialsProvider, ProfileCredentialsProvider
    except ImportError as error:
        raise missing_library(error) from None

    def usable(make: t.Callable[[], t.Any]) -> t.Any:
        client = from_vendor(make)
        access_key(client)
        return client

    try:
        if key_id:
            kind = "sts" if token else "access_key"
            config = Config(type=kind, access_key_id=key_id, access_key_secret=secret, security_token=token)
            return usable(lambda: Client(config))
        if chain:
            return usable(Client)
        try:
            return usable(lambda: Client(provider=CLIProfileCredentialsProvider(profile_name=profile)))
        except NoAccessKey:
            return usable(lambda: Client(provider=ProfileCredentialsProvider(profile_name=profile)))
    except NoAccessKey:
        parts = ("access_key_id", "access_key_secret", "security_token")
        unusable = ", ".join(name for name in parts if options[name] and not is_usable(options[name]))
        problems = {
            "access_key_id": "%s contains a character that cannot be sent" % (unusable or "the AccessKey"),
            "profile": "profile %r contains no usable AccessKey" % profile,
            "credentials": "the default chain of the vendor's SDK found no AccessKey",
        }
        raise no_credential(problems[several[0]]) from None


def openapi_host(region: str | None, endpoint: str | None) -> str:
    """Return the ``HOST[:PORT]`` to call: ``endpoint`` if there is one, else the platform's host in ``region``.

    :raises InvalidOption: an unknown region, or an endpoint that is no host
    """
    if not endpoint:
        return "iot.%s.aliyuncs.com" % check_region(region, "openapi_endpoint")
    problem, hint = "is not a host", "Give HOST[:PORT]; it is called over HTTPS"
    parts = parse_endpoint("openapi_endpoint", endpoint, problem, hint)
    if parts.scheme not in ("", "https") or parts.path not in ("", "/"):
        raise InvalidOption("openapi_endpoint", endpoint, problem, hint)
    return parts.address


def numbered(name: str, values: t.Iterable[str]) -> dict[str, str]:
    """Return a list as the OpenAPI takes it: ``Name.1``, ``Name.2`` and so on."""
    return {"%s.%d" % (name, number): value for number, value in enumerate(values, 1)}


def _about(action: str, query: Parameters) -> str:
    """Return the action and the objects that it is about, for messages."""
    names = ("DeviceName", "ProductName", "ProductKey", "ApplyId", "JobId")
    known = [(name, clean(str(query[name]), LONGEST_TEXT)) for name in names if name in query]
    return " ".join([action, *("%s=%s" % pair for pair in known)])
