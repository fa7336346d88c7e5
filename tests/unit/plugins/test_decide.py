# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done about what was found: every reason, every unsafe place, and what holds for all of them."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from looks import KEY, NAME, NEW, OURS, PATH, directory, export, file, found, journal, provisioned, symlink, wanted

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    InvalidOption,
    StorageError,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._decide import (
    Plan,
    Step,
    Wanted,
    decide,
    lease_left,
    next_intent,
    was_refused_before,
)
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._found import Entry, Found, Identity, Journal

OTHER_NAME = Identity("3333333333333333", KEY, "OvenDevice02")
OTHER_PRODUCT = Identity("3333333333333333", "a1IoKTestP2", NAME)

ONE, TWO = export(1), export(2)
PLACES = {1: ONE.dest, 2: TWO.dest}
EXPORTED = {ONE.dest: file(0o640), TWO.dest: file(0o640)}
DIGESTS = {1: ONE.digest, 2: TWO.digest}


def exported(**changes: Any) -> Found:
    return provisioned(**{"entries": EXPORTED, "places": PLACES, "exports": DIGESTS, **changes})


# Every reason


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (found(), Plan("missing", "store")),
        (found({PATH: file()}), Plan("unreadable", "store")),
        (provisioned(), Plan("up_to_date", "nothing")),
        (provisioned(credential=OTHER_NAME), Plan("identity_changed", "store")),
        (provisioned(credential=OTHER_PRODUCT), Plan("identity_changed", "store")),
        (provisioned({PATH: file(0o644)}), Plan("attributes", "mend")),
        (provisioned({PATH: file(0o400)}), Plan("attributes", "mend")),
        (provisioned({PATH: file(0o4600)}), Plan("attributes", "mend")),
        # An open journal, and how far the interrupted change came.
        (found(journal=journal()), Plan("interrupted", "store")),
        (found(journal=Journal()), Plan("interrupted", "store")),
        (provisioned(journal=journal()), Plan("interrupted", "store")),
        (provisioned(journal=journal(), staged=NEW), Plan("interrupted", "store")),
        (provisioned(journal=journal(NEW.fingerprint)), Plan("interrupted", "store")),
        (provisioned(journal=journal(NEW.fingerprint), staged=OTHER_NAME), Plan("interrupted", "store")),
        (provisioned(journal=journal(OURS.fingerprint)), Plan("interrupted", "finish")),
        (provisioned(journal=journal(NEW.fingerprint), staged=NEW), Plan("interrupted", "finish")),
        (found(journal=journal(NEW.fingerprint), staged=NEW), Plan("interrupted", "finish")),
        (found({PATH: file()}, journal=journal(NEW.fingerprint), staged=NEW), Plan("interrupted", "finish")),
        (provisioned(leftover=True), Plan("interrupted", "finish")),
        (provisioned({PATH: file(0o644)}, leftover=True), Plan("interrupted", "finish")),
        (found(leftover=True), Plan("missing", "store")),
        # What it stored is another device's by now.
        (
            provisioned(credential=OTHER_NAME, journal=journal(OTHER_NAME.fingerprint)),
            Plan("interrupted", "store"),
        ),
        (found(journal=journal(OTHER_NAME.fingerprint), staged=OTHER_NAME), Plan("interrupted", "store")),
    ],
)
def test_reasons(gateway: Found, plan: Plan) -> None:
    assert decide(gateway, wanted()) == plan


