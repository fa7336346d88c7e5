# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check options and variables beyond their types. PRIVATE to the collection."""

from __future__ import annotations

import math
import re
import typing as t
from datetime import date

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._argspec import Spec
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._clock import check_seconds
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import check_port
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._gate import DUE

_PATH = re.compile(r"(/[A-Za-z0-9._@:+=,~ -]+)+")
# A script inspects each directory of a path. File systems allow 255 octets in a name, and that of a lock is 64 longer than its file's.
_LONGEST_PATH, _LONGEST_NAME = 1000, 180
_OWNER = re.compile(r"[A-Za-z0-9_.@$\\][A-Za-z0-9_.@$\\-]{0,255}")
_SERVICE = re.compile(r"[A-Za-z0-9_.@:\\][A-Za-z0-9_.@:\\-]{0,254}")
_MODE = re.compile(r"0[0-7]{3}")
# The types of ansible-core for values of YAML: the value's own type with a prefix.
_OF_ANSIBLE = re.compile(
    r"\b(?:ansible(?:\.\w+)*\.)?_?Ansible(?:Tagged|LazyTemplate|LazyAccess)?(Bool|Date|DateTime|Dict|Float|Int|List|Mapping|Sequence|Str|Unicode)\b"
)
# The name of the action in a message of ansible-core's validation.
_VALIDATED = re.compile(r"\(ansible_collections\.[\w.]+\) module")
# Options that are dictionaries of text.
_OF_TEXTS = ("fingerprints",)
# What YAML may have read in place of text; a boolean is a number too, and comes first.
_NESTED = ("a list", "a dictionary")
_NO_TEXT: tuple[tuple[t.Any, str], ...] = (
    (bool, "yes or no"),
    (date, "a date"),
    ((int, float), "a number"),
    (list, _NESTED[0]),
    (dict, _NESTED[1]),
)


def check_types(spec: Spec, values: t.Mapping[str, t.Any]) -> None:
    """Check the values of options, as far as ansible-core would convert them silently or not name the option.

    :raises InvalidOption: as check_texts(), check_numbers() and check_lists()
    """
    check_texts(text_options(spec), values)
    check_numbers(number_options(spec), values)
    check_lists(spec, values)


def text_options(spec: Spec) -> Spec:
    """Return the options that are text or contain it; a mode has a message of its own."""
    return {
        option: about
        for option, about in spec.items()
        if option != "mode"
        and (
            about.get("elements", about.get("type", "str")) in ("str", "path")
            or "options" in about
            or option in _OF_TEXTS
        )
    }


def bad_options(message: str, action: str) -> FleetopsError:
    """Return the error of an action whose options the validation of ansible-core has refused with ``message``.

    Ansible would show its own error with lines of the playbook, and one of them may contain a secret.
    """
    problem = plain_types(_VALIDATED.sub(lambda _found: action, message)).rstrip(".")
    return FleetopsError(problem, hint="See ansible-doc %s for the options" % action, kind="invalid_option")


def plain_text(value: t.Any) -> t.Any:
    """Return text as Python's own type, and every other value as it is.

    The validation copies each value, and the types of ansible-core for text take 40 times as long to copy.
    """
    value = decrypted(value)
    return str(value) if isinstance(value, str) else value


def decrypted(value: t.Any) -> t.Any:
    """Return the text of a value that is encrypted in place, with C(!vault), before ansible-core 2.19, and every other value as it is."""
    return str(value) if type(value).__name__ == "AnsibleVaultEncryptedUnicode" else value


def check_texts(texts: Spec, values: t.Mapping[str, t.Any], where: str = "") -> None:
    """Check that YAML or a template did not make something else of a name, a key or a secret, such as 5349 of 0012345.

    :param texts: those of ``values`` that are text or contain it, as from :func:`text_options`
    :param where: precedes the names in a message
    :raises InvalidOption: one is of another type; it is not shown, for it may be a secret
    """
    for option, about in texts.items():
        if option not in values:
            continue
        name, value = where + option, values[option]
        if "options" in about:
            for number, each in enumerate(value if isinstance(value, list) else ()):
                if isinstance(each, t.Mapping):
                    check_texts(text_options(about["options"]), each, "%s[%d]." % (name, number))
        elif about.get("type") == "dict":
            for key, each in value.items() if isinstance(value, t.Mapping) else ():
                _check_text("%s[%r]" % (name, key), each, "Use one text")
        elif about.get("type") == "list":
            for each in value if isinstance(value, list) else [value]:
                _check_text(name, each, "Use a list of texts")
        else:
            _check_text(name, value, "Use one text")


def _check_text(name: str, value: t.Any, instead: str) -> None:
    """Check one text; ``instead`` is the hint if it is a list or a dictionary."""
    if isinstance(value, str):
        return
    if kind := next((kind for types, kind in _NO_TEXT if isinstance(value, types)), None):
        hint = instead if kind in _NESTED else "Where it is set, put it into quotes, as it is written"
        raise InvalidOption(name, None, "is %s, as YAML or a template gives it, and not text" % kind, hint)


def check_lists(spec: Spec, values: t.Mapping[str, t.Any]) -> None:
    """Check that each list of dictionaries is one.

    :raises InvalidOption: one is something else, such as a date or JSON as text
    """
    for option, about in spec.items():
        value = values.get(option)
        if about.get("elements") != "dict" or value is None:
            continue
        if not isinstance(value, list) or not all(isinstance(each, t.Mapping) for each in value):
            hint = "Write it as a list of YAML, as in the examples"
            raise InvalidOption(option, None, "is not a list of dictionaries", hint)


