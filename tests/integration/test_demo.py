# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo`: it succeeds, it can fail, and it leaves nothing behind."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pyte
import pytest
from terminal import run_on_terminal, text_of

DEMO = Path(__file__).parents[2] / "demo" / "demo.py"
SECONDS = 300
ENV = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with this home. The report is next to the folder, because the demo leaves it behind."""
    report = folder.with_name(f"{folder.name}-report") / "report.html"
    return {**ENV, "HOME": str(folder), "TMPDIR": str(folder), "DEMO_REPORT": str(report)}


def started(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, DEMO],
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def left_in(folder: Path) -> list[str]:
    """Return the files in the folder and the processes that name the folder."""
    commands = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(process.read_text().replace("\0", " "))
        except OSError:
            continue
    return sorted(map(str, folder.rglob("*"))) + [command for command in commands if f"{folder}/" in command]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Yield the program as a module, with its temporary folder in `tmp_path`."""
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("DEMO_REPORT", environment(tmp_path)["DEMO_REPORT"])
    spec.loader.exec_module(module)
    handlers = {number: signal.getsignal(number) for number in module.SIGNALS}
    yield module
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_it_removes_no_file_of_others(demo: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The demo removes no file of others from the folder of the report, which may be any, with a relative path."""

    def ends(*_arguments: object) -> None:
        raise KeyboardInterrupt

    folder = demo.REPORT.parent
    folder.mkdir()
    for name in ("report.html", "report.json", "report.csv", "precious"):
        (folder / name).touch()
    for name in ("write_inventory", "provision"):
        monkeypatch.setattr(demo, name, ends if name == "provision" else lambda _platform: None)
    with pytest.raises(KeyboardInterrupt):
        demo.demonstrate(SimpleNamespace(folder=tmp_path))
    assert os.listdir(folder) == ["precious"]


def test_it_shows_a_fleet_that_is_right_and_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        shown = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 0, shown
    assert shown.count("$ ansible-playbook fleetops.aliyun_iot.provision -i inventory.json") == 3
    assert shown.count("✓ no secret was shown") == 7
    assert "the platform received no registration" in shown
    steps = [
        "$ ansible-playbook demo/login.yml -i inventory.json",
        "$ ansible-playbook fleetops.aliyun_iot.reprovision -i inventory.json -e @account.json -e target=mill",
        "the platform received one reset, of demo-mill",
        "$ ansible-playbook demo/login.yml -i inventory.json --limit mill -e credential=mill/old.json",
        "CONNACK 5",
        "the old credential is refused",
        "$ ansible-playbook demo/login.yml -i inventory.json",
        "every credential is accepted",
        "The fleet",
        "The end",
        "the platform is stopped, and its folder and those of the gateways are removed",
    ]
    lines = iter(shown.splitlines())
    assert [step for step in steps if not any(step in line for line in lines)] == [], shown
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "/device.json" in line]
    assert [row[:4] for row in rows] == [
        [name, f"demo-{name}", f"{name}/device.json", "0600"]
        for name in ("bakery", "dairy", "mill", "orchard", "winery")
    ]
    assert all(re.fullmatch("[0-9a-f]{16}", row[4]) for row in rows)
    assert len({row[4] for row in rows}) == len(rows)
    assert [row[5] for row in rows] == ["accepted"] * len(rows)
    [below] = [after for line, after in pairwise(shown.splitlines()) if "mill/device.json" in line and "│" in line]
    assert [cell.strip() for cell in below.split("│")[-3:-1]] == ["registered", "reset"]
    assert left_in(tmp_path) == []
    [report] = [
        line.rpartition(": ")[2] for line in shown.splitlines() if line.startswith("The report of the third run")
    ]
    assert json.loads(Path(report).with_suffix(".json").read_text())["counts"]["changed"] == 2
    assert "Provision of 5 gateways" in Path(report).read_text()


def test_interrupted_on_a_terminal_it_has_shown_the_live_view_and_leaves_nothing(tmp_path: Path) -> None:
    """On a terminal, the first playbook shows the live view. The interrupt comes as soon as the playbook has shown its result."""
    interrupted: list[str] = []

    def interrupt(screen: pyte.Screen, process: subprocess.Popen[bytes]) -> None:
        if "5 gateways: " in text_of(screen) and not interrupted:
            interrupted.append(text_of(screen))
            os.killpg(process.pid, signal.SIGINT)

    seen = run_on_terminal([sys.executable, str(DEMO)], tmp_path, environment(tmp_path), then=interrupt)
    assert seen.rc == 128 + signal.SIGINT, seen.end
    views = [screen for screen in seen.screens if "━" in screen]
    assert [view for view in views if "of all gateways" in view and "/5" in view], seen.end
    assert "━" not in seen.end
    assert "5 gateways: 5 registered" in seen.end
    assert left_in(tmp_path) == []


def test_it_fails_when_a_second_run_changes_something(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    provision = demo.provision

    def then_lose_a_credential(platform: object) -> object:
        results = provision(platform)
        demo.credential(platform.folder, "mill").unlink()  # type: ignore[attr-defined]
        return results

    monkeypatch.setattr(demo, "GATEWAYS", ["mill"])
    monkeypatch.setattr(demo, "check_files", lambda *_: None)
    monkeypatch.setattr(demo, "provision", then_lose_a_credential)
    assert demo.main() == 1
    assert "Expected: nothing was changed" in capsys.readouterr().out
    assert left_in(tmp_path) == []


def test_interrupted_at_the_start_it_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        assert process.stdout
        for line in process.stdout:
            if "Start the platform" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGINT
    assert left_in(tmp_path) == []
