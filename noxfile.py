# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make` runs, in the environment that make keeps (activate it to call nox by hand)."""

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

# Every ansible-core that is supported, and the Python that it is tried on: the oldest that it and the controller's code run on.
CORES = {"2.17": "3.11", "2.18": "3.11", "2.19": "3.11", "2.20": "3.12", "2.21": "3.12"}
MATRIX = {"PYTHONPATH": os.pathsep.join(["tests/support", "tests/fleet", "roles/emulator/files"])}

# More processes than cores, as tests wait for what they started. The tests of a file stay together: what a file needs is often
# made once, and its tests may follow each other. The files start as they were collected: by default xdist
# starts those with few tests last, but here few tests are whole scenarios, and the longest would run alone at the end.
TOGETHER = ("--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder")

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "docs", "pythons", "compare", "test"]

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
    # Of a copy: beside the tests, folders that git ignores appear while it looks.
    session.run("reuse", "--root", str(copy(session, Path(".venv/reuse").absolute())), "lint", "--quiet")
    session.run("mypy")
    session.run("antsibull-changelog", "lint")
    session.run("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--disallow-unknown-collection-refs", ".")
    session.run("ansible-lint")
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
    """Do what Galaxy does to a collection that it is given."""
    programs = environment(session, "importer", sys.executable, "requirements/importer.txt")
    collection = copy(session, programs.parent)
    with tempfile.TemporaryDirectory() as artifact, session.chdir(programs.parent):
        told = session.run(
            *(str(programs / "python"), "-m", "galaxy_importer.main"),
            *("--git-clone-path", str(collection), "--output-path", artifact),
            env={"PATH": path(programs)},
            silent=True,
        )
    refuse(session, told, "WARNING:", "ERROR:")


@nox.session
def sanity(session: nox.Session) -> None:
    """Run the tests that come with ansible-core, on every Python that is here. They are to find nothing and to skip nothing else."""
    home = Path(".venv/sanity").absolute()
    collection = copy(session, home)
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
            env={"HOME": str(home), "PATH": path(*(python.parent for python in pythons.values() if python))},
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
    """Compare every pinned package with the published vulnerabilities; fails when no vulnerability service answers."""
    programs = environment(session, "advisories", sys.executable, "requirements/advisories.txt")
    pinned = session.run("git", "ls-files", "requirements/*.txt", "tests/*.txt", silent=True, log=False).split()
    session.run(str(programs / "python"), "tests/support/advisories.py", *pinned)


@nox.session
def docs(session: nox.Session) -> None:
    """Make a site of the documentation of plugins, roles and guides, in docs/build."""
    programs = environment(session, "docs", sys.executable, "requirements/docs.txt")
    home = programs.parent
    rst, env = (
        home / "rst",
        {"PATH": path(programs), "ANSIBLE_COLLECTIONS_PATH": str(Path(".venv/collections").absolute())},
    )
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
    """Pictures of progress and of a report, of a real run, in docs/build/pictures."""
    session.run("tests/system-packages.sh", "chromium")
    support = os.pathsep.join(["tests/support", "roles/emulator/files"])
    folder = "docs/build/pictures"
    session.run("python", "docs/screenshots.py", folder, env={"PYTHONPATH": support})
    print(f"The pictures are in {folder}")


