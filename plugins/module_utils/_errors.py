# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception family. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

# Kinds of errors, for conditions in playbooks. The RETURN of each module lists those that it can fail with.
Kind = t.Literal[
    "bad_answer",
    "busy",
    "connection",
    "credential",
    "disabled",
    "ended_early",
    "has_devices",
    "has_sub_devices",
    "immutable",
    "in_service",
    "internal",
    "invalid_option",
    "job",
    "left_out",
    "missing_library",
    "missing_tool",
    "name_changed",
    "network",
    "no_python",
    "no_service",
    "not_accepted",
    "not_found",
    "not_proven",
    "not_restarted",
    "permission",
    "purge_maximum",
    "refused",
    "registration_needed",
    "shared_name",
    "shared_place",
    "storage",
    "throttled",
    "timeout",
    "tls",
    "unexpected_name",
    "unproven_name",
    "unreadable",
    "unsafe_path",
]

# The most characters of an option's value in a message.
SHOWN = 200

# Every hint ends with this and a heading of that guide (docs/docsite/rst/troubleshooting_guide.rst).
GUIDE = "See the troubleshooting guide: "


class FleetopsError(Exception):
    """An error for operators: what was attempted, what failed, and what to do next.

    ``kind`` is stable and meant for conditions in playbooks, ``code`` is the platform's own, ``hint`` is what to do next.
    ``may_have_registered`` is true if the platform may have issued a new DeviceSecret that nobody has stored, ``registered`` if it
    has issued one, so that the old one is invalid.
    """

    kind: Kind  # set by a subclass, or else by the argument
    may_have_registered = False
    registered = False

    def __init__(self, msg: str, *, hint: str = "", code: int | str | None = None, kind: Kind | None = None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.hint = hint
        self.code = code
        self.kind = kind or self.kind

    def __str__(self) -> str:
        return self.msg + ". " + self.advice

    @property
    def quoted(self) -> str:
        """Return the message and the hint for the message of another error, which adds a reference of its own."""
        return self.msg + (". " + self.hint if self.hint else "")

    @property
    def advice(self) -> str:
        """Return the hint as users see it: it ends with a reference to the page that explains every kind and code."""
        heading = self.kind if self.code is None else "%s %s" % (self.kind, self.code)
        end = "" if not self.hint else " " if self.hint.endswith((".", "?", "!")) else ". "
        return self.hint + end + GUIDE + heading

    def as_result(self) -> dict[str, t.Any]:
        """Return the C(error) of a result: ``kind``, ``code``, ``message``, ``hint``."""
        return {"kind": self.kind, "code": self.code, "message": self.msg, "hint": self.advice}


class InvalidOption(FleetopsError):
    """An invalid or missing option; ``value`` is None if it is missing or must not be shown."""

    kind = "invalid_option"

    def __init__(self, option: str, value: object, problem: str, hint: str) -> None:
        shown = "" if value is None else _shortened(value) + " "
        super().__init__("%s: %s%s" % (option, shown, problem), hint=hint)


def _shortened(value: object) -> str:
    """Return a value for a message, of a long one only the beginning."""
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= SHOWN:
        return repr(value)
    begin = repr(text[:SHOWN]) if isinstance(value, str) else text[:SHOWN]
    return "%s ... (%d characters)" % (begin, len(text))


class InternalError(FleetopsError):
    """A bug in this collection; ``where`` is the exception's type and the places that raised it."""

    kind = "internal"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(
            "a mistake in the collection fleetops.aliyun_iot: %s" % where,
            hint="Please report this message at https://github.com/fleetops/aliyun_iot/issues. Running again is safe: it "
            "finishes what was begun",
        )


def internal(error: BaseException) -> InternalError:
    """Return the error to raise or report in place of an unexpected exception.

    It contains the exception's type and the file and line that raised it, in the collection and in a library, but not its text, which
    may contain a secret.
    """
    places = []
    trace = error.__traceback__
    while trace:
        places.append("%s:%d" % (trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [place for place in places if "/aliyun_iot/plugins/" in place]
    shown = ["/".join(place.split("/")[-3:]) for place in dict.fromkeys(own[-1:] + places[-1:])]
    return InternalError("%s at %s" % (type(error).__name__, ", in ".join(shown) or "an unknown place"))


class StorageError(FleetopsError):
    """An operation on the gateway failed, or a file of the controller could not be written."""

    kind = "storage"


class BusyError(FleetopsError):
    """Another run is changing the same gateway, or the lease of this run ends too soon."""

    kind = "busy"


class RetryableError(FleetopsError):
    """An error after which a retry may succeed; ``retry_after`` is the platform's, in seconds."""

    retry_after: float | None = None


class NetworkError(RetryableError):
    """No answer, or an incomplete one."""

    kind = "network"


class TlsError(FleetopsError):
    """The endpoint's certificate was not accepted, or there was no TLS connection."""

    kind = "tls"


class BadAnswer(FleetopsError):
    """An answer that is not a valid answer of the platform to the request."""

    kind = "bad_answer"
    may_have_registered = True


class Refused(FleetopsError):
    """The platform refused the request; ``code`` is its reason."""

    kind: Kind = "refused"


class OpenApiRefused(Refused):
    """The OpenAPI refused the call; ``data`` is the data of its answer."""

    data: t.Mapping[str, t.Any] = {}


class NotFound(OpenApiRefused):
    """The device or the product does not exist, according to the OpenAPI."""

    kind = "not_found"


class Throttled(RetryableError):
    """The platform is overloaded, or limits the rate of requests."""

    kind = "throttled"


class NoTunnel(OSError):
    """The proxy cannot be used, or did not connect; ``status`` is that of its answer, 0 if there was none."""

    def __init__(self, problem: str, status: int = 0) -> None:
        super().__init__(problem)
        self.status = status
