# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make` runs, in the environment that make keeps (activate it to call nox by hand)."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path

import nox

sys.path.insert(0, "tests/fleet")

import containers

nox.options.default_venv_backend = "none"
nox.options.sessions = ["test"]

# Quiet, so that pytest's closing line stays the last one.
logging.getLogger("nox").addFilter(lambda record: record.levelname != "SUCCESS" and "uv binary" not in record.msg)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, documentation, licences: the quickest checks first."""
    scripts = session.run("git", "ls-files", "*.sh", ".ci/run", silent=True, log=False).split()
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("yamllint", ".")
    session.run("shellcheck", *scripts)
    session.run("reuse", "lint", "--quiet")
    session.run("mypy")
    session.run("antsibull-changelog", "lint")
    session.run("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--disallow-unknown-collection-refs", ".")
    session.run("ansible-lint")


@nox.session
def unit(session: nox.Session) -> None:
    """Tests of the parts."""
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Tests of the whole."""
    system_packages(session)
    session.run("pytest", "tests/integration", *session.posargs)


@nox.session
def molecule(session: nox.Session) -> None:
    """The scenarios of extensions/molecule: on containers, then on loopback gateways, or on what HOSTS names."""
    kinds = [kind for kind in ("containers", "loopback") if os.environ.get("HOSTS") in (None, "", kind)]
    if not kinds:
        session.error(f"HOSTS is containers or loopback, not {os.environ['HOSTS']}")
    system_packages(session)
    if "containers" in kinds and os.geteuid() == 0:
        session.run("tests/system-packages.sh", "debootstrap", "podman", "runc")
    if len(kinds) > 1 and (problem := containers.unusable()):
        session.log(f"On loopback gateways alone: {problem}")
        kinds.remove("containers")
    scenarios = sorted(path.parent.name for path in Path("extensions/molecule").glob("*/molecule.yml"))
    named = [word for name in scenarios for word in ("--scenario-name", name)]
    home = Path(".venv/molecule").absolute()
    for kind in kinds:
        env = {"HOSTS": kind, "MOLECULE_EPHEMERAL_DIRECTORY": str(home / "state")}
        if home.exists():  # a run was killed
            session.run("molecule", "destroy", env=env)
        try:
            session.run("molecule", "test", "--workers=2", *named, env=env)
        except BaseException:
            session.run("molecule", "destroy", env=env)
            raise
        shutil.rmtree(home)
    print(f"{len(scenarios)} scenarios passed on {' and on '.join(kinds)}")


@nox.session
def bench(session: nox.Session) -> None:
    """What a fleet costs: a hundred gateways over SSH, beside a ping and beside built-in modules."""
    system_packages(session)
    session.run("python", "tests/bench/bench.py", env={"PYTHONPATH": "tests/support:tests/fleet"})


@nox.session
def test(session: nox.Session) -> None:
    """All that CI runs: lint, then both tiers in one pytest."""
    lint(session)
    system_packages(session)
    session.run("pytest", "tests/unit", "tests/integration", *session.posargs)


@nox.session(venv_backend="virtualenv")
def lock(session: nox.Session) -> None:
    """Pin requirements-*.in anew, for every supported Python."""
    session.install("uv")
    for name in ("requirements-demo", "requirements-test"):
        session.run(
            *("uv", "pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version=3.11"),
            *("--no-emit-index-url", "--custom-compile-command=nox -s lock"),
            *(f"{name}.in", f"--output-file={name}.txt"),
        )


def system_packages(session: nox.Session) -> None:
    """The programs that stand in for a gateway's; those of the loopback fleet where it can be."""
    loopback = ("ssh", "sshd", "sudo") if os.geteuid() == 0 else ()
    session.run("tests/system-packages.sh", "bash", "busybox", "dash", *loopback)
