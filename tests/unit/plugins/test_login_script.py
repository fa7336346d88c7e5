# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the script login exactly as it is sent, in every kind of shell and awk: its signature and its output."""

from __future__ import annotations

import hmac
import json
import shutil
import string
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from shells import AWKS, SHELLS, installed, write_script, write_shell
from stored_files import RIGHT, RIGHT_TOKENS
from stored_files import SECRET as STORED
from vectors import vectors

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.change import ScriptAnswer, read_answer
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.mqtt import login_content
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import StorageError
from ansible_collections.fleetops.aliyun_iot.plugins.plugin_utils._scripts import login_script

KEY, NAME, SECRET = "a1IoKTestP1", "gw_1@x.y:z-1", "0123456789abcdef0123456789abcdef"
MASK = "5ca1ab1e0ddba11" * 8
METHODS = ["hmacmd5", "hmacsha1", "hmacsha256"]
# The characters of a stored secret, none of which has a meaning for a shell.
LETTERS = string.ascii_letters + string.digits + "_.+/=-"
TOOLS = ["awk", "cat", "id", "ls", "md5sum", "sha1sum", "sha256sum", "tr"]


@dataclass(frozen=True)
class Gateway:
    """A shell, and the folder of its credential; ``number`` is that of its shell and awk in KINDS."""

    shell: str
    folder: Path
    number: int = 0

    @property
    def path(self) -> Path:
        return self.folder / "device.json"

    def store(self, secret: str = SECRET, key: str = KEY, name: str = NAME) -> None:
        self.path.write_text(f'{{"deviceName":"{name}","deviceSecret":"{secret}","productKey":"{key}"}}\n')

    def output(self, method: str = "hmacsha256") -> str:
        script = login_script(str(self.path), login_content("${product_key}", "${device_name}"), method, MASK)
        done = subprocess.run([self.shell], input=script.encode(), capture_output=True, timeout=60, check=False)
        assert done.stderr == b""
        return done.stdout.decode()

    def answer(self) -> ScriptAnswer:
        return read_answer(self.output())

    def password(self, method: str = "hmacsha256") -> str:
        """Return the password without the mask."""
        answer = read_answer(self.output(method))
        assert answer.outcome == "signed", answer
        [masked] = answer.all_of("password")
        return f"{int(masked, 16) ^ int(MASK[: len(masked)], 16):0{len(masked)}x}"


KINDS = [(shell, awk) for shell in installed(SHELLS) for awk in installed(AWKS)]


@pytest.fixture(scope="module", params=KINDS, ids=" with ".join)
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    folder = tmp_path_factory.mktemp("gateway")
    shell, awk = request.param
    return Gateway(
        str(write_shell(folder / "shell", {"awk": f'exec {awk} "$@"'}, f"exec {shell}")),
        folder,
        KINDS.index(request.param),
    )


@pytest.fixture
def one(tmp_path: Path) -> Gateway:
    """Return a gateway for tests that one shell proves for all shells."""
    return Gateway("/bin/sh", tmp_path)


def expected(secret: str, method: str = "hmacsha256") -> str:
    content = f"clientId{KEY}.{NAME}deviceName{NAME}productKey{KEY}timestamp2524608000000"
    return hmac.new(secret.encode(), content.encode(), method.removeprefix("hmac")).hexdigest()


def test_there_is_more_than_one_of_each() -> None:
    assert len(installed(SHELLS)) >= 2
    assert len(installed(AWKS)) >= 2


@pytest.mark.parametrize(
    "vector",
    [vector for vector in vectors("mqtt_connect") if vector["client"] == "LinkSDK C 4.2.0"],
    ids=lambda vector: vector["deviceName"],
)
def test_it_signs_as_other_clients_do(gateway: Gateway, vector: dict[str, Any]) -> None:
    gateway.store(vector["deviceSecret"], vector["productKey"], vector["deviceName"])
    assert gateway.password().upper() == vector["password"]


@pytest.mark.parametrize("method", METHODS)
def test_every_character_and_every_digest(gateway: Gateway, method: str) -> None:
    for secret in (LETTERS[:64], LETTERS[-64:]):
        gateway.store(secret)
        assert gateway.password(method) == expected(secret, method)


def test_secrets_of_every_length(gateway: Gateway) -> None:
    """Each length is tried with one kind of shell and awk: all of them add the padding of the key with the same expressions."""
    for length in range(1 + gateway.number, 65, len(KINDS)):
        secret = (LETTERS * 2)[length : 2 * length]
        gateway.store(secret)
        assert gateway.password() == expected(secret)


@pytest.mark.parametrize("text", RIGHT.values(), ids=list(RIGHT))
def test_however_it_is_laid_out(one: Gateway, text: str) -> None:
    """One shell is enough: `test_stored_file.py` reads every file with every awk, in the function that this script calls, too."""
    one.path.write_bytes(text.encode())
    assert one.password() == expected(STORED)


