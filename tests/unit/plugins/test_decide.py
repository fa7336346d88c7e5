# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the decision about the state of a gateway: every reason, and every path that is refused."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import Any

import pytest
from looks import (
    NEW,
    OTHER_NAME,
    OTHER_PRODUCT,
    OURS,
    PATH,
    TOKEN,
    export,
    file,
    found,
    journal,
    marked,
    provisioned,
    wanted,
)

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    InvalidOption,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import Plan, decide
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._look import Entry, Journal, Look
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._tools import lacks

ONE, TWO = export(1), export(2)
PLACES = {1: ONE.dest, 2: TWO.dest}
EXPORTED = {1: file(0o640), 2: file(0o640)}
DIGESTS = {1: ONE.digest, 2: TWO.digest}


def exported(entry: Entry | None = None, **changes: Any) -> Look:
    return provisioned(entry, **{"entries": EXPORTED, "places": PLACES, "exports": DIGESTS, **changes})


# Every reason


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (found(), Plan("missing", "store")),
        (found(file()), Plan("unreadable", "store")),
        (provisioned(), Plan("up_to_date", "nothing")),
        (provisioned(credential=OTHER_NAME), Plan("identity_changed", "store")),
        (provisioned(credential=OTHER_PRODUCT), Plan("identity_changed", "store")),
        (provisioned(credential=TOKEN), Plan("identity_changed", "store")),
        (provisioned(file(0o644)), Plan("attributes", "repair")),
        (provisioned(file(0o400)), Plan("attributes", "repair")),
        (provisioned(file(0o4600)), Plan("attributes", "repair")),
        (provisioned(file(acl=True)), Plan("attributes", "repair")),
        # Begun: no new secret is stored.
        (found(journal=journal()), Plan("interrupted", "store")),
        (provisioned(journal=journal()), Plan("interrupted", "store")),
        (provisioned(journal=marked("stored", NEW)), Plan("interrupted", "store")),
        # A journal that cannot be read: the worst case.
        (found(journal=Journal()), Plan("interrupted", "store")),
        (provisioned(journal=Journal()), Plan("interrupted", "store")),
        # Stored: a journal has this mark for the installed or the staged credential.
        (provisioned(journal=marked("stored", OURS)), Plan("interrupted", "finish")),
        (provisioned(journal=marked("stored", NEW), staged=NEW), Plan("interrupted", "finish")),
        (found(journal=marked("stored", NEW), staged=NEW), Plan("interrupted", "finish")),
        (found(file(), journal=marked("stored", NEW), staged=NEW), Plan("interrupted", "finish")),
        # Stored: a complete credential of the device is staged, with any journal or none.
        (found(staged=NEW), Plan("interrupted", "finish")),
        (provisioned(staged=NEW), Plan("interrupted", "finish")),
        (provisioned(staged=OURS), Plan("interrupted", "finish")),
        (provisioned(staged=NEW, journal=journal()), Plan("interrupted", "finish")),
        (provisioned(staged=NEW, journal=Journal()), Plan("interrupted", "finish")),
        (provisioned(staged=NEW, journal=marked("unproven", OURS)), Plan("interrupted", "finish")),
        (provisioned(staged=NEW, journal=marked("dead", OURS)), Plan("interrupted", "finish")),
        (provisioned(credential=OTHER_NAME, staged=NEW), Plan("interrupted", "finish")),
        # Unproven: complete except for a login, if the mark is for the installed credential.
        (provisioned(journal=marked("unproven", OURS)), Plan("up_to_date", "nothing")),
        (provisioned(file(0o644), journal=marked("unproven", OURS)), Plan("attributes", "repair")),
        (provisioned(journal=marked("unproven", NEW)), Plan("interrupted", "store")),
        (found(journal=marked("unproven", OURS)), Plan("interrupted", "store")),
        (provisioned(credential=OTHER_NAME, journal=marked("unproven", OTHER_NAME)), Plan("interrupted", "store")),
        # Dead: registered again.
        (provisioned(journal=marked("dead", OURS)), Plan("interrupted", "store")),
        (provisioned(journal=marked("dead", NEW), staged=NEW), Plan("interrupted", "store")),
        (found(journal=marked("dead", OURS)), Plan("interrupted", "store")),
        # Leftovers without a credential of the wanted device only have to be removed.
        (provisioned(leftover=True), Plan("interrupted", "repair")),
        (provisioned(leftover=True, staged=OTHER_NAME), Plan("interrupted", "repair")),
        (provisioned(leftover=True, staged=TOKEN), Plan("interrupted", "repair")),
        (provisioned(file(0o644), leftover=True), Plan("interrupted", "repair")),
        (provisioned(leftover=True, journal=marked("unproven", OURS)), Plan("interrupted", "repair")),
        (found(leftover=True), Plan("missing", "store")),
        (found(leftover=True, staged=OTHER_NAME), Plan("missing", "store")),
        (provisioned(journal=marked("stored", NEW), staged=OTHER_NAME), Plan("interrupted", "store")),
        # The stored credential is not of the device that is wanted now.
        (provisioned(credential=OTHER_NAME, journal=marked("stored", OTHER_NAME)), Plan("interrupted", "store")),
        (found(journal=marked("stored", OTHER_NAME), staged=OTHER_NAME), Plan("interrupted", "store")),
    ],
)
def test_reasons(gateway: Look, plan: Plan) -> None:
    assert decide(gateway, wanted()) == plan


