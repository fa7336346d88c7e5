# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives pip to an environment of ansible-test's, which would otherwise download a script that does."""

from __future__ import annotations

import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
# uv needs a tenth of the time, but does not read the configuration of pip.
uv = subprocess.run(["uv", "pip", "install", "--system-certs", "--python", sys.executable, *packages], check=False)
if uv.returncode:
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", *packages], check=True)
