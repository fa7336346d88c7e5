# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Install pip in an environment of ansible-test, which would otherwise download a script for this; uv does the work of both."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

# uv needs a tenth of the time of pip, but does not read its configuration.
UV = ["uv", "--system-certs", "pip"]
# The program that ansible-test calls as pip.
PROGRAM = f"""\
import subprocess
import sys

if sys.argv[1:2] in (["install"], ["uninstall"]):
    command = [*{UV!r}, sys.argv[1], "--python", sys.executable, *sys.argv[2:]]
    sys.exit(subprocess.run(command).returncode)

from pip._internal.cli.main import main

sys.exit(main())
"""

packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
if subprocess.run([*UV, "install", "--python", sys.executable, *packages], check=False).returncode:
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", *packages], check=True)
else:
    Path(sysconfig.get_path("purelib"), "pip/__main__.py").write_text(PROGRAM, encoding="utf-8")
