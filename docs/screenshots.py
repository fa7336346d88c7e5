# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create pictures for the documentation from a run over the emulator: python docs/screenshots.py FOLDER

``progress.svg`` shows the live view of the callback fleet_progress, and ``summary.svg`` the terminal after the run.
``report-desktop.png`` and ``report-phone.png`` show the report of the same run.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyte
from browser import chromium, opened
from emulator import Emulator
from operations import ENV, PLATFORM, role_variables
from playbook import PRODUCT_KEY, command_of, environment_of, inventory, names
from terminal import picture, run_on_terminal, text_of

GATEWAYS = 24
BROKEN = {
    "gw-0003": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9},
    "gw-0011": {"gateway_mode": "rw"},
    "gw-0019": {"gateway_exports": [{"dest": "/nowhere/at/all.env", "format": "env"}]},
}
FEW = "4"  # forks, so that the run takes long enough for a picture
PROVISION = "fleetops.aliyun_iot.provision"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, Emulator(Path(home) / "platform", PLATFORM) as platform:
        report = take_terminal(platform, Path(home), folder)
        with chromium() as browser:
            for size in ("desktop", "phone"):
                with opened(browser, report, size) as window:
                    window.page.screenshot(path=folder / f"report-{size}.png")


def take_terminal(platform: Emulator, home: Path, folder: Path) -> Path:
    """Run the playbook on a terminal and create the pictures; return the path of its report."""
    for name in names(GATEWAYS):
        platform.admin.put_device(PRODUCT_KEY, name)
    hosts = inventory({name: BROKEN.get(name, {}) for name in names(GATEWAYS)}, home, **role_variables(platform))
    env = {**environment_of(home), **ENV, "ANSIBLE_FORKS": FEW}
    del env["ANSIBLE_NOCOLOR"]
    env["ANSIBLE_STDOUT_CALLBACK"] = "fleetops.aliyun_iot.fleet_progress"
    taken: dict[str, str] = {}

    def take(screen: pyte.Screen, _process: subprocess.Popen[bytes]) -> None:
        shown = text_of(screen)
        done = re.search(r"━ +(\d+)/(\d+)", shown)
        if done and " registered" in shown and 2 * int(done[1]) >= int(done[2]):
            taken.setdefault("progress", picture(screen, PROVISION))
        elif "hosts in" in shown:
            taken["summary"] = picture(screen, PROVISION)

    report = home / "report.html"
    command = command_of(PROVISION, hosts, home, "-e", f"gateway_report_to={report}")
    seen = run_on_terminal(command, home, env, take)
    if missing := {"progress", "summary"} - taken.keys():
        raise SystemExit(f"No picture of {missing}:\n{seen.end}")
    for name, svg in taken.items():
        (folder / f"{name}.svg").write_text(svg.replace(f"{home}/", ""))
    return report


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
