# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare pinned packages with the published vulnerabilities: python advisories.py requirements.txt...

Run the pip-audit of the current Python. The exit code is 0 if every pin was audited, and none has a vulnerability that is not accepted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_END_OF_LIFE = "no fix within ansible-core 2.17; nothing here calls ansible-galaxy role install"
_OLD_PYTHON = "no fixed release for Python 3.8 and 3.9, for which tests of what gateways run need it"
# Vulnerabilities that are accepted for now, each with the reason, from a comparison with the PyPA's database in September 2026.
ACCEPTED: Mapping[str, str] = {
    "CVE-2026-11332": _END_OF_LIFE,
    # cryptography
    "CVE-2026-69247": _OLD_PYTHON,
    "CVE-2026-69248": _OLD_PYTHON,
    "CVE-2026-69249": _OLD_PYTHON,
    # urllib3
    "CVE-2025-50181": _OLD_PYTHON,
    "CVE-2025-50182": _OLD_PYTHON,
    "CVE-2025-66418": _OLD_PYTHON,
    "CVE-2025-66471": _OLD_PYTHON,
    "CVE-2026-21441": _OLD_PYTHON,
    "CVE-2026-44431": _OLD_PYTHON,
    "CVE-2026-44432": _OLD_PYTHON,
    # requests
    "CVE-2026-25645": _OLD_PYTHON,
    # pytest
    "CVE-2025-71176": _OLD_PYTHON,
}

PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w.,-]+\])?==([^\s;\\]+)", re.MULTILINE)

Pin = tuple[str, str]
Dependency = dict[str, Any]


def pins(locked: Iterable[str]) -> list[Pin]:
    """Return every (name, version) in the texts of pinned files, for whatever Python or platform."""
    return sorted({pin for text in locked for pin in PIN.findall(text)})


def rounds(found: Iterable[Pin]) -> list[list[Pin]]:
    """Distribute the pins so that no name occurs twice in a round: pip-audit refuses two versions at once."""
    divided: list[dict[str, str]] = []
    for name, version in found:
        free = next((names for names in divided if name not in names), None)
        if free is None:
            divided.append(free := {})
        free[name] = version
    return [list(names.items()) for names in divided]


def problems(audited: list[Dependency], accepted: Mapping[str, str]) -> list[str]:
    """Return a line for each vulnerability that is not accepted, and for whatever makes the audit incomplete."""
    skipped = [dependency for dependency in audited if "skip_reason" in dependency]
    if len(skipped) == len(audited):
        return [
            f"Nothing was audited: the vulnerability service does not know any of the {len(audited)} pinned packages."
        ]
    lines = [f"{dependency['name']} was not audited: {dependency['skip_reason']}" for dependency in skipped]
    seen = set()
    for dependency in audited:
        for vulnerability in dependency.get("vulns", []):
            names = {vulnerability["id"], *vulnerability.get("aliases", [])}
            seen |= names
            if not names & accepted.keys():
                fixes = ", ".join(vulnerability["fix_versions"]) or "no release"
                lines.append(f"{dependency['name']} {dependency['version']}: {vulnerability['id']}, fixed by {fixes}")
    stale = sorted(accepted.keys() - seen)
    return lines + [f"{name} is accepted, but no pinned package has it: remove it from ACCEPTED" for name in stale]


def audit(wanted: list[Pin], folder: Path) -> list[Dependency]:
    """Audit one round with pip-audit; raise SystemExit with one line if no vulnerability service answers."""
    requirements, report = folder / "requirements.txt", folder / "report.json"
    requirements.write_text("".join(f"{name}=={version}\n" for name, version in wanted))
    report.unlink(missing_ok=True)
    command = ["pip_audit", "--no-deps", "--disable-pip", "--progress-spinner=off", "--desc=off", "--format=json"]
    ended = subprocess.run(
        [sys.executable, "-m", *command, f"--output={report}", f"--requirement={requirements}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if not report.exists():
        why = (ended.stderr.strip() or "no message").splitlines()[-1]
        raise SystemExit(f"Nothing was audited: pip-audit ended with code {ended.returncode}: {why}")
    dependencies: list[Dependency] = json.loads(report.read_text())["dependencies"]
    return dependencies


def main(names: list[str]) -> None:
    found = pins(Path(name).read_text() for name in names)
    with tempfile.TemporaryDirectory() as folder:
        audited = [dependency for wanted in rounds(found) for dependency in audit(wanted, Path(folder))]
    lines = problems(audited, ACCEPTED)
    if lines:
        raise SystemExit("\n".join(lines))
    print(f"{len(audited)} pinned packages have no known vulnerability, but for {len(ACCEPTED)} that are accepted")


if __name__ == "__main__":
    main(sys.argv[1:])