@nox.session
def unit(session: nox.Session) -> None:
    """Run the tests of the parts."""
    session.run("pytest", "--numprocesses=2", "tests/unit", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests of the parts, and measure how much of the plugins they reach; fail below the floor that pyproject.toml sets."""
    session.run("pytest", "--numprocesses=2", "--cov", "--cov-report=term:skip-covered", "tests/unit", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Run the tests of the whole."""
    system_packages(session)
    session.run("pytest", *TOGETHER, "tests/integration", *session.posargs)


@nox.session
def model(session: nox.Session) -> None:
    """Every interleaving of two runs and their faults, on every platform that the documents allow."""
    session.run("python", "-m", "model", *session.posargs, env={"PYTHONPATH": "tests:.venv/collections"})


@nox.session
def faults(session: nox.Session) -> None:
    """Random runs at once over the same gateways, with kills, tools that fail and late requests (-- --trials 300 --seed 1)."""
    system_packages(session)
    support = os.pathsep.join(["tests/support", "roles/emulator/files"])
    session.run("python", "tests/faults/campaign.py", *session.posargs, env={"PYTHONPATH": support})


@nox.session
def gates(session: nox.Session) -> None:
    """Run the property tests of everything that a stranger says, with 20,000 inputs each."""
    of_gateways = [
        f"tests/unit/plugins/test_{name}.py" for name in ("gate", "program_results", "found", "report_merge")
    ]
    of_the_platform = [
        f"tests/unit/plugins/test_{name}.py" for name in ("openapi_answers", "openapi_wire", "inventory_gate")
    ]
    of_a_registration = [f"tests/unit/gateway/test_{name}.py" for name in ("registration", "mqtt_client")]
    session.run(
        *("pytest", "--numprocesses=2", "--hypothesis-profile=long"),
        *(*of_gateways, *of_the_platform, *of_a_registration, *session.posargs),
    )


@nox.session
def molecule(session: nox.Session) -> None:
    """Run the scenarios of extensions/molecule: on containers, then on loopback gateways, or on what HOSTS names."""
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
            run_whole(session, "molecule", "test", "--workers=2", *named, env=env)
        except BaseException:
            session.run("molecule", "destroy", env=env)
            raise
        finally:
            shutil.rmtree(home)
    print(f"{len(scenarios)} scenarios passed on {' and on '.join(kinds)}")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what a fleet costs: a hundred gateways over SSH, beside a ping and built-in modules; or SCALE gateways, in one inventory."""
    system_packages(session)
    script = "scale" if os.environ.get("SCALE") else "bench"
    session.run("python", f"tests/bench/{script}.py", env={"PYTHONPATH": "tests/support:tests/fleet:tests/bench"})


@nox.session
def live(session: nox.Session) -> None:
    """Ask the real platform what its documents leave open, on a throwaway product; README's table gets the answers (never in CI)."""
    session.run("python", "tests/live/live.py", env={"PYTHONPATH": "tests/support:.venv/collections"})


@nox.session
def image(session: nox.Session) -> None:
    """Build an execution environment with the collection as it is here, with podman, which fetches what it is made of (opt-in)."""
    if not shutil.which("podman"):
        session.error("Needed: podman")
    home = Path(session.create_tmp())
    session.run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(home))
    [archive] = home.glob("*.tar.gz")
    definition = yaml.safe_load(Path("docs/awx/execution-environment.yml").read_text())
    # The sample takes the collection from its repository.
    definition["dependencies"]["galaxy"] = {"collections": [{"name": f"/build/dist/{archive.name}", "type": "file"}]}
    definition["additional_build_files"] = [{"src": str(archive.absolute()), "dest": "dist"}]
    (home / "execution-environment.yml").write_text(yaml.safe_dump(definition))
    session.run(
        *("ansible-builder", "build", "--container-runtime", "podman", "--tag", "aliyun-iot-ee"),
        *("--file", str(home / "execution-environment.yml"), "--context", str(home / "context")),
    )


@nox.session
def pythons(session: nox.Session) -> None:
    """Run the tests of what runs on gateways, on every Python that is here."""
    for version in PYTHONS:
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
            # What packages say of their own Python's age, and sockets that old ones leave to the garbage collector.
            *("-W", "ignore:Python 3", "-W", "ignore::pytest.PytestUnraisableExceptionWarning", "tests/unit/gateway"),
        )


@nox.session
def matrix(session: nox.Session) -> None:
    """Every ansible-core with every Python of gateways: writes README's table."""
    cores(session, "--write")


@nox.session
def compare(session: nox.Session) -> None:
    """Every ansible-core with every Python of gateways: is README's table right?"""
    cores(session)


@nox.session
def test(session: nox.Session) -> None:
    """Both tiers in one pytest."""
    system_packages(session)
    session.run("pytest", *TOGETHER, "tests/integration", "tests/unit", *session.posargs)


@nox.session
def devel(session: nox.Session) -> None:
    """Try what is to become the next ansible-core, with every Python of gateways. It comes from its repository, and is not pinned."""
    home = Path(".venv/ansible-core-devel").absolute()
    session.run(sys.executable, "-m", "venv", "--clear", str(home))
    archive = "https://github.com/ansible/ansible/archive/refs/heads/devel.tar.gz"
    session.run(str(home / "bin/python"), "-m", "pip", "install", "-qq", archive, "-r", "requirements.txt")
    pair = f"devel={home / 'bin/python'}"
    session.run("python", "tests/matrix/matrix.py", "--try", pair, env=MATRIX)


