# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results and diffs, without secrets. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import (
    Plan,
    Wanted,
    is_unproven,
    stored_identity,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Look

# Placeholder in a diff for values that are only known after the run.
NEW = "(new)"


def result(wanted: Wanted, found: Look, plan: Plan) -> dict[str, t.Any]:
    """Return the fields of every result: the reason, the path, and the stored credential."""
    entry, credential = found.entry, found.credential
    root = {"mqtt_root": wanted.root.report(found.has_root)} if wanted.root and found.has_root is not None else {}
    identity = {name: getattr(credential, name, None) for name in ("product_key", "device_name", "kind")}
    return {
        "reason": plan.reason,
        "registered": False,
        "path": found.path,
        "product_key": wanted.product_key,
        "device_name": wanted.device_name,
        "device_name_from": wanted.device_name_from,
        "device_name_proven": wanted.device_name_proven,
        "fingerprint": credential.fingerprint if credential else None,
        "credential": identity if credential else None,
        "owner": entry.user if entry else None,
        "group": entry.group if entry else None,
        "mode": "%04o" % entry.permissions if entry else None,
        "proven": False if is_unproven(found, wanted) else None,
        "due": found.due,
        **root,
    }


def outcome_of(result: t.Mapping[str, t.Any]) -> str:
    """Return the outcome of a result: ok, changed, failed or unreachable."""
    if result.get("unreachable"):
        return "unreachable"
    return "failed" if result.get("failed") else "changed" if result.get("changed") else "ok"


def failed(known: t.Mapping[str, t.Any], error: FleetopsError) -> dict[str, t.Any]:
    """Return the result of a task that failed.

    :param known: what was known before, as from :func:`result`
    """
    done = {"changed": error.registered, "registered": error.registered}
    return dict(known, **done, failed=True, msg=str(error), error=error.as_result())


def without_diff(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a result for a run without ``--diff``.

    The diff of an unfinished change stays, because :func:`word_of` tells by it whether files were changed.
    """
    if result.get("reason") == "unfinished":
        return dict(result)
    return {name: value for name, value in result.items() if name != "diff"}


def diff(found: Look, wanted: Wanted, plan: Plan, after: Look | None) -> dict[str, t.Any]:
    """Return a diff of the credential and its exports; without ``after``, with the state that a run would leave."""
    return {
        "before_header": found.path,
        "after_header": found.path,
        "before": _shown(found, wanted),
        "after": _shown(after, wanted) if after else _foreseen(found, wanted, plan),
    }


def _shown(found: Look, wanted: Wanted) -> dict[str, t.Any]:
    shown: dict[str, t.Any] = {"state": "absent"}
    if found.entry:
        shown = {
            "state": "present",
            "owner": found.entry.user,
            "group": found.entry.group,
            "mode": "%04o" % found.entry.permissions,
            "product_key": found.credential.product_key if found.credential else None,
            "device_name": found.credential.device_name if found.credential else None,
            "fingerprint": found.credential.fingerprint if found.credential else None,
        }
    if found.journal and found.journal.intent == "reset" and not found.journal.mark:
        shown["reset_intended"] = True
    elif (found.journal and found.journal.mark != "unproven") or found.leftover:
        shown["interrupted"] = True
    exports = {}
    for number, place in sorted(found.places.items()):
        entry = found.entries.get(number)
        content = "right" if found.exports.get(number) == wanted.exports[number - 1].digest else "other"
        if entry:
            exports[place] = "%s:%s %04o, %s content" % (entry.user, entry.group, entry.permissions, content)
    return dict(shown, exports=exports) if found.places else shown


def _foreseen(found: Look, wanted: Wanted, plan: Plan) -> dict[str, t.Any]:
    exports = dict.fromkeys(found.places.values(), "absent")
    if plan.step == "remove":
        return {"state": "absent", "exports": {}} if exports else {"state": "absent"}
    before = _shown(found, wanted)
    if plan.step == "prepare_reset":
        return dict(before, reset_intended=True)
    entry = found.entry
    shown: dict[str, t.Any] = {
        "state": "present",
        # By default they are the remote user's, whose names are only known after the run.
        "owner": wanted.owner or (entry.user if entry and entry.uid == found.uid else NEW),
        "group": wanted.group or (entry.group if entry and entry.gid == found.gid else NEW),
        "mode": "%04o" % wanted.mode,
        "product_key": wanted.product_key,
        "device_name": wanted.device_name,
        "fingerprint": _fingerprint_after(found, wanted, plan),
    }
    if found.places:
        shown["exports"] = dict(before["exports"])
        for number in plan.exports:
            shown["exports"][found.places[number]] = NEW
    return shown


def _fingerprint_after(found: Look, wanted: Wanted, plan: Plan) -> str:
    if plan.step == "store":
        return NEW
    if plan.step == "finish" and (stored := stored_identity(found, wanted)):
        return stored.fingerprint
    return found.credential.fingerprint if found.credential else NEW