@pytest.mark.parametrize(
    ("entry", "changes", "reason"),
    [
        (file(), {"owner": "root", "group": "root"}, "up_to_date"),
        (file(), {"owner": "0", "group": "0"}, "up_to_date"),
        (file(), {"owner": "gw"}, "attributes"),
        (file(), {"group": "gw"}, "attributes"),
        (file(0o600, 1000, "gw"), {}, "up_to_date"),
        (file(0o600, 1000, "gw"), {"owner": "gw"}, "up_to_date"),
        (file(0o600, 1000, "gw"), {"owner": "1000"}, "up_to_date"),
        (file(0o600, 1000, "gw"), {"owner": "root"}, "attributes"),
        (file(0o640), {"mode": 0o640}, "up_to_date"),
    ],
)
def test_attributes(entry: Entry, changes: dict[str, Any], reason: str) -> None:
    plan = decide(provisioned({PATH: entry}), wanted(**changes))
    assert plan == Plan(reason, "mend" if reason == "attributes" else "nothing")


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (exported(), Plan("up_to_date", "nothing")),
        (exported(exports={1: "other", 2: TWO.digest}), Plan("export", "mend", (1,))),
        (exported(exports={1: ONE.digest}), Plan("export", "mend", (2,))),
        (exported(exports={1: TWO.digest, 2: ONE.digest}), Plan("export", "mend", (1, 2))),
        (exported(entries={ONE.dest: file(0o640)}, exports={1: ONE.digest}), Plan("export", "mend", (2,))),
        (exported(entries={**EXPORTED, ONE.dest: file(0o644)}), Plan("export", "mend", (1,))),
        (exported(entries={**EXPORTED, PATH: file(0o644)}), Plan("attributes", "mend")),
        (exported(entries={**EXPORTED, PATH: file(0o644)}, exports={}), Plan("export", "mend", (1, 2))),
        (
            exported(entries={**EXPORTED, PATH: file(0o644), ONE.dest: file(0o600)}),
            Plan("attributes", "mend", (1,)),
        ),
        (exported(credential=OTHER_NAME), Plan("identity_changed", "store", (1, 2))),
        (exported(journal=journal()), Plan("interrupted", "store", (1, 2))),
        (exported(journal=journal(OURS.fingerprint)), Plan("interrupted", "finish", (1, 2))),
    ],
)
def test_exports(gateway: Found, plan: Plan) -> None:
    assert decide(gateway, wanted(exports=(ONE, TWO))) == plan


@pytest.mark.parametrize(("owner", "group"), [("agent", None), (None, "agent"), ("1000", None)])
def test_an_exports_own_attributes(owner: str | None, group: str | None) -> None:
    gateway = exported(places={1: ONE.dest}, exports={1: ONE.digest})
    assert decide(gateway, wanted(exports=(export(owner=owner, group=group),))) == Plan("export", "mend", (1,))
    right = file(0o640, 1000, "agent", 1000, "agent")
    gateway = replace(gateway, entries={**gateway.entries, ONE.dest: right})
    assert decide(gateway, wanted(exports=(export(owner=owner, group=group),))).reason == "up_to_date"


def test_an_export_is_where_its_symbolic_links_lead() -> None:
    gateway = provisioned({"/srv/1.conf": file(0o640)}, places={1: "/srv/1.conf"}, exports={1: ONE.digest})
    assert decide(gateway, wanted(exports=(ONE,))).reason == "up_to_date"


# When a registration is allowed


@pytest.mark.parametrize(
    "gateway",
    [
        found(),
        found({PATH: file()}),
        provisioned(),
        provisioned(credential=OTHER_NAME),
        provisioned(journal=journal()),
        provisioned(journal=journal(OURS.fingerprint)),
        provisioned({PATH: file(0o644)}),
    ],
)
def test_register_always(gateway: Found) -> None:
    assert decide(gateway, wanted(register="always")) == Plan("forced", "store")


@pytest.mark.parametrize(
    ("gateway", "reason"),
    [
        (found(), "missing"),
        (found({PATH: file()}), "unreadable"),
        (provisioned(credential=OTHER_NAME), "identity_changed"),
        (provisioned(journal=journal()), "interrupted"),
        (found(journal=journal()), "interrupted"),
    ],
)
def test_register_never_says_what_is_needed(gateway: Found, reason: str) -> None:
    assert decide(gateway, wanted(register="never")) == Plan(reason, "refuse")


@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (provisioned(), Plan("up_to_date", "nothing")),
        (provisioned({PATH: file(0o644)}), Plan("attributes", "mend")),
        (provisioned(journal=journal(OURS.fingerprint)), Plan("interrupted", "finish")),
        (found(journal=journal(NEW.fingerprint), staged=NEW), Plan("interrupted", "finish")),
    ],
)
def test_register_never_mends_what_needs_no_registration(gateway: Found, plan: Plan) -> None:
    assert decide(gateway, wanted(register="never")) == plan


# Absent