@pytest.mark.parametrize("text", RIGHT_TOKENS.values(), ids=list(RIGHT_TOKENS))
def test_a_token_is_told_however_it_is_laid_out(gateway: Gateway, text: str) -> None:
    gateway.path.write_bytes(text.encode())
    assert gateway.answer().outcome == "token"


def test_the_answer_holds_neither_secret_nor_password(gateway: Gateway) -> None:
    gateway.store()
    shown = gateway.output().lower()
    assert gateway.password() == expected(SECRET)
    assert SECRET not in shown
    assert expected(SECRET) not in shown


def test_no_command_sees_the_secret_or_the_password(tmp_path: Path) -> None:
    """Only shells whose tools are programs are tested, because BusyBox runs its applets in its own process."""
    for shell in installed(SHELLS[:2]):
        log = tmp_path / f"{shell}.log"
        words = [*TOOLS, "echo", "env", "printf", "test", "["]
        tools = {
            name: f'printf "%s\\n" {name} "$@" >>{log}\n/usr/bin/tr "\\0" "\\n" </proc/$$/environ >>{log}\n'
            f'exec {shutil.which(name)} "$@"'
            for name in words
        }
        # A variable that is already in the environment would stay there with its new value.
        names = "content device_secret mask secret signature"
        set_before = "".join(f"{name}=x\nexport {name}\n" for name in names.split())
        gateway = Gateway(str(write_shell(tmp_path / shell, tools, f"{set_before}exec {shell}")), tmp_path)
        gateway.store()
        assert gateway.password() == expected(SECRET)
        said = log.read_text().lower()
        assert {"awk", "sha256sum"} <= set(said.splitlines())
        padded = [bytes(octet ^ pad for octet in SECRET.encode().ljust(64, b"\0")) for pad in (0x36, 0x5C)]
        escaped = ["".join(f"\\{octet:03o}" for octet in block) for block in padded]
        assert [text for text in (SECRET, expected(SECRET), MASK, *escaped) if text in said] == []


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (None, "missing"),
        ("", "unreadable"),
        ("{}\n", "unreadable"),
        ('{"deviceName":"gw-0001","deviceSecret":"","productKey":"a1"}\n', "unreadable"),
        (f'{{"deviceName":"gw-0001","deviceSecret":"{"x" * 65}","productKey":"a1"}}\n', "unreadable"),
        *(
            (f'{{"deviceName":"gw-0001","deviceSecret":"{secret}","productKey":"a1"}}\n', "unreadable")
            for secret in ("a$(id)", "a`id`", "a'b", "a b", "a;b", "a%b", "a\\b", "\u00e4")
        ),
        (f'{{"deviceName":"$(id)","deviceSecret":"{SECRET}","productKey":"a1"}}\n', "unreadable"),
        (
            json.dumps(
                {"clientId": "c1", "deviceName": "gw-0001", "deviceToken": "token", "productKey": "a1"},
                separators=(",", ":"),
            ),
            "token",
        ),
    ],
)
def test_nothing_to_sign_with(one: Gateway, content: str | None, outcome: str) -> None:
    if content is not None:
        one.path.write_text(content)
    answer = one.answer()
    assert answer == ScriptAnswer(outcome, tuple("" for _line in answer.lines)), (
        "nothing but the blank lines before an answer"
    )


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_a_shell_whose_printf_is_a_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("enable -n printf\n")
    shell = write_script(tmp_path / "sh", f"BASH_ENV={tmp_path}/environment\nexport BASH_ENV\nexec bash")
    gateway = Gateway(str(shell), tmp_path)
    gateway.store()
    with pytest.raises(StorageError, match="no builtin printf") as error:
        gateway.answer()
    assert error.value.kind == "missing_tool"


@pytest.mark.parametrize("tool", ["awk", "sha256sum"])
def test_a_missing_tool_is_named(tmp_path: Path, tool: str) -> None:
    shell = write_shell(tmp_path / "shell", {}, f"exec {shutil.which('sh')}", path="")
    for name in {*TOOLS} - {tool}:
        (tmp_path / "shell" / "bin" / name).symlink_to(shutil.which(name) or "")
    gateway = Gateway(str(shell), tmp_path)
    gateway.store()
    answer = gateway.answer()
    assert (answer.outcome, {*answer.all_of("missing_tool")}) == ("lacking", {tool})


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_what_is_sent_is_sound() -> None:
    script = login_script("/etc/x", login_content("${product_key}", "${device_name}"), "hmacsha256", MASK)
    # Disabled in the sources too: words that are split on purpose, formats of escapes, functions of other scripts.
    excluded = "SC2016,SC2034,SC2046,SC2059,SC2086,SC2154,SC2317,SC2329"
    command = ["shellcheck", "--shell=sh", f"--exclude={excluded}", "-"]
    checked = subprocess.run(command, check=False, input=script, stdout=subprocess.PIPE, text=True)
    assert checked.stdout == ""
