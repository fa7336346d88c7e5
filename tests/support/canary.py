# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Search for a test's secrets in texts, in files, and in the command lines and environments of processes."""

from __future__ import annotations

import base64
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import processes

LARGEST = 50_000_000  # bytes; no test writes a larger file


def new_secret() -> str:
    """Return a new secret for every test, so that a trace is never another test's."""
    return secrets.token_hex(16)


class Canaries:
    """Secrets by name, in every form in which they might appear."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._forms = {
            f"{name} {form}": text for name, secret in named.items() for form, text in _forms(secret).items()
        }

    def in_text(self, text: bytes | str) -> list[str]:
        """Return the names and forms of the secrets in a text."""
        content = text.encode() if isinstance(text, str) else text
        return [name for name, form in self._forms.items() if form in content]

    def in_files(self, *places: Path, apart: Iterable[Path] = ()) -> list[str]:
        """Return the files under these places that contain a secret in their content or name, except those in `apart`."""
        paths = [path for place in places for path in _files(place, set(apart))]
        return [f"{path}: {trace}" for path in paths for trace in self.in_text(os.fsencode(path) + _content(path))]


def _files(place: Path, apart: set[Path]) -> Iterator[Path]:
    if place.is_file() and place not in apart:
        yield place
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if Path(folder, name) not in apart]
        yield from (path for path in (Path(folder, name) for name in files) if path not in apart)


def _forms(secret: str) -> dict[str, bytes]:
    raw = secret.encode()
    forms = {
        "as it is": raw,
        "in hexadecimal": raw.hex().encode(),
        "backwards": raw[::-1],
    }
    if (encoded := quote(secret, safe="").encode()) != raw:
        forms["in a URL"] = encoded
    for shift in range(3):
        # These characters encode the secret alone, whatever surrounds it.
        inner = base64.b64encode(b"\0" * shift + raw)[4:-4]
        forms[f"in base64, {shift}"] = inner
    return forms


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size < LARGEST else b""
    except OSError:
        return b""


class Watch:
    """A repeated search of the command lines and environments of all processes, which runs inside `with`."""

    def __init__(self, canaries: Canaries) -> None:
        self.seen: set[str] = set()
        self.rounds = 0
        self._canaries = canaries
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        searched: set[bytes] = set()  # most processes are the same as in the round before
        while not self._over.wait(0.02):
            for pid in processes.everyone():
                for name in ("cmdline", "environ"):
                    content = processes.read(pid, name)
                    if content in searched:
                        continue
                    searched.add(content)
                    self.seen.update(
                        f"{name} of {content[:80]!r}: {trace}" for trace in self._canaries.in_text(content)
                    )
            self.rounds += 1