@pytest.mark.parametrize("register", ["if_needed", "always", "never"])
@pytest.mark.parametrize(
    ("gateway", "plan"),
    [
        (found(), Plan("absent", "nothing")),
        (found(places=PLACES), Plan("absent", "nothing")),
        (found({PATH: file()}), Plan("present", "remove")),
        (provisioned(), Plan("present", "remove")),
        (provisioned(credential=OTHER_NAME), Plan("present", "remove")),
        (found(journal=journal()), Plan("present", "remove")),
        (found(journal=Journal()), Plan("present", "remove")),
        (found(leftover=True), Plan("present", "remove")),
        (found({ONE.dest: file()}, places=PLACES), Plan("present", "remove")),
        (found({TWO.dest: file()}, places=PLACES), Plan("present", "remove")),
    ],
)
def test_absent(gateway: Found, plan: Plan, register: str) -> None:
    assert decide(gateway, wanted(state="absent", register=register, exports=(ONE, TWO))) == plan


# Places that are not safe


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (symlink(), "is a symbolic link"),
        (directory(), "is a directory"),
        (Entry(stat.S_IFIFO | 0o600, 0, 0, "root", "root"), "neither"),
        (Entry(stat.S_IFSOCK | 0o600, 0, 0, "root", "root"), "neither"),
        (Entry(stat.S_IFBLK | 0o600, 0, 0, "root", "root"), "neither"),
    ],
)
@pytest.mark.parametrize("place", [PATH, ONE.dest])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_only_a_file_is_replaced_or_removed(entry: Entry, words: str, place: str, state: str) -> None:
    with pytest.raises(StorageError, match=words) as caught:
        decide(exported(entries={**EXPORTED, place: entry}), wanted(exports=(ONE, TWO), state=state))
    assert caught.value.kind == "unsafe_path"
    assert place in caught.value.msg


@pytest.mark.parametrize(
    ("above", "entry", "words"),
    [
        ("/etc/aliyun-iot", directory(0o777), "others than its owner"),
        ("/etc/aliyun-iot", directory(0o1777), "others than its owner"),
        ("/etc/aliyun-iot", directory(0o775), "others than its owner"),
        ("/etc/aliyun-iot", directory(0o757), "others than its owner"),
        ("/etc/aliyun-iot", directory(0o755, 1000, "gw"), "belongs to gw"),
        ("/etc", directory(0o755, 1000, "gw"), "belongs to gw"),
        ("/etc/aliyun-iot", file(), "is no directory"),
        ("/etc/aliyun-iot", symlink(), "is a symbolic link"),
        ("/etc", directory(0o777), "by everyone"),
        ("/etc", file(), "is no directory"),
        ("/", directory(0o777), "by everyone"),
    ],
)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_directories_that_are_not_safe(above: str, entry: Entry, words: str, state: str) -> None:
    with pytest.raises(StorageError, match=words) as caught:
        decide(provisioned({above: entry}), wanted(state=state))
    assert caught.value.kind == "unsafe_path"
    assert f"the directory {above} " in caught.value.msg
    assert caught.value.hint


def test_the_directory_of_an_export_must_be_safe_too() -> None:
    with pytest.raises(StorageError, match="the directory /etc/agent can be written"):
        decide(exported(entries={**EXPORTED, "/etc/agent": directory(0o777)}), wanted(exports=(ONE, TWO)))


@pytest.mark.parametrize(
    ("above", "entry"),
    [
        ("/etc/aliyun-iot", directory(0o700)),
        ("/etc/aliyun-iot", directory(0o755)),
        ("/etc/aliyun-iot", directory(0o2755)),
        ("/etc", directory(0o1777)),
        ("/etc", directory(0o1757)),
        ("/", directory(0o555)),
    ],
)
def test_directories_that_are_safe(above: str, entry: Entry) -> None:
    assert decide(provisioned({above: entry}), wanted()).reason == "up_to_date"


def test_the_remote_user_may_own_the_directory() -> None:
    own = {"/etc/aliyun-iot": directory(0o755, 1000, "gw")}
    assert decide(provisioned(own, uid=1000), wanted()).reason == "up_to_date"
    with pytest.raises(StorageError, match="belongs to gw"):
        decide(provisioned(own, uid=1001), wanted())