@pytest.mark.parametrize(
    ("entry", "changes", "reason"),
    [
        (file(), {"owner": "root", "group": "root"}, "up_to_date"),
        (file(), {"owner": "0", "group": "0"}, "up_to_date"),
        (file(), {"owner": "gw"}, "attributes"),
        (file(), {"group": "gw"}, "attributes"),
        (file(0o600, 1000, "gw"), {"owner": "gw"}, "up_to_date"),
        (file(0o600, 1000, "gw"), {"owner": "1000"}, "up_to_date"),
        (file(0o600, 1000, "gw"), {"owner": "root"}, "attributes"),
        (file(0o600, 0, "root", 1000, "gw"), {"group": "gw"}, "up_to_date"),
        (file(0o640), {"mode": 0o640}, "up_to_date"),
        # Without the option owner, the file must be the remote user's: any other owner could read and replace it.
        (file(0o600, 1000, "gw"), {}, "attributes"),
        (file(0o600, 0, "root", 1000, "gw"), {}, "attributes"),
        (file(0o600, 1000, "gw", 1000, "gw"), {"owner": "gw"}, "attributes"),
        (file(0o600, 1000, "gw", 1000, "gw"), {"group": "gw"}, "attributes"),
        (file(0o600, 1000, "gw", 1000, "gw"), {"owner": "gw", "group": "gw"}, "up_to_date"),
        # A name does not show the number.
        (file(0o600, 1000, "root", 0, "root"), {}, "attributes"),
        (file(0o600, 1000, "root", 0, "root"), {"owner": "0"}, "attributes"),
    ],
)
def test_attributes(entry: Entry, changes: dict[str, Any], reason: str) -> None:
    plan = decide(provisioned(entry), wanted(**changes))
    assert plan == Plan(reason, "repair" if reason == "attributes" else "nothing")


@pytest.mark.parametrize(
    ("uid", "gid", "reason"),
    [(1000, 1001, "up_to_date"), (0, 1001, "attributes"), (1000, 0, "attributes"), (0, 0, "attributes")],
)
def test_without_an_owner_it_is_the_remote_users(uid: int, gid: int, reason: str) -> None:
    gateway = provisioned(file(0o600, 1000, "gw", 1001, "iot"), uid=uid, gid=gid)
    assert decide(gateway, wanted()).reason == reason


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (exported(), Plan("up_to_date", "nothing")),
        (exported(exports={1: "other", 2: TWO.digest}), Plan("export", "repair", (1,))),
        (exported(exports={1: ONE.digest}), Plan("export", "repair", (2,))),
        (exported(exports={1: TWO.digest, 2: ONE.digest}), Plan("export", "repair", (1, 2))),
        (exported(entries={1: file(0o640)}, exports={1: ONE.digest}), Plan("export", "repair", (2,))),
        # The digest of a missing file is ignored.
        (exported(entries={1: file(0o640)}), Plan("export", "repair", (2,))),
        (exported(entries={**EXPORTED, 1: file(0o644)}), Plan("export", "repair", (1,))),
        (exported(entries={**EXPORTED, 1: file(0o640, acl=True)}), Plan("export", "repair", (1,))),
        (exported(entries={**EXPORTED, 2: file(0o640, 1000, "gw")}), Plan("export", "repair", (2,))),
        (exported(file(0o644)), Plan("attributes", "repair")),
        (exported(file(0o644), exports={}), Plan("export", "repair", (1, 2))),
        (exported(file(0o644), entries={**EXPORTED, 1: file(0o600)}), Plan("attributes", "repair", (1,))),
        (exported(credential=OTHER_NAME), Plan("identity_changed", "store", (1, 2))),
        (exported(journal=journal()), Plan("interrupted", "store", (1, 2))),
        (exported(journal=marked("stored", OURS)), Plan("interrupted", "finish", (1, 2))),
        (exported(journal=marked("unproven", OURS), exports={1: ONE.digest}), Plan("export", "repair", (2,))),
        (exported(leftover=True), Plan("interrupted", "repair", (1, 2))),
    ],
)
def test_exports(gateway: Look, plan: Plan) -> None:
    assert decide(gateway, wanted(exports=(ONE, TWO))) == plan


