# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform's OpenAPI, over the vendor's own generic client. For the controller. PRIVATE to the collection.

The vendor's client signs, the vendor's credentials library finds the AccessKey; here stand the endpoint, the quotas, what
is tried again, and what an answer means.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    FleetopsError,
    InvalidOption,
    NotFound,
    OpenApiRefused,
    Throttled,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._http import network_error, tls_context
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._quotas import LIMITER, Limiter
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._registration import (
    HTTPS_REGIONS,
    MQTT_ONLY_REGIONS,
    check_region,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._retry import retry

VERSION = "2018-01-20"
REGIONS = tuple(sorted(HTTPS_REGIONS + MQTT_ONLY_REGIONS))
LONGEST_MESSAGE = 200

Parameters = t.Mapping[str, t.Union[str, int]]
Answer = t.Dict[str, t.Any]
# Sends (action, query, form) and returns the answer's JSON; raises whatever the vendor's client raises.
CallApi = t.Callable[[str, t.Dict[str, str], t.Dict[str, str]], Answer]

# The only codes that say that something does not exist.
NOT_THERE = ("iot.device.NotExistedDevice", "iot.prod.NotExistedProduct")

# Codes, or how they begin: what to do next.
HINTS = {
    "iot.device.NotExistedDevice": "Check the DeviceName, and add the device if it is missing",
    "iot.prod.NotExistedProduct": "Check product_key, and that region and instance_id are the product's",
    "iot.system.InstanceNotFound": "Set instance_id to the ID on the Overview page in the console; leave it out if there is none",
    "iot.Sre.IotInstanceNotFound": "Set instance_id to the ID on the Overview page in the console; leave it out if there is none",
    "iot.common.RamActionPermissionDeny": "Allow the RAM user this action (iot:ACTION) in a policy",
    "iot.common.AuthActionPermissionDeny": "Check product_key and the AccessKey: it belongs to another account",
    "iot.system.BillIsOverDue": "Settle the account's bill",
    "InvalidAccessKeyId": "Check access_key_id, and that the AccessKey is enabled in the RAM console",
    "SignatureDoesNotMatch": "Check access_key_secret: it is not the one of this AccessKey",
    "IncompleteSignature": "Check access_key_secret: it is not the one of this AccessKey",
    "InvalidSecurityToken": "Ask STS for a new token, with its AccessKey; temporary ones expire",
    "MissingSecurityToken": "Set security_token: this AccessKey is a temporary one",
    "InvalidTimeStamp": "Set this host's clock",
    "NoPermission": "Allow the RAM user this action (iot:ACTION) in a policy",
    "Forbidden": "Allow the RAM user this action (iot:ACTION) in a policy",
    "Throttling": "Set qps_share below 1 if other programs or controllers use the same account, or raise retry_time",
}


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
        secrets: t.Callable[[], t.Iterable[str | None]] = tuple,
        limiter: Limiter = LIMITER,
    ) -> None:
        self._call_api = call_api
        self._endpoint = endpoint
        self._instance_id = instance_id
        self._retry_time = retry_time
        self._qps_share = qps_share
        self._secrets = secrets
        self._limiter = limiter

    def call(self, action: str, parameters: Parameters, form: Parameters | None = None, depth: int = 0) -> Answer:
        """What the platform answers to ``action``, a JSON object. Throttling and lost answers are tried again.

        :param parameters: those of the query; IotInstanceId is added
        :param form: those that go into the body: many names don't fit into a URL
        :param depth: of a page: its number times its size
        :raises FleetopsError: OpenApiRefused, NotFound among them; Throttled, NetworkError, TlsError
        """
        query = {name: str(value) for name, value in parameters.items()}
        body = {name: str(value) for name, value in (form or {}).items()}
        if self._instance_id:
            query["IotInstanceId"] = self._instance_id

        def attempt() -> Answer:
            try:
                with self._limiter.turn(action, depth, self._qps_share):
                    answer = self._call_api(action, query, body)
            except Exception as error:  # pylint: disable=broad-except
                raise self._failure(action, query, error) from None
            if not isinstance(answer, dict) or answer.get("Success") is not True:
                raise self._refusal(action, query, answer if isinstance(answer, dict) else {})
            return answer

        return retry(attempt, self._retry_time)

    def _refusal(self, action: str, query: Parameters, answer: Answer, status: int | None = None) -> FleetopsError:
        """The platform's no, from the API itself or (with an HTTP status) from what stands in front of it."""
        code = str(answer.get("Code") or status or "no code")
        message = self._without_secrets(str(answer.get("ErrorMessage") or answer.get("Message") or ""))
        words = "%s: refused with %s" % (_about(action, query), code)
        if message and not code.startswith("Signature"):  # what the platform says there repeats the request
            words += " (%s)" % message
        if answer.get("RequestId"):
            words += ", RequestId %s" % answer["RequestId"]
        hint = next((hint for start, hint in HINTS.items() if code.startswith(start)), "").replace("ACTION", action)
        if code.startswith("Throttling") or status == 429 or (status or 0) >= 500:
            return Throttled(words, hint=hint or "Try again later", code=code)
        kind = NotFound if code in NOT_THERE else OpenApiRefused
        refusal = kind(words, hint=hint, code=code)
        refusal.data = answer.get("Data") or {}
        return refusal

    def _failure(self, action: str, query: Parameters, error: Exception) -> FleetopsError:
        """What the vendor's client raised: a refusal with an HTTP status, missing credentials, or trouble on the way."""
        cause = getattr(error, "inner_exception", None) or error
        status = getattr(cause, "status_code", None)
        if status:
            answer = dict(getattr(cause, "data", None) or {})
            answer.setdefault("Code", getattr(cause, "code", None))
            return self._refusal(action, query, answer, int(status))
        if type(cause).__name__ == "CredentialException":
            return no_credential("the AccessKey could not be renewed")
        failure = network_error("%s at https://%s" % (_about(action, query), self._endpoint), cause, "openapi_endpoint")
        failure.msg = self._without_secrets(failure.msg, 2 * LONGEST_MESSAGE)
        return failure

    def _without_secrets(self, text: str, longest: int = LONGEST_MESSAGE) -> str:
        for secret in self._secrets():
            text = text.replace(secret, "***") if secret else text
        return text if len(text) <= longest else text[:longest] + "..."