def test_a_directory_yet_to_be_made_is_judged_by_those_above_it() -> None:
    gateway = found({"/srv": directory(0o777)}, path="/srv/a/b/device.json")
    with pytest.raises(StorageError, match="the directory /srv can be written by everyone"):
        decide(gateway, wanted())
    assert decide(found(path="/srv/a/b/device.json"), wanted()).reason == "missing"


def test_a_credential_in_the_root_directory() -> None:
    assert decide(found(path="/device.json"), wanted()).reason == "missing"
    with pytest.raises(StorageError, match="the directory / "):
        decide(found({"/": directory(0o775)}, path="/device.json"), wanted())


@pytest.mark.parametrize("places", [{1: PATH, 2: TWO.dest}, {1: ONE.dest, 2: PATH}, {1: ONE.dest, 2: ONE.dest}])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_two_files_in_one_place(places: dict[int, str], state: str) -> None:
    """An export in the credential's place would look like an unreadable credential, and cost a registration each run."""
    with pytest.raises(InvalidOption, match="exports"):
        decide(exported(places=places), wanted(exports=(ONE, TWO), state=state))


@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_cannot_be_looked_at(state: str) -> None:
    with pytest.raises(StorageError, match="may not read /etc/x, credential") as caught:
        decide(provisioned(denied=("/etc/x", "credential")), wanted(state=state))
    assert caught.value.kind == "permission"
    assert "become" in caught.value.hint


@pytest.mark.parametrize("state", ["present", "absent"])
def test_tools_that_are_missing(state: str) -> None:
    with pytest.raises(StorageError, match="lacks flock, sync") as caught:
        decide(provisioned(missing_tools=("flock", "sync")), wanted(state=state))
    assert caught.value.kind == "missing_tool"
    assert "BusyBox" in caught.value.hint


# Properties

identities = st.sampled_from([None, OURS, NEW, OTHER_NAME, OTHER_PRODUCT])
file_entries = st.builds(file, st.sampled_from([0o600, 0o640, 0o644]), st.sampled_from([0, 1000]))
places = {"/etc/agent/1.conf": file_entries, "/etc/agent/2.conf": file_entries}
journals = st.none() | st.builds(
    journal, st.sampled_from([None, OURS.fingerprint, NEW.fingerprint, OTHER_NAME.fingerprint])
)


@st.composite
def gateways(draw: st.DrawFn) -> Found:
    """Gateways whose places are safe, with a credential only where there is a file."""
    entries = {path: draw(entry) for path, entry in places.items() if draw(st.booleans())}
    if draw(st.booleans()):
        entries[PATH] = draw(file_entries)
    digests = {number: draw(st.sampled_from([DIGESTS[number], "other"])) for number in (1, 2) if draw(st.booleans())}
    return found(
        entries,
        places=PLACES,
        exports=digests,
        credential=draw(identities) if PATH in entries else None,
        staged=draw(identities),
        journal=draw(journals),
        leftover=draw(st.booleans()),
    )


tasks = st.builds(
    wanted,
    owner=st.sampled_from([None, "root", "1000"]),
    mode=st.sampled_from([0o600, 0o640]),
    exports=st.just((ONE, TWO)),
    state=st.sampled_from(["present", "present", "absent"]),
    register=st.sampled_from(["if_needed", "always", "never"]),
)


def decided(gateway: Found, task: Wanted) -> Plan | None:
    """The plan; None if a registration is needed and forbidden."""
    plan = decide(gateway, task)
    return None if plan.step == "refuse" else plan


def is_wanted(gateway: Found, task: Wanted) -> bool:
    """Whether nothing is left to do, said in other words than decide's."""
    if gateway.leftover:
        return False
    there = [path for path in (PATH, ONE.dest, TWO.dest) if path in gateway.entries]
    if task.state == "absent":
        return not there and not gateway.journal
    credential = gateway.credential
    return (
        gateway.journal is None
        and credential is not None
        and credential.product_key == KEY
        and credential.device_name == NAME
        and len(there) == 3
        and gateway.exports == DIGESTS
        and [stat.S_IMODE(gateway.entries[path].mode) for path in there] == [task.mode, 0o640, 0o640]
        and (task.owner is None or {"root": 0, "1000": 1000}[task.owner] == gateway.entries[PATH].uid)
    )


