# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator as a separate package, for people who test other clients of the platform."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

FILES = Path(__file__).parents[3] / "roles/emulator/files"
PROJECT = tomllib.loads((FILES / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package without the network, from a copy, because a build leaves files next to the sources."""
    home = tmp_path_factory.mktemp("package")
    shutil.copytree(FILES, home / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", home, home / "source"], check=True)
    [built] = home.glob("*.whl")
    return built


def test_the_package_has_every_file_of_the_emulator(wheel: Path) -> None:
    own = {str(path.relative_to(FILES)) for path in FILES.glob("platform_emulator/**/*.py")}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("platform_emulator/")}
    assert packed == own
    assert len(own) > 20


def test_a_build_of_it_is_no_part_of_the_collection(tmp_path: Path) -> None:
    """The files that pip leaves next to the sources are neither in the collection's archive nor in git."""
    root = FILES.parents[2]
    built = ("build/lib/platform_emulator/admin.py", "aliyun_iot_platform_emulator.egg-info/PKG-INFO")
    for name in ("galaxy.yml", "README.md"):
        shutil.copy(root / name, tmp_path / name)
    for name in ("platform_emulator/admin.py", *built):
        file = tmp_path / FILES.relative_to(root) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    command = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path, env={"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}, check=True)
    [archive] = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        files = [member.name for member in packed if member.isfile()]
    assert [name for name in files if name.startswith("roles/")] == [
        "roles/emulator/files/platform_emulator/admin.py"
    ], files

    ignored = [str(FILES.relative_to(root) / name) for name in built]
    told = subprocess.run(["git", "check-ignore", *ignored], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ignored


def test_its_command_runs(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    [entry_points] = tmp_path.glob("*.dist-info/entry_points.txt")
    assert "aliyun-iot-platform-emulator = platform_emulator.__main__:main" in entry_points.read_text()
    command = "import sys; from platform_emulator.__main__ import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    [metadata] = tmp_path.glob("*.dist-info/METADATA")
    version = ended.stdout.split()[1]
    assert f"\nVersion: {version}\n" in metadata.read_text()


def test_it_asks_for_what_the_role_names() -> None:
    """The role's documentation names the packages that the emulator requires, for people who use it without this package."""
    told = (FILES.parent / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    for requirement in PROJECT["dependencies"]:
        name = requirement.split(">=")[0]
        assert name in told
    assert PROJECT["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer" in told
