# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator as a real process, its endpoints, and a small client for its admin API.

with Emulator(tmp_path, seed={"products": [...]}) as platform:
    run_the_playbook(platform.endpoints["register_url"], platform.endpoints["ca_file"])
    assert platform.admin.device("a1IoKTestP1", "gw-0001")["registrations"] == 1
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import fork_server
import urllib3

PROGRAM = Path(__file__).parents[2] / "roles" / "emulator" / "files"
START_SECONDS = 30.0
STOP_SECONDS = 10.0

# Connections are kept open, because tests call the admin API more often than anything else.
CONNECTIONS = urllib3.PoolManager(timeout=60, retries=False, maxsize=8)

JSON = Any  # each test knows the structure of its answers


class Admin:
    """A client of the admin API. Every method raises AssertionError with the emulator's message if the emulator refuses."""

    def __init__(self, url: str) -> None:
        self._url = url

    def products(self) -> JSON:
        return self._call("GET", "/products")

    def put_product(self, product_key: str, **attributes: Any) -> JSON:
        return self._call("PUT", _path(product_key), attributes)

    def patch_product(self, product_key: str, **attributes: Any) -> JSON:
        return self._call("PATCH", _path(product_key), attributes)

    def delete_product(self, product_key: str) -> None:
        self._call("DELETE", _path(product_key))

    def devices(self, product_key: str) -> JSON:
        return self._call("GET", f"{_path(product_key)}/devices")

    def device(self, product_key: str, device_name: str) -> JSON:
        """Return a device with its device_secret, status, activated, registration and registrations (a count)."""
        return self._call("GET", _path(product_key, device_name))

    def put_device(self, product_key: str, device_name: str, **attributes: Any) -> JSON:
        return self._call("PUT", _path(product_key, device_name), attributes)

    def patch_device(self, product_key: str, device_name: str, **attributes: Any) -> JSON:
        """Set status, activated, device_secret or nickname."""
        return self._call("PATCH", _path(product_key, device_name), attributes)

    def delete_device(self, product_key: str, device_name: str) -> None:
        self._call("DELETE", _path(product_key, device_name))

    def activate(self, product_key: str, device_name: str) -> JSON:
        """Activate the device, as a login with its secret does."""
        return self._call("POST", f"{_path(product_key, device_name)}/activate")

    def reset(self, product_key: str, device_name: str) -> JSON:
        return self._call("POST", f"{_path(product_key, device_name)}/reset")

    def requests(self, since: int = 0, **equal: str) -> JSON:
        """Return the request log, oldest first: requests(action="register", device_name="gw-0001")."""
        query = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in {"since": since, **equal}.items())
        return self._call("GET", f"/requests?{query}")

    def clear_requests(self) -> None:
        self._call("DELETE", "/requests")

    def settings(self, **changes: Any) -> JSON:
        """Change the named settings, and return all settings."""
        return self._call("PATCH", "/settings", changes)

    def faults(self) -> JSON:
        return self._call("GET", "/faults")

    def fault(self, action: str = "register", **fault: Any) -> None:
        """Add a fault: fault(drop_after=True, times=2)."""
        self._call("POST", "/faults", {"action": action, **fault})

    def clear_faults(self) -> None:
        self._call("DELETE", "/faults")

    def _call(self, method: str, path: str, body: JSON | None = None) -> Any:
        answer = CONNECTIONS.request(method, self._url + path, json=body)
        assert answer.status < 400, f"{method} {path}: {answer.status} {answer.data.decode()}"
        return answer.json() if answer.data else None


class Emulator:
    """A real emulator process on a state directory, which runs inside `with`, or from `start()` to `stop()`.

    A restart keeps the ports of the device endpoints, so that existing configurations remain valid.
    """

    def __init__(self, directory: Path, seed: JSON = None, *options: str) -> None:
        """Use `directory` for the state and other files, `seed` as content of seed.yml, and `options` as options of `serve`."""
        self.directory = directory
        self.state_dir = directory / "state"
        self.log_file = directory / "emulator.log"
        self.endpoints: JSON = {}
        self._seed_file = directory / "seed.yml"
        self._ready_file = directory / "endpoints.json"
        self._options = options
        self._process: subprocess.Popen[bytes] | fork_server.Forked | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.seed(seed or {})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def admin(self) -> Admin:
        return Admin(self.endpoints["admin_url"])

    @property
    def port(self) -> int:
        """The HTTPS port."""
        return urlsplit(self.endpoints["register_url"]).port or 0

    @property
    def log(self) -> str:
        """The log of the process so far, of all its starts."""
        return self.log_file.read_text(encoding="utf-8")

    def seed(self, seed: JSON) -> None:
        """Write the seed for the next start. JSON is YAML."""
        self._seed_file.write_text(json.dumps(seed), encoding="utf-8")

    def start(self) -> None:
        """Start the process and wait until it is ready; raise RuntimeError with its log if it does not become ready."""
        assert self._process is None, "the emulator is already running"
        self._ready_file.unlink(missing_ok=True)
        arguments: list[str | Path] = ["--state-dir", self.state_dir, "--seed", self._seed_file]
        arguments += ["--ready-file", self._ready_file]
        if self.endpoints:
            arguments += ["--https-port", str(self.port)]
            arguments += [f"--{name}-port={self.endpoints[name]['port']}" for name in ("mqtts", "mqtt")]
        command = ["serve", *map(str, arguments), *self._options]
        environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
        with self.log_file.open("ab") as log:
            if fork_server.forking():
                self._process = fork_server.fork("platform_emulator", command, environment, Path.cwd(), log, log)
            else:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "platform_emulator", *command],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Terminate the process cleanly, if it runs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _wait_until_ready(self, process: subprocess.Popen[bytes] | fork_server.Forked) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the emulator did not start (exit code {process.returncode}):\n{self.log}")
            time.sleep(0.01)
        self.endpoints = json.loads(self._ready_file.read_text(encoding="utf-8"))

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
            process.wait()


def _path(product_key: str, device_name: str | None = None) -> str:
    product = f"/products/{quote(product_key, safe='')}"
    return product if device_name is None else f"{product}/devices/{quote(device_name, safe='')}"