def carried_out(gateway: Found, task: Wanted, plan: Plan) -> Found:
    """The gateway after the plan's step."""
    entries = {path: entry for path, entry in gateway.entries.items() if entry.is_directory}
    if plan.step == "nothing":
        return gateway
    if plan.step == "remove":
        return found(entries, places=PLACES)
    stored = gateway.journal.stored if gateway.journal else None
    credential = {
        "store": Identity("4444444444444444", task.product_key, task.device_name),
        "finish": gateway.staged if gateway.staged and gateway.staged.fingerprint == stored else gateway.credential,
    }.get(plan.step, gateway.credential)
    entries = dict(gateway.entries)
    entries[PATH] = file(task.mode, int((task.owner or "0").replace("root", "0")))
    digests = dict(gateway.exports)
    for number in plan.exports:
        entries[PLACES[number]] = file(0o640)
        digests[number] = DIGESTS[number]
    return found(entries, places=PLACES, exports=digests, credential=credential)


@given(gateways(), tasks)
def test_nothing_is_done_exactly_when_all_is_as_wanted(gateway: Found, task: Wanted) -> None:
    plan = decided(gateway, task)
    nothing = plan is not None and plan.step == "nothing"
    forced = task.register == "always" and task.state == "present"
    assert nothing is (is_wanted(gateway, task) and not forced)
    if nothing:
        assert plan == Plan("absent" if task.state == "absent" else "up_to_date", "nothing")


@given(gateways(), tasks)
def test_a_second_run_does_nothing(gateway: Found, task: Wanted) -> None:
    plan = decided(gateway, task)
    if plan:
        again = decide(carried_out(gateway, task, plan), replace(task, register="never"))
        assert again.step == "nothing"


@given(gateways(), tasks)
def test_a_registration_happens_only_where_it_is_allowed_and_needed(gateway: Found, task: Wanted) -> None:
    plan = decided(gateway, task)
    registers = plan is not None and plan.step == "store"
    if task.register == "never" or task.state == "absent":
        assert not registers
    elif task.register == "always":
        assert registers
    else:
        assert plan is not None
        kept = gateway.credential in (OURS, NEW) and not gateway.journal
        stored = gateway.journal.stored if gateway.journal else None
        safe = any(
            identity in (OURS, NEW) and identity is not None and identity.fingerprint == stored
            for identity in (gateway.credential, gateway.staged)
        )
        assert registers is not (kept or safe)


@given(gateways(), tasks)
def test_what_was_interrupted_is_never_left_alone(gateway: Found, task: Wanted) -> None:
    plan = decided(gateway, task)
    if (gateway.journal or gateway.leftover) and plan:
        assert plan.step in ("store", "finish", "remove")


@given(gateways(), tasks)
def test_exports_follow_the_credential(gateway: Found, task: Wanted) -> None:
    plan = decided(gateway, task)
    if plan and plan.step in ("store", "finish"):
        assert plan.exports == (1, 2)
    elif plan and plan.step != "mend":
        assert plan.exports == ()


@given(gateways(), tasks, st.sampled_from([directory(0o777), directory(0o755, 7, "x"), symlink(), file()]))
def test_nothing_is_planned_in_an_unsafe_place(gateway: Found, task: Wanted, entry: Entry) -> None:
    unsafe = replace(gateway, entries={**gateway.entries, "/etc/aliyun-iot": entry})
    with pytest.raises(StorageError) as caught:
        decide(unsafe, task)
    assert caught.value.kind == "unsafe_path"


# The lease: taken at 990 for 80 seconds, it is 1000 on the gateway's clock


def asked(calls: list[tuple[int, str]], answer: bool) -> Any:
    def alive(number: int, start: str) -> bool:
        calls.append((number, start))
        return answer

    return alive


