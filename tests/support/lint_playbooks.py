# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-lint, and check the syntax of all playbooks in one ansible-playbook.

ansible-lint starts `ansible-playbook --syntax-check` for each playbook and role, and again for each import of a playbook: sixty times, in
three quarters of its time. So give it a program of this name that only writes down the playbook.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

# ansible-lint deletes the playbook that it writes in TMPDIR for a role.
PROGRAM = """\
#!/bin/sh
set -eu
for playbook; do :; done
case $playbook in "$TMPDIR"/*)
    cp "$playbook" "$playbook.kept"
    playbook=$playbook.kept
    ;;
esac
echo "$playbook" >>"$TMPDIR/playbooks"
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "ansible-playbook")
        program.write_text(PROGRAM, encoding="utf-8")
        program.chmod(0o755)
        own = {"TMPDIR": folder, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        linted = subprocess.run(["ansible-lint"], env={**os.environ, **own}, check=False)
        playbooks = sorted(set(Path(folder, "playbooks").read_text(encoding="utf-8").splitlines()))
        command = ["ansible-playbook", "--syntax-check", *playbooks]
        checked = subprocess.run(command, check=False, capture_output=True, text=True)
    if checked.returncode:
        print(checked.stdout, checked.stderr, sep="", file=sys.stderr)
    return linted.returncode or checked.returncode


if __name__ == "__main__":
    sys.exit(main())
