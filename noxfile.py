# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sessions of `make`, and two others (lock, screenshots), in the environment that make creates. Activate it to call nox yourself."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import nox
import yaml

sys.path.insert(0, "tests/support")
sys.path.insert(0, "tests/fleet")

import containers
from interpreters import PYTHONS, interpreter

# Every supported ansible-core, and the Python to test it with: the oldest that ansible-core and the code of the controller support.
CORES = {"2.17": "3.11", "2.18": "3.11", "2.19": "3.11", "2.20": "3.12", "2.21": "3.12"}
# For programs that import what tests share, as pytest does: pyproject.toml has the same.
SUPPORT = {"PYTHONPATH": "tests:tests/support:tests/fleet:roles/emulator/files:.venv/collections"}

# More processes than cores, because tests wait for the programs that they start. The tests of a file stay in one process, because they
# share fixtures and may depend on their order. The files start in the order of collection. By default, xdist starts files with few tests
# last, but here these are long scenarios, and the longest would run alone at the end.
TOGETHER = ("--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder")
# The property tests of what gateways, the platform and the answers of a registration may contain.
GATES = (
    "tests/unit/plugins/test_gate.py",
    "tests/unit/plugins/test_remote_python_results.py",
    "tests/unit/plugins/test_look.py",
    "tests/unit/plugins/test_report_merge.py",
    "tests/unit/plugins/test_openapi_answers.py",
    "tests/unit/plugins/test_openapi_wire.py",
    "tests/unit/plugins/test_inventory_gate.py",
    "tests/unit/gateway/test_http.py",
    "tests/unit/gateway/test_proxy.py",
    "tests/unit/gateway/test_registration.py",
    "tests/unit/gateway/test_mqtt_client.py",
)

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "docs", "pythons", "compare", "test"]

# Suppress nox's own messages, so that pytest's summary is the last line.
logging.getLogger("nox").addFilter(lambda record: record.levelname != "SUCCESS" and "uv binary" not in record.msg)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, documentation and licences, the quickest checks first."""
    scripts = session.run("git", "ls-files", "*.sh", ".ci/run", silent=True, log=False).split()
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("yamllint", ".")
    session.run("shellcheck", *scripts)
    # Check a copy, because tests that run at the same time create folders that git ignores.
    session.run("reuse", "--root", str(copy(session, Path(".venv/reuse").absolute())), "lint", "--quiet")
    session.run("mypy")
    session.run("antsibull-changelog", "lint")
    session.run("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--disallow-unknown-collection-refs", ".")
    session.run("python", "tests/support/lint_playbooks.py", env=SUPPORT)
    session.run("zizmor", "--offline", "--quiet", "--no-progress", ".github")
    forms = [str(path) for path in Path(".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
    for schema, *paths in (
        ("github-workflows", *map(str, Path(".github/workflows").glob("*.yml"))),
        ("github-issue-forms", *forms),
        ("dependabot", ".github/dependabot.yml"),
    ):
        session.run("check-jsonschema", "--quiet", "--builtin-schema", f"vendor.{schema}", *paths)
    importer(session)
    sanity(session)


@nox.session
def importer(session: nox.Session) -> None:
    """Import the collection as Galaxy does, and fail on its warnings."""
    programs = environment(session, "importer", sys.executable, "requirements/importer.txt")
    collection = copy(session, programs.parent)
    with tempfile.TemporaryDirectory() as artifact, session.chdir(programs.parent):
        told = session.run(
            *(str(programs / "python"), "-m", "galaxy_importer.main"),
            *("--git-clone-path", str(collection), "--output-path", artifact),
            # The session lint runs ansible-lint with the same profile, and skips no rule.
            env={"PATH": path(programs), "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "no"},
            silent=True,
        )
    refuse(session, told, "WARNING:", "ERROR:")


@nox.session
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity on every installed Python. Fail on findings, and on a skip for another reason than a missing Python."""
    home = Path(".venv/sanity").absolute()
    collection = copy(session, home)
    # Its pylint would need most of its time for the tests, which ruff and mypy check.
    shutil.rmtree(collection / "tests")
    source = files("ansible_test") / "_internal/python_requirements.py"
    pip = re.search(r"pip='([\d.]+)'", source.read_text())[1].replace(".", "_")
    cache = home / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy("tests/support/get_pip.py", cache / f"get_pip_{pip}.py")
    pythons = {version: interpreter(version) for version in PYTHONS}
    missing = [version for version, python in pythons.items() if not python]
    with session.chdir(collection):
        told = session.run(
            *("ansible-test", "sanity", "--color", "no"),
            # The pinned programs come first: the folder of a Python may have another shellcheck.
            env={
                "HOME": str(home),
                "PATH": path(Path(sys.executable).parent, *(python.parent for python in pythons.values() if python)),
            },
            silent=True,
        )
    for version in missing:
        told = re.sub(
            rf".*Skipping sanity test .* on Python {re.escape(version)} because it could not be found.*", "", told
        )
        not_tried(session, version)
    refuse(session, told, "Skipping", "not found")


