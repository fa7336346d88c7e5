# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the follow-up of a change is recorded with the change, and not forgotten before it is done."""

from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from converging import Bench, Broken, OneProgram, Recovery, Registration, stored
from gateways import end_lease

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import Issued
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import FleetopsError, InvalidOption

JSON = Any
# Reasons for which handlers restart nothing.
QUIET = ("attributes", "exists", "up_to_date")
LOGIN: JSON = {"verify": "login", "mqtt_endpoint": "127.0.0.1"}


class Play:
    """A play over one gateway: the task, a handler that restarts the service, and the handler that records that this is done."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.restarts: list[str] = []  # the secret that the service has read at each restart
        self.comes_up = True

    def run(self, breaks: JSON = (), handlers: str = "run", tools: JSON = None, **options: JSON) -> JSON:
        """Run the play; return the result of the task.

        :param tools: a folder, and the number of the call of a tool on the gateway at which everything there is killed
        :param handlers: C(run), or the handler before which the play is killed: C(restart) or C(note)
        :raises Broken: the play has ended early
        """
        convergence = self.bench.convergence(breaks, **{"follow_up": True, **options})
        if tools:
            self.bench.shell.end_at(*tools)
        done = convergence.run()
        if not done["changed"] or done["reason"] in QUIET:
            return done
        if handlers == "restart":
            raise Broken
        self.restarts.append(stored(self.bench.path)["deviceSecret"])
        if handlers == "note" or not self.comes_up:
            raise Broken
        self.bench.follow_up(done["due"])
        return done


def prepared(folder: Path, before: str) -> Bench:
    """Return a gateway before a change: with nothing, with a credential and its export, or with a credential that lacks "an export"."""
    folder.mkdir(mode=0o700)
    bench = Bench(folder)
    if before != "nothing":
        Play(bench).run(**exporting(folder))
    if before == "an export":
        (folder / "agent.env").unlink()
    return bench


def copied(bench: Bench, folder: Path) -> tuple[Bench, JSON]:
    """Return a copy of a gateway and its device in another folder, and the options that were used for it."""
    shutil.copytree(bench.path.parents[1], folder)
    copy = Bench(folder)
    copy.device.secret, copy.device.issued = bench.device.secret, bench.device.issued
    return copy, exporting(folder)


def exporting(folder: Path) -> JSON:
    return {"exports": [{"dest": str(folder / "agent.env"), "format": "env"}]}


def expire(bench: Bench) -> None:
    journal = bench.path.parent / ".device.json.journal"
    if journal.exists() and " ttl=0" not in journal.read_text():
        end_lease(journal)


@pytest.mark.parametrize("doubted", [False, True], ids=["", "in doubt"])
@pytest.mark.parametrize("before", ["nothing", "a credential", "an export"])
def test_a_play_that_dies_at_any_moment(tmp_path: Path, before: str, doubted: bool) -> None:
    """The plain run afterwards restarts the service once, with the valid secret, and leaves nothing to do."""
    first = prepared(tmp_path / "first", before)
    for number in itertools.count():
        broke = False
        for when in ("before", "after"):
            bench, options = copied(first, tmp_path / f"{number}{when}")
            if doubted:
                options.update(LOGIN)
            play = Play(bench)
            try:
                play.run([(number, when)], register="always" if before == "a credential" else "if_needed", **options)
            except Broken:
                broke = True
            expire(bench)
            done = play.run(**options)
            changed = before == "nothing" or bench.device.issued > 1 or before == "an export"
            assert play.restarts == [bench.device.secret] * changed, (number, when, done)
            assert bench.is_right(), (number, when)
            again = play.run(**options)
            assert (again["reason"], again["changed"], again["due"]) == ("up_to_date", False, None)
        if not broke:
            break
    assert number >= 2


@pytest.mark.parametrize("before", ["nothing", "a credential", "an export"])
def test_a_gateway_that_dies_at_any_call_of_a_tool(tmp_path: Path, before: str) -> None:
    first = prepared(tmp_path / "first", before)
    register = "always" if before == "a credential" else "if_needed"
    (tmp_path / "all").mkdir()
    bench, options = copied(first, tmp_path / "whole")
    Play(bench).run(tools=(tmp_path / "all", 1000), register=register, **options)
    calls = len((tmp_path / "all/calls").read_text().split())
    assert calls > 15
    for call in sorted(random.Random(0).sample(range(1, calls + 1), 16)):
        bench, options = copied(first, tmp_path / str(call))
        play = Play(bench)
        issued = play.bench.device.issued
        with pytest.raises(Broken):
            play.run(tools=(tmp_path / str(call), call), register=register, **options)
        expire(play.bench)
        done = play.run(**options)
        # The removal of a proof's leftovers is a change.
        changed = play.bench.device.issued > issued or done["reason"] in ("export", "interrupted", "unfinished")
        assert before == "a credential" or changed
        assert play.restarts == [play.bench.device.secret] * changed, (call, done)
        assert play.bench.is_right(), call
        assert play.run(**options)["reason"] == "up_to_date"


@pytest.mark.parametrize("handler", ["restart", "note"])
def test_a_handler_that_did_not_run(bench: Bench, handler: str) -> None:
    play = Play(bench)
    with pytest.raises(Broken):
        play.run(handlers=handler)
    play.restarts.clear()
    foreseen = bench.run(check_mode=True, follow_up=True)
    assert (foreseen["reason"], foreseen["changed"], foreseen["registered"]) == ("unfinished", True, False)
    done = play.run()
    assert (done["reason"], done["registered"]) == ("unfinished", False)
    assert play.restarts == [bench.device.secret]
    assert bench.device.issued == 1
    assert play.run()["reason"] == "up_to_date"
    assert bench.is_right()


def test_a_service_that_does_not_come_up_is_reported_by_every_run(bench: Bench) -> None:
    play = Play(bench)
    play.comes_up = False
    for _run in range(3):
        with pytest.raises(Broken):
            play.run()
    assert bench.run(register="never", check_mode=True)["due"]
    play.comes_up = True
    assert play.run()["reason"] == "unfinished"
    assert (len(play.restarts), bench.device.issued) == (4, 1)
    assert play.run()["reason"] == "up_to_date"


def test_owner_and_mode_alone_are_followed_by_nothing(bench: Bench) -> None:
    play = Play(bench)
    play.run()
    bench.path.chmod(0o640)
    assert bench.run(follow_up=True)["due"] is None


def test_what_is_left_to_do_outweighs_a_mode(bench: Bench) -> None:
    """A run that only repairs the mode would restart nothing, and the follow-up would be forgotten."""
    play = Play(bench)
    with pytest.raises(Broken):
        play.run(handlers="restart")
    bench.path.chmod(0o640)
    assert play.run()["reason"] == "unfinished"
    assert play.restarts == [bench.device.secret]
    assert bench.path.stat().st_mode & 0o777 == 0o600


def test_a_run_removes_no_note_of_another_one(bench: Bench) -> None:
    first = bench.run(follow_up=True)
    second = bench.run(follow_up=True, register="always")
    assert first["due"] != second["due"]
    bench.follow_up(first["due"])
    assert bench.run(follow_up=True)["due"] == second["due"]
    bench.follow_up(second["due"])
    assert bench.run(follow_up=True)["reason"] == "up_to_date"


def test_a_note_that_cannot_be_read_counts(bench: Bench) -> None:
    bench.run(follow_up=True)
    bench.due_file.write_text("\x01\x02 token=\n")
    done = bench.run(follow_up=True)
    assert (done["reason"], done["due"]) == ("unfinished", "unknown")
    bench.follow_up("unknown")
    assert bench.run(follow_up=True)["reason"] == "up_to_date"


@pytest.mark.parametrize("due", ["", "0" * 15, "token=1"])
def test_a_note_that_is_none(bench: Bench, due: str) -> None:
    with pytest.raises(InvalidOption):
        bench.follow_up(due)


def test_a_removal_drops_it(bench: Bench) -> None:
    bench.run(follow_up=True)
    assert bench.run(state="absent", follow_up=True)["due"] is None
    assert list(bench.path.parent.iterdir()) == []
    assert not bench.run(state="absent", follow_up=True)["changed"]


def test_a_recovery_that_changes_nothing_is_followed_by_nothing(bench: Bench) -> None:
    bench.run()
    done = bench.run(issuer=Recovery, register="always", follow_up=True)
    assert (done["changed"], done["due"]) == (False, None)
    assert not bench.due_file.exists()


def test_a_recovery_of_what_was_not_followed_up(bench: Bench) -> None:
    bench.run(follow_up=True)
    done = bench.run(issuer=Recovery, register="always", follow_up=True)
    assert done["changed"]
    assert done["due"]


def test_without_handlers_nothing_is_noted(bench: Bench) -> None:
    assert bench.run()["due"] is None
    assert not bench.due_file.exists()


@pytest.mark.parametrize("doubted", [False, True], ids=["", "in doubt"])
@pytest.mark.parametrize("before", ["a credential", "an export"])
def test_a_run_without_handlers_that_dies_at_any_moment(tmp_path: Path, before: str, doubted: bool) -> None:
    """The next run has handlers and is killed before them. The service is restarted all the same, if its credential has changed."""
    first = prepared(tmp_path / "first", before)
    for number in itertools.count():
        broke = False
        for when in ("before", "after"):
            bench, options = copied(first, tmp_path / f"{number}{when}")
            if doubted:
                options.update(LOGIN)
            register = "always" if before == "a credential" else "if_needed"
            try:
                bench.run([(number, when)], register=register, **options)
            except Broken:
                expire(bench)
            else:
                continue
            broke = True
            play = Play(bench)
            try:
                play.run(handlers="restart", **options)
            except Broken:
                assert play.run(**options)["reason"] == "unfinished", (number, when)
                assert play.restarts == [bench.device.secret], (number, when)
            assert play.run(**options)["reason"] == "up_to_date", (number, when)
        if not broke:
            break
    assert number >= 2


@pytest.mark.parametrize("mode", [0o600, 0o640])
@pytest.mark.parametrize("outcome", ["", "failed", "impossible"])
@pytest.mark.parametrize("handler", ["restart", "note"])
def test_a_change_of_a_run_without_handlers_is_followed_up_by_the_run_that_reports_it(
    bench: Bench, handler: str, outcome: str, mode: int
) -> None:
    """The first run has failed, for its login was not possible. Its task had no handlers, but that of the next runs does."""
    bench.leave_unproven()
    bench.path.chmod(mode)
    bench.login.outcome = outcome
    play = Play(bench)
    with pytest.raises(Broken):
        play.run(handlers=handler)
    play.restarts.clear()
    assert play.run()["reason"] == "unfinished"
    assert play.restarts == [bench.device.secret]
    assert play.run()["reason"] == "up_to_date"


# A requested login


def test_a_login_that_was_asked_for(bench: Bench) -> None:
    done = bench.run(**LOGIN)
    assert (done["registered"], done["proven"], bench.login.attempts) == (True, True, 1)
    assert bench.run(**LOGIN)["proven"] is None
    assert bench.login.attempts == 1


@pytest.mark.parametrize("outcome", ["failed", "impossible"])
def test_a_login_that_was_asked_for_and_does_not_get_through_is_tried_by_every_run(bench: Bench, outcome: str) -> None:
    play = Play(bench)
    bench.login.outcome = outcome
    for registered in (True, False):
        with pytest.raises(FleetopsError) as caught:
            play.run(**LOGIN)
        assert (caught.value.kind, caught.value.registered) == ("not_proven", registered)
    assert play.restarts == []
    bench.login.outcome = ""
    done = play.run(**LOGIN)
    assert (done["reason"], done["proven"]) == ("unfinished", True)
    assert play.restarts == [bench.device.secret]
    assert bench.device.issued == 1
    assert play.run(**LOGIN)["reason"] == "up_to_date"
    assert bench.is_right()


def test_a_login_that_was_asked_for_and_is_refused(bench: Bench) -> None:
    play = Play(bench)
    bench.login.outcome = "refused"
    with pytest.raises(FleetopsError, match="does not accept it"):
        play.run(**LOGIN)
    assert play.restarts == []
    bench.login.outcome = ""
    assert play.run(**LOGIN)["registered"]
    assert play.restarts == [bench.device.secret]


# A script that is sent twice


@pytest.mark.parametrize("follow_up", [True, False])
@pytest.mark.parametrize("state", ["fresh", "forced", "export", "absent", "in doubt"])
def test_a_script_that_is_sent_twice(tmp_path: Path, state: str, follow_up: bool) -> None:
    """The run recognizes its own change, so that the run does not fail, and handlers run."""
    first = prepared(tmp_path / "first", {"fresh": "nothing", "export": "an export"}.get(state, "a credential"))
    for number in itertools.count():
        bench, options = copied(first, tmp_path / str(number))
        options["follow_up"] = follow_up
        more: JSON = {"forced": {"register": "always"}, "absent": {"state": "absent"}}.get(state, {})
        if state == "in doubt":
            bench.path.unlink()
            more = LOGIN
        done = bench.run([(number, "twice")], **options, **more)
        all_sent = bench.shell.runs <= number
        assert done["changed"], (number, done)
        assert bool(done["due"]) == (follow_up and state != "absent"), (number, done)
        if state == "absent":
            assert not bench.path.exists()
        else:
            bench.follow_up(done["due"] or "0" * 16)
            assert bench.is_right(), number
            assert bench.run(**options)["reason"] == "up_to_date"
        if all_sent:
            break
    assert number >= 2


@pytest.mark.parametrize("follow_up", [True, False])
@pytest.mark.parametrize("state", ["fresh", "forced", "reset"])
def test_a_program_that_is_sent_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, state: str, follow_up: bool
) -> None:
    monkeypatch.setattr(OneProgram, "again", False)
    options: JSON = {"issuer": OneProgram, "follow_up": follow_up}
    if state != "fresh":
        bench.follow_up(bench.run(**{**options, "follow_up": True})["due"])
    if state == "forced":
        options["register"] = "always"
    if state == "reset":
        options["lease"] = bench.run(state="reset_intended", lease_time=60)["lease"]
    before = bench.device.issued
    OneProgram.again = True
    done = bench.run(**options)
    assert not OneProgram.again
    # After a reset a login must prove the secret; the program leaves this to the run that receives the answer.
    assert (done["changed"], done["reason"]) == (True, {"fresh": "missing", "reset": "interrupted"}.get(state, state))
    # Without a note the run cannot recognize its own change, so that a forced registration is repeated.
    again = state == "forced" and not follow_up
    assert done["registered"] == ((follow_up and state != "reset") or again)
    assert bench.device.issued == before + 1 + again
    bench.follow_up(done["due"] or "0" * 16)
    assert bench.is_right()


def test_a_program_that_still_runs_when_it_is_sent_again(bench: Bench) -> None:
    """A late program, with the token of an earlier attempt, stores nothing."""
    bench.run()
    late: list[JSON] = []

    class Overtaken(Registration):
        def change(self, scripts: JSON, device_name: str, lease: int) -> JSON:
            if not late:
                late.append(scripts)
                self.shell.run(scripts.begin)  # and its request is under way
            return super().change(scripts, device_name, lease)

    done = bench.run(issuer=Overtaken, register="always")
    assert done["changed"]
    before = bench.path.read_text()
    secret = Issued("0" * 32).assignments()
    stale = bench.shell.run(secret + late[0].store)
    assert "fleetops-end lost" in stale
    assert bench.path.read_text() == before
    assert bench.is_right()