@pytest.mark.parametrize(
    ("fields", "changes", "left"),
    [
        ({"holder": "there"}, {}, 70),
        ({"holder": "there"}, {"uptime": 1069}, 1),
        ({"holder": "there"}, {"uptime": 1070}, 0),
        ({"holder": "there"}, {"uptime": 5000}, 0),
        ({"holder": "there", "taken": 1000}, {}, 80),
        # After a restart nobody knows how old the lease is: all of it has to pass again.
        ({"holder": "there", "boot": "boot-0"}, {"uptime": 30}, 50),
        ({"holder": "there", "boot": "boot-0"}, {"uptime": 80}, 0),
        # The gateway's own process.
        ({"holder": "gateway"}, {"process_start": "7"}, 70),
        ({"holder": "gateway"}, {"process_start": "8"}, 0),
        ({"holder": "gateway"}, {"process_start": "-"}, 0),
        ({"holder": "gateway"}, {"process_start": None}, 0),
        ({"holder": "gateway", "boot": "boot-0"}, {"process_start": "7", "uptime": 30}, 0),
        # A lease that was given back.
        ({"holder": "there", "ttl": 0}, {}, 0),
        ({"holder": "there", "ttl": "garbled"}, {}, 0),
    ],
)
def test_lease(fields: dict[str, Any], changes: dict[str, Any], left: int) -> None:
    calls: list[tuple[int, str]] = []
    assert lease_left(found(journal=journal(**fields), **changes), "here", asked(calls, True)) == left
    assert calls == [], "another controller's process can't be seen from here"


@pytest.mark.parametrize(("answer", "left"), [(True, 70), (False, 0)])
def test_the_lease_of_a_process_of_this_controller(answer: bool, left: int) -> None:
    calls: list[tuple[int, str]] = []
    assert lease_left(found(journal=journal(holder="here")), "here", asked(calls, answer)) == left
    assert calls == [(42, "7")]


@pytest.mark.parametrize("held", [None, Journal(), Journal({"holder": "there"})])
def test_no_lease(held: Journal | None) -> None:
    assert lease_left(found(journal=held), "here", asked([], True)) == 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_a_lease_ends(taken: int, ttl: int, uptime: int, restarted: bool) -> None:
    held = journal(holder="there", taken=taken, ttl=ttl, boot="boot-0" if restarted else "boot-1")

    def left(at: int) -> int:
        return lease_left(found(journal=held, uptime=at), "here", asked([], True))

    assert left(uptime) >= 0
    assert left(uptime + taken + ttl) == 0
    assert left(uptime) - left(uptime + 1) in (0, 1)


@pytest.mark.parametrize(
    ("intent", "step", "opened"),
    [
        (None, "announce", "reset"),
        ("register", "announce", "reset"),
        ("reset", "announce", "reset"),
        ("renew", "announce", "renew"),
        (None, "store", "register"),
        ("register", "store", "register"),
        ("reset", "store", "renew"),
        ("renew", "store", "renew"),
    ],
)
def test_what_a_journal_is_opened_for(intent: str | None, step: Step, opened: str) -> None:
    gateway = provisioned(journal=Journal({"intent": intent}) if intent else None)
    assert next_intent(gateway, Plan("interrupted", step)) == opened


@pytest.mark.parametrize(
    ("intent", "answer_lost", "refused"),
    [
        ("register", False, True),
        ("register", True, True),
        ("reset", False, True),
        ("reset", True, False),
        ("renew", False, False),
    ],
)
def test_what_a_refusal_says_of_the_change_before(intent: str, answer_lost: bool, refused: bool) -> None:
    gateway = provisioned(journal=Journal({"intent": intent}))
    assert was_refused_before(gateway, wanted(), Plan("interrupted", "store"), answer_lost) is refused


def test_a_refusal_says_nothing_of_another_devices_credential() -> None:
    gateway = provisioned(credential=OTHER_NAME, journal=Journal({"intent": "register"}))
    assert not was_refused_before(gateway, wanted(), Plan("interrupted", "store"), False)


def test_a_reset_is_announced_again_after_it_was_announced() -> None:
    task = wanted(state="reset_intended")
    assert decide(provisioned(), task) == Plan("reset_intended", "announce")
    assert decide(provisioned(journal=Journal({"intent": "register"})), task) == Plan("reset_intended", "announce")
    assert decide(provisioned(journal=Journal({"intent": "reset"})), task) == Plan("up_to_date", "announce")
