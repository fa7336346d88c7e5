# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the order of a change (begin, register, store or abandon) and the parsing of a script's answer."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device import change as _credential
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import (
    PREAMBLE,
    Issued,
    ScriptAnswer,
    Scripts,
    change,
    read_answer,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import (
    BusyError,
    FleetopsError,
    NetworkError,
    Refused,
    StorageError,
)

SCRIPTS = Scripts(begin="BEGIN\n", store="STORE\n", abandon="ABANDON\n")
SETTLES = Scripts(begin="BEGIN\n", store="STORE\n", abandon="ABANDON\n", settles=True)
PROOF = Scripts(begin="BEGIN\n", store="", abandon="ABANDON\n")
SECRET = "0123456789abcdef0123456789abcdef"
FULL = "error storage disk full\nfleetops-end failed\n"


class Gateway:
    """A gateway that answers each script and records the order of all events."""

    def __init__(
        self, begin: str = "begun", store: str = "installed", abandon: str = "abandoned", scripts: Scripts = SCRIPTS
    ) -> None:
        self.answers = {"BEGIN": begin, "STORE": store, "ABANDON": abandon}
        self.scripts = scripts
        self.events: list[str] = []

    def run(self, script: str) -> str:
        name = script.splitlines()[-1]
        self.events.append(script if name == "STORE" else name)
        answer = self.answers[name]
        return answer if answer.startswith("error") else f"uid 0\nfleetops-end {answer}\n"

    def issue(self, not_after: float) -> Issued | None:
        self.events.append("issue")
        return Issued(SECRET)

    def change(
        self, issue: Callable[[float], Issued | None] | None = None, lease: float = 80, timeout: float = 10
    ) -> ScriptAnswer:
        return change(self.run, self.scripts, issue or self.issue, lease, timeout)


def failure(error: FleetopsError, may_have_registered: bool = False) -> Callable[[float], Issued | None]:
    error.may_have_registered = may_have_registered

    def issue(_not_after: float) -> Issued | None:
        raise error

    return issue


def assigned(gateway: Gateway) -> dict[str, str]:
    """Return the variables that are assigned before the script store."""
    lines = gateway.events[-1].splitlines()
    return dict(word.split("=", 1) for line in lines if "=" in line for word in shlex.split(line))


def test_begin_issue_store() -> None:
    gateway = Gateway()
    answer = gateway.change()
    assert (answer.outcome, answer.lines) == ("installed", ("uid 0",))
    *before, store = gateway.events
    assert before == ["BEGIN", "issue"]
    assert assigned(gateway)["device_secret"] == SECRET
    assert store.endswith("\nSTORE\n")


def test_no_environment_hands_the_secret_on() -> None:
    """An exported name stays exported when it is assigned, and `set -a` exports every name that is assigned."""
    gateway = Gateway()
    gateway.change()
    assert gateway.events[-1].startswith(PREAMBLE)
    lines = gateway.events[-1].splitlines()
    assert lines[1] == "set +axv"
    for name in ("device_secret", "device_token", "client_id", "doubt"):
        [assigned] = [number for number, line in enumerate(lines) if line.startswith(f"{name}=")]
        assert f"unset {name}" in lines[:assigned]


def test_a_secret_is_one_word() -> None:
    gateway = Gateway()
    gateway.change(lambda _not_after: Issued("a'b c\n$(id)"))
    assert "device_secret=" + shlex.quote("a'b c\n$(id)") in gateway.events[-1]


def test_a_token_comes_with_its_client_id() -> None:
    gateway = Gateway()
    gateway.change(lambda _not_after: Issued(device_token="^1^t", client_id="c-1"))
    assert assigned(gateway) == {"device_secret": "", "device_token": "^1^t", "client_id": "c-1", "doubt": "no"}


@pytest.mark.parametrize(("doubt", "word"), [(True, "yes"), (False, "no")])
def test_doubt_about_a_secret_reaches_the_gateway(doubt: bool, word: str) -> None:
    gateway = Gateway()
    gateway.change(lambda _not_after: Issued(SECRET, doubt=doubt))
    assert assigned(gateway)["doubt"] == word


def test_what_was_issued_is_not_shown() -> None:
    assert SECRET not in repr(Issued(SECRET)) + repr(Issued(device_token=SECRET, client_id="c-1"))


# The lease


def test_nothing_is_sent_without_the_lease() -> None:
    gateway = Gateway(begin="stale")
    assert gateway.change().outcome == "stale"
    assert gateway.events == ["BEGIN"]


def test_nothing_is_sent_when_the_lease_cannot_be_had() -> None:
    gateway = Gateway(begin=FULL)
    with pytest.raises(StorageError, match="disk full"):
        gateway.change()
    assert gateway.events == ["BEGIN"]


def test_nothing_is_sent_when_the_lease_to_go_on_with_was_taken_over() -> None:
    gateway = Gateway(begin="lost")
    with pytest.raises(BusyError, match="another run has taken over") as caught:
        gateway.change()
    assert gateway.events == ["BEGIN"]
    assert not caught.value.registered
    assert "Run again" in caught.value.hint


def test_the_last_request_ends_with_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease is requested at 100 and lasts for at least 80 seconds from then, however late the answer is."""
    now = [100.0]
    monkeypatch.setattr(_credential, "clock", lambda: now[0])
    told: list[float] = []

    class Slow(Gateway):
        def run(self, script: str) -> str:
            now[0] += 7
            return super().run(script)

    def issue(not_after: float) -> Issued:
        told.append(not_after)
        return Issued(SECRET)

    Slow().change(issue, lease=80, timeout=10)
    assert told == [170.0]


def test_a_lease_that_was_lost() -> None:
    with pytest.raises(BusyError, match="lease ended") as caught:
        Gateway(store="lost").change()
    assert caught.value.registered, "the platform has issued a secret"
    assert "Run again" in caught.value.hint


# A proof, before a reset, that the whole change is possible


@pytest.mark.parametrize("scripts", [SCRIPTS, PROOF])
def test_a_proof_stores_nothing_and_keeps_the_lease(scripts: Scripts) -> None:
    gateway = Gateway(scripts=scripts)
    assert gateway.change(lambda _not_after: None).outcome == "begun"
    assert gateway.events == ["BEGIN"]


def test_a_proof_that_fails_gives_the_lease_back() -> None:
    gateway = Gateway(scripts=PROOF)
    with pytest.raises(NetworkError):
        gateway.change(failure(NetworkError("unreachable")))
    assert gateway.events == ["BEGIN", "ABANDON"]


# The outcome of the request


@pytest.mark.parametrize("settles", [False, True])
def test_a_registration_that_may_have_happened_leaves_the_journal_open(settles: bool) -> None:
    for error in (NetworkError("lost"), Refused("active", code=6289)):
        gateway = Gateway(scripts=SETTLES if settles else SCRIPTS)
        with pytest.raises(type(error)):
            gateway.change(failure(error, may_have_registered=True))
        assert gateway.events == ["BEGIN"]


@pytest.mark.parametrize("error", [Refused("no", code=6600), NetworkError("unreachable"), StorageError("no module")])
def test_a_registration_that_did_not_happen_is_abandoned(error: FleetopsError) -> None:
    gateway = Gateway()
    with pytest.raises(type(error)):
        gateway.change(failure(error))
    assert gateway.events == ["BEGIN", "ABANDON"]


def test_a_refusal_leaves_the_lease_to_whoever_settles_it() -> None:
    gateway = Gateway(scripts=SETTLES)
    with pytest.raises(Refused):
        gateway.change(failure(Refused("active", code=6289)))
    assert gateway.events == ["BEGIN"]


def test_what_is_no_refusal_settles_nothing() -> None:
    gateway = Gateway(scripts=SETTLES)
    with pytest.raises(NetworkError):
        gateway.change(failure(NetworkError("unreachable")))
    assert gateway.events == ["BEGIN", "ABANDON"]


@pytest.mark.parametrize("answer", [FULL, "error: connection lost"])
def test_the_refusal_is_told_even_if_abandoning_fails(answer: str) -> None:
    with pytest.raises(Refused) as caught:
        Gateway(abandon=answer).change(failure(Refused("no", code=6600)))
    assert caught.value.code == 6600


def test_a_failure_to_store() -> None:
    gateway = Gateway(store=FULL)
    with pytest.raises(StorageError, match="disk full") as caught:
        gateway.change()
    assert "ABANDON" not in gateway.events
    assert caught.value.registered
    assert SECRET not in str(caught.value)


def test_an_answer_cut_short_never_shows_the_script() -> None:
    with pytest.raises(FleetopsError) as caught:
        Gateway(store="error").change()
    assert caught.value.registered
    assert SECRET not in str(caught.value)


# The answer of a script


@pytest.mark.parametrize(
    "output", ["", "\n", "Password: ", "uid 0\nend looked\n", "uid 0\nfleetops-en", "fleetops-end", "x fleetops-end y"]
)
def test_an_answer_without_its_end(output: str) -> None:
    with pytest.raises(StorageError, match="did not finish") as caught:
        read_answer(output)
    assert "POSIX shell" in caught.value.hint


def test_an_unfinished_answer_shows_its_last_lines() -> None:
    with pytest.raises(StorageError, match="sh: awk: not found"):
        read_answer("uid 0\nsh: awk: not found\n")
    with pytest.raises(StorageError, match="no output"):
        read_answer("")
    with pytest.raises(StorageError) as caught:
        read_answer("\x1b]0;owned\x07" + "x" * 5000)
    assert "\x1b" not in caught.value.msg
    assert len(caught.value.msg) < 400


@pytest.mark.parametrize(
    ("kind", "told", "hint"),
    [
        ("missing_tool", "missing_tool", "ansible_shell_executable"),
        ("permission", "permission", "become"),
        ("storage", "storage", "run again"),
        ("unsafe_path", "unsafe_path", "Nothing was changed"),
        # The hint must not suggest changing the owner of the agent's directory, which would break the agent.
        ("unsafe_path", "unsafe_path", "Choose a directory that belongs to root"),
        # A gateway cannot report other kinds.
        ("refused", "storage", "run again"),
        ("add_host", "storage", "run again"),
        ("", "storage", "run again"),
    ],
)
def test_a_failure_has_a_kind_a_text_and_what_to_do(kind: str, told: str, hint: str) -> None:
    with pytest.raises(StorageError) as caught:
        read_answer(f"uid 0\nerror storage earlier\nerror {kind} cannot write /x: No space left\nfleetops-end failed\n")
    assert (caught.value.kind, caught.value.msg) == (told, "cannot write /x: No space left")
    assert hint in caught.value.hint


def test_a_failure_that_says_nothing() -> None:
    with pytest.raises(StorageError, match="unknown") as caught:
        read_answer("fleetops-end failed\n")
    assert caught.value.kind == "storage"


def test_no_failure_shows_terminal_escapes() -> None:
    for kind in ("storage", "busy"):
        with pytest.raises(FleetopsError) as caught:
            read_answer(f"error {kind} \x1b]0;owned\x07{'x' * 5000}\nfleetops-end failed\n")
        assert "\x1b" not in caught.value.msg
        assert len(caught.value.msg) < 500


def test_a_lock_that_was_not_had() -> None:
    with pytest.raises(BusyError, match="held the lock") as caught:
        read_answer("error busy another process has held the lock\nfleetops-end failed\n")
    assert caught.value.kind == "busy"
    assert "Run again" in caught.value.hint


def test_an_answers_lines() -> None:
    answer = read_answer("a 1\na\nab 2\na 2 3\nfleetops-end begun\nlogout\nfleetops-end failed\n")
    assert (answer.outcome, answer.lines) == ("begun", ("a 1", "a", "ab 2", "a 2 3"))
    assert answer.all_of("a") == ["1", "", "2 3"]