@pytest.mark.parametrize(
    ("owner", "group", "right"),
    [
        ("agent", None, file(0o640, 1000, "agent")),
        (None, "agent", file(0o640, 0, "root", 1000, "agent")),
        ("1000", None, file(0o640, 1000, "agent")),
    ],
)
def test_an_exports_own_attributes(owner: str | None, group: str | None, right: Entry) -> None:
    gateway = exported(places={1: ONE.dest}, exports={1: ONE.digest}, entries={1: file(0o640)})
    assert decide(gateway, wanted(exports=(export(owner=owner, group=group),))) == Plan("export", "repair", (1,))
    gateway = replace(gateway, entries={1: right})
    assert decide(gateway, wanted(exports=(export(owner=owner, group=group),))).reason == "up_to_date"


def test_an_export_is_where_its_symbolic_links_lead() -> None:
    gateway = provisioned(entries={1: file(0o640)}, places={1: "/srv/1.conf"}, exports={1: ONE.digest})
    assert decide(gateway, wanted(exports=(ONE,))).reason == "up_to_date"


# Permission to register


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (found(), Plan("forced", "store")),
        (found(file()), Plan("forced", "store")),
        (provisioned(), Plan("forced", "store")),
        (provisioned(credential=OTHER_NAME), Plan("forced", "store")),
        (provisioned(journal=journal()), Plan("forced", "store")),
        (provisioned(journal=marked("unproven", OURS)), Plan("forced", "store")),
        (provisioned(journal=marked("dead", OURS)), Plan("forced", "store")),
        (provisioned(file(0o644)), Plan("forced", "store")),
        # A secret that may be the only valid one is installed before another one is requested.
        (provisioned(journal=marked("stored", OURS)), Plan("interrupted", "finish")),
        (provisioned(staged=NEW), Plan("interrupted", "finish")),
        (found(staged=NEW, journal=journal()), Plan("interrupted", "finish")),
    ],
)
def test_register_always(gateway: Look, plan: Plan) -> None:
    assert decide(gateway, wanted(register="always")) == plan


@pytest.mark.parametrize(
    ("gateway", "reason"),
    [
        (found(), "missing"),
        (found(file()), "unreadable"),
        (provisioned(credential=OTHER_NAME), "identity_changed"),
        (provisioned(journal=journal()), "interrupted"),
        (found(journal=journal()), "interrupted"),
        (provisioned(journal=marked("dead", OURS)), "interrupted"),
    ],
)
def test_register_never_says_what_is_needed(gateway: Look, reason: str) -> None:
    assert decide(gateway, wanted(register="never")) == Plan(reason, "refuse")


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (provisioned(), Plan("up_to_date", "nothing")),
        (provisioned(file(0o644)), Plan("attributes", "repair")),
        (provisioned(journal=marked("stored", OURS)), Plan("interrupted", "finish")),
        (provisioned(journal=marked("unproven", OURS)), Plan("up_to_date", "nothing")),
        (found(journal=marked("stored", NEW), staged=NEW), Plan("interrupted", "finish")),
        (found(staged=NEW), Plan("interrupted", "finish")),
    ],
)
def test_register_never_repairs_what_needs_no_registration(gateway: Look, plan: Plan) -> None:
    assert decide(gateway, wanted(register="never")) == plan


# The follow-up of a change

DUE = "0123456789abcdef"


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (provisioned(due=DUE), Plan("unfinished", "nothing")),
        (provisioned(due="unknown"), Plan("unfinished", "nothing")),
        (provisioned(due=DUE, journal=marked("unproven", OURS)), Plan("unfinished", "nothing")),
        (provisioned(file(0o644), due=DUE), Plan("unfinished", "repair")),
        # Reasons for which handlers run anyway.
        (found(due=DUE), Plan("missing", "store")),
        (provisioned(credential=OTHER_NAME, due=DUE), Plan("identity_changed", "store")),
        (provisioned(journal=journal(), due=DUE), Plan("interrupted", "store")),
        (provisioned(journal=marked("stored", OURS), due=DUE), Plan("interrupted", "finish")),
        (provisioned(leftover=True, due=DUE), Plan("interrupted", "repair")),
    ],
)
def test_what_has_still_to_follow(gateway: Look, plan: Plan) -> None:
    assert decide(gateway, wanted(follow_up=True)) == plan


