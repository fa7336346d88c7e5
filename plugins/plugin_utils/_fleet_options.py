# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the options of one host from its variables, as the role does. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from functools import cache

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2 import TemplateError

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import (
    Spec,
    gateway_credential_spec,
    gateway_recovery_spec,
    openapi_spec,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._accounts import Accounts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._names import check_facts
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._options import (
    check_lists,
    decrypted,
    not_evaluated,
    plain_text,
    plain_types,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._variables import (
    OF_ACCOUNT,
    OF_CREDENTIAL,
    OF_DEVICE,
    OF_RECOVERY,
    SECRETS,
    check_evaluated,
    check_host,
    error_with_variables,
    from_account,
    naming_variables,
    truth,
)

Variables = dict[str, t.Any]
Template = t.Callable[[t.Any], t.Any]
Options = dict[str, t.Any]

# Variables of a run that the playbooks read with a default. Ansible would also use it for a template that refers to a missing variable.
_WITH_DEFAULT = (
    *("audit_fail", "audit_report", "decommission_platform", "gateway_lease_time", "gateway_max_fail_percentage"),
    *("gateway_report", "gateway_report_to", "gateway_serial", "gateway_throttle", "platform_product_name"),
)


def credential_options(variables: Variables, template: Template, given: t.Mapping[str, t.Any]) -> Options:
    """Return the options of gateway_credential.

    :param template: evaluates the templates in a value
    :param given: options that take precedence over the variables
    :raises FleetopsError: of kind invalid_option: a variable is missing or invalid
    """
    return _options(gateway_credential_spec, OF_CREDENTIAL, variables, template, given)


def recovery_options(variables: Variables, template: Template, given: t.Mapping[str, t.Any]) -> Options:
    """Return the options of gateway_recovery, as credential_options()."""
    return _options(gateway_recovery_spec, OF_RECOVERY, variables, template, given)


def account_options(variables: Variables, template: Template) -> Options:
    """Return the options of the account and of its OpenAPI.

    :raises FleetopsError: as credential_options(), or a number is out of range
    """
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.client import check_ranges

    options = _options(openapi_spec, OF_ACCOUNT, variables, template, {})
    check_ranges(options)
    return options


def product_secret_reader(
    variables: Variables, template: Template, accounts: Accounts, product_key: str
) -> t.Callable[[], str] | None:
    """Return a function that reads ProductSecret from the host's account; None if the variables do not ask for it.

    :raises FleetopsError: InvalidOption, or as credential_options()
    """
    name = "platform_product_secret"
    value = set_value(name, variables, template)
    if not value:
        return None
    from_account(name, value)
    if set_value("gateway_product_secret", variables, template):
        raise InvalidOption(name, value, "cannot be combined with gateway_product_secret", "Remove one of them")
    account = account_options(variables, template)

    def read() -> str:
        try:
            return accounts.product_secret(account, product_key)
        except FleetopsError as error:
            raise error_with_variables(error, OF_DEVICE) from None

    return read


def product_secret_check(variables: Variables, template: Template) -> t.Callable[[str], bool] | None:
    """Return a function that compares a ProductSecret with the one in the host's variables; None if they have none.

    :raises FleetopsError: as credential_options()
    """
    name = "gateway_product_secret"
    value = str(set_value(name, variables, template) or "")
    return (lambda secret: secret == value) if value else None


def may_reset_topology(variables: Variables, template: Template) -> bool:
    """Return whether a host's variables allow a reset that deletes the topology of its gateway.

    :raises FleetopsError: as credential_options()
    """
    name = "gateway_reset_topology"
    value = set_value(name, variables, template)
    return value is not None and truth(name, value)


def needs_device(variables: Variables, template: Template) -> bool:
    """Return whether the device of a host has to be added before a registration.

    It has not for C(gateway_state=absent), and for C(gateway_auth_type=regnwl), which needs no device.

    :raises FleetopsError: as credential_options()
    """
    state, auth_type = (set_value(name, variables, template) for name in ("gateway_state", "gateway_auth_type"))
    return bool(state != "absent" and auth_type != "regnwl")


def check_run_templates(variables: Variables, template: Template) -> None:
    """Check that the templates of variables of the run can be evaluated.

    :param variables: those of the host whose values apply to the run
    :raises FleetopsError: as credential_options()
    """
    for name in _WITH_DEFAULT:
        _filled_in(name, variables.get(name), template)


def has_account(variables: Variables, template: Template) -> bool:
    """Return whether the variables name an account.

    :raises FleetopsError: as credential_options()
    """
    names = ("platform_access_key_id", "platform_profile", "platform_credentials")
    return any(set_value(name, variables, template) for name in names)


def _options(
    spec: t.Callable[[], Spec],
    names: t.Mapping[str, str],
    variables: Variables,
    template: Template,
    given: t.Mapping[str, t.Any],
) -> Options:
    check_facts(variables)
    check_host(variables, lambda name: set_value(name, variables, template))
    found = dict(given)
    for option, name in names.items():
        if option in given or name not in variables:
            continue
        value = set_value(name, variables, template)
        if value is not None:
            found[option] = plain_text(value)
    try:
        check_lists(_validator(spec).argument_spec, found)
    except InvalidOption as error:
        raise error_with_variables(error, names) from None
    result = _validator(spec).validate(found)
    if result.error_messages:
        raise FleetopsError(
            naming_variables(plain_types("; ".join(result.error_messages)), names),
            hint="Correct the variables of this host",
            kind="invalid_option",
        )
    return dict(result.validated_parameters)


def set_value(name: str, variables: Variables, template: Template) -> t.Any:
    """Return the value of a variable. It is None if the variable counts as not set: as in the role, also if it is empty or omitted.

    :raises FleetopsError: as credential_options()
    """
    value = _filled_in(name, variables.get(name), template)
    return None if value is None or value == "" or value == variables.get("omit") else value


def is_omitted(error: Exception) -> bool:
    """Return whether the error of a template says that its value is omit, as since ansible-core 2.19."""
    return type(error).__name__ == "AnsibleValueOmittedError"


@cache
def _validator(spec: t.Callable[[], Spec]) -> ArgumentSpecValidator:
    """Return the validator of a specification. It takes long to make, so it is cached."""
    return ArgumentSpecValidator(spec())


def _filled_in(name: str, value: t.Any, template: Template) -> t.Any:
    value = decrypted(value)
    if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and "{" not in value):
        return value
    try:
        filled = template(value)
    except (AnsibleError, TemplateError) as error:
        if is_omitted(error):
            return None
        # The error of ansible-core quotes the value.
        raise not_evaluated(name, "a part of it is read as a template" if name in SECRETS else str(error)) from None
    check_evaluated(name, filled)
    return filled