@nox.session
def advisories(session: nox.Session) -> None:
    """Compare every pinned package with the published vulnerabilities; fail if no vulnerability service answers."""
    programs = environment(session, "advisories", sys.executable, "requirements/advisories.txt")
    pinned = session.run("git", "ls-files", "requirements/*.txt", "tests/*.txt", silent=True, log=False).split()
    session.run(str(programs / "python"), "tests/support/advisories.py", *pinned)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the website of plugins, roles and guides, in docs/build."""
    programs = environment(session, "docs", sys.executable, "requirements/docs.txt")
    home = programs.parent
    rst = home / "rst"
    env = {"PATH": path(programs), "ANSIBLE_COLLECTIONS_PATH": str(Path(".venv/collections").absolute())}
    shutil.rmtree(rst, ignore_errors=True)
    rst.mkdir(mode=0o700)
    collection = (
        "--use-current",
        "--squash-hierarchy",
        "--fail-on-error",
        "--dest-dir",
        str(rst),
        "fleetops.aliyun_iot",
    )
    session.run(str(programs / "antsibull-docs"), "collection", *collection, env=env)
    session.run(
        str(programs / "sphinx-build"), "-q", "-W", "--keep-going", "-c", "docs", str(rst), "docs/build", env=env
    )
    print("The documentation begins at docs/build/index.html")


@nox.session
def screenshots(session: nox.Session) -> None:
    """Create pictures of the progress and the report of a run, in docs/build/pictures."""
    session.run("tests/system-packages.sh", "chromium")
    folder = "docs/build/pictures"
    session.run("python", "docs/screenshots.py", folder, env=SUPPORT)
    print(f"The pictures are in {folder}")


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests."""
    session.run("pytest", "--numprocesses=2", "tests/unit", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the unit tests and measure the coverage of the plugins; fail below the minimum in pyproject.toml."""
    session.run("pytest", "--numprocesses=2", "--cov", "--cov-report=term:skip-covered", "tests/unit", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Run the integration tests."""
    system_packages(session)
    session.run("pytest", *TOGETHER, "tests/integration", *session.posargs)


@nox.session
def model(session: nox.Session) -> None:
    """Explore every interleaving of two runs and their faults, on every platform that the documents allow."""
    session.run("python", "-m", "model", *session.posargs, env=SUPPORT)


@nox.session
def faults(session: nox.Session) -> None:
    """Run random concurrent runs over the same gateways, with kills, failing tools and late requests (-- --trials 300 --seed 1)."""
    system_packages(session)
    session.run("python", "tests/faults/campaign.py", *session.posargs, env=SUPPORT)


@nox.session
def gates(session: nox.Session) -> None:
    """Run the property tests of all untrusted input, with 20,000 examples each."""
    session.run("pytest", "--numprocesses=2", "--hypothesis-profile=long", *GATES, *session.posargs)


@nox.session
def molecule(session: nox.Session) -> None:
    """Run the Molecule scenarios (after `--`, the names of some) on containers, then on loopback gateways; HOSTS selects one of these."""
    kinds = [kind for kind in ("containers", "loopback") if os.environ.get("HOSTS") in (None, "", kind)]
    if not kinds:
        session.error(f"HOSTS is containers or loopback, not {os.environ['HOSTS']}")
    system_packages(session)
    if "containers" in kinds and os.geteuid() == 0:
        session.run("tests/system-packages.sh", "debootstrap", "podman", "runc")
    if len(kinds) > 1 and (problem := containers.unusable()):
        session.log(f"Using loopback gateways only: {problem}")
        kinds.remove("containers")
    scenarios = session.posargs or sorted(
        path.parent.name for path in Path("extensions/molecule").glob("*/molecule.yml")
    )
    named = [word for name in scenarios for word in ("--scenario-name", name)]
    home = Path(".venv/molecule").absolute()
    for kind in kinds:
        env = {"HOSTS": kind, "MOLECULE_EPHEMERAL_DIRECTORY": str(home / "state")}
        if home.exists():  # a run was killed
            session.run("molecule", "destroy", env=env)
        try:
            run_whole(session, "molecule", "test", "--workers=2", *named, env=env)
        except BaseException:
            session.run("molecule", "destroy", env=env)
            raise
        finally:
            shutil.rmtree(home)
    print(f"{', '.join(scenarios)}: passed on {' and on '.join(kinds)}")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure runs over 100 SSH gateways, compared with a ping and built-in modules; with SCALE=N, runs over an inventory of N gateways."""
    system_packages(session)
    script = "scale" if os.environ.get("SCALE") else "bench"
    session.run("python", f"tests/bench/{script}.py", env=SUPPORT)


@nox.session
def live(session: nox.Session) -> None:
    """Test the unconfirmed points on the real platform, and write the results into README.md; refuses to run in CI."""
    session.run("python", "tests/live/live.py", env=SUPPORT)


@nox.session
def image(session: nox.Session) -> None:
    """Build an execution environment with this state of the collection; podman downloads the base image."""
    if not shutil.which("podman"):
        session.error("Needed: podman")
    home = Path(session.create_tmp())
    session.run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(home))
    [archive] = home.glob("*.tar.gz")
    definition = yaml.safe_load(Path("docs/awx/execution-environment.yml").read_text())
    # The sample installs the collection from its repository; install the archive instead.
    definition["dependencies"]["galaxy"] = {"collections": [{"name": f"/build/dist/{archive.name}", "type": "file"}]}
    definition["additional_build_files"] = [{"src": str(archive.absolute()), "dest": "dist"}]
    (home / "execution-environment.yml").write_text(yaml.safe_dump(definition))
    session.run(
        *("ansible-builder", "build", "--container-runtime", "podman", "--tag", "aliyun-iot-ee"),
        *("--file", str(home / "execution-environment.yml"), "--context", str(home / "context")),
    )


@nox.session
def pythons(session: nox.Session) -> None:
    """Run the tests of the gateways' code on every installed Python; the session unit runs them with its own."""
    for version in PYTHONS:
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            continue
        python = interpreter(version)
        if not python:
            not_tried(session, version)
            continue
        programs = environment(session, f"python-{version}", python, "tests/matrix/pythons.txt")
        gateways_code(programs)
        session.run(
            *(
                str(programs / "python"),
                "-m",
                "pytest",
                "--quiet",
                "--hypothesis-profile=few",
                "-p",
                "no:cacheprovider",
            ),
            # Ignore warnings about the age of this Python, and sockets that old Pythons leave to the garbage collector.
            *("-W", "ignore:Python 3", "-W", "ignore::pytest.PytestUnraisableExceptionWarning", "tests/unit/gateway"),
        )


@nox.session
def matrix(session: nox.Session) -> None:
    """Try every ansible-core with every Python of gateways, and write the table in README.md."""
    cores(session, "--write")


@nox.session
def compare(session: nox.Session) -> None:
    """Try every ansible-core with every Python of gateways, and compare the result with the table in README.md."""
    cores(session)


@nox.session
def test(session: nox.Session) -> None:
    """Run the integration and unit tests in one pytest."""
    system_packages(session)
    session.run("pytest", *TOGETHER, "tests/integration", "tests/unit", *session.posargs)


@nox.session
def devel(session: nox.Session) -> None:
    """Try the development version of ansible-core, which is not pinned, with every Python of gateways."""
    home = Path(".venv/ansible-core-devel").absolute()
    session.run(sys.executable, "-m", "venv", "--clear", str(home))
    archive = "https://github.com/ansible/ansible/archive/refs/heads/devel.tar.gz"
    session.run(str(home / "bin/python"), "-m", "pip", "install", "-qq", archive, "-r", "requirements.txt")
    pair = f"devel={home / 'bin/python'}"
    session.run("python", "tests/matrix/matrix.py", "--try", pair, env=SUPPORT)


@nox.session
def release(session: nox.Session) -> None:
    """Build the artifact of the version in TAG; fail if galaxy.yml or the changelog has another version."""
    tag = os.environ.get("TAG", "")
    version = yaml.safe_load(Path("galaxy.yml").read_text())["version"]
    released = yaml.safe_load(Path("changelogs/changelog.yaml").read_text())["releases"]
    if tag != version or version not in released:
        session.error(f"TAG is {tag!r}, galaxy.yml has {version}, the changelog {', '.join(released) or 'nothing'}")
    session.run("ansible-galaxy", "collection", "build", "--force", ".")


@nox.session
def lock(session: nox.Session) -> None:
    """Update the pins of all packages, for every supported Python."""
    pin = (
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--upgrade",
        "--generate-hashes",
        # The pip of Debian 12 ignores a pin without the extra if another package requires this package with an extra.
        "--no-strip-extras",
        "--no-emit-index-url",
        "--custom-compile-command=nox -s lock",
    )
    names = [f"requirements/{name}" for name in ("uv", "demo", "test", "importer", "docs", "advisories")]
    for name in (*names, "tests/support/linkkit/requirements"):
        session.run(*pin, "--universal", "--python-version=3.11", f"{name}.in", f"--output-file={name}.txt")
    session.run(
        *pin, "--universal", "--python-version=3.8", "tests/matrix/pythons.in", "-o", "tests/matrix/pythons.txt"
    )
    for core, python in CORES.items():
        wanted = Path(session.create_tmp(), "core.in")
        wanted.write_text(f"ansible-core~={core}.0\n")
        locked = f"tests/matrix/ansible-core-{core}.txt"
        session.run(*pin, "--no-annotate", f"--python-version={python}", str(wanted), "requirements.txt", "-o", locked)


def cores(session: nox.Session, *arguments: str) -> None:
    """Try every ansible-core whose Python is installed."""
    pairs = []
    for core, version in CORES.items():
        python = interpreter(version)
        if not python:
            not_tried(session, version, f"ansible-core {core} ")
            continue
        programs = environment(session, f"ansible-core-{core}", python, f"tests/matrix/ansible-core-{core}.txt")
        pairs.append(f"{core}={programs / 'python'}")
    session.run("python", "tests/matrix/matrix.py", *arguments, *pairs, env=SUPPORT)


def not_tried(session: nox.Session, version: str, what: str = "") -> None:
    """Log what is skipped because a Python is missing; fail if NEEDED_PYTHONS is all, as in CI."""
    told = f"Python {version} is not installed: {what}not tried"
    if os.environ.get("NEEDED_PYTHONS") == "all":
        session.error(told)
    session.log(told)


def environment(session: nox.Session, name: str, python: str | Path, requirements: str) -> Path:
    """Return the folder of programs of .venv/NAME, which has the pinned packages; install it again when the pins have changed."""
    home, wanted = Path(".venv", name).absolute(), Path(requirements)
    stamp = home / wanted.name
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        session.run("requirements/install.sh", str(home), requirements, str(python))
        shutil.copy(wanted, stamp)
    return home / "bin"


def gateways_code(programs: Path) -> None:
    """Let an old Python import the collection and ansible.module_utils, as on a gateway."""
    [packages] = programs.parent.glob("lib/python3*/site-packages")
    ansible = packages / "ansible"
    if not ansible.exists():
        ansible.symlink_to(Path(str(files("ansible"))))
    (packages / "collections.pth").write_text(f"{Path('.venv/collections').absolute()}\n")


def copy(session: nox.Session, home: Path) -> Path:
    """Copy the files that git would commit to the path where Ansible's tools look for the collection; return that path."""
    collection = home / "ansible_collections/fleetops/aliyun_iot"
    shutil.rmtree(collection, ignore_errors=True)
    listed = session.run("git", "ls-files", "--cached", "--others", "--exclude-standard", silent=True, log=False)
    for name in filter(os.path.isfile, listed.splitlines()):
        (collection / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, collection / name)
    # Without a repository of its own, the copy would be an ignored folder of this repository.
    session.run("git", "init", "--quiet", str(collection), log=False)
    return collection


def path(*folders: Path) -> str:
    return os.pathsep.join([*map(str, folders), os.environ["PATH"]])


def refuse(session: nox.Session, told: str, *words: str) -> None:
    """Fail if the output contains one of these words although the exit code is 0."""
    lines = [line for line in told.splitlines() if any(word in line for word in words)]
    if lines:
        session.error("\n".join(lines))


def run_whole(session: nox.Session, *command: str, env: dict[str, str]) -> None:
    """Run a program in its own process group, and kill the whole group at its end, because its workers could survive an interrupt."""
    session.log(" ".join(command))
    with subprocess.Popen(command, env={**os.environ, **env}, start_new_session=True) as process:
        try:
            failed = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if failed:
        session.error(f"{command[0]} failed with exit code {failed}")


def system_packages(session: nox.Session) -> None:
    """Install the programs that tests use as a gateway's; as root, also those of the loopback fleet."""
    loopback = ("csh", "doas", "fish", "setfacl", "ssh", "sshd", "sudo") if os.geteuid() == 0 else ()
    session.run("tests/system-packages.sh", "bash", "busybox", "chromium", "dash", "jq", *loopback)