@pytest.mark.parametrize("gateway", [provisioned(due=DUE), provisioned(file(0o644), due=DUE)])
def test_what_has_to_follow_is_for_who_has_handlers(gateway: Look) -> None:
    assert decide(gateway, wanted()) == decide(replace(gateway, due=None), wanted())


def test_what_has_to_follow_is_not_proved_before_a_reset() -> None:
    plan = decide(provisioned(due=DUE), wanted(state="reset_intended", follow_up=True))
    assert plan == Plan("reset_intended", "prepare_reset")


# Absent


@pytest.mark.parametrize("register", ["if_needed", "always", "never"])
@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (found(), Plan("up_to_date", "nothing")),
        (found(places=PLACES), Plan("up_to_date", "nothing")),
        (found(file()), Plan("exists", "remove")),
        (provisioned(), Plan("exists", "remove")),
        (provisioned(credential=OTHER_NAME), Plan("exists", "remove")),
        (found(journal=journal()), Plan("exists", "remove")),
        (found(journal=Journal()), Plan("exists", "remove")),
        (provisioned(journal=marked("unproven", OURS)), Plan("exists", "remove")),
        (found(leftover=True), Plan("exists", "remove")),
        (found(due=DUE), Plan("exists", "remove")),
        (found(leftover=True, staged=NEW), Plan("exists", "remove")),
        (found(entries={1: file()}, places=PLACES), Plan("exists", "remove")),
        (found(entries={2: file()}, places=PLACES), Plan("exists", "remove")),
    ],
)
def test_absent(gateway: Look, plan: Plan, register: str) -> None:
    assert decide(gateway, wanted(state="absent", register=register, exports=(ONE, TWO))) == plan


# Unsafe paths; each script checks the directories itself


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (stat.S_IFLNK | 0o777, "is a symbolic link"),
        (stat.S_IFDIR | 0o755, "is a directory"),
        (stat.S_IFIFO | 0o600, "neither"),
        (stat.S_IFSOCK | 0o600, "neither"),
        (stat.S_IFBLK | 0o600, "neither"),
        (0o600, "neither"),
    ],
)
@pytest.mark.parametrize("place", [PATH, ONE.dest])
@pytest.mark.parametrize("state", ["present", "absent", "reset_intended"])
def test_only_a_file_is_replaced_or_removed(kind: int, words: str, place: str, state: str) -> None:
    entry = Entry(kind, 0, 0, "root", "root")
    gateway = exported(entry) if place == PATH else exported(entries={**EXPORTED, 1: entry})
    with pytest.raises(StorageError, match=words) as caught:
        decide(gateway, wanted(exports=(ONE, TWO), state=state))
    assert caught.value.kind == "unsafe_path"
    assert place in caught.value.msg


@pytest.mark.parametrize("places", [{1: PATH, 2: TWO.dest}, {1: ONE.dest, 2: PATH}, {1: ONE.dest, 2: ONE.dest}])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_two_files_in_one_place(places: dict[int, str], state: str) -> None:
    """An export at the credential's path would look like an unreadable credential, and cause a registration in every run."""
    with pytest.raises(InvalidOption, match="exports"):
        decide(exported(places=places), wanted(exports=(ONE, TWO), state=state))


@pytest.mark.parametrize("denied", [("credential",), ("staged",)])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_cannot_be_looked_at(denied: tuple[str, ...], state: str) -> None:
    with pytest.raises(StorageError, match=f"may not read the credential at {PATH}") as caught:
        decide(provisioned(denied=denied), wanted(state=state))
    assert caught.value.kind == "permission"
    assert "become" in caught.value.hint


@pytest.mark.parametrize(
    ("installer", "command"),
    [
        ("openwrt-opkg", "opkg update && opkg install coreutils-sha1sum coreutils-ls gawk"),
        ("openwrt-apk", "apk add coreutils-sha1sum coreutils-ls gawk"),
        ("apk", "apk add coreutils gawk"),
        ("apt-get", "apt-get install coreutils gawk"),
        ("", "coreutils and awk, or a BusyBox with these applets"),
    ],
)
def test_missing_tools_are_named_as_the_systems_packages_call_them(installer: str, command: str) -> None:
    error = lacks(("sha1sum", "ls", "awk"), installer)
    assert (error.kind, "lacks sha1sum, ls, awk" in error.msg, f"({command})" in error.hint) == (
        "missing_tool",
        True,
        True,
    )