@nox.session
def release(session: nox.Session) -> None:
    """Build the artifact of the version that TAG names, if that is the one of galaxy.yml and the changelog has it."""
    tag = os.environ.get("TAG", "")
    version = yaml.safe_load(Path("galaxy.yml").read_text())["version"]
    released = yaml.safe_load(Path("changelogs/changelog.yaml").read_text())["releases"]
    if tag != version or version not in released:
        session.error(f"TAG is {tag!r}, galaxy.yml has {version}, the changelog {', '.join(released) or 'nothing'}")
    session.run("ansible-galaxy", "collection", "build", "--force", ".")


@nox.session(venv_backend="virtualenv")
def lock(session: nox.Session) -> None:
    """Pin what is wanted anew: for every Python that may run it."""
    session.install("uv")
    pin = (
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--upgrade",
        "--generate-hashes",
        # The pip of Debian 12 takes the newest release of what another package wants with an extra, unless the pin has the extra too.
        "--no-strip-extras",
        "--no-emit-index-url",
        "--custom-compile-command=nox -s lock",
    )
    names = [f"requirements/{name}" for name in ("demo", "test", "importer", "docs", "advisories")]
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
    """Try every ansible-core whose Python is here."""
    pairs = []
    for core, version in CORES.items():
        python = interpreter(version)
        if not python:
            not_tried(session, version, f"ansible-core {core} ")
            continue
        programs = environment(session, f"ansible-core-{core}", python, f"tests/matrix/ansible-core-{core}.txt")
        pairs.append(f"{core}={programs / 'python'}")
    session.run("python", "tests/matrix/matrix.py", *arguments, *pairs, env=MATRIX)


def not_tried(session: nox.Session, version: str, what: str = "") -> None:
    """Say what is passed over without a Python; where NEEDED_PYTHONS is all, as in CI, that is a failure."""
    told = f"Python {version} is not here: {what}not tried"
    if os.environ.get("NEEDED_PYTHONS") == "all":
        session.error(told)
    session.log(told)


def environment(session: nox.Session, name: str, python: str | Path, requirements: str) -> Path:
    """Return the programs of .venv/NAME, which has what the requirements pin, made anew whenever they change."""
    home, wanted = Path(".venv", name).absolute(), Path(requirements)
    stamp = home / wanted.name
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        shutil.rmtree(home, ignore_errors=True)
        session.run(str(python), "-m", "venv", str(home))
        session.run(
            *(str(home / "bin/python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "--requirement", requirements),
        )
        shutil.copy(wanted, stamp)
    return home / "bin"


def gateways_code(programs: Path) -> None:
    """Let an old Python import what Ansible brings to it: the collection, and ansible.module_utils of .venv's ansible-core."""
    [packages] = programs.parent.glob("lib/python3*/site-packages")
    ansible = packages / "ansible"
    if not ansible.exists():
        ansible.symlink_to(Path(str(files("ansible"))))
    (packages / "collections.pth").write_text(f"{Path('.venv/collections').absolute()}\n")


def copy(session: nox.Session, home: Path) -> Path:
    """Return the collection, as it would be committed, in a place where Ansible's tools look for collections."""
    collection = home / "ansible_collections/fleetops/aliyun_iot"
    shutil.rmtree(collection, ignore_errors=True)
    listed = session.run("git", "ls-files", "--cached", "--others", "--exclude-standard", silent=True, log=False)
    for name in filter(os.path.isfile, listed.splitlines()):
        (collection / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, collection / name)
    # Or the tools would take it for a part of this repository, and an ignored one.
    session.run("git", "init", "--quiet", str(collection), log=False)
    return collection


def path(*folders: Path) -> str:
    return os.pathsep.join([*map(str, folders), os.environ["PATH"]])


def refuse(session: nox.Session, told: str, *words: str) -> None:
    """Fail when a tool that ended well has told of something."""
    lines = [line for line in told.splitlines() if any(word in line for word in words)]
    if lines:
        session.error("\n".join(lines))


def run_whole(session: nox.Session, *command: str, env: dict[str, str]) -> None:
    """Run a program whose workers would outlive it when it is interrupted: all of them end with it."""
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
    """Install the programs that stand in for a gateway's; those of the loopback fleet where it can be."""
    loopback = ("csh", "doas", "fish", "setfacl", "ssh", "sshd", "sudo") if os.geteuid() == 0 else ()
    session.run("tests/system-packages.sh", "bash", "busybox", "chromium", "dash", *loopback)