def connect(options: t.Mapping[str, t.Any]) -> OpenApi:
    """The OpenAPI with an AccessKey.

    :param options: as in ``openapi_spec()``
    :raises FleetopsError: InvalidOption; of kind missing_library, or credential where there is no AccessKey
    """
    for name, least, most in (("timeout", 1, 300), ("retry_time", 0, 3600)):
        if not least <= options[name] <= most:
            raise InvalidOption(name, options[name], "is out of range", "Use %d to %d seconds" % (least, most))
    if not 0 < options["qps_share"] <= 1:
        raise InvalidOption("qps_share", options["qps_share"], "is out of range", "Use more than 0, and 1 at the most")
    host = openapi_host(options["region"], options["openapi_endpoint"])
    tls_context(options["ca_path"], True)  # the vendor's client would take a bad file for trouble on the way
    try:
        import logging

        from alibabacloud_tea_openapi.client import Client
        from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
        from darabonba.runtime import RuntimeOptions
    except ImportError as error:
        raise missing_library(error) from None
    # With DEBUG=sdk in the environment it prints every header, and a security token is one.
    logging.getLogger("darabonba-core").setLevel(logging.WARNING)
    credential = find_credential(options)
    milliseconds = options["timeout"] * 1000
    client = Client(
        Config(
            credential=credential,
            endpoint=host,
            protocol="HTTPS",
            ca=options["ca_path"] or None,
            connect_timeout=milliseconds,
            read_timeout=milliseconds,
            tls_min_version="TLSv1.2",
            user_agent="fleetops.aliyun_iot",
        )
    )

    def call_api(action: str, query: dict[str, str], form: dict[str, str]) -> Answer:
        params = Params(
            action=action,
            version=VERSION,
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        request = OpenApiRequest(query=query, body=form or None)
        return t.cast(Answer, client.call_api(params, request, RuntimeOptions())["body"])

    def secrets() -> t.Iterable[str | None]:
        found = credential.get_credential()
        return found.access_key_secret, found.security_token

    return OpenApi(
        call_api,
        endpoint=host,
        instance_id=options["instance_id"] or "",
        retry_time=options["retry_time"],
        qps_share=options["qps_share"],
        secrets=secrets,
    )


def find_credential(options: t.Mapping[str, t.Any]) -> t.Any:
    """The vendor's credentials client, with an AccessKey at hand: the options', the profile's, or the default chain's."""
    key_id, secret, token, profile = (
        options[name] or None for name in ("access_key_id", "access_key_secret", "security_token", "profile")
    )
    if bool(key_id) != bool(secret) or (token and not key_id):
        missing = "access_key_secret" if key_id else "access_key_id"
        raise InvalidOption(missing, None, "is missing", "Give both halves of the AccessKey, or neither")
    if key_id and profile:
        raise InvalidOption("profile", profile, "stands beside access_key_id", "Give one of them")
    try:
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.models import Config
        from alibabacloud_credentials.provider import CLIProfileCredentialsProvider, ProfileCredentialsProvider
    except ImportError as error:
        raise missing_library(error) from None

    def usable(client: t.Any) -> t.Any:
        client.get_credential()
        return client

    try:
        if key_id:
            kind = "sts" if token else "access_key"
            return usable(
                Client(Config(type=kind, access_key_id=key_id, access_key_secret=secret, security_token=token))
            )
        if not profile:
            return usable(Client())
        try:
            return usable(Client(provider=CLIProfileCredentialsProvider(profile_name=profile)))
        except Exception:  # pylint: disable=broad-except
            return usable(Client(provider=ProfileCredentialsProvider(profile_name=profile)))
    except Exception:  # pylint: disable=broad-except
        # What the library says may hold what it has read.
        raise no_credential(
            "profile %r holds no AccessKey that can be used" % profile
            if profile
            else "no AccessKey was given, and none was found"
        ) from None


def no_credential(problem: str) -> FleetopsError:
    return FleetopsError(
        "OpenAPI: " + problem,
        hint="Set access_key_id and access_key_secret, or profile, or ALIBABA_CLOUD_ACCESS_KEY_ID and "
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET in the environment, or run on a host with a RAM role",
        kind="credential",
    )


def missing_library(error: ImportError) -> FleetopsError:
    return FleetopsError(
        "the OpenAPI needs the Python libraries alibabacloud-tea-openapi and alibabacloud-credentials (%s)" % error.msg,
        hint="Install them for the Python that runs this module (%s): pip install alibabacloud-tea-openapi "
        "alibabacloud-credentials" % _python(),
        kind="missing_library",
    )


def openapi_host(region: str | None, endpoint: str | None) -> str:
    """``HOST[:PORT]`` to call: ``endpoint`` if there is one, else the platform's host in ``region``.

    :raises InvalidOption: an unknown region, or an endpoint that is no host
    """
    if not endpoint:
        return "iot.%s.aliyuncs.com" % check_region(region, REGIONS, "openapi_endpoint")
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(endpoint if "://" in endpoint else "https://" + endpoint)
        valid = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if (
        not valid
        or parts.netloc != endpoint.split("://")[-1].rstrip("/")
        or "@" in endpoint
        or not endpoint.isprintable()
    ):
        raise InvalidOption("openapi_endpoint", endpoint, "is not a host", "Give HOST[:PORT]; it is called over HTTPS")
    return parts.netloc


def numbered(name: str, values: t.Iterable[str]) -> dict[str, str]:
    """A list as the OpenAPI takes it: ``Name.1``, ``Name.2`` and so on."""
    return {"%s.%d" % (name, number): value for number, value in enumerate(values, 1)}


def _about(action: str, query: Parameters) -> str:
    """What was attempted, on what."""
    names = ("DeviceName", "ProductName", "ProductKey", "ApplyId", "JobId")
    return " ".join([action, *("%s=%s" % (name, query[name]) for name in names if name in query)])


def _python() -> str:
    import sys

    return sys.executable