def number_options(spec: Spec) -> tuple[str, ...]:
    """Return the options that are numbers."""
    return tuple(option for option, about in spec.items() if about.get("type") in ("int", "float"))


def check_numbers(numbers: t.Iterable[str], values: t.Mapping[str, t.Any]) -> None:
    """Check that no number is a boolean, which Ansible would read as 1 or 0, or is not finite, which it could not read as an integer.

    :param numbers: those of ``values`` that are numbers
    :raises InvalidOption: one is
    """
    for name in numbers:
        if isinstance(values.get(name), bool):
            raise InvalidOption(name, None, "is yes or no, and not a number", "Use a number")
        try:
            finite = math.isfinite(float(values.get(name, 0)))
        except OverflowError:
            finite = False
        except (TypeError, ValueError):
            continue  # ansible-core reports this, or evaluates a template first
        if not finite:
            raise InvalidOption(name, None, "is infinite, too large, or not a number", "Use a number")


def plain_types(message: str) -> str:
    """Return a message of ansible-core with the types of Python in place of those that ansible-core derives from them."""
    renamed = {"unicode": "str", "sequence": "list", "mapping": "dict"}
    return _OF_ANSIBLE.sub(lambda found: renamed.get(found[1].lower(), found[1].lower()), message)


def not_evaluated(name: str, why: str = "") -> FleetopsError:
    """Return the error of a variable of a host whose template cannot be evaluated.

    :param why: the error of ansible-core, if it quotes no secret
    """
    return FleetopsError(
        "the variable %s of this host cannot be evaluated%s" % (name, ": " + why.rstrip(".") if why else ""),
        hint="Correct it, or the variables that it refers to",
        kind="invalid_option",
    )


def check_path(option: str, path: str) -> str:
    """Return an absolute path of plain characters that names a file, and leaves room for the names of the files beside it.

    :raises InvalidOption: it is not
    """
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")) or path != path.strip():
        raise InvalidOption(
            option,
            path,
            "is not an absolute path of a file",
            "Use letters, digits and . _ @ : + = , ~ - between slashes",
        )
    if len(path) > _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in path.split("/")):
        limits = "Use at most %d characters, and at most %d between slashes" % (_LONGEST_PATH, _LONGEST_NAME)
        raise InvalidOption(option, path, "is too long", limits)
    return path


def check_owner(option: str, name: str | None) -> str | None:
    """Return a user's or group's name or number; empty is none.

    :raises InvalidOption: it is invalid
    """
    if not name:
        return None
    if not _OWNER.fullmatch(name):
        raise InvalidOption(option, name, "is not a name of a user or group", "Use a name or a number")
    return name


def check_mode(option: str, mode: str) -> int:
    """Return file permissions that give access to owner and group only.

    :raises InvalidOption: not four octal digits in quotes, or others could read a secret
    """
    if not _MODE.fullmatch(mode):
        raise InvalidOption(
            option, mode, "is not an octal mode", "Write it in quotes and with four digits, such as '0600'"
        )
    number = int(mode, 8)
    if number & 0o007:
        raise InvalidOption(option, mode, "would let every user on the gateway read the secret", "Use '0600' or '0640'")
    if not number & 0o400:
        raise InvalidOption(option, mode, "does not let the owner read the file", "Use '0600' or '0640'")
    return number


def check_service(name: t.Any) -> str | None:
    """Return the name of a service, None if it is empty.

    :raises InvalidOption: it is invalid
    """
    if not name:
        return None
    if not _SERVICE.fullmatch(name):
        raise InvalidOption(
            "service", name, "is not the name of a service", "Use a name such as agent, or agent.service"
        )
    return str(name)


def check_connection(options: t.Mapping[str, t.Any]) -> None:
    """Check the proxy, the MQTT port, and how long to wait for the gateway's clock.

    :raises InvalidOption: one of them is invalid
    """
    if options.get("proxy"):  # which needs a parser of URLs
        from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._proxy import check_proxy

        check_proxy(options["proxy"])
    check_port(options.get("mqtt_port"))
    check_seconds(options, "wait_for_clock")


def check_due(args: t.Mapping[str, t.Any]) -> str:
    """Return the option due, which state: followed_up needs.

    :raises InvalidOption: it is missing or invalid
    """
    due = args.get("due") or ""
    if args.get("state") == "followed_up" and not DUE.fullmatch(due):
        raise InvalidOption("due", due or None, "is not a value of due", "Use due of an earlier result")
    return str(due)


def check_interface(name: t.Any) -> str | None:
    """Return a network interface's name.

    :raises InvalidOption: it is invalid
    """
    if name and (not re.fullmatch(r"[A-Za-z0-9_.:@-]{1,15}", name) or name in (".", "..")):
        raise InvalidOption("device_name_interface", name, "is not a network interface", "Use a name such as eth0")
    return name or None


def check_lease(args: t.Mapping[str, t.Any]) -> None:
    """Check the options of a lease that spans several tasks.

    :raises InvalidOption: the lease is invalid or missing, the time is out of range, or no registration is allowed after the reset
    """
    if args["state"] == "reset_intended" and args.get("register") == "never":
        raise InvalidOption(
            "register",
            "never",
            "cannot be combined with a reset, after which the device has to be registered",
            "Allow it with register: if_needed. Nothing was changed",
        )
    lease = args.get("lease")
    if lease and not re.fullmatch(r"[0-9a-f]{16}", lease):
        raise InvalidOption("lease", lease, "is not a lease", "Use the lease that state: reset_intended returned")
    if args["state"] == "reset_withdrawn" and not lease:
        raise InvalidOption("lease", None, "is missing", "Use the lease that state: reset_intended returned")
    check_seconds(args, "lease_time")
