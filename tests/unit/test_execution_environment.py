# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the requirements that the collection adds to an execution environment, as ansible-builder reads them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs/awx/execution-environment.yml"


def builder(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "ansible_builder", *arguments]
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done
    return done.stdout


def required(name: str) -> set[str]:
    return {line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")}


def test_the_requirements_of_the_collection_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "ansible_collections/fleetops"
    folder.mkdir(parents=True)
    (folder / "aliyun_iot").symlink_to(ROOT)
    found = yaml.safe_load(builder("introspect", tmp_path))
    wanted = {kind: {line.partition("  #")[0] for line in lines} for kind, lines in found.items()}
    assert wanted == {"python": required("requirements.txt"), "system": required("bindep.txt")}
    assert any(line.startswith("alibabacloud-tea-openapi") for line in wanted["python"])


def test_the_system_packages_are_in_the_language_of_bindep() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bindep", "--file", ROOT / "bindep.txt", "--profiles"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "platform:" in told.stdout
    assert {re.sub(r" .*", "", line) for line in required("bindep.txt")} == {"openssh-client", "openssh-clients"}


def test_an_image_can_be_described(tmp_path: Path) -> None:
    context = tmp_path / "context"
    builder("create", "--file", SAMPLE, "--context", context, "--output-filename", "Containerfile")
    lines = (context / "Containerfile").read_text()
    assert "ansible-core>=2.17" in lines
    [collection] = yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"]
    repository = yaml.safe_load((ROOT / "galaxy.yml").read_text())["repository"]
    assert collection == {"name": f"git+{repository}", "type": "git"}


def test_make_image_hands_podman_this_collection(tmp_path: Path) -> None:
    """A script replaces podman, which would download the base image."""
    podman = tmp_path / "podman"
    podman.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    podman.chmod(0o755)
    told = subprocess.run(
        [sys.executable, "-m", "nox", "--envdir", tmp_path / "nox", "-s", "image"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told
    context = tmp_path / "nox/image/tmp/context"
    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    [build] = [words for words in calls if words[0] == "build"]
    assert "aliyun-iot-ee" in build
    assert str(context) in build
    [archive] = (context / "_build/dist").iterdir()
    [collection] = yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"]
    assert collection == {"name": f"/build/dist/{archive.name}", "type": "file"}
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert {"meta/execution-environment.yml", "requirements.txt", "bindep.txt"} <= set(names)
