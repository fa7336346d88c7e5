# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""ProductSecret, read by the playbooks with an account: only when it is needed, and only into the controller's memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from canary import Canaries, new_secret
from emulator import Emulator
from operations import (
    ENV,
    account,
    called,
    credential_file,
    left_over,
    operate,
    provision,
    results,
    role_variables,
    valid_text,
)
from playbook import PRODUCT_KEY, Run, inventory, names, run_playbook

JSON = Any

pytestmark = pytest.mark.usefixtures("new_platform")

FROM_ACCOUNT = {"platform_product_secret": "from_account"}
WAYS = {"gw-0001": {"gateway_register_from": "gateway"}, "gw-0002": {"gateway_register_from": "controller"}}


@pytest.fixture
def secret(platform: Emulator) -> str:
    """Give the product a ProductSecret that only this test knows."""
    secret = new_secret()
    platform.admin.put_product(PRODUCT_KEY, product_secret=secret)
    return secret


def fleet(platform: Emulator, hosts: JSON, tmp_path: Path, **variables: JSON) -> JSON:
    known = {name: value for name, value in role_variables(platform).items() if name != "gateway_product_secret"}
    return inventory(hosts, tmp_path, **known, **FROM_ACCOUNT, **variables)


def asked(platform: Emulator) -> list[str]:
    return [entry["action"] for entry in platform.admin.requests()]


def traces(secret: str, tmp_path: Path, *runs: Run) -> list[str]:
    """Return where the secret occurs: in output and results, and in files, including those of gateways."""
    canaries = Canaries({"ProductSecret": secret})
    shown = [canaries.in_text(f"{run.stdout}\n{run.stderr}\n{json.dumps(run.results)}") for run in runs]
    return [trace for found in shown for trace in found] + canaries.in_files(tmp_path)


def test_it_is_read_when_a_gateway_registers_and_shown_to_nobody(
    platform: Emulator, tmp_path: Path, secret: str
) -> None:
    hosts = fleet(platform, WAYS, tmp_path)
    checked = operate("provision", platform, hosts, tmp_path, "--check", "--diff", "-vvv")
    assert (checked.rc, checked.changed) == (0, 2), checked
    assert asked(platform).count("QueryProduct") == 1, "once for all of them, and before anything is promised"
    assert called(platform, "register") == []
    platform.admin.clear_requests()
    first = operate("provision", platform, hosts, tmp_path, "--diff", "-vvv")
    assert first.rc == 0, first
    assert (asked(platform).count("QueryProduct"), sorted(called(platform, "register"))) == (1, names(2))
    for host in names(2):
        assert credential_file(tmp_path, host).read_text() == valid_text(platform, host)
        assert results(first, host)[0]["reason"] == "missing"
    platform.admin.clear_requests()
    again = operate("provision", platform, hosts, tmp_path)
    assert (again.rc, again.changed, asked(platform)) == (0, 0, []), again
    for host in names(2):
        platform.admin.activate(PRODUCT_KEY, host)
    renewed = operate("reprovision", platform, hosts, tmp_path, "-vvv", gateway_serial="100%")
    assert (renewed.rc, called(platform, "ResetThing")) == (0, names(2)), renewed
    assert traces(secret, tmp_path, checked, first, again, renewed) == []


def test_a_task_of_the_host_reads_it_too(platform: Emulator, tmp_path: Path, secret: str) -> None:
    """A task of the host reads ProductSecret too, if a pass cannot work on the host."""
    broken = tmp_path / "site"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import ansible.executor.task_executor as made\n"
        "def new(kind, *arguments, **keywords):\n"
        "    if not arguments and not keywords:\n"
        "        raise RuntimeError('made for threads')\n"
        "    return object.__new__(kind)\n"
        "made.TaskExecutor.__new__ = staticmethod(new)\n"
    )
    hosts = fleet(platform, WAYS, tmp_path, **account(platform))
    environment = {**ENV, "PYTHONPATH": str(broken)}
    run = run_playbook("fleetops.aliyun_iot.provision", hosts, tmp_path, "-vvv", env=environment)
    assert (run.rc, sorted(called(platform, "register"))) == (0, names(2)), run
    assert "left to a task of its own" in " ".join((run.stdout + run.stderr).split())
    assert traces(secret, tmp_path, run) == []


def test_who_gets_no_product_secret_registers_nothing(platform: Emulator, tmp_path: Path, secret: str) -> None:
    misplaced = new_secret()
    own: dict[str, JSON] = {
        "gw-0001": {"platform_product_secret": misplaced},
        "gw-0002": {"gateway_product_secret": secret},
        "gw-0003": {"platform_access_key_secret": "NotTheSecret0001"},
        "gw-0004": {"platform_access_key_id": "", "platform_access_key_secret": ""},
        "gw-0005": {"gateway_product_key": "a1Nowhere"},
    }
    hosts = fleet(platform, own, tmp_path)
    hosts["gateways"]["vars"].update(account(platform))
    for arguments in (["--check"], []):
        run = provision(platform, hosts, tmp_path, *arguments)
        assert run.rc == 2, run
        told = {host: results(run, host)[0] for host in own}
        kinds = ["invalid_option", "invalid_option", "refused", "credential", "not_found"]
        assert [told[host]["error"]["kind"] for host in own] == kinds
        assert "from_account" in told["gw-0001"]["msg"]
        assert "gateway_product_secret" in told["gw-0002"]["msg"]
        assert "platform_access_key_id and platform_access_key_secret" in told["gw-0004"]["msg"]
        assert misplaced not in run.stdout + run.stderr + json.dumps(run.results)
    assert called(platform, "register") == []
    assert left_over(tmp_path, own) == {}
    assert not any(credential_file(tmp_path, host).exists() for host in own)


@pytest.mark.parametrize("answer", [None, "", "two words", "x" * 65])
def test_an_answer_without_a_usable_product_secret(answer: str | None) -> None:
    """A value that is not a ProductSecret is not used to sign, and no message contains it."""
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import BadAnswer
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.answer import OpenApiAnswer
    from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._openapi.products import product_secret

    class Api:
        def call(self, _action: str, _parameters: JSON) -> OpenApiAnswer:
            return OpenApiAnswer("QueryProduct", {"Data": {"ProductKey": PRODUCT_KEY, "ProductSecret": answer}})

    api: JSON = Api()
    with pytest.raises(BadAnswer) as raised:
        product_secret(api, PRODUCT_KEY)
    assert not answer or answer not in str(raised.value)
